/// The platform an image is for: `linux/amd64`, `linux/arm64/v8` (image-spec, image-index.md, "platform").
package struct Platform: Hashable, Sendable, Codable {
    /// The processor architecture, by Go's names.
    package var architecture: String
    /// The operating system, by Go's names.
    package var os: String
    /// The version of the operating system.
    package var osVersion: String?
    /// Features that the operating system must have.
    package var osFeatures: [String]?
    /// The variant of the architecture, such as `v8`.
    package var variant: String?

    enum CodingKeys: String, CodingKey {
        case architecture
        case os
        case osVersion = "os.version"
        case osFeatures = "os.features"
        case variant
    }

    /// A platform.
    package init(
        os: String, architecture: String, variant: String? = nil, osVersion: String? = nil,
        osFeatures: [String]? = nil
    ) {
        self.os = os
        self.architecture = architecture
        self.variant = variant
        self.osVersion = osVersion
        self.osFeatures = osFeatures
    }

    /// Reads `os/architecture[/variant]`, `architecture` or `os` alone, taking the rest from the host, with the usual
    /// other names (`x86_64`, `aarch64`, …) replaced by the registered ones.
    package init(parsing text: String) throws(PlatformError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { $0.lowercased() }
        guard (1...3).contains(parts.count), parts.allSatisfy(Self.isValidPart) else {
            throw PlatformError(text: text, reason: .form)
        }
        if parts.count == 1 {
            if Self.knownSystems.contains(parts[0]) {
                self.init(os: parts[0], architecture: Platform.host.architecture)
            } else {
                let (architecture, variant) = Self.normalised(architecture: parts[0], variant: nil)
                guard Self.knownArchitectures.contains(architecture) else {
                    throw PlatformError(text: text, reason: .unknown)
                }
                self.init(os: Platform.host.os, architecture: architecture, variant: variant)
            }
            return
        }
        let (architecture, variant) = Self.normalised(
            architecture: parts[1], variant: parts.count == 3 ? parts[2] : nil)
        self.init(os: parts[0], architecture: architecture, variant: variant)
    }

    /// The platform this program was built for.
    package static var host: Platform {
        #if arch(x86_64)
        Platform(os: "linux", architecture: "amd64")
        #elseif arch(arm64)
        Platform(os: "linux", architecture: "arm64", variant: "v8")
        #elseif arch(arm)
        Platform(os: "linux", architecture: "arm", variant: "v7")
        #elseif arch(s390x)
        Platform(os: "linux", architecture: "s390x")
        #elseif arch(powerpc64le)
        Platform(os: "linux", architecture: "ppc64le")
        #elseif arch(riscv64)
        Platform(os: "linux", architecture: "riscv64")
        #else
        Platform(os: "linux", architecture: "unknown")
        #endif
    }

    /// Whether an image for `self` can be taken where `wanted` was asked for. A variant that is not written means
    /// the architecture's usual one (`v8` for arm64, `v1` for amd64, `v7` for arm).
    package func satisfies(_ wanted: Platform) -> Bool {
        os == wanted.os && architecture == wanted.architecture
            && (variant ?? Self.usualVariant(of: architecture))
                == (wanted.variant ?? Self.usualVariant(of: wanted.architecture))
    }

    private static func usualVariant(of architecture: String) -> String? {
        switch architecture {
        case "amd64": "v1"
        case "arm64": "v8"
        case "arm": "v7"
        default: nil
        }
    }

    private static func normalised(architecture: String, variant: String?) -> (String, String?) {
        switch architecture {
        case "x86_64", "x86-64": ("amd64", variant)
        case "i386", "i486", "i586", "i686": ("386", variant)
        case "aarch64": ("arm64", variant ?? "v8")
        case "armhf": ("arm", "v7")
        case "armel": ("arm", "v6")
        default: (architecture, variant)
        }
    }

    // What Go has names for.
    private static let knownSystems: Set<String> = [
        "aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos", "ios", "js", "linux", "nacl", "netbsd",
        "openbsd", "plan9", "solaris", "windows", "zos",
    ]
    private static let knownArchitectures: Set<String> = [
        "386", "amd64", "amd64p32", "arm", "armbe", "arm64", "arm64be", "loong64", "mips", "mipsle", "mips64",
        "mips64le", "mips64p32", "mips64p32le", "ppc", "ppc64", "ppc64le", "riscv", "riscv64", "s390", "s390x", "sparc",
        "sparc64", "wasm",
    ]

    private static func isValidPart(_ part: String) -> Bool {
        !part.isEmpty
            && part.utf8.allSatisfy { byte in
                Hex.isLowerCase(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
            }
    }
}

extension Platform: CustomStringConvertible {
    package var description: String { [os, architecture, variant].compactMap(\.self).joined(separator: "/") }
}

/// A text that names no platform.
package struct PlatformError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong with the text.
    package enum Reason: Hashable, Sendable {
        /// It has too many parts, or one of them is none.
        case form
        /// A single word that is the name of nothing.
        case unknown
    }

    /// The text.
    package let text: String
    /// What is wrong with it.
    package let reason: Reason

    package var description: String {
        switch reason {
        case .form: "\"\(text)\" is an invalid platform: expected os/architecture[/variant], such as linux/amd64"
        // The words of Docker's library for platforms.
        case .unknown: "\"\(text)\": unknown operating system or architecture: invalid argument"
        }
    }
}
