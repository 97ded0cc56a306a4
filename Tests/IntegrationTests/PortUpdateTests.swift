import Foundation
import Testing

extension Integration {
    /// What changes of a container's networks and ports while it is there.
    @Suite("updates of ports, links and halves of connections")
    struct PortUpdateTests {
        private static let server = "while true; do echo here | nc -l -p 80; done"

        private func answers(_ port: Int, _ address: String = "127.0.0.1") throws -> Bool {
            try eventually {
                try Command("/bin/busybox", "nc", "-w", "3", address, "\(port)").runToEnd().line == "here"
            }
        }

        private func isRefused(_ port: Int, _ address: String = "127.0.0.1") throws -> Bool {
            try eventually {
                try Command("/bin/busybox", "nc", "-w", "3", address, "\(port)").runToEnd().code != 0
            }
        }

        private func ports(_ daemon: TestDaemon, _ client: Client = .masu) throws -> String {
            try daemon.ok(client, "port", "web")
        }

        @Test("a running container's ports are added and removed, and outlive its restart and the daemon's death")
        func runningContainer() throws {
            try withWorld { daemon, world in
                try daemon.ok(
                    .masu, "run", "-d", "--name", "web", "-p", "8080:80", "busybox", "sh", "-c", Self.server)
                #expect(try daemon.ok(.masu, "update", "--publish-add", "8081:80", "web") == "web")
                for port in [8080, 8081] {
                    #expect(try answers(port))
                    #expect(try world.outside { try answers(port, OutsideWorld.hostAddress) })
                }
                #expect(
                    try ports(daemon)
                        == "80/tcp -> 0.0.0.0:8080\n80/tcp -> 0.0.0.0:8081\n80/tcp -> [::]:8080\n80/tcp -> [::]:8081")
                #expect(
                    try daemon.ok(.masu, "inspect", "-f", "{{json .HostConfig.PortBindings}}", "web")
                        == #"{"80/tcp":[{"HostIp":"","HostPort":"8080"},{"HostIp":"","HostPort":"8081"}]}"#)
                #expect(try daemon.ok(.masu, "ps", "--format", "{{.Ports}}").contains("0.0.0.0:8081->80/tcp"))
                try daemon.ok(.masu, "update", "--publish-rm", "8080:80", "web")
                #expect(try answers(8081))
                #expect(try isRefused(8080))
                #expect(try world.outside { try isRefused(8080, OutsideWorld.hostAddress) })
                // The port is anybody's again.
                try daemon.ok(.masu, "run", "--rm", "-p", "8080:80", "busybox", "true")
                try daemon.crash()
                try daemon.start()
                #expect(try ports(daemon) == "80/tcp -> 0.0.0.0:8081\n80/tcp -> [::]:8081")
                #expect(try world.outside { try answers(8081, OutsideWorld.hostAddress) })
                try daemon.ok(.masu, "restart", "-t", "0", "web")
                #expect(try ports(daemon) == "80/tcp -> 0.0.0.0:8081\n80/tcp -> [::]:8081")
                #expect(try world.outside { try answers(8081, OutsideWorld.hostAddress) })
                // One that leads to another port from now on is not free in between.
                try daemon.ok(
                    .masu, "update", "--publish-rm", "8081:80", "--publish-add", "8081:81", "--publish-add",
                    "127.0.0.1::80", "web")
                let shown = try ports(daemon).split(separator: "\n")
                #expect(shown.contains("81/tcp -> 0.0.0.0:8081"), "\(shown)")
                let local = try #require(shown.first { $0.hasPrefix("80/tcp -> 127.0.0.1:") }, "\(shown)")
                let number = try #require(Int(local.split(separator: ":").last ?? ""))
                #expect(try answers(number))
                #expect(try isRefused(8081))
                // One that the engine chose is named by its number, too.
                try daemon.ok(.masu, "update", "--publish-rm", "\(number):80", "web")
                #expect(try isRefused(number))
                let events = try daemon.ok(
                    .masu, "events", "--since", "1h", "--until", "0s", "--filter", "event=update", "--format",
                    "{{.Actor.Attributes.name}}")
                // Those before the daemon's death, too.
                #expect(events == "web\nweb\nweb\nweb")
            }
        }

