import Flags

/// An option of `dockerd` that Masu has no use for.
///
/// Distributions, provisioning tools and test suites pass such options to every daemon. Where nothing depends on the
/// option, masud takes it and says once in its log that it has no effect. Where somebody could rely on it for their
/// safety, masud takes only the value that says how things are anyway.
struct BorrowedOption: Sendable {
    /// What a value that does not say how things are means.
    enum Consequence: Sendable {
        /// The daemon starts and warns.
        case warning
        /// The daemon does not start.
        case refusal
    }

    let flag: Flag<[String]>
    /// Its key in `daemon.json`.
    let key: String
    let consequence: Consequence
    /// The values that say how things are anyway.
    let anyway: Set<String>
    /// Why there is nothing for it to do.
    let reason: String

    var name: String { flag.definition.name }

    /// The values given that are not how things are anyway.
    func objections(in flags: ParsedFlags) -> [String] { flags[flag].filter { !anyway.contains($0) } }

    private static func truth(
        _ name: String, anyway: String, _ reason: String, refused: Bool = false
    ) -> BorrowedOption {
        // Collected as text, so that a list of them can be of one type.
        let flag = Flag<[String]>(
            name, type: "", "No effect: \(reason)", default: [], bareValue: "true"
        ) { (values: inout [String], text: String) throws(InvalidFlagValue) in
            values.append(try FlagValue.boolean(text) ? "true" : "false")
        }
        return BorrowedOption(
            flag: flag.hidden(), key: name, consequence: refused ? .refusal : .warning, anyway: [anyway],
            reason: reason)
    }

    private static func text(
        _ name: String, short: Unicode.Scalar? = nil, key: String? = nil, anyway: Set<String> = [""],
        _ reason: String, refused: Bool = false
    ) -> BorrowedOption {
        BorrowedOption(
            flag: Flag.list(name, short: short, type: "string", "No effect: \(reason)").hidden(), key: key ?? name,
            consequence: refused ? .refusal : .warning, anyway: anyway, reason: reason)
    }

    static let all = networks + others + refused

    private static let ownTable = "Masu has one table of its own in nf_tables, and leaves all others alone"

    private static let networks: [BorrowedOption] = [
        .truth(
            "allow-direct-routing", anyway: "false",
            "networks say so by themselves: com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected"),
        .text("bridge-accept-fwmark", ownTable),
        .text("firewall-backend", anyway: ["", "nftables"], ownTable),
        .truth("ip-forward-no-drop", anyway: "true", "the policy of the host's forward chain is left alone"),
        .truth("ip6tables", anyway: "true", ownTable),
        .truth("iptables", anyway: "true", ownTable),
        .text("network-control-plane-mtu", noSwarm),
        .text("network-diagnostic-port", anyway: ["", "0"], noSwarm),
        .truth("userland-proxy", anyway: "true", "what the kernel cannot forward is carried by the container's shim"),
        .text("userland-proxy-path", "what the kernel cannot forward is carried by the container's shim"),
    ]

    private static let noContainerd = "Masu needs no containerd"
    private static let noSwarm = "Masu is no Swarm node"

    private static let others: [BorrowedOption] = [
        .text("allow-nondistributable-artifacts", "foreign layers are never pushed"),
        .text("api-cors-header", "the API sends no CORS headers"),
        .text("builder", "this version builds no images"),
        .text("containerd", noContainerd),
        .text("containerd-namespace", noContainerd),
        .text("containerd-plugins-namespace", key: "containerd-plugin-namespace", noContainerd),
        .text("cpu-rt-period", anyway: ["0"], "the parent cgroup is left as it is"),
        .text("cpu-rt-runtime", anyway: ["0"], "the parent cgroup is left as it is"),
        .truth("cri-containerd", anyway: "false", noContainerd),
        .text("feature", key: "features", anyway: ["buildkit=false"], "there are no features to switch"),
        .text("metrics-addr", "this version serves no metrics"),
        .text("node-generic-resource", key: "node-generic-resources", noSwarm),
        .text("nri-opt", key: "nri-opts", anyway: ["enable=false"], "this version has no NRI plugins"),
        .text("swarm-default-advertise-addr", noSwarm),
    ]

    /// Somebody relies on these.
    private static let refused: [BorrowedOption] = [
        .text(
            "authorization-plugin", key: "authorization-plugins", anyway: [],
            "this version has no authorization plugins: every client of the socket may do everything", refused: true),
        .truth("rootless", anyway: "false", "this version runs as root only", refused: true),
        .truth("selinux-enabled", anyway: "false", "this version sets no SELinux labels", refused: true),
        .text(
            "userns-remap", "this version has no user namespaces for containers: root in a container is root outside",
            refused: true),
    ]
}
