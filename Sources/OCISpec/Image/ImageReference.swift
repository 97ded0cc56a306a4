/// The name of an image in a registry, normalised as Docker does: `debian` is `docker.io/library/debian`.
///
/// Grammar: the distribution project's `reference` (domain, path, tag, digest). A value of this type is well formed.
package struct ImageReference: Hashable, Sendable {
    /// The registry: `docker.io`, `localhost:5000`, `[::1]:5000`.
    package let domain: String
    /// The repository within it: `library/debian`.
    package let path: String
    /// The tag, if there is one.
    package let tag: String?
    /// The digest, if there is one.
    package let digest: Digest?

    private init(domain: String, path: String, tag: String?, digest: Digest?) {
        self.domain = domain
        self.path = path
        self.tag = tag
        self.digest = digest
    }

    /// Reads what a user writes: `debian`, `debian:12`, `localhost:5000/a/b@sha256:…`.
    package init(parsing text: String) throws(ImageReferenceError) {
        // 64 hex digits are an image id, and must never be taken for a name.
        if text.utf8.count == 64, text.utf8.allSatisfy(Hex.isLowerCase) {
            throw ImageReferenceError.identifier(text)
        }
        var rest = Substring(text)
        var digest: Digest?
        if let at = rest.firstIndex(of: "@") {
            guard let parsed = Digest(String(rest[rest.index(after: at)...])) else {
                throw ImageReferenceError.format(text)
            }
            digest = parsed
            rest = rest[..<at]
        }
        let (domain, remainder) = Self.splitDomain(rest)
        var path = remainder
        var tag: String?
        if let colon = path.lastIndex(of: ":"), !path[colon...].contains("/") {
            let candidate = path[path.index(after: colon)...]
            guard Self.isTag(candidate) else { throw ImageReferenceError.format(text) }
            tag = String(candidate)
            path = path[..<colon]
        }
        guard !path.isEmpty else { throw ImageReferenceError.format(text) }
        if path.contains(where: { $0.isASCII && $0.isUppercase }) {
            throw ImageReferenceError.upperCase(String(path))
        }
        guard Self.isDomain(domain),
            path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy(Self.isPathComponent)
        else { throw ImageReferenceError.format(text) }
        guard path.utf8.count + domain.utf8.count + 1 <= 255 else { throw ImageReferenceError.tooLong }
        self.init(domain: domain, path: String(path), tag: tag, digest: digest)
    }

    /// `docker.io/library/debian`.
    package var name: String { "\(domain)/\(path)" }

    /// The name as people write it: without `docker.io/` and `library/`.
    package var familiarName: String {
        guard domain == Self.defaultDomain else { return name }
        let prefix = "library/"
        if path.hasPrefix(prefix), !path.dropFirst(prefix.count).contains("/") {
            return String(path.dropFirst(prefix.count))
        }
        return path
    }

    /// `debian:12`, `debian@sha256:…`: what lists show and messages say.
    package var familiar: String { familiarName + suffix }

    /// Whether there is neither tag nor digest.
    package var isNameOnly: Bool { tag == nil && digest == nil }

    /// With the tag `latest` where there was neither tag nor digest.
    package var withDefaultTag: ImageReference {
        isNameOnly ? ImageReference(domain: domain, path: path, tag: "latest", digest: nil) : self
    }

    /// The same name with this tag alone.
    package func tagged(_ tag: String) throws(ImageReferenceError) -> ImageReference {
        guard Self.isTag(tag[...]) else { throw ImageReferenceError.tag(tag) }
        return ImageReference(domain: domain, path: path, tag: tag, digest: nil)
    }

    /// The same name with this digest alone.
    package func pinned(to digest: Digest) -> ImageReference {
        ImageReference(domain: domain, path: path, tag: nil, digest: digest)
    }

    private var suffix: String {
        (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "")
    }

    private static let defaultDomain = "docker.io"

    private static func splitDomain(_ text: Substring) -> (domain: String, remainder: Substring) {
        var domain = defaultDomain
        var remainder = text
        if let slash = text.firstIndex(of: "/") {
            let first = text[..<slash]
            // A first component is a host when it could not be a user's name on the default registry.
            if first.contains(".") || first.contains(":") || first == "localhost"
                || first.contains(where: { $0.isASCII && $0.isUppercase })
            {
                domain = first == "index.docker.io" ? defaultDomain : String(first)
                remainder = text[text.index(after: slash)...]
            }
        }
        if domain == defaultDomain, !remainder.contains("/"), !remainder.isEmpty {
            remainder = "library/" + remainder
        }
        return (domain, remainder)
    }
}

extension ImageReference {
    private static func isTag(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 128 else { return false }
        guard isWord(first) else { return false }
        return text.utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
    }

    /// Lower-case letters and digits, parted by one `.`, one or two `_`, or any number of `-`.
    private static func isPathComponent(_ text: Substring) -> Bool {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, let last = bytes.last, isAlphanumeric(first), isAlphanumeric(last) else {
            return false
        }
        var index = 0
        while index < bytes.count {
            if isAlphanumeric(bytes[index]) {
                index += 1
                continue
            }
            let separator = bytes[index]
            var run = index
            while run < bytes.count, bytes[run] == separator { run += 1 }
            switch separator {
            case UInt8(ascii: "."): guard run - index == 1 else { return false }
            case UInt8(ascii: "_"): guard run - index <= 2 else { return false }
            case UInt8(ascii: "-"): break
            default: return false
            }
            guard run < bytes.count, isAlphanumeric(bytes[run]) else { return false }
            index = run
        }
        return true
    }

    private static func isDomain(_ text: String) -> Bool {
        var host = Substring(text)
        if let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") {
            let port = host[host.index(after: colon)...]
            guard !port.isEmpty, port.utf8.allSatisfy(isDigit) else { return false }
            host = host[..<colon]
        }
        if host.hasPrefix("[") {
            guard host.hasSuffix("]"), host.count > 2 else { return false }
            return host.dropFirst().dropLast().utf8.allSatisfy {
                isDigit($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0 | 0x20) || $0 == UInt8(ascii: ":")
            }
        }
        return host.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            guard let first = label.utf8.first, let last = label.utf8.last else { return false }
            return first != UInt8(ascii: "-") && last != UInt8(ascii: "-")
                && label.utf8.allSatisfy { ($0 == UInt8(ascii: "-") || isWord($0)) && $0 != UInt8(ascii: "_") }
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || byte == UInt8(ascii: "_") || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }
}

extension ImageReference: CustomStringConvertible {
    /// The full form: `docker.io/library/debian:12`.
    package var description: String { name + suffix }
}

extension ImageReference: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        do {
            try self.init(parsing: text)
        } catch {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: error.description)
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// Why a text is not an image reference, in the words that Docker's clients know.
package enum ImageReferenceError: Error, Hashable, Sendable, CustomStringConvertible {
    case format(String)
    case upperCase(String)
    case identifier(String)
    case tag(String)
    case tooLong

    package var description: String {
        switch self {
        case .format: "invalid reference format"
        case .upperCase(let path): "invalid reference format: repository name (\(path)) must be lowercase"
        case .identifier(let text): "invalid repository name (\(text)), cannot specify 64-byte hexadecimal strings"
        case .tag: "invalid tag format"
        case .tooLong: "repository name must not be more than 255 characters"
        }
    }
}
