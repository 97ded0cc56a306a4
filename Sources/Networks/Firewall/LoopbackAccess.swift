import Addresses
import LinuxKernel
import Netlink
import SystemPackage

/// Lets the host's own programs reach published ports at 127.0.0.1 and ::1.
///
/// Such packets leave for the container with the bridge's address as their source. On their way out IPv4 routes
/// 127.0.0.0/8 only where the interface says so, and on their way back answers for ::1 need a route, as the kernel
/// takes its own one for packets from the loopback interface alone.
struct LoopbackAccess {
    private static let table: UInt32 = 0x6d61_7375
    /// Before the rules of the administrator, which are about other machines.
    private static let preference: UInt32 = 10

    let bridge: String
    let index: Int32

    private var rule: RoutingRule {
        RoutingRule(.ipv6, preference: Self.preference, table: Self.table, inputInterface: bridge)
    }

    /// Changes the routing; nothing happens a second time.
    func add(by socket: RouteSocket) throws(NetlinkError) {
        do throws(Errno) {
            try ProcFile.write("1", to: "sys/net/ipv4/conf/\(bridge)/route_localnet")
        } catch {
            throw NetlinkError(error, "let \(bridge) route 127.0.0.0/8")
        }
        guard let loopback = IPSubnet(containing: .loopback(.ipv6), prefixLength: 128) else { return }
        // Routes of a table differ by their priority: each bridge has its own.
        let route = Route(
            loopback, interface: index, table: Self.table, priority: UInt32(truncatingIfNeeded: index), kind: .local)
        for request in [rule.addition, route.addition] {
            do throws(NetlinkError) {
                try socket.perform(request)
            } catch {
                // There already; or a kernel without IPv6, where nobody connects to ::1.
                switch error.errno {
                case .fileExists, .addressFamilyNotSupported, .notSupported, .permissionDenied: break
                default: throw error
                }
            }
        }
    }

    /// Removes the rule; the route goes with the bridge.
    func removeRule(by socket: RouteSocket) {
        // There is none if the bridge had none.
        try? socket.perform(rule.removal)
    }
}
