/// The keys that leave a container running and give the terminal back.
package struct DetachKeys: Hashable, Sendable {
    /// The bytes the terminal sends for the keys.
    package let bytes: [UInt8]

    /// `ctrl-p,ctrl-q`.
    package static let standard = DetachKeys(bytes: [16, 17])

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Parses keys divided by commas: single characters, or `ctrl-` with one of `a`–`z`, `@`, `[`, `\`, `]`, `^`, `_`.
    package init(parsing text: String) throws(CommandError) {
        var bytes: [UInt8] = []
        for key in text.split(separator: ",", omittingEmptySubsequences: false) {
            let code = Array(key.utf8)
            if code.count == 1 {
                bytes += code
            } else if code.count == 6, key.lowercased().hasPrefix("ctrl-"), let control = Self.control(code[5]) {
                bytes.append(control)
            } else {
                throw CommandError(
                    "Invalid detach keys (\(text)) provided: '\(key)' is neither a character nor ctrl- with a letter")
            }
        }
        self.bytes = bytes
    }

    private static func control(_ letter: UInt8) -> UInt8? {
        switch letter {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): letter - 96
        case UInt8(ascii: "@"), UInt8(ascii: "[")...UInt8(ascii: "_"): letter - 64
        default: nil
        }
    }
}

/// Looks for the detach keys in what is typed, holding back what may still become them.
package struct DetachKeyMatcher: Sendable {
    private let keys: [UInt8]
    private var matched = 0

    package init(_ keys: DetachKeys) {
        self.keys = keys.bytes
    }

    /// Passes typed bytes on.
    ///
    /// - Returns: the bytes for the container, and whether the keys are complete; what was typed after them is dropped.
    package mutating func filter(_ typed: some Sequence<UInt8>) -> (passed: [UInt8], isComplete: Bool) {
        var passed: [UInt8] = []
        for byte in typed {
            if byte != keys[matched], matched > 0 {
                passed += keys[..<matched]
                matched = 0
            }
            if byte == keys[matched] {
                matched += 1
                if matched == keys.count { return (passed, true) }
            } else {
                passed.append(byte)
            }
        }
        return (passed, false)
    }
}
