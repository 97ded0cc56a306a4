import Addresses
import DNS
import LinuxKernel
import Networks
import PublishedPorts
import SystemPackage
import Tasks

extension ContainerConfiguration {
    /// The names of the networks that the container is connected to, that of its mode first; none where it has no
    /// network namespace of its own, or a namespace that nothing is connected to.
    var networkNames: [String] {
        guard host.networkMode.hasEndpoint, !networkDisabled else { return [] }
        let first = host.networkMode.description
        return endpoints.keys.sorted { ($0 != first ? 1 : 0, $0) < ($1 != first ? 1 : 0, $1) }
    }

    /// The ports of the host that it asks for; throws Docker's text for ranges that do not go together.
    func portRequests() throws(EngineError) -> [PortRequest] {
        do throws(PortRangeMismatch) {
            return try PortRequest.all(
                host.publishedPorts, exposed: exposedPorts, publishAll: host.publishAllPorts)
        } catch {
            throw .invalid(error.description)
        }
    }
}

extension Container {
    // MARK: A run

    /// Gives it its places on all its networks, for a start that is about to come; nil if it is on none. What goes
    /// wrong leaves nothing behind.
    func joinNetworks() async throws -> Sandbox? {
        let configuration = record.configuration
        // A daemon without the default network gives those who want it a loopback interface alone.
        let hasDefault = services.networks.all.contains { $0.name == "bridge" }
        let names = configuration.networkNames.filter { $0 != "bridge" || hasDefault }
        if names.isEmpty { return nil }
        do {
            var request = SandboxRequest(
                id: id, name: record.name, hostname: configuration.hostname, endpoints: [])
            for name in names {
                let network = try services.networks.network(name)
                request.endpoints.append(
                    try endpointRequest(configuration.endpoints[name] ?? NetworkEndpoint(), on: network))
            }
            let sandbox = try await services.networks.join(request)
            setNetworkPresence(NetworkPresence(endpoints: sandbox.endpoints))
            return sandbox
        } catch {
            let failure = EngineError(error)
            throw EngineError(failure.kind, "failed to set up container networking: \(failure.message)")
        }
    }

    /// Tells that it is on its networks.
    func emitConnections() {
        for network in connectedNetworks() { services.emit("connect", network, container: id) }
    }

    /// Gives up its places on all networks: its process has ended, or has not come to be.
    ///
    /// - Parameter tells: whether somebody was told that it had them.
    func leaveNetworks(tells: Bool) async {
        let networks = connectedNetworks()
        if let presence = networkPresence {
            setNetworkPresence(nil)
            do {
                // The shim has done it, unless it was killed.
                if !presence.ports.isEmpty { try await services.networks.forgetPorts(of: id) }
            } catch {
                logger.error("cannot remove what is left of the container's ports: \(error)")
            }
            let namespace = sharedNamespace()
            await services.networks.leave(id, sharedNamespace: namespace)
            namespace?.discard()
        }
        if tells { for network in networks { services.emit("disconnect", network, container: id) } }
    }

    /// Its network namespace, for the caller to close, if another container has it, which then outlives it.
    private func sharedNamespace() -> FileDescriptor? {
        for other in services.registry.all where other.id != id {
            guard let running = other.current.state.running,
                case .container(let name) = other.current.configuration.host.networkMode,
                // One that is not found is not this one.
                (try? services.registry.find(name))?.id == id
            else { continue }
            // One that has just ended has it no longer, and leaves it to the next.
            if let namespace = try? Files.open(FilePath("/proc/\(running.pid)/ns/net"), .readOnly) { return namespace }
        }
        return nil
    }

    /// The networks it is on now, by what is known of the run.
    private func connectedNetworks() -> [Network] {
        let networks = services.networks.all
        let shared = Self.sharedNetwork(record, among: networks)
        let ids = networkPresence.map { $0.endpoints.map(\.networkID) } ?? [shared?.id].compactMap { $0 }
        return networks.filter { ids.contains($0.id) }
    }

    /// What a start, or a change of networks, needs to know of these places on networks.
    func launchNetwork(_ endpoints: [Endpoint], namespace: String? = nil) throws(EngineError) -> LaunchNetwork {
        var result = LaunchNetwork(namespace: namespace, endpoints: endpoints)
        let networks = services.networks.all
        for endpoint in endpoints {
            guard let network = networks.first(where: { $0.id == endpoint.networkID }) else { continue }
            if let advice = endpoint.plugins?.advice { result.advice = advice }
            if !network.isInternal { result.leadsOutside = true }
            guard network.hasNames else { continue }
            result.names.append(
                ResolverConfiguration.Network(
                    name: network.name, namesFile: services.networks.namesFile(of: network.id).string,
                    links: links(of: endpoint)))
        }
        result.ports = try publication(endpoints)
        let host = record.configuration.host
        if host.extraHosts.contains(where: { $0.value.address == nil }) {
            let bridge = networks.first { $0.name == "bridge" }
            result.gateways = services.configuration.hostGateways
            if result.gateways.isEmpty { result.gateways = bridge?.pools.compactMap(\.gateway) ?? [] }
            if result.gateways.isEmpty { throw .system("unable to derive the IP value for host-gateway") }
        }
        return result
    }

