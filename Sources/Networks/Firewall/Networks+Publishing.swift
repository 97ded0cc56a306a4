import Netlink
import PublishedPorts

extension Networks {
    /// Who carries packets to published ports.
    package var firewallMode: FirewallMode { ports.mode }

    /// Lets the kernel carry packets to ports that a container's shim has bound; `requests` are those that led to them,
    /// whose ports are open by the container's own address where its network lets others reach that.
    package func publish(
        _ bound: [PublishedPort], _ requests: [PortRequest], to target: PortTarget
    ) async throws {
        try await change { networks throws(NetlinkError) in try networks.ports.publish(bound, requests, to: target) }
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
        try await change { networks throws(NetlinkError) in
            FirewallReport(ports, mode: networks.ports.mode, try HostRuleset.read(by: networks.firewall))
        }
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
