import Foundation
import Testing

extension Integration {
    /// Networks as users see them; the matrix of traffic is `NetworksTests`'.
    @Suite("networks")
    struct NetworkTests {
        private func inspect(_ daemon: TestDaemon, _ name: String, _ template: String) throws -> String {
            try daemon.ok(.masu, "inspect", "-f", template, name)
        }

        @Test("networks are made, listed, inspected and removed", arguments: Client.available)
        func commands(_ client: Client) throws {
            try withDaemon(image: false) { daemon in
                let id = try daemon.ok(
                    client, "network", "create", "--subnet", "10.9.0.0/24", "--ip-range", "10.9.0.128/25", "--gateway",
                    "10.9.0.9", "--label", "a=b", "--opt", "com.docker.network.driver.mtu=1400", "front")
                #expect(id.count == 64)
                #expect(
                    try daemon.ok(client, "network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}")
                        == "bridge bridge local\nfront bridge local\nhost host local\nnone null local")
                #expect(try daemon.ok(client, "network", "ls", "-q", "--no-trunc", "--filter", "label=a=b") == id)
                #expect(try daemon.ok(client, "network", "ls", "-q", "--filter", "dangling=true", "--no-trunc") == id)
                #expect(
                    try daemon.ok(
                        client, "network", "inspect", "-f",
                        "{{range .IPAM.Config}}{{.Subnet}} {{.IPRange}} {{.Gateway}}{{end}} {{.Internal}}",
                        String(id.prefix(12))) == "10.9.0.0/24 10.9.0.128/25 10.9.0.9 false")
                #expect(try daemon.ok(client, "network", "rm", "front") == "front")
                #expect(try daemon.run(client, "network", "rm", "-f", "front").code == 0)
                let again = try daemon.run(client, "network", "rm", "front")
                #expect(again.code == 1 && again.errors.contains("network front not found"), "\(again)")
            }
        }

        @Test("what cannot be is refused in Docker's words, and leaves nothing behind", arguments: Client.available)
        func refusals(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "network", "create", "--subnet", "10.9.0.0/24", "front")
                let before = try daemon.ok(.masu, "network", "ls", "-q")
                for (arguments, text) in [
                    (["network", "create", "front"], "network with name front already exists"),
                    (
                        ["network", "create", "--subnet", "10.9.0.128/25", "back"],
                        "Pool overlaps with other one on this address space"
                    ),
                    (["network", "create", "bridge"], "operation is not permitted on predefined bridge network"),
                    (["network", "rm", "bridge"], "bridge is a pre-defined network and cannot be removed"),
                    (["network", "connect", "front", "nobody"], "No such container: nobody"),
                    (["network", "ls", "--filter", "x=y"], "invalid filter 'x'"),
                ] {
                    let result = try daemon.command(client, arguments).runToEnd()
                    #expect(result.code == 1 && result.errors.contains(text), "\(result)")
                }
                for (arguments, text) in [
                    (["--ip", "10.9.0.2"], "user specified IP address is supported on user defined networks only"),
                    (["--network", "front", "--ip", "10.8.0.2"], "no configured subnet contains IP address 10.8.0.2"),
                    (["--network", "nowhere"], "network nowhere not found"),
                ] {
                    let result = try daemon.command(client, ["run", "--rm"] + arguments + ["busybox", "true"])
                        .runToEnd()
                    #expect(result.code == 125 && result.errors.contains(text), "\(result)")
                }
                #expect(try daemon.ok(.masu, "network", "ls", "-q") == before)
                try daemon.removeContainers()
                try daemon.ok(.masu, "network", "rm", "front")
            }
        }

        @Test("containers reach each other by name and by alias; a network in use stays", arguments: Client.available)
        func names(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(client, "network", "create", "back")
                try daemon.ok(
                    client, "run", "-d", "--name", "db", "--network", "back", "--network-alias", "database", "busybox",
                    "sh", "-c", "while true; do echo here | nc -l -p 5432; done")
                for name in ["db", "database", "db.back"] {
                    let answer = try eventually {
                        try daemon.run(
                            client, "run", "--rm", "--network", "back", "busybox", "nc", "-w", "5", name, "5432"
                        ).line == "here"
                    }
                    #expect(answer, "nobody answers as \(name)")
                }
                let refused = try daemon.run(client, "network", "rm", "back")
                #expect(
                    refused.code == 1 && refused.errors.contains("has active endpoints (name:\"db\""), "\(refused)")
                #expect(
                    try daemon.ok(
                        client, "network", "inspect", "-f", "{{range .Containers}}{{.Name}}{{end}}", "back") == "db")
                try daemon.ok(client, "rm", "-f", "db")
                try daemon.ok(client, "network", "rm", "back")
            }
        }

        @Test("a container is connected and disconnected while it runs", arguments: Client.available)
        func connecting(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(client, "network", "create", "--subnet", "10.9.0.0/24", "front")
                try daemon.ok(client, "run", "-d", "--name", "box", "busybox", "sleep", "1000")
                try daemon.ok(client, "network", "connect", "--ip", "10.9.0.7", "--alias", "other", "front", "box")
                #expect(
                    try daemon.ok(client, "exec", "box", "ip", "-o", "-4", "addr", "show", "eth1")
                        .contains("10.9.0.7/24"))
                #expect(
                    try inspect(
                        daemon, "box",
                        "{{range $name, $n := .NetworkSettings.Networks}}{{$name}} {{end}}"
                            + "{{.NetworkSettings.Networks.front.IPAddress}}") == "bridge front 10.9.0.7")
                #expect(try daemon.ok(client, "exec", "box", "cat", "/etc/hosts").contains("10.9.0.7\t"))
                let twice = try daemon.run(client, "network", "connect", "front", "box")
                #expect(twice.code == 1 && twice.errors.contains("already exists in network front"), "\(twice)")
                try daemon.ok(client, "network", "disconnect", "front", "box")
                #expect(try daemon.run(client, "exec", "box", "ip", "addr", "show", "eth1").code != 0)
                #expect(try daemon.ok(client, "exec", "box", "cat", "/etc/hosts").contains("10.9.0.7") == false)
                // A place on a network outlives a stop.
                try daemon.ok(client, "network", "connect", "front", "box")
                try daemon.ok(client, "restart", "-t", "0", "box")
                #expect(
                    try inspect(daemon, "box", "{{.NetworkSettings.Networks.front.IPAddress}}") == "10.9.0.2")
                try daemon.ok(client, "rm", "-f", "box")
                try daemon.ok(client, "network", "rm", "front")
            }
        }

        @Test("the network's events tell who came and went")
        func events() throws {
            try withDaemon { daemon in
                let events = try daemon.begin(
                    .masu, "events", "--filter", "type=network", "--format",
                    "{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.type}}")
                // The daemon has the listener when it answers; until then it is asked.
                #expect(
                    try eventually {
                        try daemon.ok(.masu, "info", "-f", "{{.NEventsListener}}") == "1"
                    })
                try daemon.ok(.masu, "network", "create", "front")
                try daemon.ok(.masu, "run", "--rm", "--network", "front", "busybox", "true")
                try daemon.ok(.masu, "network", "rm", "front")
                let wanted = ["create", "connect", "disconnect", "destroy"].map { "\($0) front bridge" }
                #expect(
                    eventually { events.output.text.split(separator: "\n").map(String.init) == wanted },
                    "\(events.output.text)")
                events.send(SIGTERM)
            }
        }

        @Test("inspect tells of addresses, ports and names as Docker's does", arguments: Client.available)
        func inspection(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(
                    client, "run", "-d", "--name", "web", "-p", "127.0.0.1:0:80", "--expose", "81", "busybox", "sleep",
                    "1000")
                let address = try inspect(daemon, "web", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")
                #expect(address == "172.17.0.2")
                #expect(try inspect(daemon, "web", "{{.NetworkSettings.Networks.bridge.Gateway}}") == "172.17.0.1")
                #expect(
                    try inspect(daemon, "web", "{{.NetworkSettings.Networks.bridge.MacAddress}}")
                        == "02:42:ac:11:00:02")
                #expect(try inspect(daemon, "web", "{{json (index .NetworkSettings.Ports \"81/tcp\")}}") == "null")
                let port = try inspect(
                    daemon, "web", "{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostPort}}")
                #expect((Int(port) ?? 0) > 1024)
                #expect(try daemon.ok(client, "port", "web") == "80/tcp -> 127.0.0.1:\(port)")
                #expect(
                    try daemon.ok(client, "ps", "--format", "{{.Ports}}")
                        == "81/tcp, 127.0.0.1:\(port)->80/tcp")
                try daemon.ok(client, "stop", "-t", "0", "web")
                #expect(
                    try inspect(
                        daemon, "web",
                        "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}|{{.NetworkSettings.Ports}}")
                        == "|map[]")
            }
        }

        @Test("a published port is reached from outside and from the host itself, also after the daemon's death")
        func publishedPort() throws {
            try withWorld { daemon, world in
                try daemon.ok(
                    .masu, "run", "-d", "--name", "web", "-p", "8080:80", "busybox", "sh", "-c",
                    "while true; do echo here | nc -l -p 80; done")
                func answers(_ address: String) throws -> Bool {
                    try eventually(within: 30) {
                        try Command("/bin/busybox", "nc", "-w", "3", address, "8080").runToEnd().line == "here"
                    }
                }
                #expect(try answers("127.0.0.1"))
                #expect(try answers("::1"))
                #expect(try world.outside { try answers(OutsideWorld.hostAddress) })
                let taken = try daemon.run(.masu, "run", "--rm", "-p", "8080:80", "busybox", "true")
                #expect(taken.code == 125 && taken.errors.contains("port is already allocated"), "\(taken)")
                try daemon.crash()
                #expect(try world.outside { try answers(OutsideWorld.hostAddress) })
                try daemon.start()
                #expect(try world.outside { try answers(OutsideWorld.hostAddress) })
                #expect(try daemon.ok(.masu, "port", "web", "80") == "0.0.0.0:8080\n[::]:8080")
                try daemon.ok(.masu, "rm", "-f", "web")
                try daemon.ok(.masu, "run", "--rm", "-p", "8080:80", "busybox", "true")
            }
        }

        @Test("containers reach the world, and names that only it knows")
        func wayOut() throws {
            try withWorld { daemon, _ in
                try daemon.ok(.masu, "network", "create", "front")
                for network in ["bridge", "front"] {
                    let result = try daemon.run(
                        .masu, "run", "--rm", "--network", network, "busybox", "sh", "-c",
                        "ping -c 1 -W 5 \(OutsideWorld.outsideAddress) && nslookup \(OutsideWorld.knownName)")
                    #expect(
                        result.code == 0 && result.output.contains(OutsideWorld.outsideAddress), "\(network): \(result)"
                    )
                }
                try daemon.ok(.masu, "network", "rm", "front")
            }
        }

        @Test("a daemon without the default network gives a loopback interface alone")
        func withoutDefault() throws {
            try withDaemon(options: ["--bridge", "none"]) { (daemon: TestDaemon) throws in
                #expect(
                    try daemon.ok(.masu, "run", "--rm", "busybox", "ls", "/sys/class/net") == "lo")
                #expect(
                    try daemon.ok(.masu, "network", "ls", "--format", "{{.Name}}") == "host\nnone")
            }
        }
    }
}
