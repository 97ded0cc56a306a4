import Text

/// Where a request goes: its target's path and query, decoded.
package struct RequestTarget: Sendable {
    /// The path, with percent-encodings resolved; an encoded slash is a slash.
    package let path: String
    /// The parameters.
    package let query: Query

    /// Reads a target such as `/images/json?all=1`.
    ///
    /// - Throws: `HTTPServerError.invalidEscape`.
    package init(_ target: String) throws(HTTPServerError) {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let path = PercentEncoding.decode(parts[0]) else { throw .invalidEscape(String(parts[0])) }
        self.path = path
        query = try Query(parts.count > 1 ? parts[1] : "")
    }

    /// The path's parts between slashes, empty ones left out.
    package var segments: [Substring] { path.split(separator: "/") }
}

/// The parameters of a target, in the order sent.
package struct Query: Sendable {
    private var pairs: [(name: String, value: String)] = []

    /// Reads `a=b&c=d`.
    ///
    /// - Throws: `HTTPServerError.invalidEscape`, `HTTPServerError.nulInQuery`.
    package init(_ text: some StringProtocol) throws(HTTPServerError) {
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = PercentEncoding.decode(parts[0], plusIsSpace: true),
                let value = PercentEncoding.decode(parts.count > 1 ? parts[1] : "", plusIsSpace: true)
            else { throw .invalidEscape(String(pair)) }
            if name.utf8.contains(0) || value.utf8.contains(0) { throw .nulInQuery }
            pairs.append((name, value))
        }
    }

    /// The first value of `name`; `nil` if it is absent.
    package subscript(name: String) -> String? { pairs.first { $0.name == name }?.value }

    /// The first value of `name`; empty if it is absent.
    package func text(_ name: String) -> String { self[name] ?? "" }

    /// All values of `name`.
    package func all(_ name: String) -> [String] { pairs.filter { $0.name == name }.map(\.value) }

    /// The query as if these names were not in it.
    package func without(_ names: [String]) -> Query {
        var query = self
        query.pairs.removeAll { names.contains($0.name) }
        return query
    }
}

extension Query: Hashable {
    package static func == (left: Query, right: Query) -> Bool {
        left.pairs.elementsEqual(right.pairs) { $0 == $1 }
    }

    package func hash(into hasher: inout Hasher) {
        for (name, value) in pairs {
            hasher.combine(name)
            hasher.combine(value)
        }
    }
}
