import Addresses
import LinuxKernel
import Netlink
import OCISpec
import Synchronization
import SystemPackage
import Text

extension Networks {
    func createNow(_ request: NetworkRequest) throws(NetworksError) -> Network {
        try changes.withLock { _ throws(NetworksError) in
            let plan = try NetworkPlan(
                request, id: RandomIdentifier.make(), defaults: configuration.defaultOptions, existing: existing)
            let network = try adapt(
                Network(
                    plan, createdAt: .now(), pools: plan.isConfigOnly ? [] : try choosePools(plan),
                    settings: plan.settings))
            // The row first: what a crash leaves in the kernel has a row, and the next start goes on with it.
            try add(network)
            do throws(NetworksError) {
                try realize(network)
            } catch {
                try dissolve(network)
                try forget(network)
                throw error
            }
            return network
        }
    }

    /// Gives a plan its blocks of addresses.
    func choosePools(_ plan: NetworkPlan, besides own: String? = nil) throws(NetworksError) -> [AddressPool] {
        let used: (all: [IPSubnet], links: [IPSubnet])
        do throws(NetlinkError) {
            used = try host.usedSubnets(resolverFile: configuration.resolverFile)
        } catch {
            throw .system("\(error)")
        }
        let taken = all.filter { $0.id != own }.flatMap { $0.pools.map(\.subnet) }
        let local = PoolSource.uniqueLocal(of: configuration.machineIdentifier)
        return try PoolChoice(
            sources: configuration.addressPools + (local.map { [$0] } ?? []), taken: taken, avoided: used.all,
            links: used.links
        ).pools(for: plan)
    }

    /// Checks a network against the host and the other networks, and notes which interfaces are not the daemon's.
    private func adapt(_ network: Network) throws(NetworksError) -> Network {
        switch network.settings {
        case .none: return network
        case .bridge(var bridge):
            if let other = all.first(where: { $0.interfaceName == bridge.interfaceName }) {
                throw .forbidden(
                    "cannot create network \(network.id) (\(bridge.interfaceName)): conflicts with network \(other.id) "
                        + "(\(bridge.interfaceName)): networks have same bridge name")
            }
            bridge.ownsInterface = try link(bridge.interfaceName) == nil
            return network.with(.bridge(bridge))
        case .virtual(var virtual):
            for other in all where other.interfaceName == virtual.parent {
                try virtual.checkSharing(network.driver, with: other)
                if case .virtual(let settings) = other.settings { virtual.ownsParent = settings.ownsParent }
            }
            if try link(virtual.parent) == nil {
                try virtual.checkCreatable()
                virtual.ownsParent = true
            }
            return network.with(.virtual(virtual))
        }
    }

    func link(_ name: String) throws(NetworksError) -> Link? {
        do throws(NetlinkError) { return try host.route.link(.name(name)) } catch { throw .system("\(error)") }
    }

    // MARK: The kernel's side

    /// Sees to it that the kernel has what a network needs on the host.
    func realize(_ network: Network) throws(NetworksError) {
        switch network.settings {
        case .none: break
        case .bridge(let settings):
            try admit(network)
            let bridge = try realizeBridge(network, settings)
            entries.withLock { $0[network.id]?.bridge = bridge }
        case .virtual(let settings): try realizeParent(settings, of: network)
        }
    }

    private func realizeBridge(_ network: Network, _ settings: BridgeSettings) throws(NetworksError) -> BridgeLink {
        let name = settings.interfaceName
        let mtu = settings.mtu.map { UInt32($0) } ?? host.defaultMTU()
        do throws(NetlinkError) {
            let bridge: BridgeLink
            if let link = try host.route.link(.name(name)) {
                guard case .bridge? = link.kind, let address = MACAddress(bytes: link.address) else {
                    throw NetlinkError(
                        .fileExists, "use the interface \(name) as a bridge", text: "it is something else")
                }
                bridge = BridgeLink(index: link.index, mtu: settings.ownsInterface ? mtu : link.mtu, address: address)
                let changed = LinkSettings(isUp: true, mtu: settings.ownsInterface ? mtu : nil)
                try host.route.perform(Link.set(.index(link.index), changed))
            } else {
                bridge = try makeBridge(name, mtu: mtu, BridgeLink.address(of: network))
            }
            try setParameters(of: name, network)
            let present = Set(try host.route.addresses(of: bridge.index).compactMap(\.interface))
            let lacking = BridgeLink.interfaces(of: network, settings).filter { !present.contains($0) }
            try host.route.perform(
                Batch(lacking.map { InterfaceAddress($0, checksDuplicates: false).addition(to: bridge.index) }))
            return bridge
        } catch {
            throw .system("\(error)")
        }
    }

    private func makeBridge(_ name: String, mtu: UInt32, _ address: MACAddress?) throws(NetlinkError) -> BridgeLink {
        for _ in 0..<100 {
            let index = host.takeIndex()
            let bridge = BridgeLink(
                index: index, mtu: mtu, address: address ?? MACAddress(derivedFrom: IPAddress(.ipv4, UInt128(index))))
            do throws(NetlinkError) {
                try host.route.perform(Batch(bridge.creation(name: name)))
                return bridge
            } catch {
                // Somebody else has the number; a name that somebody has is another matter.
                guard error.errno == .resourceBusy else { throw error }
            }
        }
        throw NetlinkError(.resourceBusy, "find a free number for the interface \(name)")
    }

