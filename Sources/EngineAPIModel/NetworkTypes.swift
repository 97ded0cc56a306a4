/// A network: `GET /networks/{id}`, and a row of `GET /networks`.
package struct NetworkInspection: WireObject {
    /// Its name.
    @Always package var name: String = ""
    /// The full id.
    @Always package var id: String = ""
    /// When it was made, as RFC 3339 with nanoseconds.
    @Always package var created: String = ""
    /// Always `local`.
    @Always package var scope: String = ""
    /// `bridge`, `host`, `null`, `macvlan`, `ipvlan`, …
    @Always package var driver: String = ""
    /// Whether endpoints get IPv4 addresses.
    @Always package var enableIPv4: Bool = false
    /// Whether endpoints get IPv6 addresses.
    @Always package var enableIPv6: Bool = false
    /// Where the addresses come from.
    @Always package var ipam: NetworkIPAM = NetworkIPAM()
    /// Whether there is no way out.
    @Always package var `internal`: Bool = false
    /// Whether containers may be connected by hand; of Swarm's networks.
    @Always package var attachable: Bool = false
    /// Whether it is Swarm's routing mesh.
    @Always package var ingress: Bool = false
    /// The network whose configuration this one has.
    @Always package var configFrom: NetworkReference = NetworkReference()
    /// Whether it is only a configuration for others.
    @Always package var configOnly: Bool = false
    /// What is connected, by the id of the container; empty in lists.
    @Always package var containers: [String: NetworkContainer] = [:]
    /// The driver's options.
    @Always package var options: [String: String]? = nil
    /// Labels.
    @Always package var labels: [String: String]? = nil
    /// How many addresses are in use, since API 1.52.
    @OmittedIfEmpty package var status: NetworkStatus? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case name = "Name"
        case id = "Id"
        case created = "Created"
        case scope = "Scope"
        case driver = "Driver"
        case enableIPv4 = "EnableIPv4"
        case enableIPv6 = "EnableIPv6"
        case ipam = "IPAM"
        case `internal` = "Internal"
        case attachable = "Attachable"
        case ingress = "Ingress"
        case configFrom = "ConfigFrom"
        case configOnly = "ConfigOnly"
        case containers = "Containers"
        case options = "Options"
        case labels = "Labels"
        case status = "Status"
    }
}

/// Where the addresses of a network come from.
package struct NetworkIPAM: WireObject {
    /// `default` or `null`.
    @Always package var driver: String = ""
    /// The driver's options.
    @Always package var options: [String: String]? = nil
    /// Blocks of addresses.
    @Always package var config: [NetworkPool]? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case driver = "Driver"
        case options = "Options"
        case config = "Config"
    }
}

/// A block of addresses of a network.
package struct NetworkPool: WireObject {
    /// All of it, such as `172.18.0.0/16`.
    @OmittedIfEmpty package var subnet: String = ""
    /// The part that endpoints get addresses of.
    @OmittedIfEmpty package var ipRange: String = ""
    /// The way out.
    @OmittedIfEmpty package var gateway: String = ""
    /// Addresses that endpoints do not get, by names for them.
    @OmittedIfEmpty package var auxiliaryAddresses: [String: String] = [:]

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case subnet = "Subnet"
        case ipRange = "IPRange"
        case gateway = "Gateway"
        case auxiliaryAddresses = "AuxiliaryAddresses"
    }
}

/// The name of another network.
package struct NetworkReference: WireObject {
    /// Its name.
    @Always package var network: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case network = "Network"
    }
}

/// A container on a network.
package struct NetworkContainer: WireObject {
    /// Its name.
    @Always package var name: String = ""
    /// The id of its endpoint.
    @Always package var endpointID: String = ""
    /// Its hardware address.
    @Always package var macAddress: String = ""
    /// Its IPv4 address with the length of the prefix.
    @Always package var ipv4Address: String = ""
    /// Its IPv6 address with the length of the prefix.
    @Always package var ipv6Address: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case name = "Name"
        case endpointID = "EndpointID"
        case macAddress = "MacAddress"
        case ipv4Address = "IPv4Address"
        case ipv6Address = "IPv6Address"
    }
}

