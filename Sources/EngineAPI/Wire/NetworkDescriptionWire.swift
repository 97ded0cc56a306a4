import Addresses
import Engine
import EngineAPIModel
import Networks
import OCISpec

extension NetworkRequest {
    /// What a request for a network asks for.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words, all wrong addresses at once.
    package init(_ wire: NetworkCreateRequest, version: APIVersion) throws {
        self.init(name: wire.name, driver: wire.driver)
        labels = wire.labels ?? [:]
        options = wire.options ?? [:]
        isInternal = wire.internal
        isAttachable = wire.attachable
        isIngress = wire.ingress
        // Clients before 1.48 did not know the field.
        enablesIPv4 = wire.enableIPv4
        enablesIPv6 = wire.enableIPv6
        isConfigOnly = wire.configOnly
        configFrom = wire.configFrom.flatMap { $0.network.isEmpty ? nil : $0.network }
        scope = wire.scope
        guard let ipam = wire.ipam else { return }
        addressing = AddressingRequest(driver: ipam.driver, options: ipam.options ?? [:])
        var errors: [String] = []
        for pool in ipam.config ?? [] { addressing.pools.append(PoolRequest(pool, errors: &errors)) }
        if !errors.isEmpty { throw APIError.invalid("invalid network config:\n" + errors.joined(separator: "\n")) }
    }
}

extension PoolRequest {
    fileprivate init(_ wire: NetworkPool, errors: inout [String]) {
        self.init()
        func address(_ text: String, _ complaint: String) -> IPAddress? {
            if text.isEmpty { return nil }
            guard let address = IPAddress(text) else {
                errors.append("\(complaint): invalid address")
                return nil
            }
            return address
        }
        func block(_ text: String, _ complaint: String) -> IPInterface? {
            if text.isEmpty { return nil }
            guard let block = IPInterface(text) else {
                errors.append("\(complaint): invalid CIDR block notation")
                return nil
            }
            return block
        }
        subnet = block(wire.subnet, "invalid subnet \(wire.subnet)")
        range = block(wire.ipRange, "invalid ip-range \(wire.ipRange)")
        gateway = address(wire.gateway, "invalid gateway \(wire.gateway)")
        for (name, text) in wire.auxiliaryAddresses.sorted(by: { $0.key < $1.key }) {
            auxiliary[name] = address(text, "invalid auxiliary address \(name): \(text)")
        }
    }
}

extension NetworkInspection {
    /// A row of `GET /networks`, in which the containers are left out.
    init(_ network: Network) {
        self.init()
        name = network.name
        id = network.id
        created = network.createdAt.description
        scope = "local"
        driver = network.driver.rawValue
        enableIPv4 = network.hasIPv4
        enableIPv6 = network.hasIPv6
        ipam.driver = network.addressingDriver
        ipam.options = network.addressingOptions.isEmpty && network.isPredefined ? nil : network.addressingOptions
        let pools =
            network.pools.isEmpty
            ? network.requestedPools.map(NetworkPool.init(asked:)) : network.pools.map(NetworkPool.init)
        ipam.config = pools.isEmpty ? nil : pools
        self.internal = network.isInternal
        attachable = network.isAttachable
        configFrom.network = network.configFrom ?? ""
        configOnly = network.isConfigOnly
        options = network.options
        labels = network.labels
    }

    /// What `GET /networks/{id}` answers.
    package init(_ details: NetworkDetails) {
        self.init(details.network)
        for member in details.members { containers[member.container] = NetworkContainer(member) }
        if details.usage.isEmpty { return }
        var status = NetworkStatus()
        for usage in details.usage {
            var pool = NetworkPoolStatus()
            pool.ipsInUse = Int64(clamping: usage.inUse)
            pool.dynamicIPsAvailable = Int64(clamping: usage.available)
            status.ipam.subnets[usage.subnet.description] = pool
        }
        self.status = status
    }
}

