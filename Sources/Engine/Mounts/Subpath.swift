/// A part of a volume or an image: a relative path that, taken by its words, does not lead out.
///
/// Where it leads in a tree with symbolic links is the kernel's to say, at the moment it is mounted.
package struct Subpath: Hashable, Sendable, Codable, CustomStringConvertible {
    /// As it was given.
    package let description: String

    /// nil: it is absolute, empty, or leads out.
    package init?(_ text: String) {
        guard !text.isEmpty, !text.hasPrefix("/"), !text.utf8.contains(0) else { return nil }
        var depth = 0
        for part in text.split(separator: "/") where part != "." {
            depth += part == ".." ? -1 : 1
            if depth < 0 { return nil }
        }
        description = text
    }

    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let subpath = Subpath(text) else {
            throw EngineError.invalid("\"\(text)\" is not a relative path within a volume")
        }
        self = subpath
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
