extension JSONValue {
    /// The bytes that spell this value. With `pretty`, members stand on lines of their own, indented by four spaces as
    /// `docker inspect` prints them.
    package func serialized(pretty: Bool = false) -> [UInt8] {
        var writer = JSONWriter(pretty: pretty)
        writer.write(self, indentation: 0)
        return writer.bytes
    }

    /// The text that spells this value.
    package func text(pretty: Bool = false) -> String {
        String(decoding: serialized(pretty: pretty), as: UTF8.self)
    }
}

/// Appends the spelling of values to a buffer.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    private let pretty: Bool

    init(pretty: Bool) {
        self.pretty = pretty
    }

    mutating func write(_ value: JSONValue, indentation: Int) {
        switch value {
        case .null: writeNull()
        case .bool(let value): write(value)
        case .int(let value): write(value)
        case .uint(let value): write(value)
        case .double(let value): write(value)
        case .string(let value): write(value)
        case .array(let elements):
            open("[")
            for (position, element) in elements.enumerated() {
                separate(isFirst: position == 0, indentation: indentation)
                write(element, indentation: indentation + 1)
            }
            close("]", isEmpty: elements.isEmpty, indentation: indentation)
        case .object(let object):
            open("{")
            var isFirst = true
            for (key, member) in object {
                separate(isFirst: isFirst, indentation: indentation)
                isFirst = false
                writeKey(key)
                write(member, indentation: indentation + 1)
            }
            close("}", isEmpty: object.isEmpty, indentation: indentation)
        }
    }

    mutating func writeNull() { append("null") }
    mutating func write(_ value: Bool) { append(value ? "true" : "false") }
    mutating func writeEmptyObject() { append("{}") }

    mutating func write(_ number: some FixedWidthInteger) {
        if number >= 0, number < 10 {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number))
        } else {
            var text = String(number)
            text.withUTF8 { bytes.append(contentsOf: $0) }
        }
    }

    mutating func writeKey(_ key: String) {
        write(key)
        bytes.append(UInt8(ascii: ":"))
        if pretty { bytes.append(0x20) }
    }

    /// Whether what stands from a place on is a value that Go's `omitempty` would leave out.
    func hasEmptyValue(from start: Int) -> Bool {
        switch bytes.count - start {
        case 1: bytes[start] == UInt8(ascii: "0")
        case 2: [Array("\"\"".utf8), Array("[]".utf8), Array("{}".utf8)].contains { $0.elementsEqual(bytes[start...]) }
        case 4: "null".utf8.elementsEqual(bytes[start...])
        case 5: "false".utf8.elementsEqual(bytes[start...])
        default: false
        }
    }

    /// Forgets what comes after the first `count` bytes.
    mutating func shorten(to count: Int) { bytes.removeSubrange(count...) }

    mutating func open(_ bracket: Unicode.Scalar) { bytes.append(UInt8(ascii: bracket)) }

    private mutating func append(_ word: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    }

    private mutating func write(_ number: Double) {
        // A whole number is written as one: what reads it may want an integer.
        if let whole = Int64(exactly: number) {
            write(whole)
        } else {
            bytes.append(contentsOf: number.description.utf8)
        }
    }

    mutating func write(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { units in
            var start = 0
            for position in units.indices {
                let unit = units[position]
                guard unit < 0x20 || unit == UInt8(ascii: "\"") || unit == UInt8(ascii: "\\") || unit == 0x7F else {
                    continue
                }
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: units[start..<position]))
                writeEscaped(unit)
                start = position + 1
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: units[start...]))
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func writeEscaped(_ unit: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch unit {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(unit)
        case 0x08: bytes.append(UInt8(ascii: "b"))
        case 0x0C: bytes.append(UInt8(ascii: "f"))
        case 0x0A: bytes.append(UInt8(ascii: "n"))
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        default:
            let digits = Array("0123456789abcdef".utf8)
            bytes.append(contentsOf: "u00".utf8)
            bytes.append(digits[Int(unit >> 4)])
            bytes.append(digits[Int(unit & 15)])
        }
    }

    mutating func separate(isFirst: Bool, indentation: Int) {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        if pretty { newLine(indentation + 1) }
    }

    mutating func close(_ bracket: Unicode.Scalar, isEmpty: Bool, indentation: Int) {
        if pretty, !isEmpty { newLine(indentation) }
        bytes.append(UInt8(ascii: bracket))
    }

    private mutating func newLine(_ indentation: Int) {
        bytes.append(0x0A)
        bytes.append(contentsOf: repeatElement(0x20, count: indentation * 4))
    }
}
