/// The qualified name of a device of the Container Device Interface: `vendor.com/class=device`.
package struct DeviceName: Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
    /// `vendor.com/class`.
    package let kind: DeviceKind
    /// The device among those of its kind.
    package let device: String

    /// A device of a kind; `nil` for a name that no device can have.
    package init?(_ kind: DeviceKind, device: String) {
        guard Self.isDevice(device) else { return nil }
        self.kind = kind
        self.device = device
    }

    /// Reads a qualified name; `nil` for anything else, such as the path of a device.
    package init?(_ text: String) {
        guard let equals = text.firstIndex(of: "="), let kind = DeviceKind(String(text[..<equals])) else { return nil }
        self.init(kind, device: String(text[text.index(after: equals)...]))
    }

    package var description: String { "\(kind)=\(device)" }

    package static func < (left: DeviceName, right: DeviceName) -> Bool { left.description < right.description }

    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let name = DeviceName(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "\"\(text)\" is not the name of a CDI device"))
        }
        self = name
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    /// Letters and digits, with `_`, `-`, `.` and `:` between them.
    private static func isDevice(_ text: String) -> Bool {
        DeviceKind.isWord(text, inner: [0x5F, 0x2D, 0x2E, 0x3A], beginsWithDigit: true)
    }
}

/// What kind of devices a vendor has: `vendor.com/class`.
package struct DeviceKind: Hashable, Sendable, CustomStringConvertible {
    /// `vendor.com`.
    package let vendor: String
    /// `class`.
    package let deviceClass: String

    /// Reads `vendor.com/class`; `nil` for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, Self.isWord(parts[0], inner: [0x5F, 0x2D, 0x2E], beginsWithDigit: false),
            Self.isWord(parts[1], inner: [0x5F, 0x2D], beginsWithDigit: false)
        else { return nil }
        vendor = parts[0]
        deviceClass = parts[1]
    }

    package var description: String { vendor + "/" + deviceClass }

    /// Whether a text begins and ends with a letter or digit, and has only those and `inner` between them.
    static func isWord(_ text: String, inner: Set<UInt8>, beginsWithDigit: Bool) -> Bool {
        func isLetter(_ byte: UInt8) -> Bool { (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) }
        func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
        let bytes = Array(text.utf8)
        guard let first = bytes.first, let last = bytes.last, isLetter(first) || beginsWithDigit && isDigit(first),
            isLetter(last) || isDigit(last)
        else { return false }
        return bytes.allSatisfy { isLetter($0) || isDigit($0) || inner.contains($0) }
    }
}
