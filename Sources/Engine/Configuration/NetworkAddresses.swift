import Glibc

/// An IPv4 or IPv6 address, as it was written.
package struct IPAddress: Hashable, Sendable, Codable, CustomStringConvertible {
    package let description: String

    /// nil: `text` is no address.
    package init?(_ text: String) {
        var buffer: (UInt64, UInt64) = (0, 0)
        // What comes behind a NUL would not be looked at.
        guard !text.utf8.contains(0),
            inet_pton(AF_INET, text, &buffer) == 1 || inet_pton(AF_INET6, text, &buffer) == 1
        else { return nil }
        description = text
    }

    /// Whether it is 0.0.0.0 or ::, which mean no address.
    package var isUnspecified: Bool { description.utf8.allSatisfy { [0x2E, 0x30, 0x3A].contains($0) } }

    /// Whether it has 128 bits.
    package var isIPv6: Bool { description.utf8.contains(UInt8(ascii: ":")) }

    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let address = IPAddress(text) else { throw EngineError.invalid("\"\(text)\" is not an IP address") }
        self = address
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// The hardware address of a network interface: six bytes, written as `02:42:ac:11:00:02`.
package struct MACAddress: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The six bytes.
    package let bytes: [UInt8]

    /// Reads pairs of hexadecimal digits divided by `:` or `-`; nil for anything else.
    package init?(_ text: String) {
        let separator: Character = text.contains("-") ? "-" : ":"
        let parts = text.split(separator: separator, omittingEmptySubsequences: false)
        let bytes = parts.compactMap { $0.utf8.count == 2 && $0.first != "+" ? UInt8($0, radix: 16) : nil }
        guard parts.count == 6, bytes.count == 6 else { return nil }
        self.bytes = bytes
    }

    package var description: String {
        bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined(separator: ":")
    }

    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let address = MACAddress(text) else { throw EngineError.invalid("\"\(text)\" is not a MAC address") }
        self = address
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// A line of a container's /etc/hosts (`--add-host`).
package struct ExtraHost: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The host's name.
    package var name: String
    /// nil: the host's own address on the container's network (`host-gateway`).
    package var address: IPAddress?

    /// A name and its address; `nil` is the host's gateway.
    package init(name: String, address: IPAddress?) {
        self.name = name
        self.address = address
    }

    package var description: String { name + ":" + (address?.description ?? "host-gateway") }
}
