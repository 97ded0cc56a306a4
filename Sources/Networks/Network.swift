import Addresses
import OCISpec

/// A network as it is.
package struct Network: Hashable, Sendable, Codable {
    /// 64 hexadecimal digits.
    package let id: String
    /// What people call it.
    package let name: String
    /// When it was made.
    package let createdAt: Timestamp
    /// What made it.
    package let driver: NetworkDriver
    /// The user's own notes.
    package let labels: [String: String]
    /// As they were asked for, with the daemon's defaults, by Docker's names.
    package let options: [String: String]
    /// Whether it has no way out.
    package let isInternal: Bool
    /// Kept and shown: it has a meaning for a swarm only.
    package let isAttachable: Bool
    /// Whether it has IPv4 addresses.
    package let hasIPv4: Bool
    /// Whether it has IPv6 addresses.
    package let hasIPv6: Bool
    /// Whether it is no network but a configuration that others are made from.
    package let isConfigOnly: Bool
    /// The name of the configuration that it was made from.
    package let configFrom: String?
    /// Docker's name of what gives addresses: `default` or `null`.
    package let addressingDriver: String
    /// Kept and shown.
    package let addressingOptions: [String: String]
    /// What was asked for; of a configuration that others are made from all there is.
    package let requestedPools: [PoolRequest]
    /// Blocks of addresses: those of IPv4 first. Of a bridge at most one a family.
    package let pools: [AddressPool]
    /// The options that its driver knows.
    package let settings: DriverSettings

    /// A network; what is left out is as in a request that says nothing.
    package init(
        id: String, name: String, createdAt: Timestamp, driver: NetworkDriver, labels: [String: String] = [:],
        options: [String: String] = [:], isInternal: Bool = false, isAttachable: Bool = false, hasIPv4: Bool = true,
        hasIPv6: Bool = false, isConfigOnly: Bool = false, configFrom: String? = nil,
        addressingDriver: String = "default", addressingOptions: [String: String] = [:],
        requestedPools: [PoolRequest] = [], pools: [AddressPool] = [], settings: DriverSettings = .none
    ) {
        self.id = id
        self.name = name
        self.createdAt = createdAt
        self.driver = driver
        self.labels = labels
        self.options = options
        self.isInternal = isInternal
        self.isAttachable = isAttachable
        self.hasIPv4 = hasIPv4
        self.hasIPv6 = hasIPv6
        self.isConfigOnly = isConfigOnly
        self.configFrom = configFrom
        self.addressingDriver = addressingDriver
        self.addressingOptions = addressingOptions
        self.requestedPools = requestedPools
        self.pools = pools
        self.settings = settings
    }

    /// The networks that every daemon has: `bridge`, `host`, `none`.
    package var isPredefined: Bool { Self.isPredefined(name) }

    /// The interface of the host that all containers are behind: a bridge, or the parent of virtual interfaces.
    package var interfaceName: String? {
        switch settings {
        case .bridge(let bridge): bridge.interfaceName
        case .virtual(let virtual): virtual.parent
        case .none: nil
        }
    }

    /// The block of a family whose addresses endpoints get; the first one, where there are several.
    package func pool(_ family: IPAddress.Family) -> AddressPool? { pools.first { $0.subnet.family == family } }

    /// Whether names of other containers are answered there: on all networks that somebody made.
    package var hasNames: Bool { driver.hasAddresses && !isPredefined && !isConfigOnly }

    /// Whether a network of this name is one that every daemon has, so that nobody else may have that name.
    package static func isPredefined(_ name: String) -> Bool { ["bridge", "host", "none", "default"].contains(name) }
}

/// A block of addresses that a network has for itself.
package struct AddressPool: Hashable, Sendable, Codable {
    /// All of it.
    package let subnet: IPSubnet
    /// The part from which addresses are given when nobody asks for a certain one; `nil` is all of it.
    package let range: IPSubnet?
    /// Who forwards what goes elsewhere; `nil` is nobody.
    package let gateway: IPAddress?
    /// Addresses that belong to somebody else, by names.
    package let auxiliary: [String: IPAddress]

    /// A block with what is known about it.
    package init(subnet: IPSubnet, range: IPSubnet?, gateway: IPAddress?, auxiliary: [String: IPAddress]) {
        self.subnet = subnet
        self.range = range
        self.gateway = gateway
        self.auxiliary = auxiliary
    }
}

/// How many of a pool's addresses are taken (Docker's `Status.IPAM.Subnets`).
package struct PoolUsage: Hashable, Sendable {
    /// Which pool.
    package let subnet: IPSubnet
    /// Addresses that nobody else can get, those that are never given included; saturating.
    package let inUse: UInt64
    /// Addresses that are left for those who ask for none in particular; saturating.
    package let available: UInt64

    /// So many of a pool's addresses.
    package init(subnet: IPSubnet, inUse: UInt64, available: UInt64) {
        self.subnet = subnet
        self.inUse = inUse
        self.available = available
    }
}

/// What a network's driver has to know, read from the options.
package enum DriverSettings: Hashable, Sendable, Codable {
    case bridge(BridgeSettings)
    /// macvlan and ipvlan.
    case virtual(VirtualInterfaceSettings)
    /// host, none, configurations; and networks of plugins, which are defined elsewhere
    case none
}
