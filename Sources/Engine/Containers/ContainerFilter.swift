import OCISpec
import PublishedPorts

/// Which containers a list has. Of the values of one property any will do, except for labels, of which a container must
/// have all; what was given for different properties must all hold. Empty or nil: not asked for.
package struct ContainerFilter: Hashable, Sendable {
    /// Beginnings of ids.
    package var ids: [String] = []
    /// Names, with or without a leading `/`.
    package var names: [GoRegularExpression] = []
    /// States; whoever asks for these needs no `all`.
    package var statuses: Set<ContainerState.Status> = []
    /// Exit codes of containers that have exited.
    package var exitCodes: Set<Int32> = []
    /// Labels.
    package var labels: [LabelFilter] = []
    /// Names of networks.
    package var networks: [String] = []
    /// Names of volumes, and places in the container, or on the host, of what is mounted.
    package var volumes: [String] = []
    /// Exposed ports; nothing has an empty list of them.
    package var exposed: [PortRange]?
    /// The same of published ports.
    package var published: [PortRange]?
    /// What the containers' health is; `none` are those without checks.
    package var healths: Set<ContainerHealth.Status> = []
    /// Whether containers that are no tasks of a swarm are among those asked for: there are no others.
    package var includesPlain = true
    /// Images, as the user named them; only containers of these and of images made from them are listed.
    package var ancestors: [String] = []
    /// The name or id of a container the listed ones are older than.
    package var before: String?
    /// The same of one they are newer than.
    package var since: String?

    /// All containers.
    package init() {}

    /// Whether containers are asked for by their state, which then needs no `--all`.
    var impliesAll: Bool { !statuses.isEmpty }

    /// Whether it passes all filters but `ancestors`, `before` and `since`, which need to know more than one container.
    package func matches(_ record: ContainerRecord) -> Bool {
        let configuration = record.configuration
        let mode = configuration.host.networkMode.description
        let connected = configuration.networkNames + [mode == "default" ? "bridge" : mode]
        return includesPlain && (healths.isEmpty || healths.contains(record.health?.status ?? .none))
            && any(ids) { record.id.hasPrefix($0) }
            && any(names) { $0.matches(record.name) || $0.matches("/" + record.name) }
            && (statuses.isEmpty || statuses.contains(record.state.status))
            && (exitCodes.isEmpty || record.state.status == .exited && exitCodes.contains(record.state.exitCode))
            && labels.allSatisfy { $0.matches(configuration.labels) }
            && any(networks) { connected.contains($0) }
            && any(volumes) { volume in
                configuration.mountPoints.contains { point in
                    point.destination == volume || (point.volume?.name ?? point.source) == volume
                }
            }
            && Self.overlaps(exposed, configuration.exposedPorts)
            && Self.overlaps(published, configuration.host.publishedPorts.map(\.port))
    }

    private func any<Value>(_ values: [Value], _ test: (Value) -> Bool) -> Bool {
        values.isEmpty || values.contains(where: test)
    }

    private static func overlaps(_ wanted: [PortRange]?, _ ports: [PortRange]) -> Bool {
        guard let wanted else { return true }
        return wanted.contains { range in
            ports.contains { $0.transport == range.transport && $0.ports.overlaps(range.ports) }
        }
    }
}

/// A label that something must have.
package struct LabelFilter: Hashable, Sendable {
    /// The label's name.
    package var name: String
    /// Its value; nil: any.
    package var value: String?

    /// A label, with any value if none is given.
    package init(_ name: String, _ value: String? = nil) {
        self.name = name
        self.value = value
    }

    /// Whether it is among labels or attributes.
    func matches(_ labels: [String: String]) -> Bool {
        guard let found = labels[name] else { return false }
        return value.map { $0 == found } ?? true
    }
}
