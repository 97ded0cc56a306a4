import Foundation
import Testing

/// Configurations of CNI networks for one test, and what their plugins keep on disk.
private final class PluginFiles {
    let path: String

    init() throws {
        var template = Array("/tmp/masu-cni.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Command.Failure(description: "mkdtemp failed") }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        for name in ["net.d", "bin", "leases"] { mkdir("\(path)/\(name)", 0o755) }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// What the daemon is told.
    var options: [String] {
        ["--cni-conf-dir", path + "/net.d", "--cni-bin-dir", path + "/bin", "--cni-bin-dir", Self.plugins]
    }

    static let plugins = "/usr/lib/cni"

    static var areInstalled: Bool {
        ["bridge", "host-local", "portmap", "firewall", "tuning"].allSatisfy {
            access("\(plugins)/\($0)", X_OK) == 0
        } && Programs.find("iptables-save") != nil
    }

    func write(_ name: String, _ text: String) throws {
        try text.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
    }

    /// A bridge with addresses of 10.77.0.0/24, followed by other plugins.
    func defineBridge(_ name: String, then others: String = "") throws {
        try write(
            "net.d/10-\(name).conflist",
            """
            {"cniVersion": "1.0.0", "name": "\(name)", "plugins": [
              {"type": "bridge", "bridge": "cni-\(name)", "isGateway": true, "ipMasq": true,
               "capabilities": {"ips": true},
               "ipam": {"type": "host-local", "dataDir": "\(path)/leases", "ranges": [[{"subnet": "10.77.0.0/24"}]],
                        "routes": [{"dst": "0.0.0.0/0"}]},
               "dns": {"nameservers": ["\(OutsideWorld.outsideAddress)"], "search": ["inner.example"],
                       "options": ["timeout:7"]}}\(others)]}
            """)
    }

    /// The plugins that follow a bridge.
    var chain: String {
        """
        ,
        {"type": "tuning", "capabilities": {"mac": true}, "sysctl": {"net.core.somaxconn": "321"},
         "dataDir": "\(path)/tuning"},
        {"type": "firewall", "backend": "iptables"},
        {"type": "portmap", "capabilities": {"portMappings": true}}
        """
    }

    /// A plugin that is a script.
    func definePlugin(_ name: String, _ script: String) throws {
        try write(
            "net.d/20-\(name).conflist",
            #"{"cniVersion": "1.0.0", "name": "\#(name)", "plugins": [{"type": "\#(name)"}]}"#)
        try write(
            "bin/\(name)",
            """
            #!/bin/sh
            if [ "$CNI_COMMAND" = VERSION ]; then echo '{"supportedVersions": ["1.0.0"]}'; exit 0; fi
            cd \(path)
            echo "$CNI_COMMAND" >> calls
            \(script)
            """)
        chmod("\(path)/bin/\(name)", 0o755)
    }

    /// What was asked of such plugins.
    var calls: [String] {
        ((try? String(contentsOfFile: path + "/calls", encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
    }

    /// The addresses that host-local has given.
    var leases: [String] {
        let names = (try? FileManager.default.subpathsOfDirectory(atPath: path + "/leases")) ?? []
        return names.compactMap { $0.split(separator: "/").last.map(String.init) }.filter { $0.hasPrefix("10.") }
            .sorted()
    }
}

extension Integration {
    /// Networks of CNI, with the plugins of Debian's package.
    @Suite(
        "CNI networks",
        .enabled(if: PluginFiles.areInstalled, "needs containernetworking-plugins and iptables"))
    struct PluginNetworkTests {
        private func withPlugins(_ body: (TestDaemon, OutsideWorld, PluginFiles) throws -> Void) throws {
            let files = try PluginFiles()
            let world = try OutsideWorld()
            try world.onHost {
                try withDaemonHere(options: files.options) { daemon in try body(daemon, world, files) }
            }
        }

        private func inspect(_ daemon: TestDaemon, _ name: String, _ template: String) throws -> String {
            try daemon.ok(.masu, "inspect", "-f", template, name)
        }

        /// What containers leave on the host if nobody takes it away.
        private func traces(_ world: OutsideWorld) throws -> String {
            try world.onHost {
                let rules = try Command(try #require(Programs.find("iptables-save"))).runToEnd()
                let links = try Command("/bin/busybox", "ip", "-o", "link").runToEnd()
                let own = rules.lines.filter { $0.contains("id: ") || $0.contains("10.77.0.") }
                return (own + links.lines.filter { $0.contains("veth") }).joined(separator: "\n")
            }
        }

        private func expectGone(
            _ daemon: TestDaemon, _ world: OutsideWorld, _ files: PluginFiles,
            at location: SourceLocation = #_sourceLocation
        ) throws {
            let left = try eventually { try traces(world).isEmpty } ? "" : try traces(world)
            #expect(left.isEmpty, sourceLocation: location)
            #expect(files.leases.isEmpty, sourceLocation: location)
            #expect(daemon.files(below: "run/netns").isEmpty, sourceLocation: location)
            #expect(try daemon.rows()["networkEndpoint"] == 0, sourceLocation: location)
        }

        @Test("a container is on the network that a file defines, and inspect, hosts and resolv.conf say so")
        func run() throws {
            try withPlugins { daemon, world, files in
                try files.defineBridge("front", then: files.chain)
                let id = try daemon.ok(
                    .masu, "run", "-d", "--name", "box", "--network", "cni:front", "--mac-address",
                    "02:00:00:00:00:07", "busybox", "sleep", "1000")
                let settings = "index .NetworkSettings.Networks \"cni:front\""
                #expect(
                    try inspect(
                        daemon, "box",
                        "{{with \(settings)}}{{.IPAddress}}/{{.IPPrefixLen}} {{.Gateway}} {{.MacAddress}}{{end}} "
                            + "{{.HostConfig.NetworkMode}}")
                        == "10.77.0.2/24 10.77.0.1 02:00:00:00:00:07 cni:front")
                let result = try inspect(daemon, "box", "{{json (\(settings)).CNIResult}}")
                for part in [#""name":"cni-front""#, #""name":"eth0""#, #""timeout:7""#] {
                    #expect(result.contains(part), "\(result)")
                }
                let hosts = try daemon.ok(.masu, "exec", "box", "cat", "/etc/hosts")
                #expect(hosts.contains("10.77.0.2\t\(id.prefix(12))"))
                let resolver = try daemon.ok(.masu, "exec", "box", "cat", "/etc/resolv.conf")
                for line in ["nameserver \(OutsideWorld.outsideAddress)", "search inner.example", "options timeout:7"] {
                    #expect(resolver.contains(line), "\(resolver)")
                }
                let links = try daemon.ok(.masu, "exec", "box", "ip", "-o", "link")
                #expect(links.contains("lo: <LOOPBACK,UP") && links.contains("02:00:00:00:00:07"), "\(links)")
                #expect(try daemon.ok(.masu, "exec", "box", "cat", "/proc/sys/net/core/somaxconn") == "321")
                try daemon.ok(
                    .masu, "exec", "box", "sh", "-c",
                    "ping -c 1 -W 30 \(OutsideWorld.outsideAddress) && nslookup \(OutsideWorld.knownName)")
                #expect(
                    try daemon.ok(.masu, "network", "ls", "--filter", "driver=cni", "--format", "{{.Name}}")
                        == "cni:front")
                #expect(
                    try daemon.ok(
                        .masu, "network", "inspect", "-f", "{{.Driver}} {{range .Containers}}{{.Name}}{{end}}",
                        "cni:front") == "cni box")
                #expect(files.leases == ["10.77.0.2"])
                try daemon.ok(.masu, "rm", "-f", "box")
                try expectGone(daemon, world, files)
                // The one that was not there keeps nobody's address.
                #expect(
                    try daemon.ok(
                        .masu, "run", "--rm", "--network", "cni:front", "--dns", "192.0.2.9", "--ip", "10.77.0.9",
                        "busybox", "sh", "-c", "ip -o -4 addr show eth0 && grep nameserver /etc/resolv.conf"
                    )
                    .contains("10.77.0.9/24"))
                try expectGone(daemon, world, files)
            }
        }

        @Test("ports are published by the plugin that has the capability, and belong to the container")
        func ports() throws {
            try withPlugins { daemon, world, files in
                try files.defineBridge("front", then: files.chain)
                try files.defineBridge("plain")
                let server = "while true; do echo here | nc -l -p 80; done"
                try daemon.ok(
                    .masu, "run", "-d", "--name", "web", "--network", "cni:front", "-p", "8080:80", "-p",
                    "127.0.0.1::81", "busybox", "sh", "-c", server)
                func answers() throws -> Bool {
                    try world.outside {
                        try eventually {
                            try Command("/bin/busybox", "nc", "-w", "3", OutsideWorld.hostAddress, "8080").runToEnd()
                                .line == "here"
                        }
                    }
                }
                #expect(try answers())
                #expect(try daemon.ok(.masu, "port", "web", "80") == "0.0.0.0:8080")
                let other = try daemon.ok(.masu, "port", "web", "81")
                #expect(other.hasPrefix("127.0.0.1:") && (Int(other.split(separator: ":")[1]) ?? 0) > 1024, "\(other)")
                #expect(
                    try inspect(
                        daemon, "web", "{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostPort}}") == "8080")
                for network in ["cni:front", "bridge"] {
                    let taken = try daemon.run(
                        .masu, "run", "--rm", "--network", network, "-p", "8080:80", "busybox", "true")
                    #expect(
                        taken.code == 125 && taken.errors.contains("port is already allocated")
                            && taken.errors.contains("by container web"), "\(taken)")
                }
                #expect(try answers())
                let lacking = try daemon.run(
                    .masu, "run", "--rm", "--network", "cni:plain", "-p", "8081:80", "busybox", "true")
                #expect(
                    lacking.code == 125
                        && lacking.errors.contains(
                            "none of its plugins (bridge) has the capability \"portMappings\""),
                    "\(lacking)")
                let update = try daemon.run(.masu, "update", "--publish-add", "8081:80", "web")
                #expect(
                    update.code == 1 && update.errors.contains("the plugins of its CNI network publish them"),
                    "\(update)")
                try daemon.crash()
                #expect(try answers())
                try daemon.start()
                #expect(try answers())
                #expect(try daemon.ok(.masu, "port", "web", "80") == "0.0.0.0:8080")
                try daemon.removeContainers()
                try expectGone(daemon, world, files)
                try daemon.ok(.masu, "run", "--rm", "-p", "8080:80", "busybox", "true")
            }
        }

