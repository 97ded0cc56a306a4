/// Writes values in the wire format, the least significant byte first (D-Bus specification, "Marshaling").
struct DBusWriter {
    private(set) var bytes: [UInt8] = []

    /// Zeros up to the next multiple of `alignment`.
    mutating func align(_ alignment: Int) {
        while !bytes.count.isMultiple(of: alignment) { bytes.append(0) }
    }

    mutating func write(_ bytes: [UInt8]) { self.bytes += bytes }

    private mutating func integer<Integer: FixedWidthInteger>(_ integer: Integer) {
        align(Integer.bitWidth / 8)
        withUnsafeBytes(of: integer.littleEndian) { bytes += $0 }
    }

    private mutating func string(_ text: String) throws(DBusError) {
        guard !text.utf8.contains(0) else { throw DBusError("a null byte in \"\(text)\"") }
        integer(UInt32(text.utf8.count))
        bytes += text.utf8
        bytes.append(0)
    }

    private mutating func signature(_ text: String) throws(DBusError) {
        let length = text.utf8.count
        guard length <= DBusType.longestSignature else { throw DBusError("a signature of \(length) bytes") }
        bytes.append(UInt8(length))
        bytes += text.utf8
        bytes.append(0)
    }

    /// Writes `value` at the next place that its type may have.
    ///
    /// - Throws: for an array of different types, a string with a null byte, and a signature that is too long.
    mutating func write(_ value: DBusValue) throws(DBusError) {
        switch value {
        case .byte(let number): bytes.append(number)
        case .boolean(let flag): integer(UInt32(flag ? 1 : 0))
        case .int16(let number): integer(number)
        case .uint16(let number): integer(number)
        case .int32(let number): integer(number)
        case .uint32(let number), .unixDescriptor(let number): integer(number)
        case .int64(let number): integer(number)
        case .uint64(let number): integer(number)
        case .double(let number): integer(number.bitPattern)
        case .string(let text), .objectPath(let text): try string(text)
        case .signature(let text): try signature(text)
        case .variant(let value):
            try signature(value.type.signature)
            try write(value)
        case .array(let type, let elements): try array(type, elements)
        case .structure(let members):
            align(8)
            for member in members { try write(member) }
        case .entry(let key, let value):
            align(8)
            try write(key)
            try write(value)
        }
    }

    private mutating func array(_ type: DBusType, _ elements: [DBusValue]) throws(DBusError) {
        integer(UInt32(0))
        let place = bytes.count - 4
        // The padding before the first element is not part of the length. An empty array has it, too.
        align(type.alignment)
        let start = bytes.count
        for element in elements {
            guard element.type == type else {
                throw DBusError("a value of type \(element.type.signature) in an array of \(type.signature)")
            }
            try write(element)
        }
        let length = bytes.count - start
        guard length <= DBusReader.longestArray else { throw DBusError("an array of \(length) bytes") }
        for index in 0..<4 { bytes[place + index] = UInt8(truncatingIfNeeded: length >> (8 * index)) }
    }
}

/// Reads values in the wire format.
struct DBusReader {
    private let bytes: [UInt8]
    private(set) var offset: Int
    private let isBigEndian: Bool

    /// In bytes.
    static let longestArray = 1 << 26
    /// Variants, arrays and structures in each other may not be deeper.
    private static let deepest = 64

    /// The offset counts from the beginning of `bytes`, which must be one of alignment 8.
    init(_ bytes: [UInt8], from offset: Int = 0, isBigEndian: Bool = false) {
        self.bytes = bytes
        self.offset = offset
        self.isBigEndian = isBigEndian
    }

    var isAtEnd: Bool { offset == bytes.count }

    mutating func align(_ alignment: Int) throws(DBusError) {
        while !offset.isMultiple(of: alignment) {
            guard offset < bytes.count, bytes[offset] == 0 else { throw DBusError("bytes that align are not zero") }
            offset += 1
        }
    }

    private mutating func take(_ count: Int) throws(DBusError) -> ArraySlice<UInt8> {
        guard count <= bytes.count - offset else { throw DBusError("the message ends too soon") }
        defer { offset += count }
        return bytes[offset..<(offset + count)]
    }

    private mutating func integer<Integer: FixedWidthInteger & UnsignedInteger>(
        _: Integer.Type
    ) throws(DBusError) -> Integer {
        let size = Integer.bitWidth / 8
        try align(size)
        let taken = try take(size)
        var result: Integer = 0
        if isBigEndian {
            for byte in taken { result = result << 8 | Integer(byte) }
        } else {
            for byte in taken.reversed() { result = result << 8 | Integer(byte) }
        }
        return result
    }

    private mutating func text(_ length: Int) throws(DBusError) -> String {
        let taken = try take(length)
        guard try take(1).first == 0, !taken.contains(0) else {
            throw DBusError("a string does not end with a zero byte")
        }
        guard let text = String(validating: taken, as: UTF8.self) else { throw DBusError("a string is not UTF-8") }
        return text
    }

    private mutating func string() throws(DBusError) -> String {
        let length = try integer(UInt32.self)
        return try text(Int(length))
    }

    private mutating func signature() throws(DBusError) -> String {
        guard let length = try take(1).first else { throw DBusError("the message ends too soon") }
        return try text(Int(length))
    }

    /// The next value, which has the type `type`.
    mutating func read(_ type: DBusType, depth: Int = 0) throws(DBusError) -> DBusValue {
        guard depth <= Self.deepest else { throw DBusError("values are nested too deeply") }
        switch type {
        case .byte:
            guard let byte = try take(1).first else { throw DBusError("the message ends too soon") }
            return .byte(byte)
        case .boolean:
            let number = try integer(UInt32.self)
            guard number <= 1 else { throw DBusError("a boolean is \(number)") }
            return .boolean(number == 1)
        case .int16: return .int16(Int16(bitPattern: try integer(UInt16.self)))
        case .uint16: return .uint16(try integer(UInt16.self))
        case .int32: return .int32(Int32(bitPattern: try integer(UInt32.self)))
        case .uint32: return .uint32(try integer(UInt32.self))
        case .unixDescriptor: return .unixDescriptor(try integer(UInt32.self))
        case .int64: return .int64(Int64(bitPattern: try integer(UInt64.self)))
        case .uint64: return .uint64(try integer(UInt64.self))
        case .double: return .double(Double(bitPattern: try integer(UInt64.self)))
        case .string: return .string(try string())
        case .objectPath: return .objectPath(try string())
        case .signature: return .signature(try signature())
        case .variant:
            let types = try DBusType.list(signature())
            guard types.count == 1 else { throw DBusError("a variant has \(types.count) types") }
            return .variant(try read(types[0], depth: depth + 1))
        case .array(let element): return try array(element, depth: depth)
        case .structure(let members):
            try align(8)
            var values: [DBusValue] = []
            for member in members { values.append(try read(member, depth: depth + 1)) }
            return .structure(values)
        case .entry(let key, let value):
            try align(8)
            return .entry(try read(key, depth: depth + 1), try read(value, depth: depth + 1))
        }
    }

    private mutating func array(_ element: DBusType, depth: Int) throws(DBusError) -> DBusValue {
        let length = Int(try integer(UInt32.self))
        guard length <= Self.longestArray else { throw DBusError("an array of \(length) bytes") }
        try align(element.alignment)
        guard length <= bytes.count - offset else { throw DBusError("the message ends too soon") }
        let end = offset + length
        var elements: [DBusValue] = []
        while offset < end { elements.append(try read(element, depth: depth + 1)) }
        guard offset == end else { throw DBusError("an array has the wrong length") }
        return .array(element, elements)
    }
}
