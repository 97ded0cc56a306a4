/// What may be asked of a resolver.
enum QueryCheck {
    /// What became of some bytes.
    enum Outcome {
        /// One question, which can be understood.
        case accepted(DNSMessage)
        /// The sender is told why it gets no answer.
        case refused(MessageHeader, ResponseCode)
        /// An answer, or less than a header.
        case ignored
    }

    /// How many questions and records a query has at most: the question, one record in each of two sections, and EDNS
    /// and a signature.
    private static let mostRecords = 5

    static func check(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        guard let header = header(bytes), !header.isResponse else { return .ignored }
        guard header.opcode == 0 else { return .refused(header, .notImplemented) }
        // Whatever is wrong with it, it is not understood.
        guard let message = try? DNSMessage(parsing: bytes, mostRecords: mostRecords), message.questions.count == 1,
            message.additional.count(where: { $0.type == .opt }) <= 1
        else { return .refused(header, .formatError) }
        return .accepted(message)
    }

    static func header(_ bytes: UnsafeRawBufferPointer) -> MessageHeader? {
        guard bytes.count >= MessageHeader.length else { return nil }
        var reader = WireReader(bytes)
        // There are enough bytes.
        guard let id = try? reader.number(UInt16.self), let flags = try? reader.number(UInt16.self) else { return nil }
        return MessageHeader(id: id, flags: MessageHeader.Flags(rawValue: flags))
    }
}