extension NetworkPool {
    fileprivate init(_ pool: AddressPool) {
        self.init()
        subnet = pool.subnet.description
        ipRange = pool.range?.description ?? ""
        gateway = pool.gateway?.description ?? ""
        auxiliaryAddresses = pool.auxiliary.mapValues(\.description)
    }

    /// Of a network that is only a configuration.
    fileprivate init(asked pool: PoolRequest) {
        self.init()
        subnet = pool.subnet?.description ?? ""
        ipRange = pool.range?.description ?? ""
        gateway = pool.gateway?.description ?? ""
        auxiliaryAddresses = pool.auxiliary.mapValues(\.description)
    }
}

extension NetworkContainer {
    fileprivate init(_ member: NetworkMember) {
        self.init()
        name = member.name
        endpointID = member.endpoint
        macAddress = member.macAddress?.description ?? ""
        ipv4Address = member.ipv4?.description ?? ""
        ipv6Address = member.ipv6?.description ?? ""
    }
}

// MARK: A container's places on networks

extension EndpointSettings {
    /// A place on a network as `inspect` and lists show it.
    ///
    /// - Parameter additions: names that clients of an old version expect among the aliases.
    package init(_ details: EndpointDetails, additions: [String] = []) {
        self.init()
        let asked = details.asked
        networkID = details.networkID
        endpointID = details.endpointID
        if asked.hasAddress {
            var addresses = EndpointIPAMConfig()
            addresses.ipv4Address = asked.ipv4?.description ?? ""
            addresses.ipv6Address = asked.ipv6?.description ?? ""
            addresses.linkLocalIPs = asked.linkLocal.map(\.description)
            ipamConfig = addresses
        }
        var names = asked.aliases
        for name in additions where !name.isEmpty && !names.contains(name) { names.append(name) }
        aliases = names.isEmpty ? nil : names
        links = asked.links.isEmpty ? nil : asked.links
        driverOpts = asked.driverOptions.isEmpty ? nil : asked.driverOptions
        gwPriority = asked.gatewayPriority
        macAddress = details.endpoint?.macAddress?.description ?? asked.macAddress?.text ?? ""
        dnsNames = details.dnsNames.isEmpty ? nil : details.dnsNames
        guard let endpoint = details.endpoint else { return }
        ipAddress = endpoint.ipv4?.address.description ?? ""
        ipPrefixLen = endpoint.ipv4?.subnet.prefixLength ?? 0
        gateway = endpoint.ipv4Gateway?.description ?? ""
        globalIPv6Address = endpoint.ipv6?.address.description ?? ""
        globalIPv6PrefixLen = endpoint.ipv6?.subnet.prefixLength ?? 0
        ipv6Gateway = endpoint.ipv6Gateway?.description ?? ""
        cniResult = endpoint.plugins?.result
    }
}

extension NetworkSettings {
    /// The networks of an inspected container.
    init(_ details: ContainerDetails, version: APIVersion) {
        self.init()
        let isRunning = details.state.isRunning && details.state.pid > 0
        sandboxKey = details.sandboxKey
        sandboxID = isRunning && !details.networks.isEmpty ? details.id : ""
        // What was to tell one container from another before there were host names for that.
        let additions =
            version < .v(45)
            ? [String(details.id.prefix(12)), details.configuration.hostname] : []
        for endpoint in details.networks {
            networks[endpoint.network] = EndpointSettings(
                endpoint, additions: NetworkMode.isUserDefined(endpoint.network) ? additions : [])
        }
        if isRunning, details.networks.contains(where: { $0.endpoint != nil }) {
            ports = PortBindings.shown(exposed: details.configuration.exposedPorts, published: details.ports)
        }
        // The fields of the time when there was one network.
        guard let bridge = networks["bridge"] else { return }
        endpointID = bridge.endpointID
        gateway = bridge.gateway
        globalIPv6Address = bridge.globalIPv6Address
        globalIPv6PrefixLen = bridge.globalIPv6PrefixLen
        ipAddress = bridge.ipAddress
        ipPrefixLen = bridge.ipPrefixLen
        ipv6Gateway = bridge.ipv6Gateway
        macAddress = bridge.macAddress
    }
}
