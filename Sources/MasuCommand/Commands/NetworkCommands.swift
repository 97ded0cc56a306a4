import Addresses
import EngineAPIModel
import Flags
import JSON
import Text

/// `masu network …`.
enum NetworkCommands {
    static var all: [Command] {
        [
            connect, create, disconnect, FirewallCommand.command, InspectCommands.network, list, PruneCommands.networks,
            remove,
        ]
    }

    /// The path of a network's resource.
    static func path(_ name: String, _ rest: String = "") -> String {
        "/networks/\(PercentEncoding.encode(name))\(rest)"
    }

    // MARK: create

    private static let attachable = Flag.boolean("attachable", "Enable manual container attachment")
    private static let auxAddress = Flag.list(
        "aux-address", type: "map", "Auxiliary IPv4 or IPv6 addresses used by Network driver")
    private static let configFrom = Flag.string(
        "config-from", "The network from which to copy the configuration")
    private static let configOnly = Flag.boolean("config-only", "Create a configuration only network")
    private static let driver = Flag.string("driver", short: "d", "Driver to manage the Network", default: "bridge")
    private static let gateway = Flag.lists("gateway", "IPv4 or IPv6 Gateway for the master subnet") {
        (text: String) throws(InvalidFlagValue) in
        guard IPAddress(text) != nil else {
            throw InvalidFlagValue("invalid string being converted to IP address: \(text)")
        }
    }
    private static let ingress = Flag.boolean("ingress", "Create swarm routing-mesh network")
    private static let isInternal = Flag.boolean("internal", "Restrict external access to the network")
    private static let ipRange = Flag.lists("ip-range", "Allocate container ip from a sub-range") {
        (text: String) throws(InvalidFlagValue) in
        guard IPInterface(text) != nil else {
            throw InvalidFlagValue("invalid string being converted to CIDR: \(text)")
        }
    }
    private static let ipamDriver = Flag.string(
        "ipam-driver", "IP Address Management Driver", default: "default")
    private static let ipamOpt = Flag.list("ipam-opt", type: "map", "Set IPAM driver specific options")
    private static let ipv4 = Flag.boolean("ipv4", "Enable or disable IPv4 address assignment", default: true)
    private static let ipv6 = Flag.boolean("ipv6", "Enable or disable IPv6 address assignment")
    private static let label = Flag.list("label", "Set metadata on a network", check: KeyValueTexts.checkLabel)
    private static let option = Flag.list("opt", short: "o", type: "map", "Set driver specific options")
    private static let scope = Flag.string("scope", "Control the network's scope")
    private static let subnet = Flag.lists("subnet", "Subnet in CIDR format that represents a network segment")

    private static let create = Command(
        "create", operands: "NETWORK", arity: .exactly(1), "Create a network",
        examples: [
            .init("Create a network with addresses of your choice", "masu network create --subnet 10.1.0.0/24 back"),
            .init("Create a network without a way out", "masu network create --internal private"),
        ],
        flags: {
            [
                attachable, auxAddress, configFrom, configOnly, driver, gateway, ingress, isInternal, ipRange,
                ipamDriver, ipamOpt, ipv4, ipv6, label, option, scope, subnet,
            ]
        },
        action: { invocation in
            let request = try request(invocation.operands[0], invocation.flags)
            let answer = try DaemonClient(invocation).call(
                HTTPRequest("POST", "/networks/create", body: try JSON.encode(request)),
                as: NetworkCreateResponse.self)
            if !answer.warning.isEmpty { Console.complain("WARNING: \(answer.warning)") }
            try Console.print(answer.id)
            return 0
        })

