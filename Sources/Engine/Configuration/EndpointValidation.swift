import Addresses

extension ContainerConfiguration {
    /// Checks what the container wants of networks; throws with Docker's texts, all that is wrong at once.
    func validateEndpoints() throws(EngineError) {
        var errors: [String] = []
        for (name, endpoint) in endpoints.sorted(by: { $0.key < $1.key }) {
            let reasons = endpoint.refusals(onUserDefined: NetworkMode.isUserDefined(name))
            if reasons.isEmpty { continue }
            errors.append("invalid config for network \(name): invalid endpoint settings:\n" + Self.joined(reasons))
        }
        if !errors.isEmpty { throw .invalid(Self.joined(errors)) }
        if case .container = host.networkMode {
            if macAddress != nil { throw .invalid("conflicting options: mac-address and the network mode") }
            if endpoints.values.contains(where: { $0 != NetworkEndpoint() }) {
                throw .invalid(
                    "container sharing network namespace with another container or host cannot be connected to any "
                        + "other network"
                )
            }
        }
        for name in endpoints.keys.sorted() where NetworkMode.isUserDefined(name) {
            throw .invalid("network \(name) not found")
        }
    }

    /// As Docker writes several errors into one.
    private static func joined(_ errors: [String]) -> String {
        if errors.count == 1 { return errors[0] }
        return "* " + errors.map { $0.split(separator: "\n").joined(separator: "\n\t") }.joined(separator: "\n* ")
    }

    /// What was asked of networks and has no effect, because there is only a loopback interface on them.
    func endpointWarnings() -> [String] {
        var warnings: [String] = []
        for (name, endpoint) in endpoints.sorted(by: { $0.key < $1.key }) {
            func warn(_ what: String) {
                warnings.append("\(what) discarded: network \(name) has a loopback interface only in this version.")
            }
            if let address = endpoint.macAddress { warn("MAC address \(address.text)") }
            if !endpoint.driverOptions.isEmpty {
                warn("Driver options \(endpoint.driverOptions.keys.sorted().joined(separator: ", "))")
            }
            if !endpoint.links.isEmpty { warn("Links \(endpoint.links.joined(separator: ", "))") }
            if !endpoint.linkLocal.isEmpty {
                warn("Link-local addresses \(endpoint.linkLocal.map(\.description).joined(separator: ", "))")
            }
        }
        return warnings
    }
}

extension NetworkEndpoint {
    /// Why the settings cannot be had, in Docker's words.
    fileprivate func refusals(onUserDefined isUserDefined: Bool) -> [String] {
        var reasons: [String] = []
        if !isUserDefined {
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
