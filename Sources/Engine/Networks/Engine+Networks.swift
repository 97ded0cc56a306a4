import Images
import Networks

extension Engine {
    /// The networks that pass the filter, those that every daemon has among them. Networks of CNI that no container is
    /// on are there for a filter that asks for their driver: other programs' files are nothing that every client
    /// expects.
    package func networks(_ filter: NetworkFilter) async throws -> [Network] {
        let inUse = filter.isDangling == nil ? [] : Set(services.registry.all.flatMap { $0.connectedNetworkIDs })
        var networks = services.networks.all
        if filter.drivers.contains(NetworkDriver.cni.rawValue) {
            networks = try await reporting { try await services.networks.withPluginNetworks() }
        }
        return networks.filter { filter.matches($0, isInUse: inUse.contains($0.id)) }
    }

    /// All that is known of a network, by id, name or the beginning of an id.
    package func inspectNetwork(_ name: String) async throws -> NetworkDetails {
        try await reporting {
            let network = try await services.networks.lookUp(name)
            return NetworkDetails(
                network: network, members: members(of: network), usage: services.networks.usage(of: network.id))
        }
    }

    private func members(of network: Network) -> [NetworkMember] {
        services.registry.all.compactMap { container in
            guard let details = container.endpointDetails().first(where: { $0.networkID == network.id }),
                !details.endpointID.isEmpty
            else { return nil }
            return NetworkMember(
                container: container.id, name: container.current.name, endpoint: details.endpointID,
                macAddress: details.endpoint?.macAddress, ipv4: details.endpoint?.ipv4, ipv6: details.endpoint?.ipv6)
        }
    }

    /// Makes a network; says what the user should know.
    package func createNetwork(_ request: NetworkRequest) async throws -> (network: Network, warning: String?) {
        try await finishing {
            let (network, warning) = try await self.services.networks.create(request)
            self.services.emit("create", network)
            return (network, warning)
        }
    }

    /// Removes a network that no running container is on.
    package func removeNetwork(_ name: String) async throws {
        try await finishing {
            let network = try await self.services.networks.lookUp(name)
            try await self.remove(network)
        }
    }

    private func remove(_ network: Network) async throws {
        _ = try await services.networks.remove(network.driver == .cni ? network.name : network.id)
        // Docker tells nothing of a mere configuration.
        if !network.isConfigOnly { services.emit("destroy", network) }
    }

    /// Removes the networks that somebody made, no container uses and the filters admit; their names.
    package func pruneNetworks(_ filters: PruneFilters) async throws -> [String] {
        try beginPruning("networks")
        defer { endPruning("networks") }
        let inUse = Set(services.registry.all.flatMap { $0.connectedNetworkIDs })
        var removed: [String] = []
        for network in services.networks.all
        where !network.isPredefined && !network.isConfigOnly && network.driver != .cni && !inUse.contains(network.id)
            && filters.admit(labels: network.labels, created: network.createdAt)
        {
            do {
                try await finishing { try await self.remove(network) }
                removed.append(network.name)
            } catch {
                services.logger.warning("failed to prune network \(network.name): \(error)")
            }
        }
        emitPrune(.network, reclaimed: 0)
        return removed
    }

    /// Gives a container a place on one more network, at once if it runs, else at its next start.
    package func connect(network: String, container name: String, endpoint: NetworkEndpoint) async throws {
        let container = try services.registry.find(name)
        try await finishing { try await container.connect(to: network, endpoint) }
    }

    /// Takes a container's place on a network away.
    ///
    /// - Parameter force: also where the network is gone.
    package func disconnect(network: String, container name: String, force: Bool) async throws {
        let container = try services.registry.find(name)
        try await finishing { try await container.disconnect(from: network, force: force) }
    }
}

extension Engine {
    /// Who may reach the published ports of containers, by their names or ids, or of all that run; with the containers'
    /// names by their ids.
    package func firewallReport(
        _ containers: [String]
    ) async throws -> (report: FirewallReport, names: [String: String]) {
        try await reporting {
            let asked = try containers.isEmpty ? services.registry.all : containers.map(services.registry.find)
            var names: [String: String] = [:]
            var ports: [FirewallReport.Port] = []
            for container in asked where names[container.id] == nil {
                names[container.id] = container.current.name
                ports += container.firewallPorts
            }
            return (try await services.networks.firewallReport(ports), names)
        }
    }
}

extension Container {
    /// The ports of the host that are its, and where they lead.
    fileprivate nonisolated var firewallPorts: [FirewallReport.Port] {
        // Plugins of CNI publish ports by rules of their own, about which the report says nothing.
        guard let presence = networkPresence, !presence.endpoints.contains(where: { $0.plugins != nil }) else {
            return []
        }
        let target = services.networks.portTarget(of: id, presence.endpoints)
        return presence.ports.map { port in
            let family = port.hostAddress.family
            let bridge =
                services.networks.portInterface(family, presence.endpoints)
                // Connections of a family that the container does not have are carried to its other address.
                ?? services.networks.portInterface(family == .ipv4 ? .ipv6 : .ipv4, presence.endpoints)
            return FirewallReport.Port(port, to: target, bridge: bridge ?? "")
        }
    }
}

extension EngineServices {
    /// Publishes an event of a network.
    func emit(_ action: String, _ network: Network, container: String? = nil) {
        var attributes = ["name": network.name, "type": network.driver.rawValue]
        attributes["container"] = container
        events.publish(EngineEvent(kind: .network, action: action, actorID: network.id, attributes: attributes))
    }
}
