import Addresses
import Hashing
import PublishedPorts
import SystemPackage

/// What the daemon's administrator decides about networks.
package struct NetworksConfiguration: Hashable, Sendable {
    /// Where files lie that are gone after a boot.
    package var execRoot: FilePath
    /// The network `bridge`.
    package var defaultBridge: DefaultBridge
    /// Blocks out of which networks get theirs, in this order (`default-address-pools`).
    package var addressPools: [PoolSource]
    /// Options that networks of a driver have unless they say otherwise (`default-network-opts`).
    package var defaultOptions: [String: [String: String]]
    /// Whether the daemon switches on forwarding between the host's interfaces (`ip-forward`).
    package var enablesForwarding: Bool
    /// The file of the host's name servers, whose addresses are not given to networks.
    package var resolverFile: FilePath
    /// What tells this machine from others; IPv6 subnets are derived from it.
    package var machineIdentifier: String
    /// How many network namespaces are kept ready.
    package var preparedNamespaces: Int
    /// Who carries packets to published ports; `nil` lets the host's own chains decide at the daemon's start.
    package var firewallMode: FirewallMode?
    /// Where files define networks of CNI (`cni-conf-dir`).
    package var pluginConfigurations: FilePath = "/etc/cni/net.d"
    /// Where the programs of CNI's plugins are (`cni-bin-dir`): Debian's place, then the one of all others.
    package var pluginDirectories: [FilePath] = ["/usr/lib/cni", "/opt/cni/bin"]
    /// How long one plugin may take before it is killed.
    package var pluginTimeLimit: Duration = .seconds(120)

    /// Docker's defaults, but for what is given.
    package init(
        execRoot: FilePath, defaultBridge: DefaultBridge = DefaultBridge(),
        addressPools: [PoolSource] = PoolSource.defaults, defaultOptions: [String: [String: String]] = [:],
        enablesForwarding: Bool = true, machineIdentifier: String,
        resolverFile: FilePath = "/etc/resolv.conf", preparedNamespaces: Int = 8, firewallMode: FirewallMode? = nil
    ) {
        self.execRoot = execRoot
        self.defaultBridge = defaultBridge
        self.addressPools = addressPools
        self.defaultOptions = defaultOptions
        self.enablesForwarding = enablesForwarding
        self.resolverFile = resolverFile
        self.machineIdentifier = machineIdentifier
        self.preparedNamespaces = preparedNamespaces
        self.firewallMode = firewallMode
    }

    /// The network `bridge` (`bip`, `fixed-cidr`, … of daemon.json).
    package struct DefaultBridge: Hashable, Sendable {
        /// Whether there is one (`"bridge": "none"` says no).
        package var isEnabled: Bool
        /// What the bridge is called; another name than Masu's own names one that has to exist.
        package var interfaceName: String
        /// The bridge's address and subnet (`bip`); `nil` takes a free one.
        package var ipv4: IPInterface?
        /// The same for IPv6 (`bip6`).
        package var ipv6: IPInterface?
        /// The part from which addresses are given (`fixed-cidr`).
        package var ipv4Range: IPSubnet?
        /// The same for IPv6 (`fixed-cidr-v6`).
        package var ipv6Range: IPSubnet?
        /// Who forwards instead of the bridge (`default-gateway`).
        package var ipv4Gateway: IPAddress?
        /// The same for IPv6 (`default-gateway-v6`).
        package var ipv6Gateway: IPAddress?
        /// Whether the network has IPv6 addresses (`ipv6`).
        package var hasIPv6: Bool
        /// The largest packet (`mtu`); `nil` follows the host's default route.
        package var mtu: Int?
        /// Whether containers reach each other's unpublished ports (`icc`).
        package var allowsContainerTraffic: Bool
        /// Whether what goes out gets the host's address (`ip-masq`).
        package var masquerades: Bool
        /// Where ports are published that name no address (`ip`).
        package var hostBinding: IPAddress?

        /// Docker's defaults, but for what is given.
        package init(
            isEnabled: Bool = true, interfaceName: String = Self.ownInterface, ipv4: IPInterface? = nil,
            ipv6: IPInterface? = nil, ipv4Range: IPSubnet? = nil, ipv6Range: IPSubnet? = nil,
            ipv4Gateway: IPAddress? = nil, ipv6Gateway: IPAddress? = nil, hasIPv6: Bool = false, mtu: Int? = nil,
            allowsContainerTraffic: Bool = true, masquerades: Bool = true, hostBinding: IPAddress? = nil
        ) {
            self.isEnabled = isEnabled
            self.interfaceName = interfaceName
            self.ipv4 = ipv4
            self.ipv6 = ipv6
            self.ipv4Range = ipv4Range
            self.ipv6Range = ipv6Range
            self.ipv4Gateway = ipv4Gateway
            self.ipv6Gateway = ipv6Gateway
            self.hasIPv6 = hasIPv6
            self.mtu = mtu
            self.allowsContainerTraffic = allowsContainerTraffic
            self.masquerades = masquerades
            self.hostBinding = hostBinding
        }

        /// The bridge that the daemon makes itself.
        package static let ownInterface = "masu0"
    }
}

/// A block that is divided into blocks of one size for networks.
package struct PoolSource: Hashable, Sendable, Codable {
    /// All of it.
    package let base: IPSubnet
    /// The prefix length of each part.
    package let size: Int

    /// - Throws: where a part would be greater than the whole, or smaller than an address.
    package init(_ base: IPSubnet, size: Int) throws(NetworksError) {
        guard (base.prefixLength...base.family.bits).contains(size) else {
            throw .invalid(
                "network (\(base)) has a smaller prefix (/\(base.prefixLength)) than the target size of that pool "
                    + "(/\(size))")
        }
        self.base = base
        self.size = size
    }

    /// Docker's, and when those are used up small ones out of 10.0.0.0/8.
    package static let defaults: [PoolSource] = [
        ("172.17.0.0/16", 16), ("172.18.0.0/16", 16), ("172.19.0.0/16", 16), ("172.20.0.0/14", 16),
        ("172.24.0.0/14", 16), ("172.28.0.0/14", 16), ("192.168.0.0/16", 20), ("10.0.0.0/8", 24),
    ].compactMap { text, size in IPSubnet(text).flatMap { try? PoolSource($0, size: size) } }

    /// Unique local addresses of this machine, for networks of IPv6 alone that name no subnet; RFC 4193, with 40 bits
    /// of a digest of the machine's identifier instead of random ones, so that they stay the same, as Docker does.
    package static func uniqueLocal(of machine: String) -> PoolSource? {
        var hasher = ContentHasher()
        Array(machine.utf8).withUnsafeBytes { hasher.update($0) }
        let global = hasher.hash.prefix(8).suffix(5).reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        let address = IPAddress(.ipv6, 0xFD << 120 | global << 80)
        return IPSubnet(containing: address, prefixLength: 48).flatMap { try? PoolSource($0, size: 64) }
    }
}