    private static func request(_ name: String, _ flags: ParsedFlags) throws(CommandError) -> NetworkCreateRequest {
        var addresses = AddressPoolText()
        addresses.subnets = flags[subnet]
        addresses.ranges = flags[ipRange]
        addresses.gateways = flags[gateway]
        addresses.auxiliary = KeyValueTexts.dictionary(flags[auxAddress])
        var ipam = NetworkIPAM()
        ipam.driver = flags[ipamDriver]
        ipam.options = KeyValueTexts.dictionary(flags[ipamOpt])
        ipam.config = try addresses.pools()
        var request = NetworkCreateRequest()
        request.name = name
        request.driver = flags[driver]
        request.scope = flags[scope]
        request.enableIPv4 = flags.given(ipv4)
        request.enableIPv6 = flags.given(ipv6)
        request.ipam = ipam
        request.internal = flags[isInternal]
        request.attachable = flags[attachable]
        request.ingress = flags[ingress]
        request.configOnly = flags[configOnly]
        if let name = flags.given(configFrom), !name.isEmpty {
            request.configFrom = NetworkReference()
            request.configFrom?.network = name
        }
        request.options = KeyValueTexts.dictionary(flags[option])
        request.labels = KeyValueTexts.dictionary(flags[label])
        return request
    }

    // MARK: connect and disconnect

    private static let alias = Flag.lists("alias", "Add network-scoped alias for the container")
    private static let driverOption = Flag.lists("driver-opt", "driver options for the network")
    private static let gatewayPriority = Flag.integer(
        "gw-priority",
        "Highest gw-priority provides the default gateway. Accepts positive and negative values.")
    private static let ip = address("ip", "IPv4 address (e.g., \"172.30.100.104\")")
    private static let ip6 = address("ip6", "IPv6 address (e.g., \"2001:db8::33\")")
    private static let link = Flag.list("link", "Add link to another container", check: NetworkText.checkLink)
    private static let linkLocalIP = Flag.lists(
        "link-local-ip", "Add a link-local address for the container", check: NetworkText.checkAddress)
    private static let macAddress = Flag.string("mac-address", "MAC address for the container on this network")

    private static func address(_ name: String, _ usage: String) -> Flag<String> {
        Flag(name, type: "ip", usage, default: "") { (result: inout String, text: String) throws(InvalidFlagValue) in
            guard text.isEmpty || IPAddress(text) != nil else {
                throw InvalidFlagValue("failed to parse IP: \"\(text)\"")
            }
            result = text
        }
    }

    private static let connect = Command(
        "connect", operands: "NETWORK CONTAINER", arity: .exactly(2), "Connect a container to a network",
        examples: [
            .init("Connect a container that others find as 'db'", "masu network connect --alias db back postgres")
        ],
        flags: { [alias, driverOption, gatewayPriority, ip, ip6, link, linkLocalIP, macAddress] },
        action: { invocation in
            let flags = invocation.flags
            var settings = EndpointSettings()
            var addresses = EndpointIPAMConfig()
            addresses.ipv4Address = flags[ip]
            addresses.ipv6Address = flags[ip6]
            addresses.linkLocalIPs = flags[linkLocalIP]
            settings.ipamConfig = addresses
            settings.links = flags[link]
            settings.aliases = flags[alias]
            for option in flags[driverOption] { try settings.add(driverOption: option) }
            settings.gwPriority = flags[gatewayPriority]
            settings.macAddress = flags[macAddress]
            guard settings.macAddress.isEmpty || MACAddress(settings.macAddress) != nil else {
                throw CommandError("invalid MAC address: \"\(settings.macAddress)\"")
            }
            var request = NetworkConnectRequest()
            request.container = invocation.operands[1]
            request.endpointConfig = settings
            try DaemonClient(invocation).call(
                HTTPRequest("POST", path(invocation.operands[0], "/connect"), body: try JSON.encode(request)))
            return 0
        })

    private static let forceDisconnect = Flag.boolean(
        "force", short: "f", "Force the container to disconnect from a network")

    private static let disconnect = Command(
        "disconnect", operands: "NETWORK CONTAINER", arity: .exactly(2), "Disconnect a container from a network",
        examples: [.init("Disconnect a container", "masu network disconnect back postgres")],
        flags: { [forceDisconnect] },
        action: { invocation in
            var request = NetworkDisconnectRequest()
            request.container = invocation.operands[1]
            request.force = invocation.flags[forceDisconnect]
            try DaemonClient(invocation).call(
                HTTPRequest("POST", path(invocation.operands[0], "/disconnect"), body: try JSON.encode(request)))
            return 0
        })

