import Netlink
import SystemPackage

extension Networks {
    /// Sees to it that there is an interface on which those of containers can sit: one of the host's, one of a virtual
    /// network of it (`eth0.10`), or one that leads nowhere.
    func realizeParent(_ settings: VirtualInterfaceSettings, of network: Network) throws(NetworksError) {
        do throws(NetlinkError) {
            let name = settings.parent
            if try host.route.link(.name(name)) == nil {
                if settings.hasDummyParent {
                    try host.route.perform(Batch(NewLink(name, .dummy, LinkSettings(isUp: true)).requests))
                } else {
                    try makeVirtualNetwork(name, network)
                }
            } else if settings.ownsParent {
                try host.route.perform(Link.set(.name(name), LinkSettings(isUp: true)))
            }
        } catch {
            throw .system("failed to create the \(network.driver.rawValue) port: \(error)")
        }
    }

    private func makeVirtualNetwork(_ name: String, _ network: Network) throws(NetlinkError) {
        // `checkCreatable` has seen to the name.
        guard let parts = try? VirtualInterfaceSettings.virtualNetwork(name) else {
            throw NetlinkError(.noSuchFileOrDirectory, "use the parent interface \(name)")
        }
        guard let parent = try host.route.link(.name(parts.parent)) else {
            throw NetlinkError(
                .noSuchFileOrDirectory, "use the parent interface \(name)",
                text: "failed to find master interface \(parts.parent) on the Docker host")
        }
        let link = NewLink(name, .vlan(identifier: parts.number, parent: parent.index), LinkSettings(isUp: true))
        try host.route.perform(Batch(link.requests))
    }
}

extension VirtualInterfaceSettings {
    /// Whether a parent that is not there is one that can be made.
    func checkCreatable() throws(NetworksError) {
        if hasDummyParent { return }
        if try Self.virtualNetwork(parent) == nil {
            throw .invalid("invalid subinterface vlan name \(parent), example formatting is eth0.10")
        }
    }

    /// Who may have the same parent.
    func checkSharing(_ driver: NetworkDriver, with other: Network) throws(NetworksError) {
        guard case .virtual(let settings) = other.settings else { return }
        if driver == .ipvlan || other.driver == .ipvlan {
            throw .invalid("network dm-\(other.id.prefix(12)) is already using parent interface \(parent)")
        }
        if mode == .passthru {
            throw .invalid(
                "cannot use mode passthru, macvlan network \(other.id) is already using parent interface \(parent)")
        }
        if settings.mode == .passthru {
            throw .invalid("macvlan network \(other.id) is already using parent interface \(parent) in mode passthru")
        }
    }
}
