import Glibc
import OCISpec

/// Spells records of Docker's `json-file` log: `{"log":"…\n","stream":"stdout","time":"…"}` and a newline.
///
/// Byte for byte what Docker writes, because others parse these files too: `<`, `>` and `&` are escaped, a tab is
/// `\u0009`, a byte that is not UTF-8 is `\ufffd`.
struct JSONLogEncoder {
    /// The most bytes that `encode` can write for a text of `count` bytes and a tail of `tail` bytes: each may become
    /// six, and the copying of eight at once reaches beyond the end.
    static func capacity(text count: Int, tail: Int) -> Int { count * 6 + tail + 32 }

    /// Writes one record to `output`, which has `capacity` bytes, and gives the place after it.
    static func encode(
        _ text: UnsafeRawBufferPointer, endsLine: Bool, tail: UnsafeRawBufferPointer, to output: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        var output = append("{\"log\":\"", to: output)
        output = escape(text, to: output)
        if endsLine { output = append("\\n", to: output) }
        if let source = tail.baseAddress { output.copyMemory(from: source, byteCount: tail.count) }
        return output + tail.count
    }

    private static func append(_ text: StaticString, to output: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        output.copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
        return output + text.utf8CodeUnitCount
    }

    private static func escape(
        _ text: UnsafeRawBufferPointer, to start: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        guard let base = text.baseAddress else { return start }
        var output = start
        var index = 0
        let count = text.count
        while index < count {
            // Eight bytes at once as long as all can stay as they are.
            while index + 8 <= count {
                let word = (base + index).loadUnaligned(as: UInt64.self)
                guard isPlain(word) else { break }
                output.storeBytes(of: word, as: UInt64.self)
                output += 8
                index += 8
            }
            let end = min(index + 8, count)
            while index < end {
                let byte = base.load(fromByteOffset: index, as: UInt8.self)
                if byte < 0x80 {
                    output = escape(ascii: byte, to: output)
                    index += 1
                } else if let length = characterLength(base + index, limit: count - index) {
                    output = escape(character: base + index, length: length, to: output)
                    index += length
                } else {
                    output = append("\\ufffd", to: output)
                    index += 1
                }
            }
        }
        return output
    }

    /// Whether none of the eight bytes has to be escaped or looked at: no control character, no byte of a longer
    /// character, none of `"`, `\`, `<`, `>`, `&`.
    @inline(__always)
    private static func isPlain(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        // The high bit of each byte is set if that byte of `x` is zero (and only then, up to the first such byte).
        func zero(_ x: UInt64) -> UInt64 { (x &- ones) & ~x }
        var found = word | (word &- ones &* 0x20) & ~word
        found |= zero(word ^ ones &* 0x22) | zero(word ^ ones &* 0x5c) | zero(word ^ ones &* 0x26)
        found |= zero((word | ones &* 0x02) ^ ones &* 0x3e)
        return found & (ones &* 0x80) == 0
    }

    private static func escape(ascii byte: UInt8, to output: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        switch byte {
        case 0x22: return append("\\\"", to: output)
        case 0x5c: return append("\\\\", to: output)
        case 0x0a: return append("\\n", to: output)
        case 0x0d: return append("\\r", to: output)
        case 0x3c, 0x3e, 0x26, 0..<0x20:
            let end = append("\\u00", to: output)
            end.storeBytes(of: hexadecimal(byte >> 4), as: UInt8.self)
            end.storeBytes(of: hexadecimal(byte & 15), toByteOffset: 1, as: UInt8.self)
            return end + 2
        default:
            output.storeBytes(of: byte, as: UInt8.self)
            return output + 1
        }
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? 0x30 + digit : 0x61 + digit - 10
    }

    /// U+2028 and U+2029 end lines in JavaScript, and Docker escapes them for its sake.
    private static func escape(
        character: UnsafeRawPointer, length: Int, to output: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        func byte(_ offset: Int) -> UInt8 { character.load(fromByteOffset: offset, as: UInt8.self) }
        if length == 3, byte(0) == 0xe2, byte(1) == 0x80, byte(2) & 0xfe == 0xa8 {
            return append(byte(2) == 0xa8 ? "\\u2028" : "\\u2029", to: output)
        }
        output.copyMemory(from: character, byteCount: length)
        return output + length
    }

    /// The length of the character of two to four bytes that starts at `start`; `nil` if there is none (RFC 3629: no
    /// overlong forms, no surrogates, nothing beyond U+10FFFF).
    private static func characterLength(_ start: UnsafeRawPointer, limit: Int) -> Int? {
        func byte(_ offset: Int) -> UInt8 { start.load(fromByteOffset: offset, as: UInt8.self) }
        let length: Int
        let second: ClosedRange<UInt8>
        switch byte(0) {
        case 0xc2...0xdf: (length, second) = (2, 0x80...0xbf)
        case 0xe0: (length, second) = (3, 0xa0...0xbf)
        case 0xed: (length, second) = (3, 0x80...0x9f)
        case 0xe1...0xef: (length, second) = (3, 0x80...0xbf)
        case 0xf0: (length, second) = (4, 0x90...0xbf)
        case 0xf1...0xf3: (length, second) = (4, 0x80...0xbf)
        case 0xf4: (length, second) = (4, 0x80...0x8f)
        default: return nil
        }
        guard length <= limit, second.contains(byte(1)) else { return nil }
        for offset in 2..<max(length, 2) where byte(offset) & 0xc0 != 0x80 { return nil }
        return length
    }
}