    // MARK: rm and ls

    private static let forceRemoval = Flag.boolean(
        "force", short: "f", "Do not error if the network does not exist")

    private static let remove = Command(
        "rm", aliases: ["remove"], operands: "NETWORK [NETWORK...]", arity: .atLeast(1),
        "Remove one or more networks",
        examples: [.init("Remove a network", "masu network rm back")],
        spellings: ["masu network rm", "masu network remove"], flags: { [forceRemoval] },
        action: { invocation in
            let client = try DaemonClient(invocation)
            return try ContainerCommands.each(invocation.operands) { name in
                do {
                    try client.call(HTTPRequest("DELETE", path(name)))
                    return name
                } catch let error as DaemonError where error.httpStatus == 404 && invocation.flags[forceRemoval] {
                    return nil
                }
            }
        })

    private static let filter = Flag.list(
        "filter", short: "f", type: "filter", "Provide filter values (e.g. \"driver=bridge\")", check: Filters.check)
    private static let noTrunc = Flag.boolean("no-trunc", "Do not truncate the output")
    private static let quiet = Flag.boolean("quiet", short: "q", "Only display network IDs")

    private static let list = Command(
        "ls", aliases: ["list"], "List networks",
        examples: [.init("List networks that no container uses", "masu network ls --filter dangling=true")],
        spellings: ["masu network ls", "masu network list"],
        flags: { [filter, FormatFlags.list, noTrunc, quiet] },
        action: { invocation in
            let flags = invocation.flags
            let networks = try DaemonClient(invocation).call(
                HTTPRequest("GET", "/networks", query: [("filters", Filters.query(flags[filter]))]),
                as: [NetworkInspection].self)
            let rows = networks.sorted { NaturalOrder.precedes($0.name, $1.name) }
                .map { NetworkRow($0, truncates: !flags[noTrunc]).row }
            let format = FormatFlags.chosen(flags[FormatFlags.list], "networksFormat", isQuiet: flags[quiet])
            if flags[quiet], format.isEmpty || format == "table" {
                try Console.write(rows.map { ($0.values["ID"]?.string ?? "") + "\n" }.joined())
                return 0
            }
            try Console.write(NetworkRow.listing(isQuiet: flags[quiet]).rendered(rows, format: format))
            return 0
        })
}

/// A network as a row of `network ls`.
package struct NetworkRow {
    private let network: NetworkInspection
    private let truncates: Bool

    /// A row for a network, whose id may be shortened.
    package init(_ network: NetworkInspection, truncates: Bool) {
        self.network = network
        self.truncates = truncates
    }

    /// All columns there are.
    package static func listing(isQuiet: Bool = false) -> Listing {
        Listing(
            columns: [
                .init("ID", "NETWORK ID"), .init("Name", "NAME"), .init("Driver", "DRIVER"), .init("Scope", "SCOPE"),
                .init("IPv4", "IPV4"), .init("IPv6", "IPV6"), .init("Internal", "INTERNAL"),
                .init("Labels", "LABELS"), .init("CreatedAt", "CREATED AT"),
            ], defaultTable: "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
            raw: isQuiet
                ? "network_id: {{.ID}}"
                : "network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n")
    }

    /// The row; its members are in the order in which docker prints them as JSON.
    package var row: Listing.Row {
        let labels = network.labels ?? [:]
        var values = JSONObject()
        values["CreatedAt"] = .string(TimeText.goString(network.created))
        values["Driver"] = .string(network.driver)
        values["ID"] = .string(truncates ? HumanText.shortID(network.id) : network.id)
        values["IPv4"] = .string(String(network.enableIPv4))
        values["IPv6"] = .string(String(network.enableIPv6))
        values["Internal"] = .string(String(network.internal))
        values["Labels"] = .string(labels.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }.joined(separator: ","))
        values["Name"] = .string(network.name)
        values["Scope"] = .string(network.scope)
        return Listing.Row(values, labels: labels)
    }
}
