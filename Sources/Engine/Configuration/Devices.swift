/// What may be done with a device: any of reading, writing and making a node of it, as `rwm`.
package struct DeviceAccess: OptionSet, Hashable, Sendable, Codable, CustomStringConvertible {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Opening for reading.
    package static let read = DeviceAccess(rawValue: 1)
    /// Opening for writing.
    package static let write = DeviceAccess(rawValue: 2)
    /// mknod(2).
    package static let makeNode = DeviceAccess(rawValue: 4)
    /// All three: `rwm`.
    package static let all: DeviceAccess = [.read, .write, .makeNode]

    /// Reads letters of `rwm`, each at most once; nil for anything else.
    package init?(_ text: String) {
        var access: DeviceAccess = []
        for letter in text {
            guard let one = Self.letters.first(where: { $0.letter == letter })?.access, !access.contains(one) else {
                return nil
            }
            access.insert(one)
        }
        guard !access.isEmpty else { return nil }
        self = access
    }

    private static let letters: [(letter: Character, access: DeviceAccess)] = [
        ("r", .read), ("w", .write), ("m", .makeNode),
    ]

    package var description: String { String(Self.letters.filter { contains($0.access) }.map(\.letter)) }

    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let access = DeviceAccess(text) else {
            throw EngineError.invalid("\"\(text)\" is not an access to a device")
        }
        self = access
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// `--device host:container:rwm`.
package struct DeviceMapping: Hashable, Sendable, Codable {
    /// A device, or a directory with devices.
    package var pathOnHost: String
    /// Where it appears; empty is the same path.
    package var pathInContainer: String
    /// What the container may do with it.
    package var access: Asked<DeviceAccess>

    /// A device; all access unless said otherwise.
    package init(pathOnHost: String, pathInContainer: String = "", access: Asked<DeviceAccess> = Asked(.all)) {
        self.pathOnHost = pathOnHost
        self.pathInContainer = pathInContainer.isEmpty ? pathOnHost : pathInContainer
        self.access = access
    }
}

/// A rule for devices that a container may use: `c 1:3 rwm`; `*` stands for any number.
package struct DeviceCgroupRule: Hashable, Sendable, Codable, CustomStringConvertible {
    /// Which kinds of devices a rule is about.
    package enum Kind: String, Hashable, Sendable, Codable {
        case all = "a"
        case block = "b"
        case character = "c"
    }

    /// The kind of devices.
    package var kind: Kind
    /// nil: any.
    package var major: UInt32?
    /// `nil` is any.
    package var minor: UInt32?
    /// What the rule permits.
    package var access: DeviceAccess

    /// A rule; numbers that are `nil` stand for any.
    package init(kind: Kind, major: UInt32? = nil, minor: UInt32? = nil, access: DeviceAccess) {
        self.kind = kind
        self.major = major
        self.minor = minor
        self.access = access
    }

    package var description: String {
        func number(_ number: UInt32?) -> String { number.map { "\($0)" } ?? "*" }
        return "\(kind.rawValue) \(number(major)):\(number(minor)) \(access)"
    }
}
