import Addresses
import LinuxKernel
import Netlink
import SystemPackage

extension Networks {
    func joinNow(_ request: SandboxRequest) throws(NetworksError) -> Sandbox {
        if request.usesPlugins { return try joinPluginNetwork(request) }
        // A container that starts does not run: what it had when it last did is nobody's.
        if !endpoints(of: request.id).isEmpty { try leaveNow(request.id) }
        let planned = try plan(request)
        defer { namespaces.refill() }
        do throws(NetworksError) {
            try table.add(planned.map(\.endpoint))
            let sandbox = try build(request, planned)
            for network in planned.map(\.network) { writeNames(of: network) }
            return sandbox
        } catch {
            // A row that stays is freed when the container starts the next time, or the daemon does.
            try? table.removeEndpoints(of: request.id)
            forget(request.id, on: planned.map(\.network.id))
            throw error
        }
    }

    /// An endpoint with the network that it is on.
    struct Planned: Sendable {
        let endpoint: Endpoint
        let network: Network
        let bridge: BridgeLink?
    }

    /// Takes addresses for all endpoints, or for none.
    private func plan(_ request: SandboxRequest) throws(NetworksError) -> [Planned] {
        try entries.withLock { entries throws(NetworksError) in
            var planned: [Planned] = []
            do throws(NetworksError) {
                for wanted in request.endpoints {
                    let names = planned.map(\.endpoint.interfaceName)
                    planned.append(try Self.plan(wanted, request, besides: names, in: &entries))
                }
                if planned.count > 1 {
                    if planned.contains(where: { $0.network.driver == .host }) { throw .hostNetwork }
                    if planned.contains(where: { $0.network.driver == .none }) { throw .noNetwork }
                }
                return planned
            } catch {
                for network in planned.map(\.network) { entries[network.id]?.forget(request.id) }
                throw error
            }
        }
    }

    static func plan(
        _ wanted: EndpointRequest, _ sandbox: SandboxRequest, besides names: [String],
        in entries: inout [String: NetworkEntry]
    ) throws(NetworksError) -> Planned {
        let (network, bridge) = try found(wanted.network, in: entries)
        if case .bridge = network.settings, bridge == nil {
            throw .system("the bridge of the network \(network.name) could not be set up; see the daemon's log")
        }
        // In place: a copy would cost as much as there are containers.
        guard let endpoint = try entries[network.id]?.plan(wanted, for: sandbox, besides: names) else {
            throw .notFound(wanted.network)
        }
        return Planned(endpoint: endpoint, network: network, bridge: bridge)
    }

    private static func found(
        _ term: String, in entries: [String: NetworkEntry]
    ) throws(NetworksError) -> (Network, BridgeLink?) {
        let entry = try find(term, in: entries)
        return (entry.network, entry.bridge)
    }

    /// Forgets endpoints in memory.
    func forget(_ sandbox: String, on networks: [String]) {
        entries.withLock { entries in
            for network in networks {
                entries[network]?.forget(sandbox)
                // A network of plugins is there as long as somebody is on it.
                if let entry = entries[network], entry.network.driver == .cni, entry.endpoints.isEmpty {
                    entries[network] = nil
                }
            }
        }
    }

    // MARK: The kernel's side

    private func build(_ request: SandboxRequest, _ planned: [Planned]) throws(NetworksError) -> Sandbox {
        let endpoints = planned.map(\.endpoint)
        if planned.contains(where: { $0.network.driver == .host }) {
            return Sandbox(id: request.id, endpoints: endpoints, namespace: nil, prepared: nil)
        }
        let inside: Inside
        let prepared: PreparedNamespace?
        if let namespace = request.namespace {
            prepared = nil
            inside = try Inside(namespace)
        } else {
            let taken = try namespaces.take()
            prepared = taken
            inside = Inside(taken)
        }
        try attach(planned.filter(\.network.driver.hasAddresses), to: inside)
        return Sandbox(
            id: request.id, endpoints: endpoints, namespace: request.namespace ?? prepared?.descriptor,
            prepared: prepared)
    }

