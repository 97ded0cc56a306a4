import Addresses
import Foundation
import LinuxKernel
import Netlink
import Networks
import PublishedPorts
import Synchronization
import SystemPackage
import Testing

@Suite("Others change the firewall", .timeLimit(.minutes(10)), .needsNamespaces)
struct FirewallWatchTests {
    private let table = PortTable.table
    private let ports = [
        PublishedPort(.tcp, .unspecified(.ipv4), 8080, to: 80), PublishedPort(.tcp, .unspecified(.ipv6), 8080, to: 80),
    ]

    /// What is in Masu's table, in no order but that of rules.
    private func content(_ filter: NetfilterSocket) throws -> Set<String> {
        func isOurs(_ other: FirewallTable) -> Bool { other.family == table.family && other.name == table.name }
        var content: Set<String> = []
        guard let present = try filter.tables().first(where: isOurs) else { return [] }
        if present.isDormant { content.insert("dormant") }
        for chain in try filter.chains() where isOurs(chain.table) {
            content.insert("\(chain) \(String(describing: chain.base))")
        }
        var places: [String: Int] = [:]
        for rule in try filter.rules(of: table) {
            places[rule.chain, default: 0] += 1
            content.insert("\(rule.chain) \(places[rule.chain, default: 0]) \(rule.expressions)")
        }
        for set in try filter.sets() where isOurs(set.table) {
            content.insert("\(set) \(set.key)")
            for element in try filter.elements(of: set) {
                content.insert("\(set.name) \(element.key) \(element.content) \(element.userData?.comment ?? "")")
            }
        }
        return content
    }

    /// Waits until the table has this content; it may be on its way while it is looked at.
    private func waits(_ filter: NetfilterSocket, for wanted: Set<String>) async throws -> Bool {
        for _ in 0..<12 {
            if try await TestHost.wait(until: { (try? content(filter)) == wanted }) { return true }
        }
        return false
    }

    /// What somebody does to the table.
    enum Damage: CaseIterable {
        case table, rules, chainRules, rule, chain, otherChain, elements, element, networkElement, set, otherSet
        case foreignElement, policy, sleep, order
    }

