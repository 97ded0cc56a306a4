import Addresses
import DNS
import Testing

@Suite("messages of the domain name system")
struct DNSMessageTests {
    static let question = Question(name("Web.Example."), .a)

    static func name(_ text: String) -> DomainName {
        guard let name = DomainName(text) else { preconditionFailure("\(text) is no name") }
        return name
    }

    static func address(_ text: String) -> IPAddress {
        guard let address = IPAddress(text) else { preconditionFailure("\(text) is no address") }
        return address
    }

    // MARK: Names

    @Test(
        "a name is labels divided by dots, with a dot at the end or without",
        arguments: [
            ("web", [3, 0x77, 0x65, 0x62, 0]), ("web.", [3, 0x77, 0x65, 0x62, 0]), (".", [0]),
            ("a.B", [1, 0x61, 1, 0x42, 0]),
        ] as [(String, [UInt8])])
    func names(text: String, bytes: [UInt8]) {
        #expect(DomainName(text)?.wireFormat == bytes)
    }

    @Test(
        "empty labels, long labels and long names are no names",
        arguments: [
            "", "..", "a..b", ".a", String(repeating: "a", count: 64),
            Array(repeating: "1234567", count: 32).joined(separator: "."),
        ])
    func badNames(text: String) {
        #expect(DomainName(text) == nil)
    }

    @Test("the longest label has 63 bytes, the longest name 255")
    func longestNames() {
        #expect(DomainName(String(repeating: "a", count: 63)) != nil)
        let longest = Array(repeating: "1234567", count: 31).joined(separator: ".") + ".12345"
        #expect(DomainName(longest)?.wireFormat.count == 255)
        #expect(DomainName(longest + "6") == nil)
        #expect(DomainName("a")?.below(Self.name(longest)) == nil)
    }

    @Test("a dot within a label is no division")
    func dotInLabel() {
        let name = DomainName(labels: [Array("a.b".utf8), [0x5C, 0x07]])
        #expect(name?.labels.count == 2)
        #expect(name?.description == #"a\.b.\\\007."#)
    }

    // MARK: Reading

    @Test("what is written is read again")
    func roundTrip() throws {
        var message = DNSMessage(
            MessageHeader(id: 0xBEEF, flags: [.response, .authoritative, .recursionDesired]),
            questions: [Self.question])
        let name = Self.question.name
        message.answers = [
            ResourceRecord(name, .address(Self.address("10.1.2.3")), timeToLive: 600),
            ResourceRecord(name, .address(Self.address("fd00::1")), timeToLive: 0),
            ResourceRecord(name, .alias(Self.name("other.example")), timeToLive: 1),
            ResourceRecord(name, .pointer(Self.name("web.example")), timeToLive: 2),
            ResourceRecord(
                name, .service(priority: 1, weight: 2, port: 80, target: Self.name("Web.Example")), timeToLive: 3),
        ]
        message.authorities = [ResourceRecord(name, .other(RecordType(rawValue: 16), [1, 0x41]), timeToLive: .max)]
        message.additional = [ExtendedDNS(payloadSize: 1232, wantsSignatures: true).record(.badVersion)]
        let read = try DNSMessage(parsing: message.serialised())
        #expect(read == message)
        #expect(read.extended == ExtendedDNS(payloadSize: 1232, wantsSignatures: true))
        #expect(read.additional[0].timeToLive == 0x0100_8000)
    }

    @Test("names that end alike are written once")
    func compression() {
        let other = Self.name("mail.Example")
        let message = DNSMessage(
            MessageHeader(id: 1), questions: [Self.question],
            answers: [ResourceRecord(other, .pointer(Self.question.name), timeToLive: 0)])
        // Web.Example stands at 12, Example at 16.
        let tail: [UInt8] = [4, 0x6D, 0x61, 0x69, 0x6C, 0xC0, 16, 0, 12, 0, 1, 0, 0, 0, 0, 0, 2, 0xC0, 12]
        #expect(Array(message.serialised().dropFirst(12 + 13 + 4)) == tail)
    }

