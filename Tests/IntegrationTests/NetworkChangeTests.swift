import Addresses
import Foundation
import LinuxKernel
import SystemPackage
import Testing

extension Integration {
    /// Networks that change under containers that run.
    @Suite("networks that change")
    struct NetworkChangeTests {
        /// A table of traffic with the outside, the host, and containers.
        private func table(
            _ daemon: TestDaemon, _ world: OutsideWorld, _ containers: String...
        ) throws -> TrafficTable {
            let table = try TrafficTable()
            table.add("outside", try world.outside { try NetworkNamespace.current() })
            table.add("host", try world.onHost { try NetworkNamespace.current() })
            for name in containers { try add(name, to: table, daemon) }
            return table
        }

        private func add(_ name: String, to table: TrafficTable, _ daemon: TestDaemon) throws {
            let pid = try daemon.ok(.masu, "inspect", "-f", "{{.State.Pid}}", name)
            table.add(name, try FileDescriptor.open("/proc/\(pid)/ns/net", .readOnly, options: .closeOnExec))
            try table.serve(name, ports: [80])
        }

        private func address(_ daemon: TestDaemon, _ name: String, on network: String) throws -> String {
            try daemon.ok(.masu, "inspect", "-f", "{{.NetworkSettings.Networks.\(network).IPAddress}}", name)
        }

        /// That the published port leads to the container, by the kernel: it sees the client's own address.
        private func expect(
            _ table: TrafficTable, leadsTo server: String, at location: SourceLocation = #_sourceLocation
        ) throws {
            let host: IPAddress = try #require(IPAddress(OutsideWorld.hostAddress))
            let outside: IPAddress = try #require(IPAddress(OutsideWorld.outsideAddress))
            let cases = [TransportProtocol.tcp, .udp].map {
                TrafficTable.Case(
                    title: "published", client: "outside", transport: $0, target: SocketAddress(host, 8080),
                    wanted: .reached(server, seen: outside))
            }
            let failures = try table.failures(cases)
            #expect(failures == nil, "\n\(failures ?? "")", sourceLocation: location)
        }

        @Test("published ports follow their container to another address, and never lead to who has the old one")
        func portsFollow() throws {
            try withWorld { daemon, world in
                for name in ["one", "two"] { try daemon.ok(.masu, "network", "create", name) }
                try daemon.ok(
                    .masu, "run", "-d", "--name", "web", "--network", "one", "-p", "8080:80", "-p", "8080:80/udp",
                    "busybox", "sleep", "1000")
                let table = try table(daemon, world, "web")
                try expect(table, leadsTo: "web")
                try daemon.ok(.masu, "network", "connect", "--gw-priority", "1", "two", "web")
                try expect(table, leadsTo: "web")
                let old = try address(daemon, "web", on: "one")
                try daemon.ok(.masu, "network", "disconnect", "one", "web")
                try daemon.ok(
                    .masu, "run", "-d", "--name", "heir", "--network", "one", "busybox", "sleep", "1000")
                #expect(try address(daemon, "heir", on: "one") == old)
                try add("heir", to: table, daemon)
                try expect(table, leadsTo: "web")
                // Also where there was no network at all in between.
                try daemon.ok(.masu, "network", "disconnect", "two", "web")
                try daemon.ok(.masu, "network", "connect", "one", "web")
                try expect(table, leadsTo: "web")
                // The next daemon finds the same.
                try daemon.crash()
                try expect(table, leadsTo: "web")
                try daemon.start()
                try expect(table, leadsTo: "web")
                table.close()
                try daemon.ok(.masu, "rm", "-f", "web", "heir")
                try daemon.ok(.masu, "network", "rm", "one", "two")
            }
        }

