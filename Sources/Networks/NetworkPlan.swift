import Addresses
import Text

/// A network to be made, as a value that cannot be wrong: all that Docker's texts may get wrong has been refused.
package struct NetworkPlan: Hashable, Sendable {
    let id: String
    let name: String
    /// What is to make it.
    package let driver: NetworkDriver
    /// The user's own notes.
    package let labels: [String: String]
    /// With the daemon's defaults.
    package let options: [String: String]
    /// Whether it has no way out.
    package let isInternal: Bool
    let isAttachable: Bool
    /// Whether it has IPv4 addresses.
    package let hasIPv4: Bool
    /// Whether it has IPv6 addresses.
    package let hasIPv6: Bool
    let isConfigOnly: Bool
    /// The configuration that it is made from.
    package let configFrom: String?
    let addressing: AddressingRequest
    /// The options that the driver knows.
    package let settings: DriverSettings

    /// Checks what was asked for, in Docker's order, so that of several mistakes the same one is told.
    ///
    /// - Parameters:
    ///   - id: the id that the network is to have.
    ///   - defaults: options by drivers that hold where the request says nothing (`default-network-opts`).
    ///   - existing: finds a network by its name.
    package init(
        _ request: NetworkRequest, id: String, defaults: [String: [String: String]],
        existing: (String) -> Network?
    ) throws(NetworksError) {
        let text = request
        if Network.isPredefined(text.name) { throw .predefined(text.name) }
        let driverName = text.driver.isEmpty ? NetworkDriver.bridge.rawValue : text.driver
        if driverName == "overlay" {
            throw .forbidden(
                #"This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this "#
                    + "node to swarm and try again.")
        }
        var options = text.options
        if text.configFrom == nil { options.merge(defaults[driverName] ?? [:]) { own, _ in own } }
        let hasIPv4 = try Self.flag(text.enablesIPv4, "com.docker.network.enable_ipv4", &options) ?? true
        let hasIPv6 = try Self.flag(text.enablesIPv6, "com.docker.network.enable_ipv6", &options) ?? false
        try Self.check(text.addressing.pools, hasIPv6: hasIPv6)
        if text.name.allSatisfy(\.isWhitespace) { throw .invalid("invalid name: name is empty") }
        if PluginNetwork.name(in: text.name) != nil {
            throw .invalid(
                "invalid name: \"\(text.name)\" means a network of CNI, which a file in the directory of "
                    + "--cni-conf-dir defines")
        }
        if existing(text.name) != nil { throw .exists(text.name) }
        try Self.checkConfiguration(text, driverName, options, hasIPv4: hasIPv4, hasIPv6: hasIPv6)
        self.id = id
        name = text.name
        isInternal = text.isInternal
        isAttachable = text.isAttachable
        isConfigOnly = text.isConfigOnly
        if text.isConfigOnly {
            self.driver = .none
            labels = text.labels
            self.options = options
            self.hasIPv4 = hasIPv4
            self.hasIPv6 = hasIPv6
            configFrom = nil
            addressing = text.addressing
            settings = .none
            return
        }
        guard let driver = NetworkDriver(rawValue: driverName) else {
            throw NetworksError(
                .notFound, "could not find plugin \(driverName) in v1 plugin registry: plugin not found")
        }
        if text.isIngress { throw .forbidden("Ingress network can only be global scope network") }
        if !["", "local"].contains(text.scope) {
            throw .forbidden("cannot create a swarm scoped network when swarm is not active")
        }
        configFrom = text.configFrom
        self.driver = driver
        if let from = text.configFrom {
            guard let source = existing(from), source.isConfigOnly else {
                throw NetworksError(.notFound, "configuration network \"\(from)\" does not exist")
            }
            (labels, self.options) = (source.labels, source.options)
            (self.hasIPv4, self.hasIPv6) = (source.hasIPv4, source.hasIPv6)
            addressing = AddressingRequest(
                driver: source.addressingDriver, options: source.addressingOptions, pools: source.requestedPools)
        } else {
            (labels, self.options) = (text.labels, options)
            (self.hasIPv4, self.hasIPv6) = (hasIPv4, hasIPv6)
            addressing = text.addressing
        }
        settings = try Self.settings(driver, self.options, id: id, isInternal: text.isInternal)
        try checkAddressing()
    }

    /// The network `bridge`, which the configuration makes, and no request.
    init(
        id: String, name: String, options: [String: String], hasIPv6: Bool, addressing: AddressingRequest,
        settings: DriverSettings
    ) {
        self.id = id
        self.name = name
        driver = .bridge
        labels = [:]
        self.options = options
        isInternal = false
        isAttachable = false
        hasIPv4 = true
        self.hasIPv6 = hasIPv6
        isConfigOnly = false
        configFrom = nil
        self.addressing = addressing
        self.settings = settings
    }

    private static func settings(
        _ driver: NetworkDriver, _ options: [String: String], id: String, isInternal: Bool
    ) throws(NetworksError) -> DriverSettings {
        switch driver {
        case .bridge: .bridge(try BridgeSettings(options: options, id: id, isInternal: isInternal))
        case .macvlan, .ipvlan: .virtual(try VirtualInterfaceSettings(driver, options: options, id: id))
        // There is one network of each, and every daemon has it.
        case .cni:
            throw .forbidden(
                "networks of the driver cni are not created: they are defined by files in the directory of "
                    + "--cni-conf-dir")
        case .host, .none: throw .forbidden("only one instance of \"\(driver.rawValue)\" network is allowed")
        }
    }

    /// A choice of the request's own, or of the options; the former takes the latter's place.
    private static func flag(
        _ choice: Bool?, _ option: String, _ options: inout [String: String]
    ) throws(NetworksError) -> Bool? {
        if let choice {
            options[option] = nil
            return choice
        }
        guard let text = options[option] else { return nil }
        guard let value = GoBoolean.parse(text) else { throw .invalid("driver-opt \"\(option)\" is not a valid bool") }
        return value
    }

    private static func checkConfiguration(
        _ request: NetworkRequest, _ driver: String, _ options: [String: String], hasIPv4: Bool, hasIPv6: Bool
    ) throws(NetworksError) {
        let addressing = request.addressing
        if request.isConfigOnly,
            request.isIngress || request.isInternal || request.isAttachable || !request.scope.isEmpty
        {
            throw .forbidden(
                "configuration network can only contain network specific fields. Network operator fields like "
                    + "[ ingress | internal | attachable | scope ] are not supported.")
        }
        if request.configFrom == nil { return }
        if request.isConfigOnly {
            throw .forbidden("a configuration network cannot depend on another configuration network")
        }
        if !["", "default"].contains(addressing.driver) || !hasIPv4 || hasIPv6 || !request.labels.isEmpty
            || !addressing.options.isEmpty || !addressing.pools.isEmpty
        {
            throw .forbidden(
                "user-specified configurations are not supported if the network depends on a configuration network")
        }
        if !options.isEmpty {
            throw .forbidden(
                "network driver options are not supported if the network depends on a configuration network")
        }
    }

    /// What a driver can do with what was asked for.
    private func checkAddressing() throws(NetworksError) {
        if !["", "default", "null"].contains(addressing.driver) {
            throw NetworksError(
                .notFound, "could not find plugin \(addressing.driver) in v1 plugin registry: plugin not found")
        }
        if driver == .bridge, !hasIPv4, !hasIPv6 { throw .invalid("IPv4 or IPv6 must be enabled") }
        for family in IPAddress.Family.allCases where driver == .bridge && has(family) {
            if addressing.driver == "null" { throw .invalid("ipv\(family.rawValue) pool is empty") }
            if pools(family).count > 1 { throw .forbidden("bridge driver doesn't support multiple subnets") }
        }
        if hasIPv6 {
            for pool in pools(.ipv6) { try Self.checkIPv6(pool) }
        }
    }

    private static func checkIPv6(_ pool: PoolRequest) throws(NetworksError) {
        guard let subnet = pool.subnet?.subnet, let linkLocal = IPSubnet("fe80::/64") else { return }
        if subnet.address.isMulticast { throw .invalid("multicast subnet '\(subnet)' is not allowed") }
        if subnet != linkLocal, subnet.overlaps(linkLocal), !subnet.address.isUnspecified {
            throw .invalid("'\(subnet)' clashes with the Link-Local prefix 'fe80::/64'")
        }
    }

    /// Whether the network has addresses of a family.
    package func has(_ family: IPAddress.Family) -> Bool { family == .ipv4 ? hasIPv4 : hasIPv6 }

    /// What was asked for of a family.
    package func pools(_ family: IPAddress.Family) -> [PoolRequest] { addressing.pools.filter { $0.family == family } }
}

