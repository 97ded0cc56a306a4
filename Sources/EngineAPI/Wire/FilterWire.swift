import Engine
import PublishedPorts

extension ContainerFilter {
    private static let known: Set = [
        "ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation", "label", "name", "network",
        "publish", "since", "status", "volume",
    ]

    /// Reads the `filters` of a list of containers.
    ///
    /// - Throws: `APIError` or `EngineError` (invalid) with Docker's words for an unknown filter or a wrong value.
    package init(wire filters: FilterArguments) throws {
        try filters.validate(Self.known)
        self.init()
        ids = filters["id"]
        names = try filters["name"].map { try GoRegularExpression($0) }
        statuses = Set(
            try filters["status"].map { text in
                guard let status = ContainerState.Status(rawValue: text) else {
                    throw APIError.invalid(
                        "invalid value for status filter (\(text)): must be one of created, dead, exited, paused, "
                            + "removing, restarting, running"
                    )
                }
                return status
            })
        exitCodes = Set(
            try filters["exited"].map { text in
                guard let code = Int32(text) else {
                    throw APIError.invalid("invalid filter 'exited=[\(text)]': not a number")
                }
                return code
            })
        labels = filters["label"].map { LabelFilter(wire: $0) }
        networks = filters["network"]
        volumes = filters["volume"]
        exposed = Self.ports(filters["expose"])
        published = Self.ports(filters["publish"])
        healths = Set(
            try filters["health"].map { text in
                guard let status = ContainerHealth.Status(rawValue: text) else {
                    throw APIError.invalid(
                        "invalid value for health filter (\(text)): must be one of healthy, none, starting, unhealthy")
                }
                return status
            })
        let isTask = filters["is-task"]
        includesPlain = isTask.isEmpty || isTask.contains { ["false", "0"].contains($0) }
        ancestors = filters["ancestor"]
        before = filters["before"].last
        since = filters["since"].last
    }

    /// `80`, `80/tcp` or `80-90/tcp`; what is no port is one that no container has.
    private static func ports(_ texts: [String]) -> [PortRange]? {
        texts.isEmpty ? nil : texts.compactMap { PortRange($0) }
    }
}

extension NetworkFilter {
    private static let known: Set = ["dangling", "driver", "id", "label", "name", "scope", "type"]

    /// Reads the `filters` of a list of networks.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words for an unknown filter or a wrong value.
    package init(wire filters: FilterArguments) throws {
        try filters.validate(Self.known)
        self.init()
        names = filters["name"].map { NamePattern($0) }
        ids = filters["id"].map { NamePattern($0) }
        drivers = filters["driver"]
        labels = filters["label"].map { LabelFilter(wire: $0) }
        includesLocal = filters["scope"].isEmpty || filters["scope"].contains("local")
        isPredefined = Set(
            try filters["type"].map { type in
                guard ["builtin", "custom"].contains(type) else {
                    throw APIError.invalid("invalid filter: 'type'='\(type)'")
                }
                return type == "builtin"
            })
        let dangling = filters["dangling"]
        if dangling.count > 1 { throw APIError.invalid("got more than one value for filter key \"dangling\"") }
        switch dangling.first {
        case nil: isDangling = nil
        case "1", "true": isDangling = true
        case "0", "false": isDangling = false
        default:
            throw APIError.invalid(
                "invalid value for filter 'dangling', must be \"true\" (or \"1\"), or \"false\" (or \"0\")")
        }
    }
}

extension LabelFilter {
    /// Reads `name` or `name=value`.
    init(wire text: String) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        self.init(parts[0], parts.count == 1 ? nil : parts[1])
    }
}

extension EventFilter {
    /// Filters by the name or id of an object of a kind.
    private static let kindsOfObjects = [
        "builder", "config", "container", "daemon", "network", "node", "plugin", "secret", "service", "volume",
    ]

    /// Reads the `filters` of a request for events; one that is not known filters nothing, as with Docker.
    package init(wire filters: FilterArguments) {
        self.init()
        actions = filters["event"]
        // A kind that is not known is one that no event has.
        kinds = filters["type"].isEmpty ? nil : Set(filters["type"].compactMap { EngineEvent.Kind(rawValue: $0) })
        includesLocal = filters["scope"].isEmpty || filters["scope"].contains("local")
        labels = filters["label"].map { LabelFilter(wire: $0) }
        images = filters["image"]
        for kind in Self.kindsOfObjects where !filters[kind].isEmpty { objects[kind] = filters[kind] }
    }
}
