import Networks

/// Which networks a list has. Of the values of one property any will do, except for labels, of which a network must
/// have all; what was given for different properties must all hold. Empty or nil: not asked for.
package struct NetworkFilter: Hashable, Sendable {
    /// Names, or what is in them.
    package var names: [NamePattern] = []
    /// The same of ids.
    package var ids: [NamePattern] = []
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