    /// The names that this container alone has for others on a network, with the names that these have there.
    private func links(of endpoint: Endpoint) -> [String: String] {
        var result: [String: String] = [:]
        for link in endpoint.links {
            guard let other = services.registry.container(link.sandbox) else { continue }
            for name in link.names { result[name] = other.current.name }
        }
        return result
    }

    /// Has all that is about its networks follow a container that runs: packets for its ports, its files and its
    /// resolver. What cannot be changed is logged; the change of networks itself goes on.
    private func takePlaces(_ endpoints: [Endpoint]) async {
        var presence = networkPresence ?? NetworkPresence()
        let before = presence.endpoints
        presence.endpoints = endpoints
        setNetworkPresence(presence)
        do {
            try await leadPorts(presence.ports, from: before, to: endpoints)
        } catch {
            // Packets that the kernel does not carry are carried by the shim.
            logger.error("cannot lead the container's ports to its other address: \(error)")
        }
        let (old, new) = (Set(before.flatMap(\.addresses)), Set(endpoints.flatMap(\.addresses)))
        do {
            let files = try networkFiles(endpoints)
            await filesGate.enter()
            defer { filesGate.leave() }
            try await services.pool.run {
                try files.update(
                    added: endpoints.flatMap(\.addresses).filter { !old.contains($0) },
                    removed: before.flatMap(\.addresses).filter { !new.contains($0) })
            }
            try await task?.resolve(by: files.resolver)
            if !presence.ports.isEmpty { try await task?.retarget(services.networks.portTarget(of: id, endpoints)) }
        } catch {
            logger.error("cannot tell the container of a change of its networks: \(error)")
        }
    }

    /// The files of a container that runs and has these places.
    func networkFiles(_ endpoints: [Endpoint]) throws(EngineError) -> ContainerNetworkFiles {
        ContainerNetworkFiles(
            configuration: record.configuration, daemon: services.configuration,
            hostname: record.configuration.hostname, network: try launchNetwork(endpoints), directory: files)
    }

    /// Has the kernel carry packets for ports to where they lead with other endpoints than until now.
    private func leadPorts(_ ports: [PublishedPort], from before: [Endpoint], to now: [Endpoint]) async throws {
        let (old, new) = (try publication(before), try publication(now))
        if old?.target == new?.target { return }
        if let old { try await services.networks.unpublish(ports, old.requests, of: old.target) }
        if let new { try await services.networks.publish(ports, new.requests, to: new.target) }
    }

    /// The ports of the host that a start asks for; nil for none.
    private func publication(_ endpoints: [Endpoint]) throws(EngineError) -> PortPublication? {
        if endpoints.isEmpty { return nil }
        let target = services.networks.portTarget(of: id, endpoints)
        if let attachment = endpoints.lazy.compactMap(\.plugins).first {
            // The network's plugins publish them. The shim keeps them from others.
            if attachment.ports.isEmpty { return nil }
            return PortPublication(attachment.ports, to: target, mode: .nat, splices: false)
        }
        var requests = try record.configuration.portRequests()
        if requests.isEmpty { return nil }
        let binding = services.networks.hostBinding(of: endpoints)
        requests = requests.map { $0.defaulting(to: binding) }
        return PortPublication(requests, to: target, mode: services.networks.firewallMode, isTransparent: true)
    }

    /// What to tell of a port that the host does not give; nil for other errors.
    func portFailure(_ error: any Error) -> EngineError? {
        guard let refusal = (error as? TaskError)?.refusal, let conflict = refusal.portConflict else { return nil }
        let endpoints = networkPresence?.endpoints ?? []
        let target = services.networks.portTarget(of: id, endpoints)
        let message = conflict.message(
            endpoint: record.name, id: endpoints.first?.id ?? "", target: target
        ) { [services] in services.registry.container($0)?.current.name }
        // Docker has no status of its own for this, and clients look for the text.
        return EngineError(.system, message)
    }

