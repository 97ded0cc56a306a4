import HTTPServing
import OCISpec

/// How Docker's daemon reads parameters.
extension Query {
    /// A truth value: absent, empty, `0`, `no`, `false` and `none` mean false, all else true.
    package func flag(_ name: String, default absent: Bool = false) -> Bool {
        guard let value = self[name] else { return absent }
        let spaces: Set<Character> = [" ", "\t", "\n", "\r"]
        let trimmed = value.drop { spaces.contains($0) }.reversed().drop { spaces.contains($0) }.reversed()
        return !["", "0", "no", "false", "none"].contains(String(trimmed).lowercased())
    }

    /// A whole number; `nil` if absent or empty.
    ///
    /// - Throws: `APIError` (invalid) with the words of the Docker daemon.
    package func integer(_ name: String) throws -> Int? {
        let value = text(name)
        guard !value.isEmpty else { return nil }
        if let number = Int(value) { return number }
        let digits = value.utf8.drop { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") }
        let isNumber = !digits.isEmpty && digits.allSatisfy { (0x30...0x39).contains($0) }
        let reason = isNumber ? "value out of range" : "invalid syntax"
        throw APIError.invalid("strconv.Atoi: parsing \"\(value)\": \(reason)")
    }

    /// One side of a terminal's size, which is not optional.
    package func terminalSize(_ name: String, called word: String) throws -> UInt16 {
        let value = text(name)
        if let number = UInt32(value), value.first != "+" { return UInt16(clamping: number) }
        let digits = value.utf8.drop { $0 == UInt8(ascii: "-") }
        let isNumber = !digits.isEmpty && digits.allSatisfy { (0x30...0x39).contains($0) }
        let reason = isNumber ? "value out of range" : "invalid syntax"
        throw APIError.invalid("invalid resize \(word) \"\(value)\": \(reason)")
    }

    /// A moment as clients send it: seconds since 1970 with an optional fraction, or RFC 3339. `nil` if absent, empty
    /// or `0`.
    package func moment(_ name: String) throws -> Timestamp? {
        let value = text(name)
        guard !value.isEmpty, value != "0" else { return nil }
        if let moment = Timestamp(value) { return moment }
        let parts = value.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let seconds = Int64(parts[0]) else {
            throw APIError.invalid("invalid value for \"\(name)\": invalid seconds \"\(parts[0])\": invalid syntax")
        }
        guard parts.count == 2 else { return Timestamp(seconds: seconds) }
        guard parts[1].utf8.count <= 20, parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw APIError.invalid("invalid value for \"\(name)\": invalid nanoseconds \"\(parts[1])\"")
        }
        let digits = String(parts[1].prefix(9))
        let padded = digits + String(repeating: "0", count: 9 - digits.utf8.count)
        return Timestamp(seconds: seconds, nanoseconds: Int32(padded) ?? 0)
    }

    /// The `filters` parameter.
    package func filters() throws -> FilterArguments { try FilterArguments(json: text("filters")) }
}