    private func damage(_ damage: Damage, _ filter: NetfilterSocket) throws -> [Request] {
        let chains = Dictionary(uniqueKeysWithValues: try filter.chains().map { ($0.name, $0) })
        let forward = try #require(chains["forward"])
        let arriving = try #require(chains["arriving"])
        let rules = try filter.rules(of: table).filter { $0.chain == "forward" }
        let map = PortTable.ports(.ipv4)
        let element = try #require(try filter.elements(of: map).first)
        let bridges = try #require(try filter.sets().first { $0.name == "bridges" })
        switch damage {
        case .table: return [table.removal]
        case .rules: return [table.flush]
        case .chainRules: return [arriving.flush]
        case .rule: return [FirewallRule.removal(try #require(rules[2].handle), of: forward)]
        case .chain: return [arriving.flush, arriving.removal]
        case .otherChain:
            // Another one in its place, which nothing enters.
            return [
                arriving.flush, arriving.removal, FirewallChain(table, "arriving").addition,
            ]
        case .elements: return [map.flush]
        case .element: return map.removal(of: [element])
        case .networkElement: return bridges.removal(of: try filter.elements(of: bridges))
        case .set: return [table.flush, map.removal]
        case .otherSet:
            return [table.flush, map.removal, FirewallSet(table, map.name, key: [.port]).addition]
        case .foreignElement:
            let elsewhere = FirewallKey(.address(IPAddress(.ipv4, 0xC633_6407)), .port(80))
            return map.removal(of: [element])
                + map.addition(of: [FirewallElement(element.key, .value(elsewhere))])
        case .policy:
            var strict = forward
            strict.base?.accepts = false
            return [strict.addition]
        case .sleep: return [FirewallTable(table.family, table.name, isDormant: true).addition]
        case .order:
            // The first rule goes behind the last one.
            let first = rules[0]
            return [FirewallRule.removal(try #require(first.handle), of: forward), first.addition]
        }
    }

    @Test("whatever is removed of Masu's table comes back, and nothing else changes", arguments: Damage.allCases)
    func damages(_ kind: Damage) async throws {
        let world = try await FirewallWorld()
        try await world.publish(ports)
        try world.administer(.input, drops: false)
        let filter = try world.filter()
        let complete = try content(filter)
        try filter.perform(FirewallTransaction(try damage(kind, filter)))
        #expect(try await waits(filter, for: complete))
        #expect(Set(try filter.tables().map(\.name)) == ["host", "masu"])
        let server = try world.serve(world.one, .ipv4, 80)
        defer { server.stop() }
        #expect(FirewallWorld.ask(from: world.outside, "192.0.2.1", 8080) == "192.0.2.2")
    }

    @Test("the table comes back at once or not at all, and then rests")
    func steadiness() async throws {
        let world = try await FirewallWorld()
        try await world.publish(ports)
        let filter = try world.filter()
        let complete = try content(filter)
        let rules = try filter.rules(of: table).count
        for _ in 0..<20 {
            try filter.perform(FirewallTransaction([table.removal]))
            while true {
                // A dump that was interrupted by a change is asked for anew, so each is of one state.
                let count = (try? filter.rules(of: table).count) ?? 0
                #expect(count == 0 || count == rules)
                if count == rules { break }
            }
        }
        #expect(try await waits(filter, for: complete))
        var last: UInt32 = 0
        var unchanged = 0
        let rests = try await TestHost.wait {
            let generation = try filter.generation()
            unchanged = generation == last ? unchanged + 1 : 0
            last = generation
            return unchanged == 100
        }
        #expect(rests)
    }

    @Test("ports that come and go while the table is removed all the time are right in the end")
    func load() async throws {
        let world = try await FirewallWorld()
        try await world.publish(ports)
        let filter = try world.filter()
        let complete = try content(filter)
        let passing = try #require(world.target.ipv4)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<4 {
                group.addTask {
                    for round in 0..<25 {
                        let target = PortTarget(sandbox: "passing-\(worker)-\(round)", ipv4: passing)
                        let port = PublishedPort(
                            .tcp, .unspecified(.ipv4), UInt16(20_000 + worker * 100 + round), to: 80)
                        try await world.networks.publish([port], [PortRequest(80)], to: target)
                        if round % 2 == 0 {
                            try await world.networks.unpublish([port], [PortRequest(80)], of: target)
                        } else {
                            try await world.networks.forgetPorts(of: target.sandbox)
                        }
                    }
                }
            }
            group.addTask {
                for round in 0..<40 {
                    // Sometimes it is not there.
                    try? filter.perform(
                        FirewallTransaction([round % 2 == 0 ? table.removal : PortTable.ports(.ipv4).flush]))
                    try await Task.sleep(for: .milliseconds(2))
                }
            }
            try await group.waitForAll()
        }
        #expect(try await waits(filter, for: complete))
    }

    @Test("the daemon follows the host's chains where it chose the mode itself")
    func mode() async throws {
        let world = try await FirewallWorld(mode: nil)
        try await world.publish(ports)
        let filter = try world.filter()
        func translated() throws -> Int {
            try PortTable.sets.filter { $0.content != .none }.map { try filter.elements(of: $0).count }.reduce(0, +)
        }
        #expect(world.networks.firewallMode == .nat)
        #expect(try translated() == 2)
        try world.administer(.input, drops: true)
        #expect(try await TestHost.wait { try world.networks.firewallMode == .input && translated() == 0 })
        // What is published now is the shims' as well.
        let later = PublishedPort(.tcp, .unspecified(.ipv4), 9090, to: 80)
        try await world.publish([later])
        #expect(try translated() == 0)
        try filter.perform(FirewallTransaction([FirewallTable(.inet, "host").removal]))
        #expect(try await TestHost.wait { try world.networks.firewallMode == .nat && translated() == 3 })
        // A daemon that is told a mode keeps it.
        let strict = try await world.machine.open { $0.firewallMode = .nat }
        try world.administer(.input, drops: true)
        #expect(try await TestHost.wait { world.networks.firewallMode == .input })
        #expect(strict.firewallMode == .nat && !strict.choosesFirewallMode)
    }

    /// How often each duty of a watch was done.
    private final class Count: Sendable {
        let mended = Atomic(0)
        let reviewed = Atomic(0)
    }

    @Test("a watch looks at what happened before it began, and tries again what failed")
    func failures() async throws {
        let machine = try TestHost()
        let count = Count()
        // Nothing happens in this namespace.
        let duties = FirewallWatch.Duties(
            mend: { _ in count.mended.add(1, ordering: .relaxed).newValue < 4 ? .failed : .unneeded },
            review: { count.reviewed.add(1, ordering: .relaxed).newValue >= 3 })
        let watch = try NetworkNamespace.visit(machine.namespace) { Result { try FirewallWatch(duties) } }.get()
        #expect(
            try await TestHost.wait {
                count.mended.load(ordering: .relaxed) == 4 && count.reviewed.load(ordering: .relaxed) == 3
            })
        withExtendedLifetime((machine, watch)) {}
    }

    @Test("a change of the mode that fails is none, and so another attempt makes it")
    func failedChange() async throws {
        let world = try await FirewallWorld(mode: nil)
        try await world.publish(ports)
        world.networks.close()
        let filter = try world.filter()
        try world.administer(.input, drops: true)
        let networks = world.networks
        #expect(networks.followHost() && networks.firewallMode == .input)
        try filter.perform(
            FirewallTransaction([FirewallTable(.inet, "host").removal, table.removal]))
        #expect(!networks.followHost() && networks.firewallMode == .input)
        // What has an element in any mode brings the table back, as the watch does.
        try await world.publish([PublishedPort(.tcp, .unspecified(.ipv4), 9090, to: 80)], [PortRequest(80)])
        #expect(networks.followHost() && networks.firewallMode == .nat)
    }

    @Test("elements of other sets are removed where one set is missing")
    func missingSet() async throws {
        let world = try await FirewallWorld()
        try await world.publish(ports, [PortRequest(80)])
        world.networks.close()
        let filter = try world.filter()
        let missing = try #require(PortTable.sets.first)
        try filter.perform(FirewallTransaction([table.flush, missing.removal]))
        let others = PortTable.sets.dropFirst()
        func left() throws -> Int { try others.map { try filter.elements(of: $0).count }.reduce(0, +) }
        #expect(try left() > 0)
        try await world.networks.forgetPorts(of: world.target.sandbox)
        #expect(try left() == 0)
    }

    @Test("elements that their shim removes at the same time are no error, and none is left")
    func sharedRemoval() async throws {
        let world = try await FirewallWorld()
        let filter = try world.filter()
        let passing = try #require(world.target.ipv4)
        for round in 0..<200 {
            let port = PublishedPort(.tcp, .unspecified(.ipv4), UInt16(20_000 + round), to: 80)
            try await world.networks.publish([port], [], to: PortTarget(sandbox: "ending", ipv4: passing))
            let other = PublishedPort(.tcp, .unspecified(.ipv4), UInt16(30_000 + round), to: 80)
            try await world.networks.publish([other], [], to: PortTarget(sandbox: "killed", ipv4: passing))
            let map = PortTable.ports(.ipv4)
            let own = try filter.elements(of: map).filter { $0.userData?.comment == "ending" }
            async let removal: Void = world.networks.retainPorts(of: [])
            do throws(NetlinkError) { try filter.perform(FirewallTransaction(map.removal(of: own))) } catch {
                // The daemon was first.
                #expect(error.errno == .noSuchFileOrDirectory)
            }
            try await removal
            #expect(try filter.elements(of: map).isEmpty)
        }
    }

    @Test("a daemon that leaves ports to the shims takes back what another has left to the kernel")
    func adoption() async throws {
        let world = try await FirewallWorld()
        let sctp = PublishedPort(.sctp, .unspecified(.ipv4), 8080, to: 80)
        try await world.publish(ports + [sctp])
        world.networks.close()
        let other = try await world.machine.open { $0.firewallMode = .input }
        let left = try PortTable.sets.flatMap { try world.filter().elements(of: $0) }
        // There is nobody else for SCTP.
        #expect(left.map(\.key) == [sctp.key])
        #expect(other.firewallMode == .input)
    }

    @Test("rules of the kernel's old packet filter are noticed, and an empty table is none")
    func legacy() async throws {
        let world = try await FirewallWorld()
        func tables() throws -> [LegacyFilterTable] {
            try NetworkNamespace.visit(world.host) { LegacyFilterTable.deciding() }
        }
        #expect(try tables() == [])
        for program in ["iptables-legacy", "ip6tables-legacy"] {
            func run(_ arguments: String...) throws -> Bool { try Self.run(program, arguments, in: world.host) }
            // Not every kernel has the old packet filter, nor every machine the program.
            guard try run("-S") else { continue }
            let family: IPAddress.Family = program == "iptables-legacy" ? .ipv4 : .ipv6
            #expect(try tables() == [])
            #expect(try run("-P", "FORWARD", "DROP"))
            #expect(try tables() == [LegacyFilterTable(family, "filter")])
            #expect(try run("-P", "FORWARD", "ACCEPT") && tables() == [])
            #expect(try run("-A", "INPUT", "-p", "tcp", "-j", "ACCEPT"))
            #expect(try tables() == [LegacyFilterTable(family, "filter")])
            #expect(try run("-F") && tables() == [])
        }
    }

    /// Whether a program of /usr/sbin is there and succeeds.
    private static func run(_ program: String, _ arguments: [String], in namespace: FileDescriptor) throws -> Bool {
        let file = "/usr/sbin/" + program
        guard FileManager.default.isExecutableFile(atPath: file) else { return false }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/nsenter")
        process.arguments = ["--net=/proc/\(getpid())/fd/\(namespace.rawValue)", file] + arguments
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
