import Volumes

/// Which volumes a list has. Of the values of one property any will do, except for labels, of which a volume must have
/// all; what was given for different properties must all hold. Empty or nil: not asked for.
package struct VolumeFilter: Hashable, Sendable {
    /// Names, or what is in them.
    package var names: [NamePattern] = []
    /// Drivers, by their names.
    package var drivers: [String] = []
    /// Labels.
    package var labels: [LabelFilter] = []
    /// Whether only volumes that no container names, or only all others, are asked for.
    package var isDangling: Bool?

    /// All volumes.
    package init() {}

    /// Whether a volume passes.
    ///
    /// - Parameter isInUse: whether a container names it.
    package func matches(_ volume: Volume, isInUse: Bool) -> Bool {
        (names.isEmpty || names.contains { $0.matches(volume.name) })
            && (drivers.isEmpty || drivers.contains(volume.driver))
            && labels.allSatisfy { $0.matches(volume.labels ?? [:]) }
            && isDangling.map { $0 != isInUse } ?? true
    }
}

/// Which volumes a prune removes.
package struct VolumePruneFilter: Hashable, Sendable {
    /// Also volumes that somebody gave a name.
    package var includesNamed = false
    /// All of them must be there.
    package var labels: [LabelFilter] = []
    /// If all of them are there, the volume stays.
    package var unwantedLabels: [LabelFilter] = []

    /// All volumes that nobody gave a name.
    package init() {}

    /// Whether a volume that no container names is to be removed.
    package func matches(_ volume: Volume) -> Bool {
        let present = volume.labels ?? [:]
        return volume.isPlain && (includesNamed || volume.isAnonymous) && labels.allSatisfy { $0.matches(present) }
            && (unwantedLabels.isEmpty || !unwantedLabels.allSatisfy { $0.matches(present) })
    }
}
