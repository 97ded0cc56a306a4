import Addresses
import LinuxKernel
import Netlink
import Synchronization
import SystemPackage

/// The host's own network namespace: that of the threads on which the module works.
final class HostNetwork: Sendable {
    let route: RouteSocket
    private let nextIndex: Mutex<Int32>

    /// The lowest number of the interfaces that Masu makes on the host. The kernel counts from 1 for others.
    static let firstIndex: Int32 = 100_000

    init() throws(NetlinkError) {
        route = try RouteSocket()
        let used = try route.links().map(\.index).max() ?? 0
        nextIndex = Mutex(used == .max ? Self.firstIndex : max(used + 1, Self.firstIndex))
    }

    /// A number for a new interface. Others may take it meanwhile (`EBUSY`, `EEXIST`), which then has to ask again.
    func takeIndex() -> Int32 {
        nextIndex.withLock { next in
            defer { next = next == .max ? Self.firstIndex : next + 1 }
            return next
        }
    }

    /// The largest packet on the way out; Ethernet's where there is none.
    func defaultMTU() -> UInt32 {
        for family in IPAddress.Family.allCases {
            // A host whose routes cannot be read has no way out that anybody knows of.
            if let mtu = try? route.defaultMTU(family) { return mtu }
        }
        return 1500
    }

    /// What the host uses, which networks that name no subnet keep away from.
    ///
    /// - Returns: `all`: where any route of any table leads, but for those of most of the Internet, which say nothing;
    ///   `links`: the host's own links. Both with its name servers.
    func usedSubnets(resolverFile: FilePath) throws(NetlinkError) -> (all: [IPSubnet], links: [IPSubnet]) {
        let servers = Self.nameServers(resolverFile)
        var (all, links) = (servers, servers)
        for family in IPAddress.Family.allCases {
            for route in try route.routes(family) where Self.says(route) {
                all.append(route.destination)
                if route.gateway == nil, route.hops.isEmpty { links.append(route.destination) }
            }
        }
        return (all, links)
    }

    /// Whether a route says that its addresses are used: a VPN's route to a half of all addresses does not.
    private static func says(_ route: IPRoute) -> Bool {
        switch route.kind {
        case .unicast, .local, .blackhole, .unreachable, .prohibit, .unspecified:
            route.destination.prefixLength >= (route.destination.family == .ipv4 ? 8 : 16)
        case .broadcast, .anycast, .multicast: false
        }
    }

    private static func nameServers(_ file: FilePath) -> [IPSubnet] {
        // A host without the file has no name servers.
        guard let text = try? Files.readText(file) else { return [] }
        return text.split(separator: "\n").compactMap { line in
            let words = line.split { $0 == " " || $0 == "\t" }
            guard words.count > 1, words[0] == "nameserver", let address = IPAddress(words[1]) else { return nil }
            return IPSubnet(containing: address, prefixLength: address.family.bits)
        }
    }

    // MARK: Kernel parameters

    /// Whether bridges have the packet filter look at what passes them.
    static var bridgesCallFirewall: Bool {
        ["iptables", "ip6tables"].contains { parameter("bridge/bridge-nf-call-\($0)") == "1" }
    }

    /// The value of a kernel parameter below `net`; `nil` where the kernel has none.
    static func parameter(_ name: String) -> String? {
        guard let text = try? Files.readText(FilePath("/proc/sys/net/" + name)) else { return nil }
        return String(text.prefix { $0 != "\n" })
    }

    /// Sets a kernel parameter below `net`, if it has another value.
    static func set(_ name: String, to value: String) throws(NetworksError) {
        if parameter(name) == value { return }
        do throws(Errno) {
            try ProcFile.write(value, to: "sys/net/" + name)
        } catch {
            throw .system("cannot set the kernel parameter net.\(name) to \(value): \(error.words)")
        }
    }

    /// Lets the host forward packets of a family.
    static func enableForwarding(_ family: IPAddress.Family) throws(NetworksError) {
        if family == .ipv4 { return try set("ipv4/ip_forward", to: "1") }
        if parameter("ipv6/conf/all/forwarding") == "1" { return }
        // A host that forwards no longer listens to routers, and so would lose its own way out, unless it is told to.
        for interface in (try? Files.directoryNames(in: "/proc/sys/net/ipv6/conf")) ?? []
        where parameter("ipv6/conf/\(interface)/accept_ra") == "1" {
            try set("ipv6/conf/\(interface)/accept_ra", to: "2")
        }
        try set("ipv6/conf/all/forwarding", to: "1")
    }
}