    /// Makes the interfaces of endpoints. After an error there is none.
    func attach(_ planned: [Planned], to inside: Inside) throws(NetworksError) {
        var attachments: [Attachment] = []
        for (offset, item) in planned.enumerated() {
            attachments.append(try attachment(item, index: inside.nextIndex + Int32(offset)))
        }
        var made = 0
        do throws(NetlinkError) {
            try perform(&attachments, namespace: inside.descriptor, made: &made)
            try inside.setParameters(attachments)
            var batch = Batch(attachments.flatMap { $0.insideRequests() })
            batch.append(defaultRoutes(attachments))
            try inside.route.perform(batch)
        } catch {
            // Only those: another interface may have the number of one that could not be made.
            for attachment in attachments[..<made] { detach(attachment, inside) }
            throw .system("\(error)")
        }
    }

    private func attachment(_ planned: Planned, index: Int32) throws(NetworksError) -> Attachment {
        let outside: Attachment.Outside
        var index = index
        switch planned.network.settings {
        case .bridge(let settings):
            guard let bridge = planned.bridge else { throw .system("the network has no bridge") }
            outside = .port(index: host.takeIndex(), bridge, settings)
        case .virtual(let settings):
            guard let parent = try link(settings.parent) else {
                throw .system("the requested parent interface \(settings.parent) was not found on the Docker host")
            }
            outside = .virtual(settings, parent: parent.index, mtu: parent.mtu)
            // Kernels before 6.15 look whether the number is free in the namespace that is asked, where the parent is.
            index = host.takeIndex()
        case .none: throw .system("the network has no interfaces")
        }
        return Attachment(endpoint: planned.endpoint, network: planned.network, outside: outside, index: index)
    }

    /// Asks for the outer side of all interfaces. A number that somebody else has taken is replaced. `made` counts
    /// those that are there.
    private func perform(
        _ attachments: inout [Attachment], namespace: FileDescriptor, made: inout Int
    ) throws(NetlinkError) {
        for index in attachments.indices {
            for attempt in 0... {
                do throws(NetlinkError) {
                    try host.route.perform(Batch(attachments[index].outsideRequests(namespace: namespace)))
                    made += 1
                    break
                } catch {
                    // The first request makes the interface, the others set its properties.
                    if error.index != 0 { made += 1 }
                    guard error.errno == .resourceBusy, error.index == 0, attempt < 100 else { throw error }
                    attachments[index] = attachments[index].with(number: host.takeIndex())
                }
            }
        }
    }

    private func defaultRoutes(_ attachments: [Attachment]) -> [Request] {
        let candidates = attachments.map { GatewayChoice.Candidate(endpoint: $0.endpoint, network: $0.network) }
        return IPAddress.Family.allCases.compactMap { family in
            let chosen = GatewayChoice.choose(family, candidates)
            return attachments.first { $0.endpoint.id == chosen?.endpoint.id }?.defaultRoute(family)?.replacement
        }
    }

    /// Removes an interface that was made just now, and what the bridge knows about it. What is not there is no error.
    private func detach(_ attachment: Attachment, _ inside: Inside) {
        if case .port(let index, _, _) = attachment.outside {
            // The container's end goes with that on the host.
            try? host.route.perform(Link.delete(.index(index)))
        } else {
            try? inside.route.perform(Link.delete(.index(attachment.index)))
        }
        forgetNeighbours(of: [attachment.endpoint])
    }

    /// Takes from bridges what they know about endpoints that are gone.
    func forgetNeighbours(of endpoints: [Endpoint]) {
        var batch = Batch()
        for endpoint in endpoints {
            guard let bridge = entries.withLock({ $0[endpoint.networkID]?.bridge }),
                let macAddress = endpoint.macAddress
            else { continue }
            for interface in [endpoint.ipv4, endpoint.ipv6].compactMap(\.self) {
                batch.append(Neighbour(interface.address, at: macAddress, interface: bridge.index).removal)
            }
        }
        // An entry that is not there is what is wanted.
        try? host.route.perform(batch)
    }
}
