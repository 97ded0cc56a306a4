/// The keys that end an attachment, in Docker's notation: `ctrl-p,ctrl-q`, `a`, `ctrl-@,x`.
package enum DetachKeys {
    /// Docker's default, `ctrl-p,ctrl-q`.
    package static let usual: [UInt8] = [16, 17]

    /// The bytes that a terminal sends for `text`; an empty text is the default.
    ///
    /// - Throws: `invalid`, in Docker's words, for a key there is none of.
    package static func parse(_ text: String) throws(ShimError) -> [UInt8] {
        if text.isEmpty { return usual }
        var bytes: [UInt8] = []
        for key in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let byte = byte(key) else { throw ShimError(.invalid, "Unknown character: '\(key)'") }
            bytes.append(byte)
        }
        return bytes
    }

    private static func byte(_ key: Substring) -> UInt8? {
        let name = Array(key.utf8)
        if name.count == 1 { return name[0] }
        guard name.count == 6, key.hasPrefix("ctrl-") else { return nil }
        switch name[5] {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): return name[5] - UInt8(ascii: "a") + 1
        case UInt8(ascii: "@"): return 0
        case UInt8(ascii: "["): return 27
        case UInt8(ascii: "\\"): return 28
        case UInt8(ascii: "]"): return 29
        case UInt8(ascii: "^"): return 30
        case UInt8(ascii: "_"): return 31
        default: return nil
        }
    }
}
