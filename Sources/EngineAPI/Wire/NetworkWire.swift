import Addresses
import Engine
import EngineAPIModel

extension ContainerConfiguration {
    /// Reads `NetworkingConfig` and what used to be said about the network elsewhere. The host configuration is
    /// already read.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words.
    mutating func readNetworks(
        _ wire: ContainerCreateRequest, version: APIVersion, warnings: inout [String]
    ) throws {
        let named = wire.networkingConfig.endpointsConfig ?? [:]
        if version < .v(44), named.count > 1 {
            throw APIError.invalid(
                "Container cannot be created with multiple network endpoints: "
                    + "\(named.keys.sorted().joined(separator: ", "))"
            )
        }
        for (name, endpoint) in named {
            // Clients write the network mode's name in either form.
            let network = name == "default" ? "bridge" : name
            endpoints[network] = try NetworkEndpoint(endpoint, on: network, version: version)
        }
        if !wire.config.macAddress.isEmpty {
            try readDeprecatedAddress(wire.config.macAddress, version: version, warnings: &warnings)
        }
        try migrateInterfaceSysctls(version: version, warnings: &warnings)
        // Nobody is connected to these by more than by the mode.
        for name in ["host", "none"] where endpoints[name] == NetworkEndpoint() { endpoints[name] = nil }
    }

    /// The place of the hardware address before API 1.44.
    private mutating func readDeprecatedAddress(
        _ text: String, version: APIVersion, warnings: inout [String]
    ) throws {
        guard version < .v(52) else {
            throw APIError.invalid(
                "container-wide MAC address no longer supported; use endpoint-specific MAC address instead")
        }
        let address = try Asked<MACAddress>(wire: text)
        if host.networkMode.hasEndpoint {
            let name = try mainEndpoint(version: version)
            var endpoint = endpoints[name] ?? NetworkEndpoint()
            if version >= .v(44), let own = endpoint.macAddress, own.text != text {
                throw APIError.invalid(
                    "the container-wide MAC address must match the endpoint-specific MAC address for the main network, "
                        + "or be left empty"
                )
            }
            endpoint.macAddress = address
            endpoints[name] = endpoint
        } else if version < .v(44) {
            throw APIError.invalid("conflicting options: mac-address and the network mode")
        }
        if version >= .v(44) {
            warnings.append(
                "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig "
                    + "instead."
            )
        } else {
            macAddress = address
        }
    }

    /// Kernel parameters that name an interface belong to the endpoint, which has a name only once it is connected.
    private mutating func migrateInterfaceSysctls(version: APIVersion, warnings: inout [String]) throws {
        guard host.networkMode.hasOwnNamespace else { return }
        var moved: [(name: String, option: String)] = []
        for (name, value) in host.sysctls.sorted(by: { $0.key < $1.key }) {
            let parts = name.split(separator: ".", maxSplits: 4, omittingEmptySubsequences: false)
            guard parts.count == 5, parts[0] == "net", parts[3].hasPrefix("eth") else { continue }
            let option = NetworkEndpoint.sysctlOption
            if version >= .v(48) {
                throw APIError.invalid(
                    "interface specific sysctl setting \"\(name)\" must be supplied using driver option '\(option)'")
            }
            guard parts[3] == "eth0" else {
                throw APIError.invalid(
                    "unable to determine network endpoint for sysctl \(name), use driver option '\(option)' to set "
                        + "per-interface sysctls"
                )
            }
            moved.append((name, "net.\(parts[1]).\(parts[2]).IFNAME.\(parts[4])=\(value)"))
        }
        if moved.isEmpty { return }
        let network = try mainEndpoint(version: version)
        var endpoint = endpoints[network] ?? NetworkEndpoint()
        let text = moved.map(\.option).joined(separator: ",")
        let own = endpoint.driverOptions[NetworkEndpoint.sysctlOption]
        endpoint.driverOptions[NetworkEndpoint.sysctlOption] = text + (own.map { "," + $0 } ?? "")
        endpoints[network] = endpoint
        for (name, _) in moved { host.sysctls[name] = nil }
        warnings.append(
            "Migrated sysctl \"\(moved.map(\.name).joined(separator: ","))\" to "
                + "DriverOpts{\"\(NetworkEndpoint.sysctlOption)\":\"\(text)\"}."
        )
    }

    /// The network that the network mode names.
    private func mainEndpoint(version: APIVersion) throws -> String {
        let name = host.networkMode == .default ? "bridge" : host.networkMode.description
        if endpoints.isEmpty || endpoints[name] != nil { return name }
        if version < .v(44), let only = endpoints.keys.first { return only }
        throw APIError.invalid(
            "HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks")
    }
}

extension NetworkEndpoint {
    /// What an endpoint's settings ask for.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words.
    init(_ wire: EndpointSettings, on network: String, version: APIVersion) throws {
        self.init()
        let addresses = wire.ipamConfig ?? EndpointIPAMConfig()
        func address(_ text: String, _ what: String) throws -> IPAddress? {
            if text.isEmpty { return nil }
            guard let address = IPAddress(text) else {
                throw APIError.invalid(
                    "invalid config for network \(network): invalid endpoint settings:\ninvalid \(what) address: "
                        + "\(text)"
                )
            }
            return address
        }
        ipv4 = try address(addresses.ipv4Address, "IPv4")
        ipv6 = try address(addresses.ipv6Address, "IPv6")
        linkLocal = try addresses.linkLocalIPs.compactMap { try address($0, "link-local IP") }
        aliases = wire.aliases ?? []
        links = wire.links ?? []
        // Clients before 1.44 did not mean it.
        if !wire.macAddress.isEmpty, version >= .v(44) { macAddress = try Asked<MACAddress>(wire: wire.macAddress) }
        driverOptions = wire.driverOpts ?? [:]
        gatewayPriority = wire.gwPriority
    }
}

extension Asked<MACAddress> {
    fileprivate init(wire text: String) throws {
        guard let address = MACAddress(text) else { throw APIError.invalid("invalid MAC address: \(text)") }
        self.init(address, words: text)
    }
}

extension ExtraHost {
    /// Reads `name:address` or `name=address`.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words.
    static func asked(_ text: String) throws -> Asked<ExtraHost> {
        guard let separator = text.firstIndex(of: "=") ?? text.firstIndex(of: ":"), separator != text.startIndex else {
            throw APIError.invalid("bad format for add-host: \"\(text)\"")
        }
        let name = String(text[..<separator])
        var address = String(text[text.index(after: separator)...])
        if address == "host-gateway" { return Asked(ExtraHost(name: name, address: nil), words: text) }
        if address.hasPrefix("["), address.hasSuffix("]") { address = String(address.dropFirst().dropLast()) }
        guard let address = IPAddress(address) else {
            throw APIError.invalid("invalid IP address in add-host: \"\(address)\"")
        }
        return Asked(ExtraHost(name: name, address: address), words: text)
    }
}

extension IPAddress {
    /// Reads an entry of `Dns`.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words.
    package init(server text: String) throws {
        guard let address = IPAddress(text) else {
            throw APIError.invalid("invalid IP address in DNS server: \(text)")
        }
        self = address
    }
}
