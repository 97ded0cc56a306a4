/// A coding key made of any text.
struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ text: String) { stringValue = text }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

// Documents that are addressed by their digest must come out the same each time they are written, so maps are
// written with sorted keys (a Swift dictionary has another order in each process).
extension KeyedEncodingContainer {
    mutating func encodeSorted(_ map: [String: String]?, forKey key: Key) throws {
        guard let map else { return }
        var nested = nestedContainer(keyedBy: AnyKey.self, forKey: key)
        for (name, value) in map.sorted(by: { $0.key < $1.key }) { try nested.encode(value, forKey: AnyKey(name)) }
    }
}

/// A set of names written as Go writes `map[string]struct{}`: an object whose values are empty objects.
///
/// Exposed ports and volumes of an image's configuration have this form.
package struct NameSet: Hashable, Sendable, Codable, ExpressibleByArrayLiteral {
    /// The names.
    package var names: Set<String>

    /// A set of names.
    package init(_ names: some Sequence<String> = []) { self.names = Set(names) }

    package init(arrayLiteral elements: String...) { names = Set(elements) }

    /// The names in alphabetical order.
    package var sorted: [String] { names.sorted() }

    /// Whether there are no names.
    package var isEmpty: Bool { names.isEmpty }

    package init(from decoder: any Decoder) throws {
        names = Set(try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: AnyKey.self)
        for name in sorted { _ = container.nestedContainer(keyedBy: AnyKey.self, forKey: AnyKey(name)) }
    }
}
