import Addresses
import PublishedPorts

/// Gives a network its blocks of addresses.
package struct PoolChoice {
    /// What blocks are taken out of.
    package let sources: [PoolSource]
    /// Blocks of other networks.
    package let taken: [IPSubnet]
    /// Blocks of the host's routes, and its name servers: not for networks that name no subnet.
    package let avoided: [IPSubnet]
    /// Blocks of the host's own links, which are avoided even where nothing is left otherwise.
    package let links: [IPSubnet]

    package init(sources: [PoolSource], taken: [IPSubnet], avoided: [IPSubnet], links: [IPSubnet]) {
        self.sources = sources
        self.taken = taken
        self.avoided = avoided
        self.links = links
    }

    /// The blocks of a network, those of IPv4 first.
    package func pools(for plan: NetworkPlan) throws(NetworksError) -> [AddressPool] {
        guard plan.driver.hasAddresses, plan.addressing.driver != "null" else { return [] }
        var pools: [AddressPool] = []
        for family in IPAddress.Family.allCases where plan.has(family) {
            let requests = plan.pools(family)
            for request in requests.isEmpty ? [PoolRequest()] : requests {
                pools.append(try pool(request, family, plan, besides: pools.map(\.subnet)))
            }
        }
        return pools
    }

    private func pool(
        _ request: PoolRequest, _ family: IPAddress.Family, _ plan: NetworkPlan, besides own: [IPSubnet]
    ) throws(NetworksError) -> AddressPool {
        let subnet = try subnet(request.subnet?.subnet, family, taken + own)
        // Without a range of its own, and with one that is all of it, addresses come from the whole subnet.
        let range = request.range.map(\.subnet).flatMap { $0 == subnet ? nil : $0 }
        var pool = AddressPool(subnet: subnet, range: range, gateway: nil, auxiliary: [:])
        var leases = AddressLeases(pool)
        var gateway = request.gateway
        if let gateway {
            guard leases.take(gateway) else {
                throw .system("failed to allocate gateway (\(gateway)): Address already in use")
            }
        } else if plan.needsGateway(family) {
            gateway = leases.takeLowest()
            if gateway == nil {
                throw .system("failed to allocate gateway (): no available addresses on this pool")
            }
        }
        for (name, address) in request.auxiliary.sorted(by: { $0.key < $1.key }) where !leases.take(address) {
            throw .system("failed to allocate secondary ip address (\(name):\(address)): Address already in use")
        }
        pool = AddressPool(subnet: subnet, range: range, gateway: gateway, auxiliary: request.auxiliary)
        return pool
    }

    private func subnet(
        _ asked: IPSubnet?, _ family: IPAddress.Family, _ taken: [IPSubnet]
    ) throws(NetworksError) -> IPSubnet {
        if let asked, !asked.address.isUnspecified {
            try SubnetChoice.checkFree(asked, taken: taken)
            return asked
        }
        // 0.0.0.0/24 asks for any block of that size, 0.0.0.0/0 for any at all.
        let size = asked.flatMap { $0.prefixLength == 0 ? nil : $0.prefixLength }
        do throws(NetworksError) {
            return try SubnetChoice.choose(family, size: size, from: sources, taken: taken, avoided: avoided)
        } catch {
            // A route to all of 172.16.0.0/12 says little about what is used of it. Rather that than no network.
            return try SubnetChoice.choose(family, size: size, from: sources, taken: taken, avoided: links)
        }
    }
}

extension NetworkPlan {
    /// Whether somebody on the network has to have the first address.
    package func needsGateway(_ family: IPAddress.Family) -> Bool {
        guard case .bridge(let bridge) = settings else {
            // The gateway of a virtual interface is somebody outside, or nobody.
            return false
        }
        if bridge.mode(family) == .isolated { return false }
        return !(family == .ipv4 && bridge.inhibitsIPv4 && isInternal)
    }
}
