import NIOHTTP1

/// A path with places, such as `/containers/{name}/json` or `/v2/{name}/blobs/{digest}`.
///
/// The first place takes one or more segments, because names of images and repositories contain slashes. Each
/// further one takes exactly one.
package struct PathPattern: Sendable {
    /// What stands before the first place.
    private let before: [Substring]
    /// The name of the first place; `nil` for a path without any.
    private let first: String?
    private let after: [Part]

    private enum Part: Sendable {
        case literal(Substring)
        case place(String)
    }

    /// How much of the path is given: of two patterns that match, the one with more is meant.
    let literals: Int

    /// A pattern from its text.
    package init(_ text: String) {
        let segments = text.split(separator: "/")
        let position = segments.firstIndex { Self.place($0) != nil } ?? segments.endIndex
        before = Array(segments[..<position])
        first = position < segments.endIndex ? Self.place(segments[position]) : nil
        after = segments.dropFirst(position + 1).map { part in
            Self.place(part).map(Part.place) ?? .literal(part)
        }
        literals = segments.count { Self.place($0) == nil }
    }

    private static func place(_ segment: Substring) -> String? {
        guard segment.hasPrefix("{"), segment.hasSuffix("}") else { return nil }
        return String(segment.dropFirst().dropLast())
    }

    /// What stands in the places; `nil` if the path is not this pattern's.
    package func match(_ segments: some RandomAccessCollection<Substring>) -> PathParameters? {
        guard let first else { return segments.elementsEqual(before) ? PathParameters() : nil }
        guard segments.count > before.count + after.count, segments.starts(with: before) else { return nil }
        var parameters = PathParameters()
        let middle = segments.dropFirst(before.count).dropLast(after.count)
        parameters.values.append((first, middle.joined(separator: "/")))
        for (part, segment) in zip(after, segments.suffix(after.count)) {
            switch part {
            case .literal(let text): if text != segment { return nil }
            case .place(let name): parameters.values.append((name, String(segment)))
            }
        }
        return parameters
    }
}

/// What stands in a pattern's places.
package struct PathParameters: Sendable {
    fileprivate(set) var values: [(name: String, value: String)] = []

    /// No places at all.
    package init() {}

    /// What stands in the place of that name; empty if the pattern has none.
    package subscript(name: String) -> String { values.first { $0.name == name }?.value ?? "" }
}

/// What answers which path: patterns and a value for each, such as a function.
package struct RouteTable<Value: Sendable>: Sendable {
    /// One line.
    package struct Route: Sendable {
        /// `nil` for every method.
        package let method: HTTPMethod?
        /// Which paths.
        package let pattern: PathPattern
        /// What is meant by them.
        package let value: Value

        /// A line from its parts.
        package init(_ method: HTTPMethod?, _ path: String, _ value: Value) {
            self.method = method
            pattern = PathPattern(path)
            self.value = value
        }
    }

    private let routes: [Route]

    /// A table of these lines. Their order is of no importance: where several match, the one with the most given
    /// segments is meant.
    package init(_ routes: [Route]) {
        self.routes = routes.sorted { $0.pattern.literals > $1.pattern.literals }
    }

    /// What is meant by a method and a path's segments; `nil` if there is nothing.
    package func find(
        _ method: HTTPMethod, _ segments: some RandomAccessCollection<Substring>
    ) -> (value: Value, parameters: PathParameters)? {
        for route in routes where route.method == nil || route.method == method {
            if let parameters = route.pattern.match(segments) { return (route.value, parameters) }
        }
        return nil
    }
}
