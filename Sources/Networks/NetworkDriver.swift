/// What makes a network; Docker's names.
package enum NetworkDriver: String, Hashable, Sendable, Codable, CaseIterable {
    /// A bridge of the host, with address translation to the outside.
    case bridge
    /// The host's own network namespace.
    case host
    /// A namespace with a loopback interface alone.
    case none = "null"
    /// Interfaces with hardware addresses of their own on one of the host's.
    case macvlan
    /// Interfaces that share one of the host's with its hardware address.
    case ipvlan
    /// What an administrator has defined with plugins of CNI, in files; see `PluginNetwork`.
    case cni

    /// Whether containers on such a network have an interface of Masu's, with addresses.
    package var hasAddresses: Bool {
        switch self {
        case .bridge, .macvlan, .ipvlan: true
        case .host, .none, .cni: false
        }
    }
}
