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
package enum TransparentAccept {
    /// The packets' mark.
    package static let mark: UInt32 = 0x6d61_7375
    /// The routing table of marked packets, whose only route is that all addresses are local.
    package static let table: UInt32 = 0x6d61_7375
    /// The kernel's setting by which an accepted socket has the mark of the packet that opened it; of IPv4 and IPv6.
    private static let setting = "sys/net/ipv4/tcp_fwmark_accept"
    /// Behind the rule for the namespace's own addresses.
    private static let preference: UInt32 = 1

    /// The rules and routes that the namespace needs, whose loopback interface is up.
    package static let batch = Batch(
        IPAddress.Family.allCases.flatMap { family in
            let rule = RoutingRule(family, preference: preference, table: table, mark: RoutingRule.Mark(mark))
            // The loopback interface is the first one of every namespace.
            let route = IPSubnet(containing: .unspecified(family), prefixLength: 0).map {
                Route($0, interface: 1, table: table, kind: .local)
            }
            return [rule.addition] + (route.map { [$0.addition] } ?? [])
        })

    /// Prepares a network namespace, whose loopback interface is up.
    package static func prepare(_ namespace: FileDescriptor) throws(NetlinkError) {
        let setting: Result<Void, Errno>
        do throws(Errno) {
            setting = try NetworkNamespace.visit(namespace) {
                Result { () throws(Errno) in try ProcFile.write("1", to: Self.setting) }
            }
            try setting.get()
        } catch {
            throw NetlinkError(error, "let accepted sockets have the mark of their connection")
        }
        try NetlinkSocket.opened(.route, in: namespace).perform(batch)
    }
}
