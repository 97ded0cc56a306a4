import DBus
import Testing

@Suite("D-Bus messages")
struct MarshallingTests {
    @Test("signatures are read and written", arguments: ["", "y", "sa(sv)", "a{sv}aay", "(y(yn)a{ua{sas}})", "vgoh"])
    func signatures(_ text: String) throws {
        #expect(try DBusType.list(text).map(\.signature).joined() == text)
    }

    @Test(
        "what is no signature is refused",
        arguments: [
            "a", "(", "()", "(s", ")", "{sv}", "a{s}", "a{vs}", "a{sss}", "z", "r", "a{(s)s}",
            String(repeating: "a", count: 34) + "y", String(repeating: "(", count: 40) + "y",
            String(repeating: "y", count: 256),
        ])
    func badSignatures(_ text: String) {
        #expect(throws: DBusError.self) { try DBusType.list(text) }
    }

    private static let values: [DBusValue] = [
        .byte(7), .boolean(true), .int16(-2), .uint16(65_535), .int32(.min), .uint32(.max), .int64(.min), .uint64(.max),
        .double(-0.5), .string("schön"), .objectPath("/a/b"), .signature("a{sv}"), .unixDescriptor(3),
        .variant(.variant(.string("inside"))), .bytes([1, 2, 3]), .strings([]), .array(.uint64, []),
        .structure([.byte(1), .uint64(2), .string("")]),
        .array(
            .structure([.string, .variant]),
            [
                .structure([.string("PIDs"), .variant(.array(.uint32, [.uint32(1), .uint32(2)]))]),
                .structure([.string("Slice"), .variant(.string("system.slice"))]),
            ]),
        .array(.entry(.string, .variant), [.entry(.string("k"), .variant(.boolean(false)))]),
    ]

    @Test("a message is read as it was written, with any value", arguments: values)
    func roundTrip(_ value: DBusValue) throws {
        var message = DBusMessage(call: "Method", of: "an.Interface", at: "/path", on: "a.name", [.byte(1), value])
        message.serial = 42
        message.expectsNoReply = true
        let bytes = try message.encoded()
        #expect(try DBusMessage.length(bytes) == bytes.count)
        #expect(try DBusMessage.decoded(bytes) == message)
    }

    @Test("a message has the bytes of the specification")
    func bytes() throws {
        var message = DBusMessage(.methodReturn)
        message.serial = 2
        message.replySerial = 3
        message.body = [.string("abc")]
        #expect(
            try message.encoded() == [
                0x6c, 2, 0, 1, 8, 0, 0, 0, 2, 0, 0, 0, 15, 0, 0, 0,
                5, 1, 0x75, 0, 3, 0, 0, 0, 8, 1, 0x67, 0, 1, 0x73, 0, 0,
                3, 0, 0, 0, 0x61, 0x62, 0x63, 0,
            ])
    }

    @Test("a message with the most significant byte first is read")
    func bigEndian() throws {
        let message = try DBusMessage.decoded([
            0x42, 2, 0, 1, 0, 0, 0, 8, 0, 0, 0, 2, 0, 0, 0, 15,
            5, 1, 0x75, 0, 0, 0, 0, 3, 8, 1, 0x67, 0, 1, 0x73, 0, 0,
            0, 0, 0, 3, 0x61, 0x62, 0x63, 0,
        ])
        #expect(message?.replySerial == 3 && message?.body == [.string("abc")])
    }

    @Test("a message that is cut off or has any byte changed is read or refused, and does no harm")
    func damaged() throws {
        var message = DBusMessage(call: "Method", of: "an.Interface", at: "/path", on: "a.name", Self.values)
        message.serial = 1
        let bytes = try message.encoded()
        for count in 0..<bytes.count {
            #expect(throws: DBusError.self) { _ = try DBusMessage.decoded(Array(bytes[..<count])) }
        }
        for index in bytes.indices {
            for value: UInt8 in [0, 1, 0x61, 0x7f, 0xff] {
                var changed = bytes
                changed[index] = value
                _ = try? DBusMessage.decoded(changed)
            }
        }
    }

    @Test("a message of a kind that does not exist yet is ignored")
    func unknownKind() throws {
        var bytes = try DBusMessage(.signal).encoded()
        bytes[1] = 9
        #expect(try DBusMessage.decoded(bytes) == nil)
    }

    @Test("an array of different types, and a string with a null byte, are not written")
    func badValues() {
        for value: DBusValue in [.array(.string, [.byte(1)]), .string("a\0b")] {
            var message = DBusMessage(.signal)
            message.body = [value]
            #expect(throws: DBusError.self) { try message.encoded() }
        }
    }

    @Test(
        "addresses are read",
        arguments: [
            ("unix:path=/run/dbus/system_bus_socket", [DBusAddress.path("/run/dbus/system_bus_socket")]),
            ("unix:path=/a%20b,guid=00ff", [.path("/a b")]),
            ("tcp:host=localhost,port=1;unix:abstract=/tmp/x;unix:path=/y", [.abstract("/tmp/x"), .path("/y")]),
        ] as [(String, [DBusAddress])])
    func addresses(_ text: String, _ addresses: [DBusAddress]) throws {
        #expect(try DBusAddress.list(text) == addresses)
    }

    @Test(
        "what is no address of a Unix socket is refused",
        arguments: ["", "/run/socket", "unix:path", "unix:path=/%4", "unix:path=%zz", "tcp:host=x", "unix:path="])
    func badAddresses(_ text: String) {
        #expect(throws: DBusError.self) { try DBusAddress.list(text) }
    }

    @Test(
        "values are read from text",
        arguments: [
            ("true", .boolean(true)), ("5", .int32(5)), ("-0x10", .int32(-16)), ("010", .int32(8)),
            ("2.5", .double(2.5)),
            ("1e3", .double(1000)), ("uint64 18446744073709551615", .uint64(.max)), ("byte 0xff", .byte(255)),
            ("\"it's\"", .string("it's")), (#"'a\n\u00e4\'b'"#, .string("a\nä'b")),
            ("objectpath '/a'", .objectPath("/a")), ("@o '/a'", .objectPath("/a")), ("@as []", .strings([])),
            ("['a', 'b']", .strings(["a", "b"])), ("[1, int64 2]", .array(.int64, [.int64(1), .int64(2)])),
            ("[1, 2.0]", .array(.double, [.double(1), .double(2)])), (" < 'x' > ", .variant(.string("x"))),
            ("b'ab'", .bytes([0x61, 0x62, 0])),
            ("{'a': 1}", .array(.entry(.string, .int32), [.entry(.string("a"), .int32(1))])),
            ("@a{sv} {}", .array(.entry(.string, .variant), [])),
        ] as [(String, DBusValue)])
    func text(_ text: String, _ value: DBusValue) throws {
        #expect(try VariantText.parse(text) == value)
    }

    @Test(
        "what is no value is refused",
        arguments: [
            "", "tru", "'a", "[1", "[]", "1 2", "byte 256", "uint32 -1", "string 5", "@u 'a'", "@zz 1", "@ 1", "{1}",
            "uint32 int32 5", "<1", "['a', 1]", "0xg", "+", "5x", #"'\u00'"#, #"'\ud800'"#, "[1,]",
            String(repeating: "<", count: 100),
        ])
    func badText(_ text: String) {
        #expect(throws: DBusError.self) { try VariantText.parse(text) }
    }
}
