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

    @Test("random bytes are read without harm")
    func randomBytes() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0..<96, using: &generator)).map { _ in
                UInt8.random(in: 0...40, using: &generator)
            }
            // Whether there is an error is not what this is about.
            for message in (try? Message.all(in: bytes)) ?? [] {
                _ = try? Link(payload: message.payload)
                _ = try? InterfaceAddress(payload: message.payload)
                _ = try? message.failure()
            }
        }
    }
}
