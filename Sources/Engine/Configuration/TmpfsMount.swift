/// A tmpfs asked for by its place and options (`--tmpfs`).
package struct TmpfsMount: Hashable, Sendable, Codable {
    /// Where it appears in the container.
    package var target: MountTarget
    /// Options of tmpfs(5), checked.
    package var options: [TmpfsOption]

    /// A file system in memory.
    package init(target: MountTarget, options: [TmpfsOption] = []) {
        self.target = target
        self.options = options
    }
}

/// A mount option of a tmpfs: `noexec`, `size=64m`.
package struct TmpfsOption: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The option's name.
    package let name: String
    /// What follows the equals sign; `nil` without one.
    package let value: String?

    private static let flags: Set = [
        "defaults", "ro", "rw", "suid", "nosuid", "dev", "nodev", "exec", "noexec", "sync", "async", "dirsync",
        "remount", "mand",
        "nomand", "atime", "noatime", "diratime", "nodiratime", "bind", "rbind", "unbindable", "runbindable", "private",
        "rprivate", "shared", "rshared", "slave", "rslave", "relatime", "norelatime", "strictatime", "nostrictatime",
    ]
    private static let valued: Set = [
        "mode", "uid", "gid", "size", "nr_inodes", "nr_blocks", "mpol", "huge", "noswap", "inode32", "inode64",
    ]

    /// nil: the kernel's tmpfs has no such option.
    package init?(name: String, value: String? = nil) {
        guard Self.flags.contains(name) || Self.valued.contains(name), !(value ?? "").utf8.contains(0),
            !(value ?? "").contains(",")
        else { return nil }
        self.name = name
        self.value = value
    }

    package var description: String { name + (value.map { "=" + $0 } ?? "") }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let name = try container.decode(String.self, forKey: .name)
        guard let option = TmpfsOption(name: name, value: try container.decodeIfPresent(String.self, forKey: .value))
        else { throw EngineError.invalid("\"\(name)\" is not an option of a tmpfs") }
        self = option
    }

    private enum CodingKeys: String, CodingKey { case name, value }
}
