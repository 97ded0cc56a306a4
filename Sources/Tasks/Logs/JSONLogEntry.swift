import JSON
import OCISpec

/// Reads entries of Docker's json-file log: one JSON object a line with `log`, `stream`, `time` and perhaps `attrs`.
package enum JSONLogEntry {
    /// The line (without its newline) as an entry, or nil if it is none, as a crash may leave one torn.
    package static func parse(_ line: UnsafeRawBufferPointer) -> LogLine? {
        fast(line) ?? general(line)
    }

    /// The exact form our shim and Docker write. Other forms are left to the general parser.
    private static func fast(_ line: UnsafeRawBufferPointer) -> LogLine? {
        var scanner = Scanner(bytes: line)
        guard scanner.take("{\"log\":\""), let text = scanner.string(), scanner.take(",\"stream\":\"std") else {
            return nil
        }
        let stream: OutputStream
        if scanner.take("out\",") {
            stream = .stdout
        } else if scanner.take("err\",") {
            stream = .stderr
        } else {
            return nil
        }
        guard scanner.take("\"time\":\""), let time = scanner.string(), scanner.take("}"), scanner.isAtEnd,
            let moment = Timestamp(String(decoding: time, as: UTF8.self))
        else { return nil }
        return LogLine(stream: stream, time: moment, bytes: text)
    }

    private static func general(_ line: UnsafeRawBufferPointer) -> LogLine? {
        // An unreadable line is the tail of a write that a power cut ended: it is left out, as Docker does.
        guard let value = try? JSON.parse(line), let text = value["log"]?.string,
            let time = value["time"]?.string.flatMap({ Timestamp($0) })
        else { return nil }
        var details: [String: String] = [:]
        if let attributes = value["attrs"]?.object {
            for (key, value) in attributes { details[key] = value.string }
        }
        return LogLine(
            stream: value["stream"]?.string == "stderr" ? .stderr : .stdout, time: time, bytes: Array(text.utf8),
            details: details)
    }

    private struct Scanner {
        let bytes: UnsafeRawBufferPointer
        var position = 0

        var isAtEnd: Bool { position == bytes.count }

        mutating func take(_ text: StaticString) -> Bool {
            let count = text.utf8CodeUnitCount
            guard position + count <= bytes.count else { return false }
            for index in 0..<count where bytes[position + index] != text.utf8Start[index] { return false }
            position += count
            return true
        }

        /// The rest of a JSON string up to its closing quote, which is taken.
        mutating func string() -> [UInt8]? {
            var result: [UInt8] = []
            var start = position
            while position < bytes.count {
                let byte = bytes[position]
                if byte == UInt8(ascii: "\"") {
                    if result.isEmpty {
                        result = Array(bytes[start..<position])
                    } else {
                        result.append(contentsOf: bytes[start..<position])
                    }
                    position += 1
                    return result
                }
                if byte != UInt8(ascii: "\\") {
                    position += 1
                    continue
                }
                result.append(contentsOf: bytes[start..<position])
                guard position + 1 < bytes.count else { return nil }
                let escape = bytes[position + 1]
                position += 2
                switch escape {
                case UInt8(ascii: "n"): result.append(0x0A)
                case UInt8(ascii: "t"): result.append(0x09)
                case UInt8(ascii: "r"): result.append(0x0D)
                case UInt8(ascii: "b"): result.append(0x08)
                case UInt8(ascii: "f"): result.append(0x0C)
                case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(escape)
                case UInt8(ascii: "u"):
                    guard let scalar = unicodeEscape() else { return nil }
                    result.append(contentsOf: String(scalar).utf8)
                default: return nil
                }
                start = position
            }
            return nil
        }

        /// The scalar of `XXXX` (with a surrogate's second half following), the `\u` before it being taken.
        private mutating func unicodeEscape() -> Unicode.Scalar? {
            guard let high = hexadecimal() else { return nil }
            if (0xD800..<0xDC00).contains(high) {
                guard take("\\u"), let low = hexadecimal(), (0xDC00..<0xE000).contains(low) else { return nil }
                return Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
            }
            return Unicode.Scalar(high) ?? "\u{FFFD}"
        }

        private mutating func hexadecimal() -> UInt32? {
            guard position + 4 <= bytes.count else { return nil }
            var value: UInt32 = 0
            for byte in bytes[position..<position + 4] {
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 + UInt32(byte - UInt8(ascii: "0"))
                case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 + UInt32(byte - UInt8(ascii: "a") + 10)
                case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 + UInt32(byte - UInt8(ascii: "A") + 10)
                default: return nil
                }
            }
            position += 4
            return value
        }
    }
}
