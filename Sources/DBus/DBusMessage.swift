/// One message (D-Bus specification, "Message Protocol").
package struct DBusMessage: Hashable, Sendable {
    /// The kind of a message. Receivers ignore messages of unknown kinds.
    package enum Kind: UInt8, Hashable, Sendable {
        case methodCall = 1
        case methodReturn = 2
        case error = 3
        case signal = 4
    }

    /// What the message is for.
    package var kind: Kind
    /// The caller wants no answer.
    package var expectsNoReply = false
    /// The sender's number for it; not 0.
    package var serial: UInt32 = 1
    /// The serial of the call that this answers.
    package var replySerial: UInt32?
    /// The object that is called, or that sends the signal.
    package var path: String?
    /// The interface of the member.
    package var interface: String?
    /// The method or signal.
    package var member: String?
    /// The name of the error that is the answer, such as `org.freedesktop.DBus.Error.Failed`.
    package var errorName: String?
    /// The name of the connection that gets the message.
    package var destination: String?
    /// The unique name of the sender, which the bus fills in.
    package var sender: String?
    /// The arguments.
    package var body: [DBusValue] = []

    /// A message with an empty header.
    package init(_ kind: Kind) {
        self.kind = kind
    }

    /// A call of the method `member` of `interface`.
    package init(
        call member: String, of interface: String, at path: String, on destination: String?, _ body: [DBusValue] = []
    ) {
        self.init(.methodCall)
        self.member = member
        self.interface = interface
        self.path = path
        self.destination = destination
        self.body = body
    }

    /// In bytes.
    static let longest = 1 << 27

    private enum Field: UInt8 {
        case path = 1, interface, member, errorName, replySerial, destination, sender, signature, descriptors
    }

    /// As bytes.
    ///
    /// - Throws: if a value cannot be written, see `DBusWriter`.
    package func encoded() throws(DBusError) -> [UInt8] {
        var content = DBusWriter()
        for value in body { try content.write(value) }
        var fields: [DBusValue] = []
        func add(_ field: Field, _ value: DBusValue?) {
            guard let value else { return }
            fields.append(.structure([.byte(field.rawValue), .variant(value)]))
        }
        add(.path, path.map { .objectPath($0) })
        add(.interface, interface.map { .string($0) })
        add(.member, member.map { .string($0) })
        add(.errorName, errorName.map { .string($0) })
        add(.replySerial, replySerial.map { .uint32($0) })
        add(.destination, destination.map { .string($0) })
        add(.sender, sender.map { .string($0) })
        if !body.isEmpty { add(.signature, .signature(body.map(\.type.signature).joined())) }
        var message = DBusWriter()
        message.write([UInt8(ascii: "l"), kind.rawValue, expectsNoReply ? 1 : 0, 1])
        try message.write(.uint32(UInt32(content.bytes.count)))
        try message.write(.uint32(serial))
        try message.write(.array(.structure([.byte, .variant]), fields))
        message.align(8)
        message.write(content.bytes)
        return message.bytes
    }

    /// How long the message is that begins with `bytes`; `nil` as long as there are too few bytes to know.
    package static func length(_ bytes: [UInt8]) throws(DBusError) -> Int? {
        guard bytes.count >= 16 else { return nil }
        guard bytes[0] == UInt8(ascii: "l") || bytes[0] == UInt8(ascii: "B"), bytes[3] == 1 else {
            throw DBusError("received data that is not a D-Bus message of version 1")
        }
        func number(_ place: Int) -> Int {
            let four = bytes[place..<(place + 4)]
            return (bytes[0] == UInt8(ascii: "l") ? Array(four.reversed()) : Array(four)).reduce(0) {
                $0 << 8 | Int($1)
            }
        }
        let fields = number(12)
        let content = number(4)
        guard fields <= DBusReader.longestArray, content <= longest else { throw DBusError("a message is too long") }
        let length = (16 + fields + 7) / 8 * 8 + content
        guard length <= longest else { throw DBusError("a message is too long") }
        return length
    }

    /// Reads one whole message; `nil` for one of an unknown kind, which the caller ignores.
    package static func decoded(_ bytes: [UInt8]) throws(DBusError) -> DBusMessage? {
        guard try length(bytes) == bytes.count else { throw DBusError("a message has the wrong length") }
        guard let kind = Kind(rawValue: bytes[1]) else { return nil }
        var message = DBusMessage(kind)
        message.expectsNoReply = bytes[2] & 1 != 0
        let isBigEndian = bytes[0] == UInt8(ascii: "B")
        var reader = DBusReader(bytes, from: 8, isBigEndian: isBigEndian)
        guard case .uint32(let serial) = try reader.read(.uint32), serial != 0 else {
            throw DBusError("a message has no serial")
        }
        message.serial = serial
        guard case .array(_, let fields) = try reader.read(.array(.structure([.byte, .variant]))) else { return nil }
        var signature = ""
        for case .structure(let pair) in fields {
            guard pair.count == 2, case .byte(let code) = pair[0], case .variant(let value) = pair[1] else { continue }
            if let text = try message.set(code, value) { signature = text }
        }
        try reader.align(8)
        for type in try DBusType.list(signature) { message.body.append(try reader.read(type)) }
        guard reader.isAtEnd else { throw DBusError("a message is longer than its signature says") }
        return message
    }

    /// Takes one field of the header; gives the body's signature, if it is that. Unknown fields mean nothing.
    private mutating func set(_ code: UInt8, _ value: DBusValue) throws(DBusError) -> String? {
        switch (Field(rawValue: code), value) {
        case (.path, .objectPath(let text)): path = text
        case (.interface, .string(let text)): interface = text
        case (.member, .string(let text)): member = text
        case (.errorName, .string(let text)): errorName = text
        case (.replySerial, .uint32(let number)): replySerial = number
        case (.destination, .string(let text)): destination = text
        case (.sender, .string(let text)): sender = text
        case (.signature, .signature(let text)): return text
        case (.descriptors, _), (nil, _): break
        case (let field?, _): throw DBusError("the field \(field) of a message has the wrong type")
        }
        return nil
    }
}
