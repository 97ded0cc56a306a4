/// A text that a name has, or an expression that matches it, as filters of lists have it.
package struct NamePattern: Hashable, Sendable {
    private let text: String
    /// nil: it is no expression, and matches itself alone.
    private let expression: GoRegularExpression?

    /// What a client wrote.
    package init(_ text: String) {
        self.text = text
        // See above.
        expression = try? GoRegularExpression(text)
    }

    func matches(_ other: String) -> Bool { other == text || expression?.matches(other) ?? false }
}
