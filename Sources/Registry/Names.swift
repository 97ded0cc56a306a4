import OCISpec

/// The name of a repository: path components of lower-case letters, digits and separators (distribution-spec, "Pulling
/// manifests": `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`).
package struct RepositoryName: Hashable, Sendable, CustomStringConvertible {
    package let description: String

    /// - Throws: `RegistryError` (NAME_INVALID).
    package init(_ text: some StringProtocol) throws(RegistryError) {
        let components = text.split(separator: "/", omittingEmptySubsequences: false)
        guard text.utf8.count <= 255, components.allSatisfy({ Self.isComponent(Substring($0)) }) else {
            throw RegistryError(
                .invalid, .nameInvalid, "invalid repository name: \(text)", detail: ["name": .string(String(text))])
        }
        description = String(text)
    }

    /// Letters and digits at both ends; between them also single dots, one or two underscores, or any number of dashes.
    private static func isComponent(_ text: Substring) -> Bool {
        var separator: [UInt8] = []
        var isStart = true
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x61...0x7A:
                guard separator.isEmpty || !isStart && isSeparator(separator) else { return false }
                separator = []
                isStart = false
            case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): separator.append(byte)
            default: return false
            }
        }
        return !isStart && separator.isEmpty
    }

    private static func isSeparator(_ bytes: [UInt8]) -> Bool {
        bytes == Array(".".utf8) || bytes == Array("_".utf8) || bytes == Array("__".utf8)
            || bytes.allSatisfy { $0 == UInt8(ascii: "-") }
    }
}

/// What names a manifest in a path: a tag or a digest.
package enum ManifestReference: Hashable, Sendable, CustomStringConvertible {
    case tag(String)
    case digest(Digest)

    /// - Throws: `RegistryError` (DIGEST_INVALID, or MANIFEST_INVALID for what is neither).
    package init(_ text: some StringProtocol) throws(RegistryError) {
        if text.contains(":") {
            do {
                self = .digest(try Digest(parsing: text))
            } catch {
                throw .digestInvalid(text, error.description)
            }
        } else {
            guard Self.isTag(text) else { throw .manifestInvalid("\"\(text)\" is neither a tag nor a digest") }
            self = .tag(String(text))
        }
    }

    /// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`
    static func isTag(_ text: some StringProtocol) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 128, isWord(first) else { return false }
        return text.utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"): true
        default: false
        }
    }

    package var description: String {
        switch self {
        case .tag(let tag): tag
        case .digest(let digest): digest.description
        }
    }
}