    static let header: [UInt8] = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]

    @Test(
        "bytes that are no message are refused",
        arguments: [
            ([], .cut), (Array(header.dropLast()), .cut), (header, .cut),
            (header + [3, 0x61], .cut),
            (header + [0, 0, 1], .cut),
            // A pointer to itself, forward, into the header, and one that is cut.
            (header + [0xC0, 12, 0, 1, 0, 1], .badName),
            (header + [0xC0, 14, 0, 0, 1, 0, 1], .badName),
            (header + [0xC0, 2, 0, 1, 0, 1], .badName),
            (header + [0xC0], .cut),
            // Labels of kinds that nobody uses.
            (header + [0x41, 0x61, 0, 0, 1, 0, 1], .badName),
            (header + [0x80, 0x61, 0, 0, 1, 0, 1], .badName),
            (Array(header.prefix(5)) + [0, 2, 0, 2, 0, 2, 0] + [0], .tooManyRecords),
        ] as [([UInt8], MessageError)])
    func badMessages(bytes: [UInt8], error: MessageError) {
        #expect(throws: error) { try DNSMessage(parsing: bytes) }
    }

    @Test("two names that point to each other do not make a loop")
    func mutualPointers() {
        let bytes: [UInt8] =
            [0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0] + [1, 0x61, 0xC0, 18, 0, 1] + [0xC0, 12, 0, 1, 0, 1]
        #expect(throws: MessageError.badName) { try DNSMessage(parsing: bytes) }
    }

    @Test("a name of too many bytes is refused, however it is written")
    func longCompressedName() {
        // Five times 63 bytes, each after a pointer to the one before.
        var bytes: [UInt8] = [0, 1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0]
        var previous: Int?
        for _ in 0..<5 {
            let start = bytes.count
            bytes += [63] + [UInt8](repeating: 0x61, count: 63)
            if let previous { bytes += [0xC0 | UInt8(previous >> 8), UInt8(previous & 0xFF)] } else { bytes.append(0) }
            bytes += [0, 1, 0, 1]
            previous = start
        }
        #expect(throws: MessageError.badName) { try DNSMessage(parsing: bytes) }
    }

    @Test("a long row of pointers is no name")
    func manyPointers() {
        // The name at the end goes through a thousand pointers, each to the one before.
        var pointers: [UInt8] = [0]
        for index in 0..<1000 {
            let target = 12 + 11 + (index == 0 ? 0 : 1 + 2 * (index - 1))
            pointers += [0xC0 | UInt8(target >> 8), UInt8(target & 0xFF)]
        }
        let last = 12 + 11 + 1 + 2 * 999
        let count = pointers.count
        let record: [UInt8] = [0, 0, 99, 0, 1, 0, 0, 0, 0, UInt8(count >> 8), UInt8(count & 0xFF)]
        let name = [0xC0 | UInt8(last >> 8), UInt8(last & 0xFF)]
        let bytes: [UInt8] =
            [0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0] + record + pointers + name + [
                0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4,
            ]
        #expect(throws: MessageError.badName) { try DNSMessage(parsing: bytes) }
    }

    @Test(
        "a record whose content does not have the form of its type is refused",
        arguments: [
            // An IPv4 address of three bytes, one of sixteen, a name that is longer than the record says.
            [0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 3, 1, 2, 3],
            [0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 16] + [UInt8](repeating: 0, count: 16),
            [0, 0, 12, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0x61, 0],
            [0, 0, 33, 0, 1, 0, 0, 0, 0, 0, 10, 0, 1, 0, 1, 0, 1, 1, 0x61, 0, 0],
        ] as [[UInt8]])
    func badRecords(record: [UInt8]) {
        let header: [UInt8] = [0, 1, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0]
        #expect(throws: MessageError.badRecord) { try DNSMessage(parsing: header + record) }
    }

    @Test("random bytes, and messages with random changes, are read or refused")
    func randomBytes() throws {
        var generator = SystemRandomNumberGenerator()
        let good = DNSMessage(
            MessageHeader(id: 1), questions: [Self.question],
            answers: (0..<4).map {
                ResourceRecord(Self.name("a\($0).Example"), .alias(Self.question.name), timeToLive: $0)
            },
            additional: [ExtendedDNS(payloadSize: 4096).record()]
        ).serialised()
        for _ in 0..<20_000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            if Bool.random(using: &generator) { bytes.removeLast(.random(in: 0..<bytes.count, using: &generator)) }
            guard let message = try? DNSMessage(parsing: bytes) else { continue }
            #expect(try DNSMessage(parsing: message.serialised()).questions == message.questions)
        }
    }

    // MARK: Truncation

    @Test("what does not fit is left out, and the message says so; EDNS stays", arguments: [512, 600, 1232])
    func truncation(limit: Int) throws {
        let message = DNSMessage(
            MessageHeader(id: 1, flags: .response), questions: [Self.question],
            answers: (0..<200).map {
                ResourceRecord(Self.question.name, .address(IPAddress(.ipv4, UInt128($0))), timeToLive: 600)
            },
            additional: [ExtendedDNS(payloadSize: 4096).record()])
        let bytes = message.serialised(limit: limit)
        let read = try DNSMessage(parsing: bytes)
        #expect(read.header.flags.contains(.truncated))
        #expect(bytes.count <= limit && bytes.count > limit - 16)
        #expect(read.answers == Array(message.answers.prefix((limit - 12 - 17 - 11) / 16)))
        #expect(read.extended != nil)
        #expect(!(try DNSMessage(parsing: message.serialised())).header.flags.contains(.truncated))
    }
}
