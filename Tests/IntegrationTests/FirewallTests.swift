import Foundation
import LinuxKernel
import SystemPackage
import Testing

extension Integration {
    /// Published ports behind the host's own firewall: with real traffic from another machine, and the lines that
    /// `network firewall` prints typed as they are.
    @Suite("firewalls", .enabled(if: HostFirewall.available.count == 2, HostFirewall.isMissing))
    struct FirewallTests {
        /// The host's addresses outside, and those that the other machine has.
        private static let places = [
            (address: OutsideWorld.hostAddress, client: OutsideWorld.outsideAddress),
            (address: OutsideWorld.hostAddress6, client: OutsideWorld.outsideAddress6),
        ]

        /// A daemon with a container that publishes TCP and UDP ports 8080 and 8081, with both families of addresses,
        /// and that tells its clients their addresses.
        private func withPorts(
            _ options: [String] = [], _ body: (TestDaemon, OutsideWorld) throws -> Void
        ) throws {
            let world = try OutsideWorld()
            try world.addIPv6()
            try world.onHost {
                try withDaemonHere(options: options, prefix: world.disguise) { (daemon: TestDaemon) throws in
                    try daemon.ok(.masu, "network", "create", "--ipv6", "both")
                    try daemon.ok(
                        .masu, "run", "-d", "--name", "web", "--network", "both", "-p", "8080-8081:80-81", "-p",
                        "8080-8081:80-81/udp", "busybox", "sleep", "10000")
                    let pid = try daemon.ok(.masu, "inspect", "-f", "{{.State.Pid}}", "web")
                    let namespace = try FileDescriptor.open("/proc/\(pid)/ns/net", .readOnly, options: .closeOnExec)
                    defer { try? namespace.close() }
                    let tellers = try PrivateNetwork(namespace).enter {
                        try [AddressTeller(port: 80), AddressTeller(port: 81)]
                    }
                    defer { for teller in tellers { teller.stop() } }
                    try body(daemon, world)
                    try daemon.ok(.masu, "rm", "-f", "web")
                    try daemon.ok(.masu, "network", "rm", "both")
                }
            }
        }

        private func expectOpen(
            _ world: OutsideWorld, _ comment: String, port: UInt16 = 8080,
            at location: SourceLocation = #_sourceLocation
        ) throws {
            try world.outside {
                for transport in AddressTeller.Transport.allCases {
                    for (address, client) in Self.places {
                        #expect(
                            AddressTeller.ask(transport, address, port) == client,
                            "\(transport) to \(address), \(comment)", sourceLocation: location)
                    }
                }
            }
        }

