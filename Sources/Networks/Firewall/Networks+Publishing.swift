import Netlink
import PublishedPorts

extension Networks {
    /// Who carries packets to published ports.
    package var firewallMode: FirewallMode { ports.mode }

    /// Whether the mode is the one that suits the host's chains, and follows them when they change.
    package var choosesFirewallMode: Bool { configuration.firewallMode == nil }

    /// Lets the kernel carry packets to ports that a container's shim has bound; `requests` are those that led to them,
    /// whose ports are open by the container's own address where its network lets others reach that.
    package func publish(
        _ bound: [PublishedPort], _ requests: [PortRequest], to target: PortTarget
    ) async throws {
        // A network of plugins has one among them that does it.
        if endpoints(of: target.sandbox).contains(where: { $0.plugins != nil }) { return }
        try await change { networks throws(NetlinkError) in
            do throws(NetlinkError) { try networks.ports.publish(bound, requests, to: target) } catch {
                guard error.errno == .noSuchFileOrDirectory else { throw error }
                // Somebody has removed the table, and it is about to be put back.
                do throws(NetworksError) {
                    try networks.changes.withLock { _ throws(NetworksError) in try networks.restoreFirewall() }
                } catch _ {
                    throw error
                }
            }
        }
    }

    /// Takes back what `publish` has done for some ports of a container that runs.
    package func unpublish(
        _ bound: [PublishedPort], _ requests: [PortRequest], of target: PortTarget
    ) async throws {
        try await change { networks throws(NetlinkError) in try networks.ports.unpublish(bound, requests, of: target) }
    }

    /// Removes what is left of the ports of a container whose shim was killed. Others have done it themselves.
    package func forgetPorts(of sandbox: String) async throws {
        try await change { networks throws(NetlinkError) in try networks.ports.forget(sandbox: sandbox) }
    }

    /// Removes what is left of the ports of all containers but these, which run.
    package func retainPorts(of sandboxes: Set<String>) async throws {
        try await change { networks throws(NetlinkError) in try networks.ports.retain(sandboxes) }
    }

    /// What the host's own chains say about published ports.
    package func firewallReport(_ ports: [FirewallReport.Port]) async throws -> FirewallReport {
        try await pool.run { [self] in
            do throws(NetlinkError) {
                let links = try host.route.links()
                var ruleset = try HostRuleset.read(by: firewall)
                for link in links { ruleset.interfaces[link.name] = link.index }
                return FirewallReport(
                    ports, mode: firewallMode, isModeChosen: choosesFirewallMode, ruleset,
                    interfaces: outer(of: links))
            } catch {
                throw NetworksError.system("cannot read the host's packet filter: \(error)")
            }
        }
    }

    /// The interfaces by which other machines can reach the host: those that are up, but for loopback, networks and
    /// what is plugged into bridges.
    private func outer(of links: [Link]) -> [String] {
        let own = Set(all.compactMap(\.interfaceName))
        return links.filter { link in
            link.isUp && link.name != "lo" && link.master == nil && !own.contains(link.name)
                && !(link.name == Attachment.portName(link.index) && link.alias != nil)
        }.map(\.name).sorted()
    }

    private func change<Value: Sendable>(
        _ body: @escaping @Sendable (Networks) throws(NetlinkError) -> Value
    ) async throws -> Value {
        try await pool.run { [self] in
            do throws(NetlinkError) { return try body(self) } catch {
                throw NetworksError.system("cannot publish ports: \(error)")
            }
        }
    }
}
