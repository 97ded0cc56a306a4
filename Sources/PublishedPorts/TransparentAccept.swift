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
    package static let setting = "net/ipv4/tcp_fwmark_accept"
}
