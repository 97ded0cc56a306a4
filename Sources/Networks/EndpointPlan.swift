import Addresses
import Text

extension NetworkEntry {
    /// Makes an endpoint out of what a container wants: checks it, and takes addresses, which the caller releases with
    /// `forget` where it cannot go on.
    ///
    /// - Parameter names: interfaces that the container has already.
    mutating func plan(
        _ request: EndpointRequest, for sandbox: SandboxRequest, besides names: [String]
    ) throws(NetworksError) -> Endpoint {
        if isBeingRemoved { throw .notFound(network.name) }
        if network.isConfigOnly { throw .forbidden("cannot create endpoint on configuration-only network") }
        if endpoints[sandbox.id] != nil {
            throw .forbidden("endpoint with name \(sandbox.name) already exists in network \(network.name)")
        }
        if network.driver == .cni { try PluginNetwork.check(request) } else { try check(request) }
        let interfaceName = try interfaceName(request, besides: names)
        if case .bridge = network.settings, endpoints.count >= BridgeLink.portLimit {
            throw NetworksError(
                .exhausted,
                "network \(network.name) has \(endpoints.count) containers, which is as many as a bridge of the kernel "
                    + "takes; put this one on another network")
        }
        var taken: [IPAddress] = []
        do throws(NetworksError) {
            let endpoint = try endpoint(request, sandbox, interfaceName, taken: &taken)
            endpoints[sandbox.id] = endpoint
            return endpoint
        } catch {
            for address in taken { release(address) }
            throw error
        }
    }

    private mutating func endpoint(
        _ request: EndpointRequest, _ sandbox: SandboxRequest, _ interfaceName: String, taken: inout [IPAddress]
    ) throws(NetworksError) -> Endpoint {
        var interfaces: [IPAddress.Family: (interface: IPInterface, gateway: IPAddress?)] = [:]
        for family in IPAddress.Family.allCases where network.pool(family) != nil {
            let leased = try lease(family, wanted: family == .ipv4 ? request.ipv4 : request.ipv6)
            taken.append(leased.interface.address)
            interfaces[family] = leased
        }
        let (v4, v6) = (interfaces[.ipv4], interfaces[.ipv6])
        let first = (v4 ?? v6)?.interface.address
        return Endpoint(
            id: RandomIdentifier.make(), networkID: network.id, networkName: network.name, sandbox: sandbox.id,
            sandboxName: sandbox.name, ipv4: v4?.interface, ipv6: v6?.interface, ipv4Gateway: gateway(v4?.gateway),
            ipv6Gateway: gateway(v6?.gateway), linkLocal: request.linkLocal,
            macAddress: request.macAddress ?? first.map { MACAddress(derivedFrom: $0) },
            dnsNames: dnsNames(request, sandbox), aliases: request.aliases, interfaceName: interfaceName,
            driverOptions: request.driverOptions, gatewayPriority: request.gatewayPriority, links: request.links)
    }

    /// On a network without a way out nobody forwards.
    private func gateway(_ gateway: IPAddress?) -> IPAddress? { network.isInternal ? nil : gateway }

    /// All names of the container on this network, each once.
    private func dnsNames(_ request: EndpointRequest, _ sandbox: SandboxRequest) -> [String] {
        guard network.hasNames else { return [] }
        var names: [String] = []
        for name in [sandbox.name] + request.aliases + [RandomIdentifier.short(sandbox.id), sandbox.hostname]
        where !name.isEmpty && !names.contains(name) {
            names.append(name)
        }
        return names
    }

    /// What Docker refuses of an endpoint, all of it at once.
    private func check(_ request: EndpointRequest) throws(NetworksError) {
        var reasons: [String] = []
        if !network.hasNames {
            if request.ipv4 != nil || request.ipv6 != nil {
                reasons.append("user specified IP address is supported on user defined networks only")
            }
            if !request.aliases.isEmpty {
                reasons.append("network-scoped aliases are only supported for user-defined networks")
            }
        }
        if let address = request.ipv4, address.isIPv6 || address.isUnspecified {
            reasons.append("invalid IPv4 address: \(address)")
        }
        if let address = request.ipv6, !address.isIPv6 || address.isUnspecified {
            reasons.append("invalid IPv6 address: \(address)")
        }
        for address in request.linkLocal where address.isUnspecified {
            reasons.append("invalid link-local IP address: \(address)")
        }
        for address in [request.ipv4, request.ipv6].compactMap(\.self)
        where network.hasNames && !network.pools.contains(where: { $0.subnet.contains(address) }) {
            reasons.append("no configured subnet contains IP address \(address)")
        }
        reasons += EndpointSysctl.refusals(request.driverOptions)
        if !reasons.isEmpty { throw .invalid("invalid endpoint settings:\n" + NetworksError.joined(reasons)) }
        if network.driver == .ipvlan, request.macAddress != nil {
            throw .invalid("ipvlan interfaces do not support custom mac address assignment")
        }
    }

    /// What the interface is called inside: as asked for, or with the lowest free number.
    private func interfaceName(
        _ request: EndpointRequest, besides names: [String]
    ) throws(NetworksError) -> String {
        if let name = request.driverOptions["com.docker.network.endpoint.ifname"], !name.isEmpty {
            try InterfaceName.check(name)
            if names.contains(name) {
                throw .invalid("invalid interface name \"\(name)\": the container has one of that name")
            }
            return name
        }
        var prefix = "eth"
        if case .bridge(let bridge) = network.settings { prefix = bridge.containerInterfacePrefix }
        var number = 0
        while names.contains("\(prefix)\(number)") { number += 1 }
        let name = "\(prefix)\(number)"
        try InterfaceName.check(name)
        return name
    }
}

/// Kernel parameters of one interface, as an endpoint's options name them:
/// `net.ipv4.conf.IFNAME.log_martians=1,…`.
struct EndpointSysctl: Hashable, Sendable {
    /// Below `net`, with slashes.
    let path: String
    let value: String

    private static let option = "com.docker.network.endpoint.sysctls"

    /// All of an endpoint whose interface has this name.
    static func all(_ options: [String: String], interface: String) -> [EndpointSysctl] {
        texts(options).compactMap { text in
            let sides = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let parts = sides[0].split(separator: ".", maxSplits: 4, omittingEmptySubsequences: false)
            guard sides.count == 2, parts.count == 5 else { return nil }
            return EndpointSysctl(
                path: "\(parts[1])/\(parts[2])/\(interface)/"
                    + parts[4].split(separator: ".").joined(separator: "/"), value: String(sides[1]))
        }
    }

    /// What is wrong with them, in Docker's words.
    static func refusals(_ options: [String: String]) -> [String] {
        texts(options).compactMap { text in
            let parts = text.split(separator: ".", maxSplits: 4, omittingEmptySubsequences: false)
            let isKnown =
                parts.count == 5 && ["ipv4", "ipv6", "mpls"].contains(parts[1])
                && ["IFNAME", "ifname"].contains(parts[3]) && !text.contains("/") && parts[4].contains("=")
            if isKnown { return nil }
            return "unrecognised network interface sysctl '\(text)'; represent 'net.X.Y.ethN.Z=V' as "
                + "'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'"
        }
    }

    private static func texts(_ options: [String: String]) -> [Substring] {
        (options[option] ?? "").split(separator: ",")
    }
}
