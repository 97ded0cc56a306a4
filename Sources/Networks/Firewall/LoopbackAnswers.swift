import Addresses
import Netlink
import SystemPackage

/// Lets the host's own programs reach published ports at `::1`.
///
/// Such packets leave for the container with the bridge's address as their source. The answers are for `::1` again
/// before the kernel looks for their route, and its own route to `::1` is for the loopback interface alone.
struct LoopbackAnswers {
    private static let table: UInt32 = 0x6d61_7375
    /// Before the rules of the administrator, which are about other machines.
    private static let preference: UInt32 = 10

    let bridge: String
    let index: Int32

    private static func rule(_ bridge: String) -> RoutingRule {
        RoutingRule(.ipv6, preference: preference, table: table, inputInterface: bridge)
    }

    /// Makes rule and route; nothing happens a second time. A packet from outside cannot make use of them: the kernel
    /// takes none for `::1` from any wire.
    func allow(by socket: RouteSocket) throws(NetlinkError) {
        guard let loopback = IPSubnet("::1/128") else { return }
        // Routes of a table differ by their priority: each bridge has its own.
        let route = IPRoute(
            loopback, interface: index, table: Self.table, priority: UInt32(truncatingIfNeeded: index), kind: .local)
        for request in [Self.rule(bridge).addition, route.addition] {
            do throws(NetlinkError) {
                try socket.perform(request)
            } catch {
                if error.errno != .fileExists { throw error }
            }
        }
    }

    /// Removes the rule; the route goes with the bridge.
    static func forget(bridge: String, by socket: RouteSocket) {
        // There is none if the network had no IPv6.
        try? socket.perform(rule(bridge).removal)
    }
}