/// What happens on a network.
package struct NetworkStatus: WireObject {
    /// Of its addresses.
    @Always package var ipam: NetworkIPAMStatus = NetworkIPAMStatus()

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case ipam = "IPAM"
    }
}

/// How many addresses a network has left.
package struct NetworkIPAMStatus: WireObject {
    /// By block of addresses.
    @Always package var subnets: [String: NetworkPoolStatus] = [:]

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case subnets = "Subnets"
    }
}

/// How many addresses a block has left.
package struct NetworkPoolStatus: WireObject {
    /// Those that nobody can get, the block's first and last among them.
    @Always package var ipsInUse: Int64 = 0
    /// Those that endpoints can get.
    @Always package var dynamicIPsAvailable: Int64 = 0

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case ipsInUse = "IPsInUse"
        case dynamicIPsAvailable = "DynamicIPsAvailable"
    }
}

/// A request for a new network: `POST /networks/create`.
package struct NetworkCreateRequest: WireObject {
    /// Its name.
    @Always package var name: String = ""
    /// Its driver; empty for `bridge`.
    @Always package var driver: String = ""
    /// Empty or `local`.
    @OmittedIfEmpty package var scope: String = ""
    /// Whether endpoints get IPv4 addresses; nil for the driver's default.
    @OmittedIfEmpty package var enableIPv4: Bool? = nil
    /// Whether endpoints get IPv6 addresses; nil for the driver's default.
    @OmittedIfEmpty package var enableIPv6: Bool? = nil
    /// Where its addresses come from; nil for the daemon's pools.
    @Always package var ipam: NetworkIPAM? = nil
    /// Whether there is no way out.
    @Always package var `internal`: Bool = false
    /// Whether containers may be connected by hand; of Swarm's networks.
    @Always package var attachable: Bool = false
    /// Whether it is Swarm's routing mesh.
    @Always package var ingress: Bool = false
    /// Whether it is only a configuration for others.
    @Always package var configOnly: Bool = false
    /// The network whose configuration this one takes.
    @Always package var configFrom: NetworkReference? = nil
    /// The driver's options.
    @Always package var options: [String: String]? = nil
    /// Labels.
    @Always package var labels: [String: String]? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case name = "Name"
        case driver = "Driver"
        case scope = "Scope"
        case enableIPv4 = "EnableIPv4"
        case enableIPv6 = "EnableIPv6"
        case ipam = "IPAM"
        case `internal` = "Internal"
        case attachable = "Attachable"
        case ingress = "Ingress"
        case configOnly = "ConfigOnly"
        case configFrom = "ConfigFrom"
        case options = "Options"
        case labels = "Labels"
    }
}

/// The answer to the creation of a network.
package struct NetworkCreateResponse: WireObject {
    /// The network's id.
    @Always package var id: String = ""
    /// What the user should know.
    @Always package var warning: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case id = "Id"
        case warning = "Warning"
    }
}

/// The body of `POST /networks/{id}/connect`.
package struct NetworkConnectRequest: WireObject {
    /// The container by name or id.
    @Always package var container: String = ""
    /// What it wants to be on the network.
    @OmittedIfEmpty package var endpointConfig: EndpointSettings? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case container = "Container"
        case endpointConfig = "EndpointConfig"
    }
}

/// The body of `POST /networks/{id}/disconnect`.
package struct NetworkDisconnectRequest: WireObject {
    /// The container by name or id.
    @Always package var container: String = ""
    /// Whether what is left of a container that is gone is disconnected.
    @Always package var force: Bool = false

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case container = "Container"
        case force = "Force"
    }
}

/// The answer of `POST /networks/prune`.
package struct NetworksPruneReport: WireObject {
    /// Names of the networks that were removed; nil for none.
    @Always package var networksDeleted: [String]? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case networksDeleted = "NetworksDeleted"
    }
}
