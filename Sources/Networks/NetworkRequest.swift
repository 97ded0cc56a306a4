import Addresses

/// What a client asks for when it makes a network, as it said it; `Networks.create` validates it.
package struct NetworkRequest: Hashable, Sendable, Codable {
    /// What people call it.
    package var name: String
    /// By Docker's name of it; empty is `bridge`.
    package var driver: String
    /// The user's own notes.
    package var labels: [String: String]
    /// By Docker's names (`com.docker.network.…`).
    package var options: [String: String]
    /// Whether it has no way out.
    package var isInternal: Bool
    /// Accepted for Docker's sake: it has a meaning for a swarm only.
    package var isAttachable: Bool
    /// Whether it has IPv4 addresses; `nil` leaves it to the options, and then to the default, which is that it has.
    package var enablesIPv4: Bool?
    /// Whether it has IPv6 addresses; `nil` leaves it to the options, and then to the default: it has none.
    package var enablesIPv6: Bool?
    /// Whether it is no network but a configuration that others are made from.
    package var isConfigOnly: Bool
    /// The name of the configuration that it is made from.
    package var configFrom: String?
    /// Docker's word for how far it reaches: empty or `local`.
    package var scope: String
    /// Whether it was asked to be a swarm's routing mesh.
    package var isIngress: Bool
    /// Where its addresses come from.
    package var addressing: AddressingRequest

    /// A request that asks for nothing but a name, and what else is asked for.
    package init(
        name: String, driver: String = "", labels: [String: String] = [:], options: [String: String] = [:],
        isInternal: Bool = false, isAttachable: Bool = false, enablesIPv4: Bool? = nil, enablesIPv6: Bool? = nil,
        isConfigOnly: Bool = false, configFrom: String? = nil, scope: String = "", isIngress: Bool = false,
        addressing: AddressingRequest = AddressingRequest()
    ) {
        self.name = name
        self.driver = driver
        self.labels = labels
        self.options = options
        self.isInternal = isInternal
        self.isAttachable = isAttachable
        self.enablesIPv4 = enablesIPv4
        self.enablesIPv6 = enablesIPv6
        self.isConfigOnly = isConfigOnly
        self.configFrom = configFrom
        self.scope = scope
        self.isIngress = isIngress
        self.addressing = addressing
    }
}

/// Where the addresses of a network come from (Docker's `IPAM`).
package struct AddressingRequest: Hashable, Sendable, Codable {
    /// Docker's name of what gives addresses: empty, `default` or `null`.
    package var driver: String
    /// Kept and shown; none has a meaning.
    package var options: [String: String]
    /// The blocks; where there is none of a family that the network has, it gets a free one.
    package var pools: [PoolRequest]

    /// Addresses from anywhere, and what else is asked for.
    package init(driver: String = "", options: [String: String] = [:], pools: [PoolRequest] = []) {
        self.driver = driver
        self.options = options
        self.pools = pools
    }
}

/// A block of addresses as it was asked for.
package struct PoolRequest: Hashable, Sendable, Codable {
    /// The block with the address that was written, whose bits behind the prefix may be set, which is an error.
    /// 0.0.0.0/24 is any block of that size; `nil` is any block of the default size.
    package var subnet: IPInterface?
    /// The part from which addresses are given when nobody asks for a certain one.
    package var range: IPInterface?
    /// Who forwards what goes elsewhere; `nil` is the first address.
    package var gateway: IPAddress?
    /// Addresses that belong to somebody else, by names.
    package var auxiliary: [String: IPAddress]

    /// Any block, and what else is asked for.
    package init(
        subnet: IPInterface? = nil, range: IPInterface? = nil, gateway: IPAddress? = nil,
        auxiliary: [String: IPAddress] = [:]
    ) {
        self.subnet = subnet
        self.range = range
        self.gateway = gateway
        self.auxiliary = auxiliary
    }

    /// IPv4 unless a value says otherwise.
    package var family: IPAddress.Family {
        subnet?.address.family ?? range?.address.family ?? gateway?.family ?? auxiliary.values.first?.family ?? .ipv4
    }
}
