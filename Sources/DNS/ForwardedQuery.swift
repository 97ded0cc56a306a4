/// A query on its way to a server, and what is right as an answer to it.
package struct ForwardedQuery: Hashable, Sendable {
    /// The query as it came. It is sent as it is, but for the id.
    package let bytes: [UInt8]
    private let header: MessageHeader
    private let question: Question

    init(_ bytes: UnsafeRawBufferPointer, _ message: DNSMessage) {
        self.bytes = Array(bytes)
        header = message.header
        question = message.questions[0]
    }

    /// The query with an id that only its server knows.
    package func bytes(id: UInt16) -> [UInt8] { Self.replacingID(of: bytes, by: id) }

    /// What a server's message is.
    package enum Verdict: Hashable, Sendable {
        /// The answer for the one who asked.
        case answer([UInt8])
        /// The server cannot or does not want to answer; the next one may.
        case tryNext
        /// It is not about this query.
        case unrelated
    }

    /// Judges what a server has sent in answer to the query with this id.
    package func judge(_ answer: UnsafeRawBufferPointer, id: UInt16) -> Verdict {
        guard let header = QueryCheck.header(answer), header.id == id, header.isResponse,
            header.opcode == self.header.opcode
        else { return .unrelated }
        let failed = [.serverFailure, .refused].contains(header.responseCode)
        var reader = WireReader(answer)
        // There is a header, so this cannot fail.
        guard (try? reader.bytes(4)) != nil, let count = try? reader.number(UInt16.self), (try? reader.bytes(6)) != nil
        else { return .unrelated }
        if count == 0 {
            // Servers that do not understand a query repeat nothing of it.
            if failed { return .tryNext }
            return [.formatError, .notImplemented].contains(header.responseCode) ? accepted(answer) : .unrelated
        }
        // What is no question is not this one.
        guard count == 1, let question = try? Question(&reader), question.isSame(as: self.question)
        else { return .unrelated }
        return failed ? .tryNext : accepted(answer)
    }

    private func accepted(_ answer: UnsafeRawBufferPointer) -> Verdict {
        .answer(Self.replacingID(of: Array(answer), by: header.id))
    }

    /// The answer if no server had one (`serverFailure`), or if too much is asked at once (`refused`).
    package func failure(_ code: ResponseCode) -> [UInt8] {
        DNSMessage(header.response(code), questions: [question]).serialised()
    }

    private static func replacingID(of bytes: [UInt8], by id: UInt16) -> [UInt8] {
        [UInt8(truncatingIfNeeded: id >> 8), UInt8(truncatingIfNeeded: id)] + bytes.dropFirst(2)
    }
}
