/// What may be done with a device: any of reading, writing and making a node of it, as `rwm`.
package struct DeviceAccess: OptionSet, Hashable, Sendable, Codable, CustomStringConvertible {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let read = DeviceAccess(rawValue: 1)
    package static let write = DeviceAccess(rawValue: 2)
    package static let makeNode = DeviceAccess(rawValue: 4)
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
    package var pathOnHost: String
    package var pathInContainer: String
    package var access: Asked<DeviceAccess>

    package init(pathOnHost: String, pathInContainer: String = "", access: Asked<DeviceAccess> = Asked(.all)) {
        self.pathOnHost = pathOnHost
        self.pathInContainer = pathInContainer.isEmpty ? pathOnHost : pathInContainer
        self.access = access
    }
}

/// A rule for devices that a container may use: `c 1:3 rwm`; `*` stands for any number.
package struct DeviceCgroupRule: Hashable, Sendable, Codable, CustomStringConvertible {
    package enum Kind: String, Hashable, Sendable, Codable {
        case all = "a"
        case block = "b"
        case character = "c"
    }

    package var kind: Kind
    /// nil: any.
    package var major: UInt32?
    package var minor: UInt32?
    package var access: DeviceAccess

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