    private func endpointRequest(_ endpoint: NetworkEndpoint, on network: Network) throws(EngineError)
        -> EndpointRequest
    {
        var request = EndpointRequest(
            // The id of one that plugins make says nothing to those who look for its file.
            network: network.driver == .cni ? network.name : network.id, ipv4: endpoint.ipv4, ipv6: endpoint.ipv6,
            macAddress: endpoint.macAddress?.value,
            linkLocal: endpoint.linkLocal, aliases: endpoint.aliases, driverOptions: endpoint.driverOptions,
            gatewayPriority: endpoint.gatewayPriority, links: try links(endpoint.links))
        guard network.driver == .cni else { return request }
        let host = record.configuration.host
        request.ports = try record.configuration.portRequests()
        request.resolver = ResolverWishes(servers: host.dns, searches: host.dnsSearch, options: host.dnsOptions)
        return request
    }

    /// Links as networks know them.
    private func links(_ texts: [String]) throws(EngineError) -> [EndpointLink] {
        var links: [EndpointLink] = []
        for text in texts {
            let (other, alias) = try linked(text)
            links.append(EndpointLink(sandbox: other.id, names: [alias]))
        }
        return links
    }

    /// The container that a link leads to, and what this one calls it.
    func linked(_ text: String) throws(EngineError) -> (Container, alias: String) {
        let link = try ContainerLink(parsing: text)
        return (try services.registry.find(link), link.alias)
    }

    /// The containers on the default network that it is linked to, with their names now and without those that are
    /// gone.
    nonisolated func legacyLinks() -> [ContainerLink] {
        let host = current.configuration.host
        if NetworkMode.isUserDefined(host.networkMode.description) { return [] }
        return host.links.compactMap { text in
            // What is gone is not shown.
            guard let link = try? ContainerLink(parsing: text), let other = try? services.registry.find(link) else {
                return nil
            }
            return ContainerLink(to: other.current.name, as: link.alias)
        }
    }

    // MARK: Changes

    /// Connects it to one more network.
    func connect(to name: String, _ endpoint: NetworkEndpoint) async throws {
        await gate.enter()
        defer { gate.leave() }
        try refuseChangeOfNetworks()
        let network: Network
        do {
            network = try services.networks.network(name)
        } catch {
            // The next start says that there is none, unless there is one by then.
            if record.state.running != nil { throw error }
            return try await saveEndpoints { $0[name] = endpoint }
        }
        try endpoint.validate(on: network, named: network.name)
        try refuseConnection(to: network)
        guard record.state.running != nil else {
            if record.configuration.endpoints[network.name] != nil { return }
            try NetworkEndpoint.checkPlugins(Array(record.configuration.endpoints.keys) + [network.name])
            return try await saveEndpoints { $0[network.name] = endpoint }
        }
        let request = try endpointRequest(endpoint, on: network)
        let namespace = try networkNamespace()
        defer { namespace.discard() }
        let before = networkPresence?.endpoints ?? []
        let connected = try await services.networks.connect(
            request,
            SandboxRequest(
                id: id, name: record.name, hostname: record.configuration.hostname, endpoints: [],
                namespace: namespace))
        do {
            try await saveEndpoints { $0[network.name] = endpoint }
        } catch {
            // The row is what counts at the next start: without it there is no place on the network.
            try await services.networks.disconnect(network.id, sandbox: id, namespace: namespace)
            throw error
        }
        await takePlaces(before + [connected])
        services.emit("connect", network, container: id)
    }

    /// Disconnects it from a network.
    func disconnect(from name: String, force: Bool) async throws {
        await gate.enter()
        defer { gate.leave() }
        let network: Network?
        do { network = try services.networks.network(name) } catch {
            if record.state.running != nil, !force { throw error }
            network = nil
        }
        try refuseChangeOfNetworks()
        let known = network?.name ?? name
        if record.state.running != nil, record.configuration.host.networkMode == .host, network?.driver == .host {
            throw EngineError.invalid(
                "cannot disconnect container from host network - container was created in host network mode")
        }
        // A daemon that died between the two rows has left one of them.
        let place = network.flatMap { networkPresence?.endpoint(on: $0.id) }
        guard record.configuration.endpoints[known] != nil || place != nil else {
            throw EngineError.system("container \(id) is not connected to the network \(known)")
        }
        if record.state.running != nil, PluginNetwork.name(in: known) != nil {
            throw EngineError(PluginNetwork.changeOfRunning)
        }
        if record.state.running != nil, let network, place != nil { try await leave(network) }
        if record.configuration.endpoints[known] != nil { try await saveEndpoints { $0[known] = nil } }
        if let network { services.emit("disconnect", network, container: id) }
    }

