/// How a server wants to be asked: one challenge of a `WWW-Authenticate` header (RFC 9110, 11.6.1; the parameters of
/// `Bearer` are those of distribution's token specification).
package struct AuthenticationChallenge: Hashable, Sendable {
    /// In lower case: `basic`, `bearer`.
    package let scheme: String
    /// Names in lower case.
    package let parameters: [String: String]

    /// All challenges of a header, which may hold several.
    package static func parse(_ header: String) -> [AuthenticationChallenge] {
        var scanner = Scanner(rest: Array(header.utf8)[...])
        var challenges: [AuthenticationChallenge] = []
        var scheme: String?
        var parameters: [String: String] = [:]
        func finish() {
            if let scheme { challenges.append(AuthenticationChallenge(scheme: scheme, parameters: parameters)) }
        }
        while true {
            scanner.skipSeparators()
            guard let word = scanner.token() else { break }
            // A word before an equals sign is a parameter, any other one begins the next challenge.
            if scanner.skipEquals(), scheme != nil {
                parameters[word.lowercased()] = scanner.value()
            } else {
                finish()
                scheme = word.lowercased()
                parameters = [:]
            }
        }
        finish()
        return challenges
    }

    private struct Scanner {
        var rest: ArraySlice<UInt8>

        mutating func skipSeparators() { rest = rest.drop { $0 == 0x20 || $0 == 0x09 || $0 == UInt8(ascii: ",") } }

        mutating func token() -> String? {
            let word = rest.prefix { $0 > 0x20 && $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "=") && $0 != 0x22 }
            guard !word.isEmpty else { return nil }
            rest = rest.dropFirst(word.count)
            return String(decoding: word, as: UTF8.self)
        }

        mutating func skipEquals() -> Bool {
            let after = rest.drop { $0 == 0x20 || $0 == 0x09 }
            guard after.first == UInt8(ascii: "=") else { return false }
            rest = after.dropFirst().drop { $0 == 0x20 || $0 == 0x09 }
            return true
        }

        /// A token, or a text in quotes with backslashes taken away.
        mutating func value() -> String {
            guard rest.first == 0x22 else { return token() ?? "" }
            rest = rest.dropFirst()
            var bytes: [UInt8] = []
            while let byte = rest.popFirst(), byte != 0x22 {
                if byte == 0x5C, let escaped = rest.popFirst() { bytes.append(escaped) } else { bytes.append(byte) }
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}
