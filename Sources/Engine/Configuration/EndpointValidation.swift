import Addresses
import Networks

extension ContainerConfiguration {
    /// Checks what the container wants of networks; throws with Docker's texts, all that is wrong at once.
    ///
    /// - Parameter networks: those that there are. One that is not there may come before the container is started.
    func validateEndpoints(on networks: [Network]) throws(EngineError) {
        var errors: [String] = []
        for (name, endpoint) in endpoints.sorted(by: { $0.key < $1.key }) {
            let network = networks.first { $0.name == name || $0.id == name }
            let reasons = endpoint.refusals(on: network, named: name)
            if reasons.isEmpty { continue }
            errors.append(
                "invalid config for network \(name): invalid endpoint settings:\n" + NetworkEndpoint.joined(reasons))
        }
        if !errors.isEmpty { throw .invalid(NetworkEndpoint.joined(errors)) }
        if case .container = host.networkMode {
            if macAddress != nil { throw .invalid("conflicting options: mac-address and the network mode") }
            if endpoints.values.contains(where: { $0 != NetworkEndpoint() }) {
                throw .invalid(
                    "container sharing network namespace with another container or host cannot be connected to any "
                        + "other network"
                )
            }
        }
        let names = networkNames
        try NetworkEndpoint.checkPlugins(names)
        if names.count > 1, names.contains("host") || names.contains("none") {
            throw .invalid("conflicting options: cannot attach both user-defined and non-user-defined network-modes")
        }
    }
}

extension NetworkEndpoint {
    /// Throws for a network of plugins that is not the only one.
    static func checkPlugins(_ networks: [String]) throws(EngineError) {
        if networks.count > 1, networks.contains(where: { PluginNetwork.name(in: $0) != nil }) {
            throw EngineError(PluginNetwork.notAlone)
        }
    }

    /// Throws Docker's text for what cannot be had on a network.
    func validate(on network: Network, named name: String) throws(EngineError) {
        let reasons = refusals(on: network, named: name)
        if !reasons.isEmpty { throw .invalid("invalid endpoint settings:\n" + Self.joined(reasons)) }
    }

    /// As Docker writes several errors into one.
    fileprivate static func joined(_ errors: [String]) -> String {
        if errors.count == 1 { return errors[0] }
        return "* " + errors.map { $0.split(separator: "\n").joined(separator: "\n\t") }.joined(separator: "\n* ")
    }

    /// Why the settings cannot be had, in Docker's words.
    fileprivate func refusals(on network: Network?, named name: String) -> [String] {
        var reasons: [String] = []
        if !NetworkMode.isUserDefined(network?.name ?? name) {
            if ipv4 != nil || ipv6 != nil {
                reasons.append("user specified IP address is supported on user defined networks only")
            }
            if !aliases.isEmpty {
                reasons.append("network-scoped aliases are only supported for user-defined networks")
            }
        }
        if let ipv4, ipv4.isIPv6 || ipv4.isUnspecified { reasons.append("invalid IPv4 address: \(ipv4)") }
        if let ipv6, !ipv6.isIPv6 || ipv6.isUnspecified { reasons.append("invalid IPv6 address: \(ipv6)") }
        for address in linkLocal where address.isUnspecified {
            reasons.append("invalid link-local IP address: \(address)")
        }
        if let network, network.driver != .cni, NetworkMode.isUserDefined(network.name) {
            reasons += refusals(inPoolsOf: network)
        }
        for sysctl in (driverOptions[Self.sysctlOption] ?? "").split(separator: ",") {
            let parts = sysctl.split(separator: ".", maxSplits: 4, omittingEmptySubsequences: false)
            let isInterface =
                parts.count == 5 && ["ipv4", "ipv6", "mpls"].contains(parts[1]) && parts[3].lowercased() == "ifname"
            if !isInterface {
                reasons.append(
                    "unrecognised network interface sysctl '\(sysctl)'; represent 'net.X.Y.ethN.Z=V' as "
                        + "'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'"
                )
            }
        }
        return reasons
    }

    /// Addresses can be chosen only where somebody has chosen the subnet.
    private func refusals(inPoolsOf network: Network) -> [String] {
        [ipv4, ipv6].compactMap { $0 }.compactMap { address in
            let subnets = network.requestedPools.compactMap(\.subnet?.subnet).filter { $0.family == address.family }
            if subnets.contains(where: { $0.contains(address) }) { return nil }
            if subnets.isEmpty {
                return "user specified IP address is supported only when connecting to networks with user configured "
                    + "subnets"
            }
            return "no configured subnet contains IP address \(address)"
        }
    }

    /// The driver option that carries kernel parameters of an endpoint's interface.
    package static let sysctlOption = "com.docker.network.endpoint.sysctls"
}

extension NetworkMode {
    /// Whether a network of this name is one that somebody made.
    package static func isUserDefined(_ name: String) -> Bool {
        !["bridge", "default", "host", "none"].contains(name) && !name.hasPrefix("container:")
    }

    /// Whether the container has a place on a network that others can be on, too.
    package var hasEndpoint: Bool {
        switch self {
        case .default, .network: true
        case .none, .host, .container: false
        }
    }

    /// Whether the network namespace is the container's own.
    package var hasOwnNamespace: Bool {
        switch self {
        case .default, .none, .network: true
        case .host, .container: false
        }
    }
}