        @Test(
            "a container that shares another's network outlives it without its address", arguments: ["bridge", "one"])
        func sharedNetwork(_ network: String) throws {
            try withWorld { daemon, world in
                try daemon.ok(.masu, "network", "create", "one")
                try daemon.ok(.masu, "run", "-d", "--name", "owner", "--network", network, "busybox", "sleep", "1000")
                try daemon.ok(
                    .masu, "run", "-d", "--name", "guest", "--network", "container:owner", "busybox", "sleep", "1000")
                let old = try address(daemon, "owner", on: network)
                #expect(try daemon.ok(.masu, "exec", "guest", "ip", "addr").contains(old))
                try daemon.ok(.masu, "kill", "owner")
                #expect(
                    try eventually { try !daemon.ok(.masu, "exec", "guest", "ip", "addr").contains(old) })
                try daemon.ok(.masu, "run", "-d", "--name", "heir", "--network", network, "busybox", "sleep", "1000")
                #expect(try address(daemon, "heir", on: network) == old)
                let table = try table(daemon, world, "heir", "guest")
                let target: IPAddress = try #require(IPAddress(old))
                let gateway = try daemon.ok(
                    .masu, "inspect", "-f", "{{.NetworkSettings.Networks.\(network).Gateway}}", "heir")
                let seen: IPAddress = try #require(IPAddress(gateway))
                let failures = try table.failures([
                    TrafficTable.Case(
                        title: "heir", client: "host", transport: .tcp, target: SocketAddress(target, 80),
                        wanted: .reached("heir", seen: seen)),
                    TrafficTable.Case(
                        title: "guest", client: "guest", transport: .tcp, target: SocketAddress(target, 80),
                        wanted: .silence),
                ])
                #expect(failures == nil, "\n\(failures ?? "")")
                table.close()
                try daemon.removeContainers()
                try daemon.ok(.masu, "network", "rm", "one")
            }
        }

        @Test("a container that makes its files of names as long as it likes is put on networks all the same")
        func longFiles() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "network", "create", "--subnet", "10.9.0.0/24", "front")
                try daemon.ok(.masu, "run", "-d", "--name", "box", "busybox", "sleep", "1000")
                try daemon.ok(
                    .masu, "exec", "box", "sh", "-c",
                    "for f in hosts resolv.conf; do yes '# filler' | head -c 8000000 >>/etc/$f; done")
                try daemon.ok(.masu, "network", "connect", "--ip", "10.9.0.7", "front", "box")
                func size(_ name: String) throws -> Int {
                    Int(try daemon.ok(.masu, "exec", "box", "stat", "-c", "%s", "/etc/\(name)")) ?? -1
                }
                #expect(try daemon.ok(.masu, "exec", "box", "grep", "-c", "10.9.0.7", "/etc/hosts") == "1")
                #expect(try size("hosts") < 1 << 20 + 1024, "what is longer has gone")
                #expect(try size("resolv.conf") > 8_000_000, "this one was edited, and stays as it is")
                try daemon.ok(.masu, "network", "disconnect", "front", "box")
                #expect(try daemon.run(.masu, "exec", "box", "grep", "-c", "10.9.0.7", "/etc/hosts").line == "0")
                try daemon.ok(.masu, "rm", "-f", "box")
                try daemon.ok(.masu, "network", "rm", "front")
            }
        }

        @Test("a shim that says nothing at the daemon's start has its container's networks and ports when it does")
        func silentShim() throws {
            try withWorld { daemon, world in
                for name in ["one", "two"] { try daemon.ok(.masu, "network", "create", name) }
                try daemon.ok(
                    .masu, "run", "-d", "--name", "web", "--network", "one", "-p", "8080:80", "-p", "8080:80/udp",
                    "busybox", "sleep", "1000")
                let table = try table(daemon, world, "web")
                let old = try address(daemon, "web", on: "one")
                let shim = try daemon.shimPID("web")
                try daemon.crash()
                kill(shim, SIGSTOP)
                defer { kill(shim, SIGCONT) }
                try daemon.start()
                #expect(try daemon.ok(.masu, "port", "web").isEmpty, "nobody knows them yet")
                #expect(try address(daemon, "web", on: "one") == old)
                try expect(table, leadsTo: "web")
                try daemon.ok(.masu, "run", "-d", "--name", "other", "--network", "one", "busybox", "sleep", "1000")
                #expect(try address(daemon, "other", on: "one") != old)
                kill(shim, SIGCONT)
                #expect(
                    try eventually {
                        try daemon.run(.masu, "port", "web", "80/tcp").line.hasPrefix("0.0.0.0:8080")
                    })
                // What depends on its ports works as well.
                try daemon.ok(.masu, "network", "connect", "--gw-priority", "1", "two", "web")
                try daemon.ok(.masu, "network", "disconnect", "one", "web")
                try expect(table, leadsTo: "web")
                table.close()
                try daemon.removeContainers()
                try daemon.ok(.masu, "network", "rm", "one", "two")
            }
        }
    }
}

extension TestDaemon {
    /// The process that looks after a container.
    func shimPID(_ name: String) throws -> pid_t {
        let id = try ok(.masu, "inspect", "-f", "{{.Id}}", name)
        let text = try String(contentsOfFile: execRoot + "/containers/\(id)/shim.pid", encoding: .utf8)
        return try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    }
}