    private func setParameters(of name: String, _ network: Network) throws(NetlinkError) {
        do throws(NetworksError) {
            // A bridge without IPv6 is silent, and what is on it cannot talk it into anything.
            if HostNetwork.parameter("ipv6/conf/\(name)/disable_ipv6") != nil {
                try HostNetwork.set("ipv6/conf/\(name)/disable_ipv6", to: network.hasIPv6 ? "0" : "1")
                try HostNetwork.set("ipv6/conf/\(name)/accept_ra", to: "0")
            }
            if configuration.enablesForwarding, !network.isInternal {
                for family in IPAddress.Family.allCases where network.pool(family) != nil {
                    try HostNetwork.enableForwarding(family)
                }
            }
            // So that ports that are published on 127.0.0.1 can be reached by way of the bridge. The firewall keeps
            // others from the same.
            if network.pool(.ipv4) != nil { try HostNetwork.set("ipv4/conf/\(name)/route_localnet", to: "1") }
        } catch {
            throw NetlinkError(.permissionDenied, "set up the interface \(name)", text: error.message)
        }
    }

    /// Removes what `realize` has made, as far as it is there.
    func dissolve(_ network: Network) throws(NetworksError) {
        switch network.settings {
        case .none: return
        case .bridge(let bridge):
            if bridge.ownsInterface { try delete(bridge.interfaceName) }
            try expel(network)
        case .virtual(let virtual):
            let others = all.filter { $0.id != network.id && $0.interfaceName == virtual.parent }
            if virtual.ownsParent, others.isEmpty { try delete(virtual.parent) }
        }
    }

    private func delete(_ name: String) throws(NetworksError) {
        do throws(NetlinkError) {
            try host.route.perform(Link.delete(.name(name)))
        } catch {
            if error.errno == .operationNotSupportedByDevice { return }
            throw .system("\(error)")
        }
    }

    // MARK: Removal

    func removeNow(_ term: String) throws(NetworksError) -> Network {
        // One that is not there is told of below.
        if let network = try? network(term), network.driver == .cni { throw PluginNetwork.removal(of: network.name) }
        return try changes.withLock { _ throws(NetworksError) in
            let network = try entries.withLock { entries throws(NetworksError) in
                let entry = try Self.find(term, in: entries)
                try Self.checkRemovable(entry, entries)
                entries[entry.network.id]?.isBeingRemoved = true
                return entry.network
            }
            do throws(NetworksError) {
                try dissolve(network)
                try forget(network)
            } catch {
                entries.withLock { $0[network.id]?.isBeingRemoved = false }
                throw error
            }
            return network
        }
    }

    private static func checkRemovable(
        _ entry: NetworkEntry, _ entries: [String: NetworkEntry]
    ) throws(NetworksError) {
        let network = entry.network
        if network.isPredefined {
            throw .forbidden("\(network.name) is a pre-defined network and cannot be removed")
        }
        if network.isConfigOnly, entries.values.contains(where: { $0.network.configFrom == network.name }) {
            throw .forbidden("error while removing network: configuration network \"\(network.name)\" is in use")
        }
        if entry.endpoints.isEmpty { return }
        let who = entry.endpoints.values.sorted { $0.sandboxName < $1.sandboxName }.map {
            "name:\"\($0.sandboxName)\" id:\"\(RandomIdentifier.short($0.id))\""
        }
        throw .forbidden(
            "error while removing network: network \(network.name) has active endpoints "
                + "(\(who.joined(separator: ", ")))")
    }

    /// Takes a network out of the database and memory.
    func forget(_ network: Network) throws(NetworksError) {
        try table.removeNetwork(network.id)
        _ = entries.withLock { $0.removeValue(forKey: network.id) }
        // What stays there is gone after a boot.
        try? TreeRemoval.remove(directory(of: network.id))
    }
}

extension Network {
    /// The network that a plan becomes.
    init(_ plan: NetworkPlan, createdAt: Timestamp, pools: [AddressPool], settings: DriverSettings) {
        self.init(
            id: plan.id, name: plan.name, createdAt: createdAt, driver: plan.driver, labels: plan.labels,
            options: plan.options, isInternal: plan.isInternal, isAttachable: plan.isAttachable, hasIPv4: plan.hasIPv4,
            hasIPv6: plan.hasIPv6, isConfigOnly: plan.isConfigOnly, configFrom: plan.configFrom,
            addressingDriver: plan.addressing.driver.isEmpty ? "default" : plan.addressing.driver,
            addressingOptions: plan.addressing.options, requestedPools: plan.addressing.pools, pools: pools,
            settings: settings)
    }

    /// The same network with other settings.
    fileprivate func with(_ settings: DriverSettings) -> Network {
        Network(
            id: id, name: name, createdAt: createdAt, driver: driver, labels: labels, options: options,
            isInternal: isInternal, isAttachable: isAttachable, hasIPv4: hasIPv4, hasIPv6: hasIPv6,
            isConfigOnly: isConfigOnly, configFrom: configFrom, addressingDriver: addressingDriver,
            addressingOptions: addressingOptions, requestedPools: requestedPools, pools: pools, settings: settings)
    }
}
