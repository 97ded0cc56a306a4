/// A value together with the words in which a client asked for it, for interfaces that show a configuration as it was
/// given.
///
/// Only the value counts for what is done. A front end that has no words of its own gives the value alone; `text` is
/// then the value's own description.
package struct Asked<Value: Hashable & Sendable & Codable & CustomStringConvertible>: Hashable, Sendable, Codable {
    /// What it means.
    package let value: Value
    /// nil: the value's own description.
    private let words: String?

    /// A value, with the words of the client where those are to be shown again.
    package init(_ value: Value, words: String? = nil) {
        self.value = value
        self.words = words == value.description ? nil : words
    }

    /// As the client wrote it.
    package var text: String { words ?? value.description }

    private enum CodingKeys: String, CodingKey {
        case value
        case words = "text"
    }
}

/// Bytes as an option gives them: `10m` is 10485760.
package struct ByteCount: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The number.
    package let bytes: Int64

    /// So many bytes.
    package init(_ bytes: Int64) { self.bytes = bytes }

    package init(from decoder: any Decoder) throws {
        bytes = try decoder.singleValueContainer().decode(Int64.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(bytes)
    }

    package var description: String { String(bytes) }
}
