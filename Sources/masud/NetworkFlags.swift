import Addresses
import Flags
import Networks
import PublishedPorts
import SystemPackage

/// The flags about networks: `dockerd`'s, by its names.
enum NetworkFlags {
    static let bridge = Flag.string(
        "bridge", short: "b",
        "Bridge of the default network (default: \(NetworksConfiguration.DefaultBridge.ownInterface), which masud "
            + "makes); \"none\" disables that network")
    static let bip = Flag<IPInterface?>.optional(
        "bip", type: "cidr", "IPv4 address and subnet of the default bridge", parse: interface)
    static let bip6 = Flag<IPInterface?>.optional(
        "bip6", type: "cidr", "IPv6 address and subnet of the default bridge", parse: interface)
    static let fixedCIDR = Flag<IPSubnet?>.optional(
        "fixed-cidr", type: "cidr", "Part of the default bridge's IPv4 subnet that containers get addresses of",
        parse: subnet)
    static let fixedCIDR6 = Flag<IPSubnet?>.optional(
        "fixed-cidr-v6", type: "cidr", "The same for IPv6", parse: subnet)
    static let gateway = Flag<IPAddress?>.optional(
        "default-gateway", type: "ip", "IPv4 gateway of containers on the default bridge", parse: address)
    static let gateway6 = Flag<IPAddress?>.optional(
        "default-gateway-v6", type: "ip", "IPv6 gateway of containers on the default bridge", parse: address)
    static let mtu = Flag.integer("mtu", "MTU of the default bridge (default: that of the host's default route)")
    static let communication = Flag.boolean(
        "icc", "Let containers on the default bridge reach each other", default: true)
    static let hostAddress = Flag<IPAddress?>.optional(
        "ip", type: "ip", "Address of the host where ports are published that name none", parse: address)
    static let forwarding = Flag.boolean("ip-forward", "Switch on the host's forwarding of packets", default: true)
    static let masquerading = Flag.boolean(
        "ip-masq", "Give packets that leave the default bridge the host's address", default: true)
    static let ipv6 = Flag.boolean("ipv6", "Give the default bridge IPv6")
    static let pools = Flag<[PoolSource]>.values(
        "default-address-pool", type: "pool", "Block that networks get their subnets of: base=10.0.0.0/8,size=24",
        parse: pool)
    static let options = Flag<[NetworkDriverOption]>.values(
        "default-network-opt", type: "option", "Option of new networks: driver=name=value",
        parse: NetworkDriverOption.init)
    static let hostGateways = Flag<[IPAddress]>.values(
        "host-gateway-ip", type: "ip", "What host-gateway in --add-host means (default: the default bridge's address)",
        parse: address)

    static let linkEnvironment = Flag.boolean(
        "link-environment",
        "Give containers the variables of old about those that they are linked to (ALIAS_PORT_80_TCP_ADDR, ALIAS_ENV_…)"
    )

    static let firewall = Flag.choice(
        "firewall",
        "Which of the host's chains says who may reach published ports: nat (forward), input, or auto (as it suits)",
        among: ["nat", "input", "auto"], default: "auto")

    static let pluginConfigurations = Flag.string(
        "cni-conf-dir", "Directory of the files that define CNI networks (--network cni:NAME)",
        default: "/etc/cni/net.d")
    static let pluginDirectories = Flag.list(
        "cni-bin-dir", "Directory of CNI plugins (default: /usr/lib/cni, then /opt/cni/bin)", check: directory)

    static let all: [any DaemonFlag] = [
        pluginConfigurations, pluginDirectories,
        firewall, bridge, bip, bip6, fixedCIDR, fixedCIDR6, gateway, gateway6, mtu, communication, hostAddress,
        forwarding,
        masquerading, ipv6, pools, options, hostGateways, linkEnvironment,
    ]

    private static func directory(_ text: String) throws(InvalidFlagValue) {
        // Plugins get all of them in one variable.
        guard text.hasPrefix("/"), !text.contains(":") else {
            throw InvalidFlagValue("a directory of plugins is an absolute path without a colon, not \"\(text)\"")
        }
    }

    private static func address(_ text: String) throws(InvalidFlagValue) -> IPAddress {
        guard let address = IPAddress(text) else {
            throw InvalidFlagValue("IP address is not correctly formatted: \(text)")
        }
        return address
    }

    private static func interface(_ text: String) throws(InvalidFlagValue) -> IPInterface {
        guard let interface = IPInterface(text) else { throw InvalidFlagValue("invalid CIDR address: \(text)") }
        return interface
    }

    private static func subnet(_ text: String) throws(InvalidFlagValue) -> IPSubnet {
        guard let subnet = IPSubnet(text) else { throw InvalidFlagValue("invalid CIDR address: \(text)") }
        return subnet
    }

