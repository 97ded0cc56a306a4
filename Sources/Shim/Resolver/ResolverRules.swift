import Addresses
import DNS
import Netlink

/// The rules that let programs in a container find its resolver at port 53, while the resolver's sockets have another
/// port: the container may have a name server of its own, at port 53 of all its addresses.
///
/// They change ports in packets on the loopback interface, and remember nothing: there is no entry of a connection for
/// a question.
enum ResolverRules {
    private static let table = FirewallTable(.ipv4, "masu_dns")
    private static let port: UInt16 = 53
    /// Before connections are tracked (`raw`).
    private static let priority: Int32 = -300

    /// Puts the rules into the network namespace of `socket`, in the place of those of an earlier resolver.
    static func add(port: UInt16, by socket: NetfilterSocket) throws(NetlinkError) {
        let chain = FirewallChain(table, "out", FirewallChain.Base(.filter, .output, priority: priority))
        let rules = [TransportProtocol.udp, .tcp].flatMap { transport in
            [
                FirewallRule(in: chain) {
                    $0.require(.destination(.ipv4), .equal, .address(Resolver.address))
                    $0.require(.transportProtocol, .equal, .transport(transport))
                    $0.require(.destinationPort, .equal, .port(Self.port))
                    $0.rewrite(.destination, to: port)
                },
                FirewallRule(in: chain) {
                    $0.require(.source(.ipv4), .equal, .address(Resolver.address))
                    $0.require(.transportProtocol, .equal, .transport(transport))
                    $0.require(.sourcePort, .equal, .port(port))
                    $0.rewrite(.source, to: Self.port)
                },
            ]
        }
        let table = [table.addition, table.removal, table.creation, chain.creation]
        try socket.perform(FirewallTransaction(table + rules.map(\.addition)))
    }

    /// Takes the rules away.
    static func remove(by socket: NetfilterSocket) throws(NetlinkError) {
        try socket.perform(FirewallTransaction([table.addition, table.removal]))
    }
}
