import OCISpec
import PublishedPorts

/// The `filters` of `docker ps`, by Docker's rules.
package struct ContainerFilter: Sendable {
    private static let known: Set = [
        "ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation", "label", "name", "network",
        "publish", "since", "status", "volume",
    ]

    private let filters: ListFilters
    private let exitCodes: Set<Int32>
    private let statuses: Set<String>
    private let names: [GoRegularExpression]

    /// Throws Docker's text for an unknown filter or a wrong value.
    package init(_ filters: ListFilters) throws(EngineError) {
        for key in filters.values.keys.sorted() where !Self.known.contains(key) {
            throw .invalid("invalid filter '\(key)'")
        }
        self.filters = filters
        var codes: Set<Int32> = []
        for text in filters["exited"] {
            guard let code = Int32(text) else { throw .invalid("invalid filter 'exited=[\(text)]': not a number") }
            codes.insert(code)
        }
        exitCodes = codes
        let words = Set(ContainerState.Status.allCases.map(\.rawValue))
        for text in filters["status"] where !words.contains(text) {
            throw .invalid(
                "invalid value for status filter (\(text)): must be one of created, dead, exited, paused, removing, "
                    + "restarting, running"
            )
        }
        statuses = Set(filters["status"])
        for text in filters["health"] where !["none", "starting", "healthy", "unhealthy"].contains(text) {
            throw .invalid(
                "invalid value for health filter (\(text)): must be one of healthy, none, starting, unhealthy")
        }
        var names: [GoRegularExpression] = []
        for text in filters["name"] { names.append(try GoRegularExpression(text)) }
        self.names = names
    }

    /// Whether containers are asked for by their state, which then needs no `--all`.
    package var impliesAll: Bool { !statuses.isEmpty }

    /// Images, as the user named them; only containers of these and of images made from them are listed.
    package var ancestors: [String] { filters["ancestor"] }

    /// Names or ids of containers the listed ones are older (`before`) or newer (`since`) than.
    package var before: String? { filters["before"].last }
    /// Only containers created after this one.
    package var since: String? { filters["since"].last }

    /// Whether it passes all filters but `ancestor`, `before` and `since`, which need to know more than one container.
    package func matches(_ record: ContainerRecord) -> Bool {
        let configuration = record.configuration
        let network = configuration.host.networkMode.description
        return any("id") { record.id.hasPrefix($0) }
            && (names.isEmpty || names.contains { $0.matches(record.name) || $0.matches("/" + record.name) })
            && (statuses.isEmpty || statuses.contains(record.state.status.rawValue))
            && (exitCodes.isEmpty || record.state.status == .exited && exitCodes.contains(record.state.exitCode))
            && all("label") { Self.label($0, in: configuration.labels) }
            && any("network") { $0 == network || $0 == "bridge" && network == "default" }
            && any("volume") { volume in
                MountList.mountPoints(configuration.host).contains { $0.destination == volume || $0.source == volume }
            }
            && any("expose") { Self.port($0, in: configuration.exposedPorts) }
            && any("publish") { Self.port($0, in: configuration.host.publishedPorts.map(\.port)) }
            && any("health") { $0 == "none" }
            && any("is-task") { $0 == "false" || $0 == "0" }
    }

    private func any(_ key: String, _ test: (String) -> Bool) -> Bool {
        let values = filters[key]
        return values.isEmpty || values.contains(where: test)
    }

    private func all(_ key: String, _ test: (String) -> Bool) -> Bool { filters[key].allSatisfy(test) }

    private static func label(_ text: String, in labels: [String: String]) -> Bool {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let value = labels[parts[0]] else { return false }
        return parts.count == 1 || value == parts[1]
    }

    /// `80`, `80/tcp` or `80-90/tcp` against `80/tcp`.
    private static func port(_ text: String, in ports: [PortRange]) -> Bool {
        guard let wanted = PortRange(text) else { return false }
        return ports.contains { $0.transport == wanted.transport && $0.ports.overlaps(wanted.ports) }
    }
}
