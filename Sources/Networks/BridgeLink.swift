import Addresses
import Netlink

/// The bridge of a network as it is on the host.
struct BridgeLink: Hashable, Sendable {
    let index: Int32
    let mtu: UInt32
    /// The bridge's hardware address, which is the same whenever the network's addresses are.
    let address: MACAddress

    /// The most interfaces that the kernel lets a bridge have (`BR_MAX_PORTS`, less the one that it does not give).
    static let portLimit = 1023

    /// The hardware address of a network's bridge.
    static func address(of network: Network) -> MACAddress? {
        network.pools.first.map { MACAddress(derivedFrom: $0.gateway ?? $0.subnet.address) }
    }

    /// The addresses that the bridge itself has.
    static func interfaces(of network: Network, _ settings: BridgeSettings) -> [IPInterface] {
        let own: [IPInterface] = network.pools.compactMap { pool in
            let family = pool.subnet.family
            if settings.mode(family) == .isolated || family == .ipv4 && settings.inhibitsIPv4 { return nil }
            return pool.gateway.flatMap { IPInterface($0, prefixLength: pool.subnet.prefixLength) }
        }
        // Without one the kernel cannot ask who has an address of IPv6. The same as Docker's.
        return own + (own.contains { $0.address.isIPv6 } ? [IPInterface("fe80::1/64")].compactMap(\.self) : [])
    }

    /// What makes the bridge, but for its addresses.
    func creation(name: String) -> [Request] {
        // It needs no time to listen for loops, which cannot be, and passes on to all what is for groups.
        let options = BridgeOptions(snoopsMulticast: false, speaksSpanningTree: false, forwardDelay: 0)
        return NewLink(
            name, .bridge(options), index: index,
            LinkSettings(isUp: true, mtu: mtu, address: address, hasLinkLocalAddress: false)
        ).requests
    }
}
