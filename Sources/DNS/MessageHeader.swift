/// The first twelve bytes of a message (RFC 1035, 4.1.1), but for the counts.
package struct MessageHeader: Hashable, Sendable {
    /// How many bytes it takes.
    package static let length = 12

    /// What answer and question have in common.
    package var id: UInt16
    /// The bits between id and counts, the lower four of the response code included.
    package var flags: Flags

    /// The bits between id and counts.
    package struct Flags: OptionSet, Hashable, Sendable {
        package let rawValue: UInt16
        package init(rawValue: UInt16) { self.rawValue = rawValue }

        /// It is an answer (QR).
        package static let response = Flags(rawValue: 0x8000)
        /// The server is the one that has the names (AA).
        package static let authoritative = Flags(rawValue: 0x0400)
        /// There is more than fitted (TC).
        package static let truncated = Flags(rawValue: 0x0200)
        /// Other servers shall be asked (RD).
        package static let recursionDesired = Flags(rawValue: 0x0100)
        /// The server asks others (RA).
        package static let recursionAvailable = Flags(rawValue: 0x0080)
        /// Signatures shall not be checked (CD; RFC 4035).
        package static let checkingDisabled = Flags(rawValue: 0x0010)
    }

    /// A header.
    package init(id: UInt16, flags: Flags = []) {
        self.id = id
        self.flags = flags
    }

    /// The kind of request; 0 is a question.
    package var opcode: UInt8 { UInt8(truncatingIfNeeded: flags.rawValue >> 11 & 0xF) }

    /// Whether it is an answer.
    package var isResponse: Bool { flags.contains(.response) }

    /// What became of the question, without the bits that EDNS adds.
    package var responseCode: ResponseCode {
        get { ResponseCode(rawValue: flags.rawValue & 0xF) }
        set { flags = Flags(rawValue: flags.rawValue & ~0xF | newValue.rawValue & 0xF) }
    }

    /// The header of an answer to this: the id, the kind of request, and what was asked for are the same.
    package func response(_ code: ResponseCode) -> MessageHeader {
        let kept = Flags(rawValue: flags.rawValue & 0x7800).union(
            flags.intersection([.recursionDesired, .checkingDisabled]))
        var header = MessageHeader(id: id, flags: kept.union([.response, .recursionAvailable]))
        header.responseCode = code
        return header
    }
}
