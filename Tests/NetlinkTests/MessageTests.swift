import Netlink
import SystemPackage
import Testing

@Suite("netlink messages")
struct MessageTests {
    @Test("a message has its length, and attributes are aligned to four bytes")
    func building() {
        var builder = MessageBuilder(type: 16, flags: 5, sequence: 7)
        builder.append(UInt32(1))
        builder.attribute(3, "lo")
        builder.attribute(4, UInt32(1500))
        let header: [UInt8] = [36, 0, 0, 0, 16, 0, 5, 0, 7, 0, 0, 0, 0, 0, 0, 0]
        let name: [UInt8] = [7, 0, 3, 0, 0x6c, 0x6f, 0, 0]
        let number: [UInt8] = [8, 0, 4, 0, 0xdc, 5, 0, 0]
        #expect(builder.message == header + [1, 0, 0, 0] + name + number)
    }

    @Test("attributes inside attributes count their own bytes")
    func nesting() throws {
        var builder = MessageBuilder(type: 16, flags: 0, sequence: 1)
        builder.nested(18) { info in
            info.attribute(1, "veth")
            info.nested(2) { $0.attribute(1, UInt8(9)) }
        }
        let message = try #require(try Message.all(in: builder.message).first)
        let info = try Attributes(#require(try Attributes(message.payload)[18])[...])
        #expect(info.text(1) == "veth")
        #expect(try Attributes(#require(info[2])[...]).number(1, as: UInt8.self) == 9)
    }

    @Test("several messages of one reception are told apart")
    func several() throws {
        let first = MessageBuilder(type: 20, flags: 2, sequence: 3).message
        var second = MessageBuilder(type: 2, flags: 0, sequence: 4)
        second.append(Int32(-19))
        second.append(bytes: first[..<16])
        let messages = try Message.all(in: first + second.message)
        #expect(messages.map(\.type) == [20, 2])
        #expect(messages.map(\.sequence) == [3, 4])
        #expect(try messages[1].failure()?.errno == .operationNotSupportedByDevice)
    }

    @Test("an error of 0 is a success")
    func acknowledgement() throws {
        var builder = MessageBuilder(type: 2, flags: 0, sequence: 1)
        builder.append(Int32(0))
        #expect(try Message.all(in: builder.message)[0].failure() == nil)
    }

    @Test(
        "lengths that do not fit are an error and nothing worse",
        arguments: [
            [1], Array(repeating: 0, count: 15), [8, 0, 0, 0] + Array(repeating: 0, count: 12),
            [17, 0, 0, 0] + Array(repeating: 0, count: 12), [255, 255, 255, 255] + Array(repeating: 0, count: 12),
        ] as [[UInt8]])
    func brokenMessages(_ bytes: [UInt8]) {
        #expect(throws: Errno.badMessage) { try Message.all(in: bytes) }
    }

    @Test(
        "so are those of attributes",
        arguments: [[4], [3, 0, 1, 0], [0, 0, 0, 0], [9, 0, 1, 0, 1, 2, 3, 4], [4, 0, 1, 0, 1]] as [[UInt8]])
    func brokenAttributes(_ bytes: [UInt8]) {
        #expect(throws: Errno.badMessage) { try Attributes(bytes[...]) }
    }

    @Test("a number that is shorter than it has to be is an error")
    func shortNumber() throws {
        let attributes = try Attributes([6, 0, 1, 0, 1, 2, 0, 0])
        #expect(throws: Errno.badMessage) { try attributes.number(1, as: UInt32.self) }
    }

    @Test("an error has the kernel's words and place, be the request sent back or not", arguments: [true, false])
    func extendedError(_ isCapped: Bool) throws {
        let request = MessageBuilder(type: 16, flags: 5, sequence: 1).message
        // NLM_F_ACK_TLVS, and NLM_F_CAPPED.
        var answer = MessageBuilder(type: 2, flags: isCapped ? 0x300 : 0x200, sequence: 1)
        answer.append(Int32(-22))
        answer.append(UInt32(isCapped ? 16 : 24))
        answer.append(bytes: request[4...])
        if !isCapped { answer.append(UInt64(7)) }
        answer.attribute(1, "no such thing")
        answer.attribute(2, UInt32(36))
        let failure = try #require(try Message.all(in: answer.message)[0].failure())
        #expect(failure.errno == .invalidArgument && failure.text == "no such thing" && failure.offset == 36)
    }
}
