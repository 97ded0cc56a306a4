import Addresses
import LinuxKernel
import Netlink
import SystemPackage

extension Networks {
    func connectNow(_ wanted: EndpointRequest, _ sandbox: SandboxRequest) throws(NetworksError) -> Endpoint {
        let present = endpoints(of: sandbox.id)
        if PluginNetwork.name(in: wanted.network) != nil || present.contains(where: { $0.plugins != nil }) {
            throw PluginNetwork.changeOfRunning
        }
        if present.contains(where: { driver(of: $0) == .host }) { throw .hostNetwork }
        if present.contains(where: { driver(of: $0) == NetworkDriver.none }) { throw .noNetwork }
        guard let namespace = sandbox.namespace else { throw .hostNetwork }
        let inside = try Inside(namespace)
        let names = present.map(\.interfaceName) + inside.links.map(\.name)
        let planned = try entries.withLock { entries throws(NetworksError) in
            try Self.plan(wanted, sandbox, besides: names, in: &entries)
        }
        do throws(NetworksError) {
            if planned.network.driver == .host { throw NetworksError.hostNetwork }
            if planned.network.driver == .none { throw NetworksError.noNetwork }
            try table.add([planned.endpoint])
            try attach([planned], to: inside)
        } catch {
            // A row that stays is freed when the container leaves.
            try? table.removeEndpoints(of: sandbox.id, on: planned.network.id)
            forget(sandbox.id, on: [planned.network.id])
            throw error
        }
        setDefaultRoutes(of: sandbox.id, inside)
        writeNames(of: planned.network)
        return planned.endpoint
    }

    private func driver(of endpoint: Endpoint) -> NetworkDriver? {
        entries.withLock { $0[endpoint.networkID]?.network.driver }
    }

    func disconnectNow(
        _ term: String, _ sandbox: String, _ namespace: FileDescriptor?
    ) throws(NetworksError) {
        let found = try entries.withLock { entries throws(NetworksError) in
            let entry = try Self.find(term, in: entries)
            guard let endpoint = entry.endpoints[sandbox] else {
                throw .forbidden("container \(sandbox) is not connected to network \(entry.network.name)")
            }
            if endpoint.plugins != nil { throw PluginNetwork.changeOfRunning }
            return (network: entry.network, endpoint: endpoint)
        }
        let inside = try namespace.map { (namespace) throws(NetworksError) in try Inside(namespace) }
        try removeInterface(of: found.endpoint, inside)
        forgetNeighbours(of: [found.endpoint])
        try table.removeEndpoints(of: sandbox, on: found.network.id)
        forget(sandbox, on: [found.network.id])
        if let inside { setDefaultRoutes(of: sandbox, inside) }
        writeNames(of: found.network)
    }

    /// Removes an endpoint's interface, however the container has named it; one that is not there is no error.
    private func removeInterface(of endpoint: Endpoint, _ inside: Inside?) throws(NetworksError) {
        // With the host's end, where there is one, the container's goes.
        if try removePort(of: endpoint) { return }
        guard let inside else { return }
        let driver = driver(of: endpoint)
        let own = inside.links.first { link in
            // Those of ipvlan have all the same address. Another kind with the name is the container's own.
            if driver == .ipvlan, case .ipvlan = link.kind { return link.name == endpoint.interfaceName }
            return driver != .ipvlan && link.address == endpoint.macAddress?.bytes
        }
        guard let own else { return }
        do throws(NetlinkError) {
            try inside.route.perform(Link.delete(.index(own.index)))
        } catch {
            if error.errno == .operationNotSupportedByDevice { return }
            throw .system("cannot take a container from the network \(endpoint.networkName): \(error)")
        }
    }

    /// Removes the interface on the host that leads to an endpoint, and the container's with it.
    ///
    /// - Returns: Whether there was one; endpoints on networks without a bridge have none.
    private func removePort(of endpoint: Endpoint) throws(NetworksError) -> Bool {
        guard let address = Attachment.portAddress(endpoint)?.bytes else { return false }
        do throws(NetlinkError) {
            let port = try host.route.links().first { $0.alias == endpoint.sandbox && $0.address == address }
            guard let port else { return false }
            try host.route.perform(Link.delete(.index(port.index)))
            return true
        } catch {
            // It went meanwhile, with its namespace.
            if error.errno == .operationNotSupportedByDevice { return true }
            throw .system("cannot take a container from the network \(endpoint.networkName): \(error)")
        }
    }

    func leaveNow(_ sandbox: String, sharedNamespace: FileDescriptor? = nil) throws(NetworksError) {
        ports.drop(sandbox)
        let gone = endpoints(of: sandbox)
        if gone.isEmpty { return }
        if let endpoint = gone.first(where: { $0.plugins != nil }) { return try leavePluginNetwork(endpoint) }
        if let sharedNamespace {
            let inside = try Inside(sharedNamespace)
            for endpoint in gone { try removeInterface(of: endpoint, inside) }
        }
        // The interfaces go with the namespace, which the kernel does in the background: to delete one would take it
        // tens of milliseconds.
        forgetNeighbours(of: gone)
        try table.removeEndpoints(of: sandbox)
        forget(sandbox, on: gone.map(\.networkID))
        for network in all where gone.contains(where: { $0.networkID == network.id }) { writeNames(of: network) }
    }

    /// Lets the default routes of a container that runs lead by the network that is the best one of those it is on.
    private func setDefaultRoutes(of sandbox: String, _ inside: Inside) {
        let candidates = entries.withLock { entries in
            entries.values.compactMap { entry in
                entry.endpoints[sandbox].map { GatewayChoice.Candidate(endpoint: $0, network: entry.network) }
            }
        }
        for family in IPAddress.Family.allCases {
            guard let chosen = GatewayChoice.choose(family, candidates) else { continue }
            do throws(NetlinkError) {
                guard let link = try inside.route.link(.name(chosen.endpoint.interfaceName)),
                    let route = Attachment.defaultRoute(family, chosen.endpoint, chosen.network, link.index)
                else { continue }
                let present = try inside.route.defaultRoute(family)
                if present?.gateway == route.gateway, present?.interface == route.interface { continue }
                if let present { try inside.route.perform(present.removal) }
                try inside.route.perform(route.addition)
            } catch {
                logger.warning(
                    "cannot set a container's default route", metadata: ["id": "\(sandbox)", "error": "\(error)"])
            }
        }
    }
}
