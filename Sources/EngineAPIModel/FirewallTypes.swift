/// Who may reach published ports: `GET /masu/networks/firewall`, which is Masu's own.
package struct NetworkFirewall: WireObject {
    /// `nat`: the kernel carries packets, and the host's forward chains decide; `input`: the shims do, and its input
    /// chains decide.
    @Always package var mode: String = ""
    /// Whether the daemon chose the mode because it suits the host's chains, and changes it when they change.
    @Always package var modeChosen: Bool = false
    /// For each port the senders that can be told apart.
    @Always package var ports: [FirewallEntry] = []
    /// What else may decide, and was not asked.
    @Always package var notes: [String] = []

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case mode = "Mode"
        case modeChosen = "ModeChosen"
        case ports = "Ports"
        case notes = "Notes"
    }
}

/// Whether some senders reach a published port.
package struct FirewallEntry: WireObject {
    /// The container's name.
    @Always package var container: String = ""
    /// The container's full id.
    @Always package var containerID: String = ""
    /// The host's address; `0.0.0.0` or `::` for all.
    @Always package var hostIP: String = ""
    /// The host's port.
    @Always package var hostPort: Int = 0
    /// The container's port.
    @Always package var containerPort: Int = 0
    /// `tcp`, `udp` or `sctp`.
    @Always package var transport: String = ""
    /// Who sends: `host`, `machines` (other machines) or `containers`.
    @Always package var from: String = ""
    /// The interface by which other machines send; empty where it makes no difference.
    @Always package var interface: String = ""
    /// `accept`, `drop`, or `unknown` where a rule decides that asks for what is not known beforehand.
    @Always package var verdict: String = ""
    /// The rule that decides, in the language of nft(8), or the chain whose policy does; empty where nothing is in the
    /// way.
    @Always package var rule: String = ""
    /// What to type so that the port can be reached; empty where it can be.
    @Always package var remedy: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case container = "Container"
        case containerID = "ContainerID"
        case hostIP = "HostIp"
        case hostPort = "HostPort"
        case containerPort = "ContainerPort"
        case transport = "Protocol"
        case from = "From"
        case interface = "Interface"
        case verdict = "Verdict"
        case rule = "Rule"
        case remedy = "Remedy"
    }
}
