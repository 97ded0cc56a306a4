import Addresses
import LinuxKernel
import Netlink
import SystemPackage

/// What lets a shim connect to its container with the client's own address.
///
/// The shim makes the connection inside the container's network namespace, from the client's address, to the
/// container's own. What the container answers must come back to that socket instead of leaving through `eth0`: the
/// connection's packets carry a mark, the accepted socket inherits it (`net.ipv4.tcp_fwmark_accept`), and a rule sends
/// marked packets to the loopback interface. So the container sees the client, no packet of the connection passes a
/// bridge or connection tracking, and the host's input chain decides who may connect.
///
/// UDP has no accepted sockets: there a rule for each client sends what the container's port answers to it to the
/// loopback interface.
package enum TransparentAccept {
    /// The packets' mark.
    package static let mark: UInt32 = 0x6d61_7375
    /// The routing table of marked packets, whose only route is that all addresses are local.
    package static let table: UInt32 = 0x6d61_7375
    /// The routing table of what answers datagrams, whose only route is the same, with the container's own address for
    /// programs that do not say from which one they answer.
    private static let answerTable: UInt32 = 0x6d61_7376
    /// The kernel's setting by which an accepted socket has the mark of the packet that opened it; of IPv4 and IPv6.
    private static let setting = "sys/net/ipv4/tcp_fwmark_accept"
    /// Behind the rule for the namespace's own addresses.
    private static let preference: UInt32 = 1

    /// Prepares the calling thread's network namespace, whose loopback interface is up.
    package static func prepare(by route: RouteSocket) throws(NetlinkError) {
        do throws(Errno) { try ProcFile.write("1", to: setting) } catch {
            throw NetlinkError(error, "let accepted sockets have the mark of their connection")
        }
        for family in IPAddress.Family.allCases {
            do throws(NetlinkError) {
                try route.perform(batch(family))
            } catch {
                // A kernel without IPv6 has no connections of it.
                if family == .ipv6, error.errno == .addressFamilyNotSupported || error.errno == .notSupported {
                    continue
                }
                throw error
            }
        }
    }

    /// The route of what answers datagrams that were sent to this address of the container.
    package static func answerRoute(from address: IPAddress) -> IPRoute? {
        IPSubnet(containing: .unspecified(address.family), prefixLength: 0).map { all in
            var route = IPRoute(all, interface: 1, table: answerTable, kind: .local)
            route.source = address
            return route
        }
    }

    /// What brings datagrams from a port of the container to a client back to the shim; with `answerRoute`.
    package static func answers(to client: SocketAddress, from port: UInt16) -> RoutingRule {
        let family = client.address.family
        var rule = RoutingRule(
            family, preference: preference, table: answerTable,
            destination: IPSubnet(containing: client.address, prefixLength: family.bits))
        rule.transport = .udp
        rule.sourcePort = port
        rule.destinationPort = client.port
        return rule
    }

    private static func batch(_ family: IPAddress.Family) -> Batch {
        var batch = Batch([
            RoutingRule(family, preference: preference, table: table, mark: RoutingRule.Mark(mark)).addition
        ])
        // The loopback interface is the first one of every namespace.
        if let all = IPSubnet(containing: .unspecified(family), prefixLength: 0) {
            batch.append(IPRoute(all, interface: 1, table: table, kind: .local).addition)
        }
        return batch
    }
}
