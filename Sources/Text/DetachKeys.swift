/// The keys that end an attachment and leave the process running, in Docker's notation: `ctrl-p,ctrl-q`, `a`,
/// `ctrl-@,x`.
package struct DetachKeys: Hashable, Sendable {
    /// The bytes that a terminal sends for the keys. Empty: no keys detach.
    package let bytes: [UInt8]
    /// The keys as they were given; empty for the default.
    package let text: String

    /// Docker's default: `ctrl-p,ctrl-q`.
    package static let standard = DetachKeys(bytes: [16, 17], text: "")

    /// No keys detach.
    package static let none = DetachKeys(bytes: [], text: "")

    /// A key that Docker's notation does not have.
    package struct Unknown: Error, Equatable {
        /// The key as it was given.
        package let key: String

        /// The reason in Docker's words.
        package var reason: String { "Unknown character: '\(key)'" }
    }

    private init(bytes: [UInt8], text: String) {
        self.bytes = bytes
        self.text = text
    }

    /// Parses keys divided by commas: each is a single character, or `ctrl-` with one of `a`–`z`, `@`, `[`, `\`, `]`,
    /// `^`, `_`. An empty text stands for ``standard``.
    package init(parsing text: String) throws(Unknown) {
        guard !text.isEmpty else {
            self = .standard
            return
        }
        var bytes: [UInt8] = []
        for key in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let byte = Self.byte(of: Array(key.utf8)) else { throw Unknown(key: String(key)) }
            bytes.append(byte)
        }
        self.init(bytes: bytes, text: text)
    }

    private static func byte(of key: [UInt8]) -> UInt8? {
        if key.count == 1 { return key[0] }
        guard key.count == 6, key.starts(with: "ctrl-".utf8) else { return nil }
        return switch key[5] {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): key[5] - UInt8(ascii: "a") + 1
        case UInt8(ascii: "@"), UInt8(ascii: "[")...UInt8(ascii: "_"): key[5] - UInt8(ascii: "@")
        default: nil
        }
    }
}

/// Looks for detach keys in what is typed, which may come one byte at a time. Keys that may begin the sequence are held
/// back until it is clear that they do not.
package struct DetachScanner: Sendable {
    private let keys: [UInt8]
    private var matched = 0

    /// - Parameter keys: the bytes of ``DetachKeys``.
    /// - Returns: nil for no keys, which never detach.
    package init?(_ keys: [UInt8]) {
        guard !keys.isEmpty else { return nil }
        self.keys = keys
    }

    /// Passes typed bytes on.
    ///
    /// - Returns: the bytes for the process, and whether the keys are complete; what was typed after them is dropped.
    package mutating func scan(_ typed: some Sequence<UInt8>) -> (passed: [UInt8], isComplete: Bool) {
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
