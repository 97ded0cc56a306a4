import Addresses
import Netlink

extension Networks {
    func recoverNow(_ running: Set<String>) throws(NetworksError) {
        let present = entries.withLock { $0.values.flatMap { $0.endpoints.values.map(\.sandbox) } }
        let deadline = ContinuousClock.now + Self.patienceWithPlugins
        for sandbox in Set(present).subtracting(running) {
            do throws(NetworksError) {
                if let endpoint = endpoints(of: sandbox).first(where: { $0.plugins != nil }) {
                    try leavePluginNetwork(endpoint, within: deadline - .now)
                } else {
                    try leaveNow(sandbox)
                }
            } catch {
                logger.error("cannot free a container's network", metadata: ["id": "\(sandbox)", "error": "\(error)"])
            }
        }
        removeStrayNamespaces()
        do throws(NetlinkError) { try ports.retain(running) } catch {
            // Elements of ports that nobody has bound do no harm until somebody binds them, who replaces them.
            logger.warning("cannot remove elements of ports that are nobody's", metadata: ["error": "\(error)"])
        }
        for network in all {
            if case .bridge(let settings) = network.settings {
                do throws(NetlinkError) {
                    try recover(network, settings)
                } catch {
                    logger.error(
                        "cannot compare a network with the kernel",
                        metadata: ["name": "\(network.name)", "error": "\(error)"])
                }
            }
            writeNames(of: network)
        }
    }

    /// Compares a bridge with those who are on the network.
    private func recover(_ network: Network, _ settings: BridgeSettings) throws(NetlinkError) {
        guard let bridge = entries.withLock({ $0[network.id]?.bridge }) else { return }
        let endpoints = endpoints(on: network.id)
        let ports = try host.route.links().filter { $0.name == Attachment.portName($0.index) && $0.alias != nil }
        var batch = Batch()
        for endpoint in endpoints {
            let address = Attachment.portAddress(endpoint)?.bytes
            guard let port = ports.first(where: { $0.alias == endpoint.sandbox && $0.address == address }) else {
                continue
            }
            batch.append(
                Attachment.portRequests(
                    endpoint, port: port.index, bridge, settings, isNew: port.master != bridge.index))
        }
        let known = Set(endpoints.flatMap { [$0.ipv4, $0.ipv6].compactMap { $0?.address } })
        for family in IPAddress.Family.allCases where settings.ownsInterface {
            for neighbour in try host.route.neighbours(family, of: bridge.index)
            where neighbour.isPermanent && !neighbour.address.isMulticast && !known.contains(neighbour.address) {
                batch.append(neighbour.removal)
            }
        }
        let sandboxes = Set(endpoints.map(\.sandbox))
        for port in ports where port.master == bridge.index && !sandboxes.contains(port.alias ?? "") {
            batch.append(Link.delete(.index(port.index)))
        }
        do throws(NetlinkError) {
            try host.route.perform(batch)
        } catch {
            // The others have been done none the less, and one that fails does not keep the daemon from its start.
            logger.warning(
                "cannot give a network back all that it lacks",
                metadata: ["name": "\(network.name)", "error": "\(error)"])
        }
    }
}
