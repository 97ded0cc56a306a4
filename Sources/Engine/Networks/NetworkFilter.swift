import Networks

/// Which networks a list has. Of the values of one property any will do, except for labels, of which a network must
/// have all; what was given for different properties must all hold. Empty or nil: not asked for.
package struct NetworkFilter: Hashable, Sendable {
    /// Names, or what is in them.
    package var names: [Pattern] = []
    /// The same of ids.
    package var ids: [Pattern] = []
    /// Drivers, by their names.
    package var drivers: [String] = []
    /// Labels.
    package var labels: [LabelFilter] = []
    /// Whether only networks that somebody made and no container is on, or only all others, are asked for.
    package var isDangling: Bool?
    /// Whether networks that every daemon has, or those that somebody made, are asked for.
    package var isPredefined: Set<Bool> = []
    /// Whether networks of this machine are among those asked for: there are no others.
    package var includesLocal = true

    /// A text that is there, or that matches.
    package struct Pattern: Hashable, Sendable {
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

    /// All networks.
    package init() {}

    /// Whether a network passes.
    ///
    /// - Parameter isInUse: whether a container is connected to it.
    package func matches(_ network: Network, isInUse: Bool) -> Bool {
        includesLocal && (names.isEmpty || names.contains { $0.matches(network.name) })
            && (ids.isEmpty || ids.contains { $0.matches(network.id) })
            && (drivers.isEmpty || drivers.contains(network.driver.rawValue))
            && (isPredefined.isEmpty || isPredefined.contains(network.isPredefined))
            && labels.allSatisfy { $0.matches(network.labels) }
            && isDangling.map { $0 == (!network.isPredefined && !isInUse) } ?? true
    }
}