        @Test("what was bound elsewhere, or named by half an id, is nothing that a daemon's death has cut in half")
        func nothingHalf() throws {
            try withWorld { daemon, world in
                let network = try daemon.ok(.masu, "network", "create", "front")
                try daemon.ok(
                    .masu, "run", "-d", "--name", "web", "--network", String(network.prefix(12)), "-p", "8080:80",
                    "busybox", "sh", "-c", Self.server)
                try daemon.ok(.masu, "run", "-d", "--name", "all", "-P", "--expose", "80", "busybox", "sleep", "1000")
                try daemon.ok(.masu, "update", "--publish-add", "8081:80", "all")
                let before = try ["web", "all"].map { try daemon.ok(.masu, "port", $0) }
                #expect(before[1].split(separator: "\n").count == 4, "\(before)")
                try daemon.crash()
                try daemon.start(with: ["--ip", "127.0.0.1"])
                #expect(try ["web", "all"].map { try daemon.ok(.masu, "port", $0) } == before)
                #expect(try answers(8080))
                #expect(try world.outside { try answers(8080, OutsideWorld.hostAddress) })
                #expect(
                    try daemon.ok(.masu, "network", "inspect", "-f", "{{range .Containers}}{{.Name}}{{end}}", "front")
                        == "web")
            }
        }

        @Test("a container that was run without ports gets some, and loses the last")
        func firstPort() throws {
            try withWorld { daemon, world in
                try daemon.ok(.masu, "run", "-d", "--name", "web", "busybox", "sh", "-c", Self.server)
                try daemon.ok(.masu, "update", "--publish-add", "8080:80", "web")
                #expect(try answers(8080))
                #expect(try world.outside { try answers(8080, OutsideWorld.hostAddress) })
                try daemon.ok(.masu, "update", "--publish-rm", "80", "web")
                #expect(try ports(daemon).isEmpty)
                #expect(try isRefused(8080))
            }
        }

        @Test("where one of several changes fails nothing changes, and the error says why", arguments: [true, false])
        func refusals(_ isRunning: Bool) throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "run", "-d", "--name", "other", "-p", "9000:80", "busybox", "sleep", "1000")
                try daemon.ok(
                    .masu, "run", "-d", "--name", "web", "-p", "8080:80", "busybox", "sh", "-c", Self.server)
                if !isRunning { try daemon.ok(.masu, "stop", "-t", "0", "web") }
                let facts =
                    "{{json .HostConfig.PortBindings}} {{json .NetworkSettings.Ports}} {{json .Config.ExposedPorts}}"
                let before = try daemon.ok(.masu, "inspect", "-f", facts, "web")
                var cases = [
                    (
                        ["--publish-add", "8081:80", "--publish-rm", "8082:80"],
                        "port 8082:80/tcp of container web is not published; published: 8080:80/tcp"
                    ),
                    (
                        ["--publish-rm", "8080:80", "--publish-rm", "8080:80/udp"],
                        "port 8080:80/udp of container web is not published"
                    ),
                    (
                        ["--publish-add", "8081:80", "--publish-add", "127.0.0.1:8080:81"],
                        "Bind for 127.0.0.1:8080 failed: port is already allocated (by container web)"
                    ),
                    (["--publish-add", "70000:80"], "invalid hostPort: 70000"),
                    ([], "you must provide one or more flags when using this command"),
                ]
                if isRunning {
                    cases.append(
                        (
                            ["--publish-rm", "8080:80", "--publish-add", "8081:80", "--publish-add", "9000:80"],
                            "Bind for 0.0.0.0:9000 failed: port is already allocated (by container other)"
                        ))
                }
                for (arguments, text) in cases {
                    let result = try daemon.command(.masu, ["update"] + arguments + ["web"]).runToEnd()
                    #expect(result.code == 1 && result.errors.contains(text), "\(result)")
                    #expect(try daemon.ok(.masu, "inspect", "-f", facts, "web") == before)
                }
                let missing = try daemon.run(.masu, "update", "--publish-add", "1:1", "nobody")
                #expect(missing.code == 1 && missing.errors.contains("No such container: nobody"), "\(missing)")
                if isRunning {
                    #expect(try answers(8080))
                    try daemon.ok(.masu, "run", "--rm", "-p", "8081:80", "busybox", "true")
                } else {
                    try daemon.ok(.masu, "update", "--publish-add", "8081:80", "--publish-rm", "8080:80", "web")
                    try daemon.ok(.masu, "start", "web")
                    #expect(try answers(8081))
                    #expect(try isRefused(8080))
                }
            }
        }

        @Test("ports and limits change together, or not at all")
        func portsAndLimits() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "create", "--name", "web", "busybox", "true")
                let facts = "{{.HostConfig.PidsLimit}} {{json .HostConfig.PortBindings}}"
                let before = try daemon.ok(.masu, "inspect", "-f", facts, "web")
                for body in [
                    #"{"PidsLimit":9,"PublishRm":{"81/tcp":null}}"#,
                    #"{"Memory":1000000,"PublishAdd":{"80/tcp":[{"HostPort":"8080"}]}}"#,
                ] {
                    let answer = try daemon.http("POST", "/v1.47/containers/web/update", body: body)
                    #expect((400..<500).contains(answer.status), "\(body): \(answer)")
                    #expect(try daemon.ok(.masu, "inspect", "-f", facts, "web") == before)
                }
                let answer = try daemon.http(
                    "POST", "/v1.47/containers/web/update",
                    body: #"{"Memory":0,"RestartPolicy":{"Name":"","MaximumRetryCount":0},"BlkioWeightDevice":null,"#
                        + #""PidsLimit":9,"publishadd":{"80/tcp":[{"HostPort":"8080"}]}}"#)
                #expect(answer.status == 200, "\(answer)")
                #expect(
                    try daemon.ok(.masu, "inspect", "-f", facts, "web")
                        == #"9 {"80/tcp":[{"HostIp":"","HostPort":"8080"}]}"#)
            }
        }

        @Test("a connection that a daemon's death cut in half is dropped, or can be, whichever half is there")
        func halfConnection() throws {
            try withDaemon { daemon in
                let sqlite = try #require(Programs.find("sqlite3"), "sqlite3 is not installed")
                try daemon.ok(.masu, "network", "create", "front")
                try daemon.ok(.masu, "run", "-d", "--name", "box", "busybox", "sleep", "1000")
                try daemon.ok(.masu, "network", "connect", "front", "box")
                try daemon.crash()
                // As if the daemon had died before it wrote the container's row.
                let change = "UPDATE container SET configuration = json_remove(configuration, '$.endpoints.front')"
                let edit = try Command(sqlite, daemon.dataRoot + "/masu.db", change).runToEnd()
                try #require(edit.code == 0, "\(edit)")
                try daemon.start()
                #expect(
                    try daemon.ok(
                        .masu, "inspect", "-f", "{{range $n, $e := .NetworkSettings.Networks}}{{$n}}{{end}}", "box")
                        == "bridge")
                #expect(try daemon.run(.masu, "exec", "box", "ip", "addr", "show", "eth1").code != 0)
                #expect(try daemon.ok(.masu, "network", "inspect", "-f", "{{json .Containers}}", "front") == "{}")
                // The other half: the network's row is gone, the container's is not.
                try daemon.ok(.masu, "network", "connect", "front", "box")
                try daemon.crash()
                let removal = "DELETE FROM networkEndpoint WHERE document LIKE '%front%'"
                let second = try Command(sqlite, daemon.dataRoot + "/masu.db", removal + "; SELECT changes()")
                    .runToEnd()
                try #require(second.code == 0 && second.line == "1", "\(second)")
                try daemon.start()
                try daemon.ok(.masu, "network", "disconnect", "front", "box")
                let twice = try daemon.run(.masu, "network", "disconnect", "front", "box")
                #expect(twice.code == 1 && twice.errors.contains("is not connected to the network front"), "\(twice)")
                try daemon.ok(.masu, "network", "connect", "front", "box")
                try daemon.ok(.masu, "exec", "box", "ping", "-c", "1", "-W", "5", "box.front")
                try daemon.ok(.masu, "rm", "-f", "box")
                try daemon.ok(.masu, "network", "rm", "front")
            }
        }

        @Test("who is linked to a container that comes back elsewhere finds it by its name")
        func movedLink() throws {
            try withDaemon { daemon in
                let server = ["busybox", "sh", "-c", Self.server]
                let started = try daemon.command(.masu, ["run", "-d", "--name", "db"] + server).runToEnd()
                #expect(started.code == 0, "\(started)")
                try daemon.ok(
                    .masu, "run", "-d", "--name", "web", "--link", "db:database", "busybox", "sleep", "1000")
                let hosts = "cat /etc/hosts"
                let before = try daemon.ok(.masu, "exec", "web", "sh", "-c", hosts)
                #expect(before.contains("172.17.0.2\tdatabase "), "\(before)")
                try daemon.ok(.masu, "exec", "web", "sh", "-c", "echo '10.0.0.1 mine' >> /etc/hosts")
                try daemon.ok(.masu, "stop", "-t", "0", "db")
                try daemon.ok(.masu, "run", "-d", "--name", "other", "busybox", "sleep", "1000")
                try daemon.ok(.masu, "start", "db")
                let after = try daemon.ok(.masu, "exec", "web", "sh", "-c", hosts)
                #expect(after.contains("172.17.0.4\tdatabase ") && after.contains("10.0.0.1 mine"), "\(after)")
                #expect(!after.contains("172.17.0.2\t"), "\(after)")
                #expect(
                    try eventually {
                        try daemon.run(.masu, "exec", "web", "nc", "-w", "5", "database", "80").line == "here"
                    })
                // One whose line was edited is left alone.
                try daemon.ok(
                    .masu, "exec", "web", "sh", "-c",
                    "sed 's/database.*/database mine/' /etc/hosts > /tmp/h && cat /tmp/h > /etc/hosts")
                let edited = try daemon.ok(.masu, "exec", "web", "sh", "-c", hosts)
                try daemon.ok(.masu, "restart", "-t", "0", "db")
                #expect(try daemon.ok(.masu, "exec", "web", "sh", "-c", hosts) == edited)
                // A container whose link has ended can still be connected to networks.
                try daemon.ok(.masu, "stop", "-t", "0", "db")
                try daemon.ok(.masu, "network", "create", "front")
                try daemon.ok(.masu, "network", "connect", "front", "web")
                #expect(try daemon.ok(.masu, "exec", "web", "cat", "/etc/resolv.conf").contains("127.0.0.11"))
                try daemon.ok(.masu, "rm", "-f", "web")
                try daemon.ok(.masu, "network", "rm", "front")
            }
        }

        @Test("variables about linked containers are an option of the daemon", arguments: [true, false])
        func linkEnvironment(_ isOn: Bool) throws {
            try withDaemon(options: isOn ? ["--link-environment"] : []) { daemon in
                try daemon.ok(
                    .masu, "run", "-d", "--name", "db", "--expose", "5432", "-e", "SECRET=known", "busybox", "sleep",
                    "1000")
                let variables = try daemon.ok(
                    .masu, "run", "--rm", "--name", "web", "--link", "db:my-db", "-e", "MY_DB_NAME=own", "busybox",
                    "env")
                let lines = Set(variables.split(separator: "\n"))
                for variable in [
                    "MY_DB_PORT=tcp://172.17.0.2:5432", "MY_DB_PORT_5432_TCP_ADDR=172.17.0.2", "MY_DB_ENV_SECRET=known",
                ] { #expect(lines.contains(Substring(variable)) == isOn, "\(variables)") }
                #expect(lines.contains("MY_DB_NAME=own"))
            }
        }

        @Test(
            "the administrator's choice of address pools is shown as Docker shows it, and only that",
            arguments: Client.available)
        func addressPools(_ client: Client) throws {
            try withDaemon(
                options: ["--default-address-pool", "base=10.10.0.0/16,size=24"], image: false
            ) { (daemon: TestDaemon) throws in
                #expect(
                    try daemon.ok(client, "info", "-f", "{{json .DefaultAddressPools}}")
                        == #"[{"Base":"10.10.0.0/16","Size":24}]"#)
                #expect(
                    try daemon.ok(client, "info").contains(
                        " Default Address Pools:\n   Base: 10.10.0.0/16, Size: 24"))
            }
            try withDaemon(image: false) { (daemon: TestDaemon) throws in
                #expect(try !daemon.ok(client, "info").contains("Default Address Pools"))
            }
        }
    }
}