        private func expectClosed(
            _ world: OutsideWorld, _ comment: String, port: UInt16 = 8080,
            at location: SourceLocation = #_sourceLocation
        ) throws {
            try world.outside {
                for transport in AddressTeller.Transport.allCases {
                    for (address, _) in Self.places {
                        #expect(
                            AddressTeller.ask(transport, address, port, seconds: 1) == nil,
                            "\(transport) to \(address), \(comment)", sourceLocation: location)
                    }
                }
            }
        }

        /// Each verdict about other machines that ask for port 8080.
        private func verdicts(_ daemon: TestDaemon) throws -> Set<String> {
            let lines = try daemon.ok(
                .masu, "network", "firewall", "--format", "{{.From}} {{.HostPort}} {{.Verdict}}", "web")
            return Set(
                lines.split(separator: "\n").filter { $0.hasPrefix("machines 8080 ") }.map {
                    String($0.dropFirst("machines 8080 ".count))
                })
        }

        /// What `network firewall` says is to be typed for other machines that ask for port 8080.
        private func remedies(_ daemon: TestDaemon) throws -> [String] {
            let lines = try daemon.ok(
                .masu, "network", "firewall", "--format", "{{.From}} {{.HostPort}} {{.Remedy}}", "web")
            return Set(
                lines.split(separator: "\n").filter { $0.hasPrefix("machines 8080 ") }.map {
                    String($0.dropFirst("machines 8080 ".count))
                }
            ).sorted()
        }

        /// Types it.
        private func typeRemedies(
            _ daemon: TestDaemon, at location: SourceLocation = #_sourceLocation
        ) throws {
            let lines = try remedies(daemon)
            #expect(!lines.isEmpty, sourceLocation: location)
            for line in lines { try HostFirewall.type(line, at: location) }
        }

        @Test(
            "a port is closed where the host's chain drops, and opened by what network firewall prints",
            arguments: HostFirewall.available, ["nat", "input"])
        func matrix(_ tool: HostFirewall, _ mode: String) throws {
            try withPorts(["--firewall", mode]) { daemon, world in
                for (inputDrops, forwardDrops) in [(true, false), (false, true), (true, true)] {
                    let what = "\(tool), mode \(mode), input drops: \(inputDrops), forward drops: \(forwardDrops)"
                    try tool.set(inputDrops: inputDrops, forwardDrops: forwardDrops)
                    guard mode == "nat" ? forwardDrops : inputDrops else {
                        // The chain that decides in this mode lets it pass.
                        #expect(try verdicts(daemon) == ["accept"], "\(what)")
                        try expectOpen(world, what)
                        continue
                    }
                    #expect(try verdicts(daemon) == ["drop"], "\(what)")
                    try expectClosed(world, what)
                    try typeRemedies(daemon)
                    #expect(try verdicts(daemon) == ["accept"], "\(what)")
                    try expectOpen(world, what)
                    // Nothing else has been opened.
                    try expectClosed(world, what, port: 8081)
                }
            }
        }

        @Test("masud chooses the mode that keeps the host's word, says so, and follows the host's chains")
        func choice() throws {
            try withPorts { daemon, world in
                func mode() throws -> String {
                    try daemon.ok(.masu, "info", "-f", "{{index (index .FirewallBackend.Info 0) 1}}")
                }
                #expect(try mode() == "nat")
                try expectOpen(world, "without chains of the host")
                for tool in HostFirewall.available {
                    try tool.set(inputDrops: true, forwardDrops: false)
                    #expect(try eventually { try mode() == "input" })
                    try expectClosed(world, "\(tool): only input drops")
                    try typeRemedies(daemon)
                    try expectOpen(world, "\(tool): input lets it pass")
                    try expectClosed(world, "\(tool): input lets another pass", port: 8081)
                    // What a dead daemon did not see, the next one does.
                    try daemon.crash()
                    try tool.set(inputDrops: true, forwardDrops: true)
                    try daemon.start()
                    #expect(try mode() == "nat")
                    try expectClosed(world, "\(tool): both drop")
                    try daemon.crash()
                    try tool.set(inputDrops: true, forwardDrops: false)
                    try daemon.start()
                    #expect(try mode() == "input")
                    try expectClosed(world, "\(tool): only input drops, at a start")
                    try tool.set(inputDrops: false, forwardDrops: false)
                    #expect(try eventually { try mode() == "nat" })
                    try expectOpen(world, "\(tool): nothing drops")
                }
                #expect(try daemon.ok(.masu, "info").contains("Firewall Backend: nftables\n  Mode: nat\n"))
            }
        }

        @Test("whatever others remove of masud's rules comes back, and their own tables stay as they are")
        func removals() throws {
            try withPorts(["--firewall", "nat"]) { daemon, world in
                /// Masu's table without the numbers that it gets anew; sets are in no order.
                func table() throws -> Set<String> {
                    let nft = try #require(Programs.find("nft"))
                    let result = try Command(nft, "-s", "list", "table", "inet", "masu").runToEnd()
                    let separators: Set<Character> = ["\n", ",", "\t", "{", "}"]
                    return Set(
                        result.output.split { separators.contains($0) }
                            .map { $0.trimmingCharacters(in: .whitespaces) })
                }
                try HostFirewall.nft.set(inputDrops: false, forwardDrops: false)
                let complete = try table()
                #expect(complete.contains { $0.contains("8080") })
                let removals = [
                    "nft flush ruleset", "nft delete table inet masu", "nft flush table inet masu",
                    "nft flush chain inet masu arriving",
                    "nft delete rule inet masu arriving handle $(nft -a list chain inet masu arriving "
                        + "| sed -n 's/.*all addresses, IPv4.*handle //p')",
                    "nft delete rule inet masu forward handle $(nft -a list chain inet masu forward "
                        + "| sed -n 's/.*networks are apart.*handle //p')",
                    "nft flush chain inet masu arriving '; delete chain inet masu arriving'",
                    "nft flush map inet masu ports4", "nft delete element inet masu ports4 '{ tcp . 8080 }'",
                    "nft flush set inet masu bridges",
                    "nft flush table inet masu '; delete map inet masu ports6; delete set inet masu hairpin'",
                    "nft chain inet masu forward '{ policy drop; }'",
                    "nft delete element inet masu ports4 '{ tcp . 8080 }; add element inet masu ports4 "
                        + "{ tcp . 8080 : 198.51.100.7 . 80 }'",
                    "nft add table inet masu '{ flags dormant; }'",
                ]
                for removal in removals {
                    try HostFirewall.type(removal)
                    let start = Date()
                    let isBack = try eventually { try table() == complete }
                    let difference = try table().symmetricDifference(complete)
                    #expect(isBack, "\(removal): \(difference)")
                    let time = Int(Date().timeIntervalSince(start) * 1000)
                    print("firewall: after \(removal.prefix(60)) the table is back within \(time) ms")
                    try expectOpen(world, removal)
                }
                // As firewalld does: all of the host's tables go, and come anew, in several steps.
                try HostFirewall.nft.set(inputDrops: false, forwardDrops: true)
                for _ in 0..<3 {
                    try HostFirewall.type("nft list tables | sed 's/^/delete /' | nft -f -")
                    try HostFirewall.nft.set(inputDrops: false, forwardDrops: false)
                    #expect(try eventually { try table() == complete })
                    try expectOpen(world, "after a reload")
                }
                let nft = try #require(Programs.find("nft"))
                #expect(
                    try Command(nft, "list", "tables").runToEnd().lines.sorted()
                        == ["table inet host", "table inet masu"])
            }
        }

        @Test(
            "behind ufw a port is opened by allow, and where ufw forwards nothing by route allow",
            .enabled(if: PrivateUFW.isAvailable, "needs ufw (package ufw)"))
        func ufw() throws {
            try withPorts { daemon, world in
                func mode() throws -> String {
                    try daemon.ok(.masu, "info", "-f", "{{index (index .FirewallBackend.Info 0) 1}}")
                }
                let ufw = try PrivateUFW()
                try ufw.set(forwardDrops: false)
                #expect(try eventually { try mode() == "input" })
                try expectClosed(world, "behind ufw")
                let lines = try remedies(daemon)
                #expect(lines == ["ufw allow 8080/tcp", "ufw allow 8080/udp"])
                for line in lines { try ufw.type(line) }
                #expect(try verdicts(daemon) == ["accept"])
                try expectOpen(world, "allowed")
                try expectClosed(world, "not allowed", port: 8081)
                try ufw.set(forwardDrops: true)
                #expect(try eventually { try mode() == "nat" })
                try expectClosed(world, "behind ufw that forwards nothing")
                let routes = try remedies(daemon)
                #expect(routes.count == 4, "\(routes)")
                for line in routes {
                    #expect(line.hasPrefix("ufw route allow proto ") && line.hasSuffix(" port 80"), "\(routes)")
                    #expect(!line.contains("any"), "\(routes)")
                }
                for line in routes { try ufw.type(line) }
                #expect(try verdicts(daemon) == ["accept"])
                try expectOpen(world, "routed")
                try expectClosed(world, "not routed", port: 8081)
            }
        }

        @Test("network firewall takes names of containers, and refuses those that there are not")
        func names() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "-d", "--name", "web", "-p", "8080:80", "busybox", "sleep", "1000")
                try daemon.ok(.masu, "run", "-d", "--name", "other", "-p", "8081:80", "busybox", "sleep", "1000")
                let all = try daemon.ok(.masu, "network", "firewall")
                #expect(all.hasPrefix("Mode nat, chosen by masud: "), "\(all)")
                #expect(all.contains("web         0.0.0.0:8080"), "\(all)")
                #expect(all.contains("other       0.0.0.0:8081"), "\(all)")
                let one = try daemon.ok(.masu, "network", "firewall", "web")
                #expect(one.contains("0.0.0.0:8080") && !one.contains("8081"), "\(one)")
                let json = try daemon.ok(.masu, "network", "firewall", "--format", "json", "web")
                #expect(json.contains(#""HostPort":8080"#) && json.contains(#""Verdict":"accept""#), "\(json)")
                let unknown = try daemon.run(.masu, "network", "firewall", "web", "nobody")
                #expect(unknown.code == 1 && unknown.errors.contains("No such container: nobody"), "\(unknown)")
                #expect(unknown.output.isEmpty)
                let wrong = try daemon.run(.masu, "network", "firewall", "--format", "{{.Nothing}}")
                #expect(wrong.code == 1 && wrong.output.isEmpty, "\(wrong)")
                // A network may have the name of the command.
                try daemon.ok(.masu, "network", "create", "firewall")
                #expect(try daemon.ok(.masu, "network", "inspect", "-f", "{{.Name}}", "firewall") == "firewall")
                try daemon.ok(.masu, "network", "rm", "firewall")
            }
        }
    }
}