    /// Gives up the place of a container that runs on a network.
    func leave(_ network: Network) async throws {
        let namespace = try networkNamespace()
        defer { namespace.discard() }
        let before = networkPresence?.endpoints ?? []
        // First of all, as its address there may be another's as soon as it is free.
        await takePlaces(before.filter { $0.networkID != network.id })
        do {
            try await services.networks.disconnect(network.id, sandbox: id, namespace: namespace)
        } catch {
            await takePlaces(before)
            throw error
        }
    }

    private func refuseChangeOfNetworks() throws(EngineError) {
        switch record.state {
        case .removing, .dead: break
        default: if !isRemoving { return }
        }
        throw .conflict(
            "container \(id) is marked for removal and cannot be connected or disconnected to the network")
    }

    /// Throws, in Docker's words, where the container's mode, or what it is connected to, leaves no room.
    private func refuseConnection(to network: Network) throws(EngineError) {
        let mode = record.configuration.host.networkMode
        let isElsewhere = EngineError.invalid(
            "container sharing network namespace with another container or host cannot be connected to any other "
                + "network"
        )
        if case .container = mode { throw isElsewhere }
        if mode != .host, network.driver == .host {
            throw .invalid(
                "cannot connect container to host network - container must be created in host network mode")
        }
        if mode == .host, network.driver != .host { throw isElsewhere }
        if (mode == .none) != (network.driver == .none) {
            throw .invalid(
                "container cannot be connected to multiple networks with one of the networks in private (none) mode")
        }
        if record.state.running != nil,
            network.driver == .cni || networkPresence?.endpoints.contains(where: { $0.plugins != nil }) == true
        {
            throw EngineError(PluginNetwork.changeOfRunning)
        }
        if record.state.running != nil, networkPresence?.endpoint(on: network.id) != nil {
            throw EngineError(
                .forbidden, "endpoint with name \(record.name) already exists in network \(network.name)")
        }
    }

    /// The namespace of its process, for the caller to close.
    private func networkNamespace() throws(EngineError) -> FileDescriptor {
        let pid = record.state.pid
        do {
            return try FileDescriptor.open("/proc/\(pid)/ns/net", .readOnly, options: .closeOnExec)
        } catch {
            throw .system("cannot reach the network of container \(id): \(error)")
        }
    }

    private func saveEndpoints(_ change: @Sendable (inout [String: NetworkEndpoint]) -> Void) async throws {
        try await saveConfiguration("networks") { change(&$0.endpoints) }
    }

    /// Writes what the container wants to be from now on. After an error it is what it was.
    ///
    /// - Parameter what: what changes, for errors.
    func saveConfiguration(_ what: String, _ change: @Sendable (inout ContainerConfiguration) -> Void) async throws {
        let old = record.configuration
        change(&record.configuration)
        let record = record
        do {
            try await services.database.write { try record.updateConfiguration(in: $0) }
        } catch {
            self.record.configuration = old
            throw EngineError.system("cannot record the \(what) of container \(id): \(error)")
        }
    }

    // MARK: What is shown

    /// The network that a container shares with all others that have its mode: that of the host, or none.
    private static func sharedNetwork(_ record: ContainerRecord, among networks: [Network]) -> Network? {
        let name: String
        switch record.configuration.host.networkMode {
        case .none: name = "none"
        case .host: name = "host"
        default: return nil
        }
        return networks.first { $0.name == name }
    }

    /// The ids of the networks that it is on while it runs.
    nonisolated var connectedNetworkIDs: [String] {
        endpointDetails().filter { !$0.endpointID.isEmpty }.map(\.networkID)
    }

    /// Its places on networks, those too that it will have at the next start.
    nonisolated func endpointDetails() -> [EndpointDetails] { endpointDetails(current, among: services.networks.all) }

    /// The same; `record` is its own, and `networks` are all there are.
    nonisolated func endpointDetails(_ record: ContainerRecord, among networks: [Network]) -> [EndpointDetails] {
        let isRunning = record.state.running != nil
        if let shared = Self.sharedNetwork(record, among: networks) {
            return [
                EndpointDetails(
                    network: shared.name, networkID: isRunning || record.hasRun ? shared.id : "",
                    asked: record.configuration.endpoints[shared.name] ?? NetworkEndpoint(),
                    endpoint: nil, endpointID: isRunning ? id : "", dnsNames: [])
            ]
        }
        let presence = networkPresence
        return record.configuration.networkNames.map { name in
            let network = networks.first { $0.name == name }
            let endpoint = isRunning ? network.flatMap { presence?.endpoint(on: $0.id) } : nil
            return EndpointDetails(
                network: name, networkID: network?.id ?? "",
                asked: record.configuration.endpoints[name] ?? NetworkEndpoint(), endpoint: endpoint,
                endpointID: endpoint?.id ?? "", dnsNames: endpoint?.dnsNames ?? [])
        }
    }
}
