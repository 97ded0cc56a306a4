/// `-v source:destination[:options]` as one entry of the API's `Binds`.
package struct BindSpecification: ModeString {
    /// An absolute host path, or a volume's name (refused until volumes land).
    package var source: String
    package var destination: String
    /// `ro`, `rw`, `z`, `Z`, `nocopy`, propagation (`rslave`, …).
    package var options: [String]

    /// Whether the source names a volume instead of a path.
    package var isVolume: Bool { !source.hasPrefix("/") }
    package var isReadOnly: Bool { options.contains("ro") || options.contains("readonly") }

    private static let propagations: Set = ["private", "rprivate", "shared", "rshared", "slave", "rslave"]
    private static let knownOptions: Set = ["ro", "rw", "z", "Z", "nocopy", "consistent", "cached", "delegated"]

    /// One of the kernel's propagation types, if given.
    package var propagation: String? { options.first { Self.propagations.contains($0) } }

    package init(_ text: String) throws(EngineError) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard (2...3).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }) else {
            throw .invalid("invalid volume specification: '\(text)'")
        }
        source = parts[0]
        destination = parts[1]
        options = parts.count == 3 ? parts[2].split(separator: ",").map(String.init) : []
        guard destination.hasPrefix("/") else {
            throw .invalid(
                "invalid volume specification: '\(text)': invalid mount path: '\(destination)' mount path must be absolute"
            )
        }
        if lexicallyClean(destination) == "/" {
            throw .invalid("invalid volume specification: '\(text)': invalid specification: destination can't be '/'")
        }
        let known = options.allSatisfy { Self.knownOptions.contains($0) || Self.propagations.contains($0) }
        let accesses = options.count { $0 == "ro" || $0 == "rw" }
        if !known || accesses > 1 || options.count(where: Self.propagations.contains) > 1 {
            throw .invalid("invalid mode: \(parts[2])")
        }
    }

    package var description: String {
        source + ":" + destination + (options.isEmpty ? "" : ":" + options.joined(separator: ","))
    }
}

/// One `--mount` (the API's `Mounts`).
package struct MountSpecification: Hashable, Sendable, Codable {
    package enum Kind: String, Hashable, Sendable, Codable {
        case bind, tmpfs, volume, image, cluster, npipe
    }

    package var kind: Kind
    package var source = ""
    package var target: String
    package var readOnly = false
    /// `consistency` as given; carried.
    package var consistency = ""
    package var bind: BindOptions?
    package var tmpfs: TmpfsOptions?

    package init(kind: Kind, source: String = "", target: String, readOnly: Bool = false) {
        self.kind = kind
        self.source = source
        self.target = target
        self.readOnly = readOnly
    }

    package struct BindOptions: Hashable, Sendable, Codable {
        /// Empty: rprivate.
        package var propagation = ""
        package var nonRecursive = false
        package var createMountpoint = false
        package var readOnlyNonRecursive = false
        package var readOnlyForceRecursive = false

        package init() {}
    }

    package struct TmpfsOptions: Hashable, Sendable, Codable {
        /// Bytes; nil: half of memory, the kernel's default.
        package var sizeBytes: Int64?
        /// Permission bits; nil: 1777.
        package var mode: UInt32?
        /// Further options as name or (name, value).
        package var options: [[String]] = []

        package init() {}
    }
}

/// `path` without `.`, `..` and doubled slashes, resolved by text alone (absolute paths only: `..` at the root stays there).
func lexicallyClean(_ path: String) -> String {
    var parts: [Substring] = []
    for part in path.split(separator: "/") {
        if part == "." { continue }
        if part == ".." { _ = parts.popLast() } else { parts.append(part) }
    }
    return "/" + parts.joined(separator: "/")
}