// MARK: Pools

extension NetworkPlan {
    /// Checks what was asked of pools; all that is wrong is told at once.
    package static func check(_ pools: [PoolRequest], hasIPv6: Bool) throws(NetworksError) {
        var reasons: [String] = []
        for pool in pools where hasIPv6 || pool.family == .ipv4 {
            guard let subnet = pool.subnet else {
                if pool.range != nil || pool.gateway != nil || !pool.auxiliary.isEmpty {
                    reasons.append("invalid subnet: a range, a gateway or an auxiliary address needs one")
                }
                continue
            }
            if subnet.address != subnet.subnet.address {
                reasons.append("invalid subnet \(subnet): it should be \(subnet.subnet)")
            }
            if let range = pool.range { reasons += refusals(range, subnet) }
            if let gateway = pool.gateway, let reason = refusal(gateway, subnet) {
                reasons.append("invalid gateway \(gateway): \(reason)")
            }
            for (name, address) in pool.auxiliary.sorted(by: { $0.key < $1.key }) {
                if let reason = refusal(address, subnet) {
                    reasons.append("invalid auxiliary address \(name): \(reason)")
                }
            }
        }
        if !reasons.isEmpty { throw .invalid("invalid network config:\n" + NetworksError.joined(reasons)) }
    }

    private static func refusals(_ range: IPInterface, _ subnet: IPInterface) -> [String] {
        let family = subnet.address.family
        if range.address.family != family {
            return ["invalid ip-range \(range): parent subnet is an IPv\(family.rawValue) block"]
        }
        var reasons: [String] = []
        if range.subnet.prefixLength < subnet.subnet.prefixLength {
            reasons.append("invalid ip-range \(range): CIDR block is bigger than its parent subnet \(subnet)")
        }
        if range.address != range.subnet.address {
            reasons.append("invalid ip-range \(range): it should be \(range.subnet)")
        }
        if !subnet.subnet.overlaps(range.subnet) {
            reasons.append("invalid ip-range \(range): parent subnet \(subnet) doesn't contain ip-range")
        }
        return reasons
    }

    private static func refusal(_ address: IPAddress, _ subnet: IPInterface) -> String? {
        let family = subnet.address.family
        if address.family != family { return "parent subnet is an IPv\(family.rawValue) block" }
        return subnet.subnet.contains(address) ? nil : "parent subnet \(subnet) doesn't contain this address"
    }
}
