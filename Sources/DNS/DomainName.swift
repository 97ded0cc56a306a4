/// A name of the domain name system, as labels (RFC 1034, 3.1).
///
/// Letters keep their case; equality is of bytes. Names are compared by their `lowercased` forms, as the system does
/// not distinguish `Web` from `web`.
package struct DomainName: Hashable, Sendable {
    /// The most bytes that a name has in a message, its end included (RFC 1035, 2.3.4).
    package static let maximumLength = 255
    /// The most bytes that a label has.
    package static let maximumLabelLength = 63

    /// The name without compression: each label after a byte with its length, and the empty label at the end.
    package let wireFormat: [UInt8]

    /// The root, which has no labels.
    package static let root = DomainName(wireFormat: [0])

    /// Bytes that are known to be a name.
    init(wireFormat: [UInt8]) { self.wireFormat = wireFormat }

    /// Reads labels divided by dots, with a dot at the end or without one; `.` is the root. `nil` for empty labels and
    /// for labels and names that are too long. There are no escapes.
    package init?(_ text: some StringProtocol) {
        if text == "." {
            self = .root
            return
        }
        let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        self.init(labels: labels.count > 1 && labels.last?.isEmpty == true ? labels.dropLast() : labels[...])
    }

    /// The name of these labels, in the order of the text; `nil` for empty labels, and for labels and names that are
    /// too long.
    package init?<Label: Collection<UInt8>>(labels: some Sequence<Label>) {
        var bytes: [UInt8] = []
        for label in labels {
            guard let length = UInt8(exactly: label.count), (1...UInt8(Self.maximumLabelLength)).contains(length)
            else { return nil }
            bytes.append(length)
            bytes += label
            if bytes.count >= Self.maximumLength { return nil }
        }
        bytes.append(0)
        wireFormat = bytes
    }

    /// The labels, in the order of the text.
    package var labels: [ArraySlice<UInt8>] {
        var labels: [ArraySlice<UInt8>] = []
        var position = 0
        while wireFormat[position] != 0 {
            let end = position + 1 + Int(wireFormat[position])
            labels.append(wireFormat[(position + 1)..<end])
            position = end
        }
        return labels
    }

    /// The same name with the 26 letters of ASCII in lower case.
    package var lowercased: DomainName {
        // Lengths are below the letters.
        DomainName(wireFormat: wireFormat.map { Self.lowercased($0) })
    }

    /// This name below `parent`; `nil` if that is too long.
    package func below(_ parent: DomainName) -> DomainName? {
        let bytes = wireFormat.dropLast() + parent.wireFormat
        return bytes.count > Self.maximumLength ? nil : DomainName(wireFormat: Array(bytes))
    }

    static func lowercased(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
}

extension DomainName: CustomStringConvertible {
    /// Labels with a dot after each. A dot, a backslash or an unprintable byte in a label is escaped as in zone files
    /// (RFC 1035, 5.1).
    package var description: String {
        if self == .root { return "." }
        var text = ""
        for label in labels {
            for byte in label {
                switch byte {
                case UInt8(ascii: "."), UInt8(ascii: "\\"): text += "\\" + String(UnicodeScalar(byte))
                case 0x21...0x7E: text += String(UnicodeScalar(byte))
                default: text += "\\" + String(1000 + Int(byte)).dropFirst()
                }
            }
            text += "."
        }
        return text
    }
}
