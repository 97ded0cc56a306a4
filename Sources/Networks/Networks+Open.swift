import Addresses
import LinuxKernel
import Netlink
import OCISpec
import SystemPackage
import Text

extension Networks {
    func openNow() throws(NetworksError) {
        let (networks, endpoints) = try table.load()
        var found: [String: NetworkEntry] = [:]
        for network in networks { found[network.id] = NetworkEntry(network) }
        for endpoint in endpoints where found[endpoint.networkID]?.adopt(endpoint) == false {
            logger.error("two containers have one address", metadata: ["id": "\(endpoint.sandbox)"])
        }
        let loaded = found
        entries.withLock { $0 = loaded }
        try makePredefined()
        // Before any bridge: what guards the host against what comes by them is there first.
        do throws(NetworksError) {
            try changes.withLock { _ throws(NetworksError) in try restoreFirewall() }
            do throws(NetlinkError) { try ports.adoptMode() } catch {
                logger.warning("cannot leave published ports to the shims", metadata: ["error": "\(error)"])
            }
            watchFirewall()
        } catch {
            // Networks without interfaces do without. All others say the same again when they are made.
            logger.warning("containers can be on no bridge network", metadata: ["error": "\(error)"])
        }
        for network in all where !network.isConfigOnly {
            do throws(NetworksError) {
                try realize(network)
            } catch {
                // One network that cannot be had, because its parent is gone, does not take the others with it.
                logger.error("cannot set up a network", metadata: ["name": "\(network.name)", "error": "\(error)"])
            }
        }
        namespaces.refill()
    }

    private func makePredefined() throws(NetworksError) {
        for (name, driver) in [("host", NetworkDriver.host), ("none", .none)] where existing(name) == nil {
            try add(
                Network(
                    id: RandomIdentifier.make(), name: name, createdAt: .now(), driver: driver, hasIPv4: true,
                    addressingDriver: "default"))
        }
        if !configuration.defaultBridge.isEnabled {
            if let old = existing("bridge") {
                try dissolve(old)
                try forget(old)
            }
            return
        }
        let old = existing("bridge")
        let wanted = try defaultBridge(old)
        if old == wanted { return }
        if let old, old.interfaceName != wanted.interfaceName || old.pools != wanted.pools {
            // Other addresses than before: those who run keep theirs, and are on a bridge that is about to go.
            try dissolve(old)
            try forget(old)
        }
        try add(wanted)
    }

    /// The network `bridge` as the configuration wants it, with the addresses that it has had so far where the
    /// configuration does not say.
    private func defaultBridge(_ old: Network?) throws(NetworksError) -> Network {
        let wanted = configuration.defaultBridge
        var settings = BridgeSettings(interfaceName: wanted.interfaceName)
        settings.ownsInterface = wanted.interfaceName == NetworksConfiguration.DefaultBridge.ownInterface
        settings.mtu = wanted.mtu
        settings.allowsContainerTraffic = wanted.allowsContainerTraffic
        settings.masquerades = wanted.masquerades
        settings.hostBinding = wanted.hostBinding
        let requests = try wanted.pools(foreign: settings.ownsInterface ? nil : interfaces(of: wanted.interfaceName))
        func plan(_ pools: [PoolRequest]) -> NetworkPlan {
            NetworkPlan(
                id: old?.id ?? RandomIdentifier.make(), name: "bridge", options: wanted.options,
                hasIPv6: wanted.hasIPv6, addressing: AddressingRequest(driver: "default", pools: pools),
                settings: .bridge(settings))
        }
        var pools = old?.pools ?? []
        if old?.requestedPools != requests || old?.hasIPv6 != wanted.hasIPv6 {
            // A family about which the configuration said and says nothing keeps its block.
            let kept = pools.filter { pool in
                !(requests + (old?.requestedPools ?? [])).contains { $0.family == pool.subnet.family }
            }.map { PoolRequest(subnet: IPInterface($0.subnet.address, prefixLength: $0.subnet.prefixLength)) }
            pools = try choosePools(plan(requests + kept), besides: old?.id)
        }
        let plan = plan(requests)
        return Network(plan, createdAt: old?.createdAt ?? .now(), pools: pools, settings: plan.settings)
    }

    private func interfaces(of name: String) throws(NetworksError) -> [IPInterface] {
        do throws(NetlinkError) {
            guard let link = try host.route.link(.name(name)) else {
                throw NetlinkError(.operationNotSupportedByDevice, "use the bridge \(name) of the configuration")
            }
            return try host.route.addresses(of: link.index).filter(\.isGlobal).compactMap(\.interface)
        } catch {
            throw .system("\(error)")
        }
    }

    /// Notes a network in the database and in memory.
    func add(_ network: Network) throws(NetworksError) {
        try table.save(network)
        entries.withLock { entries in
            var entry = NetworkEntry(network)
            for endpoint in entries[network.id]?.endpoints.values.map(\.self) ?? [] { _ = entry.adopt(endpoint) }
            entries[network.id] = entry
        }
    }

    /// The network of this very name.
    func existing(_ name: String) -> Network? {
        entries.withLock { $0.values.first { $0.network.name == name }?.network }
    }
}

extension NetworksConfiguration.DefaultBridge {
    /// The blocks that the configuration names.
    fileprivate func pools(foreign: [IPInterface]?) throws(NetworksError) -> [PoolRequest] {
        var pools: [PoolRequest] = []
        for family in IPAddress.Family.allCases where family == .ipv4 || hasIPv6 {
            let isIPv4 = family == .ipv4
            let own = (isIPv4 ? ipv4 : ipv6) ?? foreign?.first { $0.address.family == family }
            let range = isIPv4 ? ipv4Range : ipv6Range
            let gateway = isIPv4 ? ipv4Gateway : ipv6Gateway
            guard let subnet = own?.subnet ?? range else { continue }
            var auxiliary: [String: IPAddress] = [:]
            if let gateway, gateway != own?.address {
                auxiliary[isIPv4 ? "DefaultGatewayIPv4" : "DefaultGatewayIPv6"] = gateway
            }
            pools.append(
                PoolRequest(
                    subnet: IPInterface(subnet.address, prefixLength: subnet.prefixLength),
                    range: range.flatMap { IPInterface($0.address, prefixLength: $0.prefixLength) },
                    gateway: own?.address, auxiliary: auxiliary))
        }
        try NetworkPlan.check(pools, hasIPv6: hasIPv6)
        return pools
    }

    /// As Docker's inspect shows them.
    fileprivate var options: [String: String] {
        var options = [
            "com.docker.network.bridge.default_bridge": "true",
            "com.docker.network.bridge.enable_icc": "\(allowsContainerTraffic)",
            "com.docker.network.bridge.enable_ip_masquerade": "\(masquerades)",
            "com.docker.network.bridge.host_binding_ipv4": "\(hostBinding ?? .unspecified(.ipv4))",
            "com.docker.network.bridge.name": interfaceName,
        ]
        // Docker always tells it, and kind reads it.
        options["com.docker.network.driver.mtu"] = "\(mtu ?? 1500)"
        return options
    }
}