        @Test("a container keeps its network over the daemon's death, and its end runs DEL")
        func recovery() throws {
            try withPlugins { daemon, world, files in
                try files.defineBridge("front", then: files.chain)
                func run(_ name: String) throws -> String {
                    try daemon.ok(
                        .masu, "run", "-d", "--name", name, "--network", "cni:front", "busybox", "sleep", "1000")
                }
                _ = try run("stays")
                let goes = try run("goes")
                let address = "{{(index .NetworkSettings.Networks \"cni:front\").IPAddress}}"
                let pid = try inspect(daemon, "goes", "{{.State.Pid}}")
                try daemon.crash()
                // The file goes, too: what was on the network is taken away all the same.
                try FileManager.default.removeItem(atPath: files.path + "/net.d/10-front.conflist")
                #expect(kill(try #require(pid_t(pid)), SIGKILL) == 0)
                #expect(eventually { daemon.hasEnded(goes) })
                #expect(files.leases.count == 2)
                try daemon.start()
                #expect(try inspect(daemon, "stays", address) == "10.77.0.2")
                #expect(try inspect(daemon, "goes", address) == "")
                #expect(files.leases == ["10.77.0.2"])
                #expect(
                    try daemon.run(
                        .masu, "exec", "stays", "ping", "-c", "1", "-W", "30", OutsideWorld.outsideAddress
                    ).code == 0)
                try daemon.ok(.masu, "stop", "-t", "0", "stays")
                try expectGone(daemon, world, files)
                let start = try daemon.run(.masu, "start", "stays")
                #expect(start.code == 1 && start.errors.contains("defines a CNI network \"front\""), "\(start)")
                try files.defineBridge("front", then: files.chain)
                try daemon.ok(.masu, "start", "stays")
                #expect(try inspect(daemon, "stays", address).hasPrefix("10.77.0."))
                try daemon.ok(.masu, "restart", "-t", "0", "stays")
                #expect(files.leases.count == 1)
                try daemon.removeContainers()
                try expectGone(daemon, world, files)
            }
        }

        @Test("a start that a dying daemon did not come to the end of is undone by the next one")
        func deathWhileAdding() throws {
            try withPlugins { daemon, world, files in
                try files.definePlugin(
                    "slow",
                    "if [ $CNI_COMMAND = ADD ]; then echo begun > state; read line < gate; echo ended > state; fi")
                #expect(mkfifo(files.path + "/gate", 0o600) == 0)
                let client = try daemon.begin(.masu, "run", "--name", "box", "--network", "cni:slow", "busybox", "true")
                func state() -> String { (try? String(contentsOfFile: files.path + "/state", encoding: .utf8)) ?? "" }
                #expect(eventually { state() == "begun\n" })
                try daemon.crash()
                _ = try client.waitForEnd()
                #expect(files.calls == ["ADD"])
                // The next daemon waits for the plugin, which it did not start.
                try "go\n".write(toFile: files.path + "/gate", atomically: false, encoding: .utf8)
                try daemon.start()
                #expect(files.calls == ["ADD", "DEL"])
                #expect(state() == "ended\n")
                try daemon.removeContainers()
                try expectGone(daemon, world, files)
            }
        }

        @Test("what cannot be is refused, and leaves nothing behind", arguments: Client.available)
        func refusals(_ client: Client) throws {
            try withPlugins { daemon, world, files in
                try files.defineBridge("front", then: files.chain)
                try files.defineBridge("back")
                try files.write("net.d/30-bad.conflist", "{")
                // A bridge that Debian's plugin has made for nobody is one that it cannot use later.
                try daemon.ok(client, "run", "--rm", "--network", "cni:front", "busybox", "true")
                try files.definePlugin("broken", "echo '{\"code\": 7, \"msg\": \"cannot\"}'; [ $CNI_COMMAND = DEL ]")
                try files.write(
                    "net.d/40-lost.conflist",
                    #"{"cniVersion": "1.0.0", "name": "lost", "plugins": [{"type": "nowhere"}]}"#)
                for (arguments, text) in [
                    (
                        ["--network", "cni:unknown"],
                        "no file of \(files.path)/net.d defines a CNI network \"unknown\"; there are: back, broken, "
                            + "front, lost; 30-bad.conflist cannot be used: invalid JSON"
                    ),
                    (
                        ["--network", "cni:broken"],
                        "plugin broken of the network broken failed at ADD (code 7): cannot"
                    ),
                    (["--network", "cni:lost"], "the network lost needs the CNI plugin nowhere, which is not in "),
                    (["--network", "cni:front", "--network", "cni:back"], "can be on no other network"),
                    (["--network", "cni:back", "--mac-address", "02:00:00:00:00:07"], "capability \"mac\""),
                    (["--network", "cni:front", "--network-alias", "x"], "capability \"aliases\""),
                    (["--network", "cni:front", "--ip", "10.99.0.1"], "plugin bridge of the network front failed"),
                ] {
                    let result = try daemon.command(client, ["run", "--rm"] + arguments + ["busybox", "true"])
                        .runToEnd()
                    #expect(result.code == 125 && result.errors.contains(text), "\(result)")
                }
                try daemon.ok(client, "run", "-d", "--name", "box", "busybox", "sleep", "1000")
                try daemon.ok(client, "create", "--name", "later", "--network", "none", "busybox", "true")
                for (arguments, text) in [
                    (["connect", "cni:front", "box"], "only while it does not run"),
                    (["rm", "cni:front"], "is defined by a file"),
                    (["create", "cni:new"], "invalid name"),
                    (["create", "-d", "cni", "new"], "networks of the driver cni are not created"),
                    (["inspect", "cni:unknown"], "defines a CNI network \"unknown\""),
                ] {
                    let result = try daemon.command(client, ["network"] + arguments).runToEnd()
                    #expect(result.code == 1 && result.errors.contains(text), "\(result)")
                }
                try daemon.ok(client, "network", "prune", "-f")
                #expect(try daemon.ok(client, "network", "ls", "--format", "{{.Name}}") == "bridge\nhost\nnone")
                #expect(
                    try daemon.ok(client, "network", "ls", "--filter", "driver=cni", "--format", "{{.Name}}")
                        == "cni:back\ncni:broken\ncni:front\ncni:lost")
                try daemon.ok(client, "stop", "-t", "0", "box")
                let mixed = try daemon.run(client, "network", "connect", "cni:front", "box")
                #expect(mixed.code == 1 && mixed.errors.contains("can be on no other network"), "\(mixed)")
                try daemon.ok(client, "network", "disconnect", "bridge", "box")
                try daemon.ok(client, "network", "connect", "cni:front", "box")
                try daemon.ok(client, "start", "box")
                #expect(
                    try inspect(daemon, "box", "{{(index .NetworkSettings.Networks \"cni:front\").IPAddress}}")
                        .hasPrefix("10.77.0."))
                let running = try daemon.run(client, "network", "disconnect", "cni:front", "box")
                #expect(running.code == 1 && running.errors.contains("only while it does not run"), "\(running)")
                try daemon.removeContainers()
                try expectGone(daemon, world, files)
            }
        }
    }
}