    private static func pool(_ text: String) throws(InvalidFlagValue) -> PoolSource {
        var base: IPSubnet?
        var size: Int?
        for field in text.split(separator: ",") {
            let option: NamedOption
            do { option = try NamedOption(String(field)) } catch {
                throw InvalidFlagValue("invalid default address pool \"\(text)\": must be base=…,size=…")
            }
            switch option.name {
            case "base": base = try subnet(option.value)
            case "size": size = Int(option.value)
            default: throw InvalidFlagValue("unexpected key '\(option.name)' in '\(field)'")
            }
        }
        guard let base, let size else {
            throw InvalidFlagValue("invalid default address pool \"\(text)\": must be base=…,size=…")
        }
        do throws(NetworksError) { return try PoolSource(base, size: size) } catch {
            throw InvalidFlagValue("invalid default address pool \"\(text)\": \(error.message)")
        }
    }
}

/// `driver=name=value` of `--default-network-opt`.
struct NetworkDriverOption: Sendable {
    let driver: String
    let name: String
    let value: String

    init(_ text: String) throws(InvalidFlagValue) {
        let outer = try NamedOption(text)
        let inner = try NamedOption(outer.value)
        driver = outer.name
        name = inner.name
        value = inner.value
    }
}

extension DaemonConfiguration {
    /// What the networks need to know.
    ///
    /// - Parameter machine: what tells this machine from others.
    func networks(machine: String) -> NetworksConfiguration {
        let interface = flags[NetworkFlags.bridge]
        let bridge = NetworksConfiguration.DefaultBridge(
            isEnabled: interface != "none",
            interfaceName: interface.isEmpty ? NetworksConfiguration.DefaultBridge.ownInterface : interface,
            ipv4: flags[NetworkFlags.bip], ipv6: flags[NetworkFlags.bip6], ipv4Range: flags[NetworkFlags.fixedCIDR],
            ipv6Range: flags[NetworkFlags.fixedCIDR6], ipv4Gateway: flags[NetworkFlags.gateway],
            ipv6Gateway: flags[NetworkFlags.gateway6], hasIPv6: flags[NetworkFlags.ipv6],
            mtu: flags[NetworkFlags.mtu] == 0 ? nil : flags[NetworkFlags.mtu],
            allowsContainerTraffic: flags[NetworkFlags.communication],
            masquerades: flags[NetworkFlags.masquerading], hostBinding: flags[NetworkFlags.hostAddress])
        let pools = flags[NetworkFlags.pools]
        var options: [String: [String: String]] = [:]
        for option in flags[NetworkFlags.options] { options[option.driver, default: [:]][option.name] = option.value }
        var networks = NetworksConfiguration(
            execRoot: execRoot, defaultBridge: bridge, addressPools: pools.isEmpty ? PoolSource.defaults : pools,
            defaultOptions: options, enablesForwarding: flags[NetworkFlags.forwarding], machineIdentifier: machine,
            firewallMode: FirewallMode(rawValue: flags[NetworkFlags.firewall]))
        networks.pluginConfigurations = FilePath(flags[NetworkFlags.pluginConfigurations])
        let directories = flags[NetworkFlags.pluginDirectories]
        if !directories.isEmpty { networks.pluginDirectories = directories.map { FilePath($0) } }
        return networks
    }

    /// Throws for options that contradict each other.
    func validateNetworks() throws {
        let interface = flags[NetworkFlags.bridge]
        let isOwn = interface.isEmpty || interface == NetworksConfiguration.DefaultBridge.ownInterface
        if !isOwn, flags[NetworkFlags.bip] != nil || flags[NetworkFlags.bip6] != nil {
            throw ConfigurationError("you specified -b & --bip, mutually exclusive options. Please specify only one")
        }
        guard flags[NetworkFlags.pluginConfigurations].hasPrefix("/") else {
            throw ConfigurationError(
                "--cni-conf-dir must be an absolute path, not \"\(flags[NetworkFlags.pluginConfigurations])\"")
        }
        guard (0...65535).contains(flags[NetworkFlags.mtu]),
            flags[NetworkFlags.mtu] == 0 || flags[NetworkFlags.mtu] >= 68
        else { throw ConfigurationError("invalid default MTU: \(flags[NetworkFlags.mtu])") }
        for (name, flag) in [("default-gateway", NetworkFlags.gateway), ("default-gateway-v6", NetworkFlags.gateway6)] {
            let isWrong = flags[flag].map { $0.isIPv6 != name.hasSuffix("v6") } ?? false
            if isWrong { throw ConfigurationError("--\(name): the address is of the other family") }
        }
    }
}
