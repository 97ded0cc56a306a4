/// What is asked (RFC 1035, 4.1.2).
package struct Question: Hashable, Sendable {
    /// The name, as it was written.
    package var name: DomainName
    /// What is wanted of it.
    package var type: RecordType
    /// Nearly always the Internet.
    package var recordClass: RecordClass

    /// A question.
    package init(_ name: DomainName, _ type: RecordType, _ recordClass: RecordClass = .internet) {
        self.name = name
        self.type = type
        self.recordClass = recordClass
    }

    init(_ reader: inout WireReader) throws(MessageError) {
        name = try reader.name()
        type = RecordType(rawValue: try reader.number(UInt16.self))
        recordClass = RecordClass(rawValue: try reader.number(UInt16.self))
    }

    func write(_ writer: inout WireWriter) {
        writer.name(name)
        writer.append(type.rawValue)
        writer.append(recordClass.rawValue)
    }

    /// Whether both ask the same; letters' case does not matter.
    package func isSame(as other: Question) -> Bool {
        type == other.type && recordClass == other.recordClass && name.lowercased == other.name.lowercased
    }
}

/// A message of the domain name system (RFC 1035, 4.1).
package struct DNSMessage: Hashable, Sendable {
    /// Id and flags.
    package var header: MessageHeader
    /// Nearly always one.
    package var questions: [Question]
    /// What was asked for.
    package var answers: [ResourceRecord]
    /// Who else knows it.
    package var authorities: [ResourceRecord]
    /// What may be of use as well, and EDNS.
    package var additional: [ResourceRecord]

    /// A message.
    package init(
        _ header: MessageHeader, questions: [Question] = [], answers: [ResourceRecord] = [],
        authorities: [ResourceRecord] = [], additional: [ResourceRecord] = []
    ) {
        self.header = header
        self.questions = questions
        self.answers = answers
        self.authorities = authorities
        self.additional = additional
    }

    /// Reads a message. Bytes after it are left alone.
    ///
    /// - Parameter mostRecords: How many questions and records there may be altogether, so that a message of few bytes
    ///   does not take much memory.
    package init(parsing bytes: UnsafeRawBufferPointer, mostRecords: Int = 512) throws(MessageError) {
        var reader = WireReader(bytes)
        header = MessageHeader(id: try reader.number(UInt16.self))
        header.flags = MessageHeader.Flags(rawValue: try reader.number(UInt16.self))
        let questionCount = Int(try reader.number(UInt16.self))
        let answerCount = Int(try reader.number(UInt16.self))
        let authorityCount = Int(try reader.number(UInt16.self))
        let additionalCount = Int(try reader.number(UInt16.self))
        guard questionCount + answerCount + authorityCount + additionalCount <= mostRecords
        else { throw .tooManyRecords }
        func records(_ count: Int) throws(MessageError) -> [ResourceRecord] {
            var records: [ResourceRecord] = []
            for _ in 0..<count { records.append(try ResourceRecord(&reader)) }
            return records
        }
        questions = []
        for _ in 0..<questionCount { questions.append(try Question(&reader)) }
        answers = try records(answerCount)
        authorities = try records(authorityCount)
        additional = try records(additionalCount)
    }

    /// Reads a message.
    package init(parsing bytes: [UInt8], mostRecords: Int = 512) throws(MessageError) {
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(MessageError) in try DNSMessage(parsing: bytes, mostRecords: mostRecords) }
        }
        self = try result.get()
    }

    /// What the message says by EDNS; `nil` if it does not.
    package var extended: ExtendedDNS? { additional.lazy.compactMap { ExtendedDNS($0) }.first }

    /// The message in bytes.
    ///
    /// If it is longer than `limit`, records are left out from the end, EDNS not, and what remains of answers or
    /// authorities says that it is not all (TC).
    package func serialised(limit: Int = Int(UInt16.max)) -> [UInt8] {
        var writer = WireWriter()
        writer.append(header.id)
        writer.append(header.flags.rawValue)
        for _ in 0..<4 { writer.append(UInt16(0)) }
        for question in questions { question.write(&writer) }
        let extensions = additional.filter { $0.type == .opt }
        let room = limit - extensions.reduce(0) { $0 + Self.length(of: $1) }
        var isCut = false
        func write(_ records: [ResourceRecord]) -> UInt16 {
            var count: UInt16 = 0
            for record in records where !isCut {
                let start = writer.bytes.count
                record.write(&writer)
                isCut = writer.bytes.count > room
                if isCut { writer.cut(to: start) } else { count += 1 }
            }
            return count
        }
        let answerCount = write(answers)
        let authorityCount = write(authorities)
        let isTruncated = isCut
        var additionalCount = write(additional.filter { $0.type != .opt })
        for record in extensions {
            record.write(&writer)
            additionalCount += 1
        }
        if isTruncated { writer.replace(header.flags.union(.truncated).rawValue, at: 2) }
        writer.replace(UInt16(truncatingIfNeeded: questions.count), at: 4)
        writer.replace(answerCount, at: 6)
        writer.replace(authorityCount, at: 8)
        writer.replace(additionalCount, at: 10)
        return writer.bytes
    }

    private static func length(of record: ResourceRecord) -> Int {
        var writer = WireWriter()
        record.write(&writer)
        return writer.bytes.count
    }
}
