import Addresses
import Foundation
import Glibc
import LinuxKernel
import Networks
import PublishedPorts
import SystemPackage
import Testing

/// A directory of configurations, and one of plugins that are shell scripts.
private final class Scripts: Sendable {
    let path: FilePath

    init(in host: TestHost) throws {
        path = host.directory.appending("cni")
        for name in ["net.d", "bin"] { try Files.makeDirectories(path.appending(name)) }
    }

    /// A network of one plugin, which does this after it has noted the call.
    func define(_ name: String, capabilities: String = "", _ script: String) throws {
        try write(
            "net.d/\(name).conflist",
            """
            {"cniVersion": "1.0.0", "name": "\(name)",
             "plugins": [{"type": "\(name)", "capabilities": {\(capabilities)}}]}
            """)
        try write(
            "bin/\(name)",
            """
            #!/bin/sh
            if [ "$CNI_COMMAND" = VERSION ]; then echo '{"supportedVersions": ["1.0.0"]}'; exit 0; fi
            cd \(path)
            kind=$(stat -f -c %T "$CNI_NETNS" 2>&1)
            echo "$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME ${kind%% *}" >> calls
            cat > request
            \(script)
            """)
        #expect(chmod(path.appending("bin/\(name)").string, 0o755) == 0)
    }

    func write(_ name: String, _ text: String) throws {
        let file = try Files.open(path.appending(name), [.writeOnly, .create, .truncate], mode: 0o644)
        defer { file.discard() }
        try file.writeEntire(Array(text.utf8))
    }

    func text(_ name: String) -> String { (try? Files.readText(path.appending(name))) ?? "" }

    /// Commands and kinds of namespaces.
    var calls: [String] {
        text("calls").split(separator: "\n").map { line in
            let words = line.split(separator: " ")
            return "\(words[0]) \(words.last ?? "")"
        }
    }

    func configure(_ configuration: inout NetworksConfiguration) {
        configuration.pluginConfigurations = path.appending("net.d")
        configuration.pluginDirectories = [path.appending("bin")]
    }

    static let result = """
        cat <<END
        {"cniVersion": "1.0.0", "interfaces": [{"name": "$CNI_IFNAME", "mac": "02:00:00:00:00:07", "sandbox": "$CNI_NETNS"}],
         "ips": [{"address": "10.77.0.5/24", "gateway": "10.77.0.1", "interface": 0}, {"address": "fd00::5/64"}],
         "dns": {"nameservers": ["10.77.0.53"], "domain": "inner.example"}}
        END
        """
}

@Suite("Networks of plugins", .needsNamespaces, .timeLimit(.minutes(10)))
struct PluginNetworkTests {
    private func request(_ number: Int, _ endpoints: EndpointRequest...) -> SandboxRequest {
        SandboxRequest(id: TestID.make(number), name: "c\(number)", endpoints: endpoints)
    }

    private func holds(_ host: TestHost) -> [String] {
        ((try? Files.names(in: host.directory.appending("run/netns"))) ?? []).sorted()
    }

    @Test("plugins give a container its place, and take it away")
    func life() async throws {
        let host = try TestHost()
        let scripts = try Scripts(in: host)
        try scripts.define("front", "ip link set lo up 2>/dev/null; \(Scripts.result)")
        let networks = try await host.open(scripts.configure)
        #expect(!networks.all.contains { $0.name == "cni:front" })
        #expect(try await networks.withPluginNetworks().contains { $0.name == "cni:front" && $0.driver == .cni })
        let sandbox = try await networks.join(request(1, EndpointRequest(network: "cni:front")))
        let endpoint = try #require(sandbox.endpoints.first)
        #expect(endpoint.interfaceName == "eth0")
        #expect(endpoint.ipv4?.description == "10.77.0.5/24")
        #expect(endpoint.ipv4Gateway?.description == "10.77.0.1")
        #expect(endpoint.ipv6?.description == "fd00::5/64")
        #expect(endpoint.macAddress?.description == "02:00:00:00:00:07")
        #expect(endpoint.plugins?.advice.servers.map(\.description) == ["10.77.0.53"])
        #expect(endpoint.plugins?.advice.searches == ["inner.example"])
        #expect(networks.endpoints(of: TestID.make(1)) == sandbox.endpoints)
        #expect(networks.all.contains { $0.name == "cni:front" && $0.id == endpoint.networkID })
        #expect(try await networks.lookUp(String(endpoint.networkID.prefix(12))).name == "cni:front")
        #expect(scripts.calls == ["ADD nsfs"])
        #expect(holds(host).count == 2)
        await networks.leave(TestID.make(1))
        #expect(scripts.calls == ["ADD nsfs", "DEL nsfs"])
        #expect(networks.endpoints(of: TestID.make(1)).isEmpty)
        #expect(!networks.all.contains { $0.name == "cni:front" })
        #expect(holds(host).isEmpty)
    }

    @Test("a container that runs keeps its place over the daemon's end; one that does not is taken away")
    func recovery() async throws {
        let host = try TestHost()
        let scripts = try Scripts(in: host)
        try scripts.define("front", Scripts.result)
        var networks = try await host.open(scripts.configure)
        let first = try await networks.join(request(1, EndpointRequest(network: "cni:front")))
        _ = try await networks.join(request(2, EndpointRequest(network: "cni:front")))
        // The file goes, and with it the network for others than those on it.
        try Files.remove(scripts.path.appending("net.d/front.conflist"))
        networks = try await host.open(scripts.configure)
        await networks.recover([TestID.make(1)])
        #expect(networks.endpoints(of: TestID.make(1)) == first.endpoints)
        #expect(networks.endpoints(of: TestID.make(2)).isEmpty)
        #expect(scripts.calls == ["ADD nsfs", "ADD nsfs", "DEL nsfs"])
        #expect(holds(host) == [TestID.make(1), TestID.make(1) + ".lock"])
        // As in another mount namespace: the path is a mere file there.
        try NetworkNamespace.unpin(at: host.directory.appending("run/netns").appending(TestID.make(1)))
        await networks.hold(TestID.make(1), process: getpid())
        #expect(NetworkNamespace.isNamespace(host.directory.appending("run/netns").appending(TestID.make(1))))
        await networks.leave(TestID.make(1))
        #expect(scripts.calls.count == 4)
        #expect(holds(host).isEmpty)
        let error = await #expect(throws: NetworksError.self) {
            _ = try await networks.join(request(3, EndpointRequest(network: "cni:front")))
        }
        #expect(error?.kind == .notFound)
        #expect(error?.message.contains("no file of \(scripts.path.appending("net.d")) defines") == true)
    }

    @Test("what a daemon was about to do when it died is undone")
    func unfinished() async throws {
        let host = try TestHost()
        let scripts = try Scripts(in: host)
        // The row is there, with no result: as if the daemon had died while the plugin ran.
        try scripts.define("front", "if [ $CNI_COMMAND = ADD ]; then echo begun > state; read line < gate; exit 1; fi")
        #expect(mkfifo(scripts.path.appending("gate").string, 0o600) == 0)
        let networks = try await host.open(scripts.configure)
        let joining = Task { try await networks.join(request(1, EndpointRequest(network: "cni:front"))) }
        #expect(try await TestHost.wait { scripts.text("state") == "begun" })
        let other = try await host.open(scripts.configure)
        #expect(other.endpoints(of: TestID.make(1)).count == 1)
        // The second daemon waits for the plugin that the first one has left, before it asks for DEL.
        let recovering = Task { await other.recover([]) }
        try scripts.write("gate", "go\n")
        _ = await joining.result
        await recovering.value
        #expect(scripts.calls.first == "ADD nsfs")
        #expect(scripts.calls.dropFirst().allSatisfy { $0.hasPrefix("DEL") } && scripts.calls.count >= 2)
        #expect(other.endpoints(of: TestID.make(1)).isEmpty)
        #expect(holds(host).isEmpty)
    }

    @Test("a failure leaves nothing behind, and says which plugin failed of what network")
    func failure() async throws {
        let host = try TestHost()
        let scripts = try Scripts(in: host)
        try scripts.define("front", "if [ $CNI_COMMAND = ADD ]; then echo '{\"msg\": \"no\"}'; exit 1; fi")
        let networks = try await host.open(scripts.configure)
        let error = await #expect(throws: NetworksError.self) {
            _ = try await networks.join(request(1, EndpointRequest(network: "cni:front")))
        }
        #expect(error?.message == "the CNI plugin front of the network front failed at ADD: no")
        #expect(scripts.calls == ["ADD nsfs", "DEL nsfs"])
        #expect(networks.endpoints(of: TestID.make(1)).isEmpty)
        #expect(!networks.all.contains { $0.driver == .cni })
        #expect(holds(host).isEmpty)
        #expect(try await host.database.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM networkEndpoint") } == 0)
        #expect(
            try await host.database.read {
                try Int.fetchOne($0, sql: "SELECT count(*) FROM network WHERE name LIKE 'cni:%'")
            } == 0)
    }

    @Test("what plugins cannot take back after a failed ADD is kept until they can")
    func failedReturn() async throws {
        let host = try TestHost()
        let scripts = try Scripts(in: host)
        try scripts.define(
            "front", "if [ $CNI_COMMAND = ADD ]; then exit 1; fi; if [ -e broken ]; then exit 9; fi")
        try scripts.write("broken", "")
        var networks = try await host.open(scripts.configure)
        for calls in [["ADD nsfs", "DEL nsfs"], ["ADD nsfs", "DEL nsfs", "DEL nsfs"]] {
            let error = await #expect(throws: NetworksError.self) {
                _ = try await networks.join(request(1, EndpointRequest(network: "cni:front")))
            }
            #expect(error?.message.contains("failed at DEL (exit status 9)") == true, "\(error?.message ?? "")")
            #expect(scripts.calls == calls)
            #expect(networks.endpoints(of: TestID.make(1)).first?.plugins != nil)
            #expect(holds(host) == [TestID.make(1), TestID.make(1) + ".lock"])
        }
        networks = try await host.open(scripts.configure)
        #expect(networks.endpoints(of: TestID.make(1)).first?.plugins != nil)
        try Files.remove(scripts.path.appending("broken"))
        await networks.recover([])
        #expect(scripts.calls == ["ADD nsfs", "DEL nsfs", "DEL nsfs", "DEL nsfs"])
        #expect(networks.endpoints(of: TestID.make(1)).isEmpty)
        #expect(holds(host).isEmpty)
    }

    @Test("a container that has left something on a network of plugins is taken away before it is on another one")
    func remainsBeforeAnotherNetwork() async throws {
        let host = try TestHost()
        let scripts = try Scripts(in: host)
        try scripts.define("front", "if [ $CNI_COMMAND = ADD ] || [ -e broken ]; then exit 1; fi")
        try scripts.write("broken", "")
        let networks = try await host.open(scripts.configure)
        await #expect(throws: NetworksError.self) {
            _ = try await networks.join(request(1, EndpointRequest(network: "cni:front")))
        }
        try Files.remove(scripts.path.appending("broken"))
        let sandbox = try await networks.join(request(1, EndpointRequest(network: "bridge")))
        #expect(scripts.calls == ["ADD nsfs", "DEL nsfs", "DEL nsfs"])
        #expect(networks.endpoints(of: TestID.make(1)) == sandbox.endpoints)
        #expect(sandbox.endpoints.map(\.networkName) == ["bridge"])
        #expect(holds(host).isEmpty)
        await networks.leave(TestID.make(1))
    }

    @Test("a plugin that a daemon has left and that hangs is killed before DEL is asked for")
    func orphan() async throws {
        let host = try TestHost()
        let scripts = try Scripts(in: host)
        try scripts.define("front", "if [ $CNI_COMMAND = ADD ]; then echo $$ > self; exec sleep 1000; fi")
        let networks = try await host.open { configuration in
            scripts.configure(&configuration)
            configuration.pluginTimeLimit = .seconds(900)
        }
        let joining = Task { try await networks.join(request(1, EndpointRequest(network: "cni:front"))) }
        #expect(try await TestHost.wait { !scripts.text("self").isEmpty })
        let other = try await host.open(scripts.configure)
        // It waits for the plugin first, so this takes half a minute.
        await other.recover([])
        let result = await joining.result
        #expect("\(result)".contains("killed by signal 9"), "\(result)")
        #expect(scripts.calls.contains("DEL nsfs"))
        #expect(other.endpoints(of: TestID.make(1)).isEmpty)
        #expect(holds(host).isEmpty)
    }

    @Test("what a plugin leaves running does not keep the lock")
    func leftRunning() async throws {
        let host = try TestHost()
        let scripts = try Scripts(in: host)
        try scripts.define(
            "front",
            "if [ $CNI_COMMAND = ADD ]; then setsid sleep 1000 >/dev/null 2>&1 & echo $! > child; fi; "
                + Scripts.result)
        let networks = try await host.open(scripts.configure)
        _ = try await networks.join(request(1, EndpointRequest(network: "cni:front")))
        let child = try #require(pid_t(scripts.text("child").filter(\.isNumber)))
        defer { kill(child, SIGKILL) }
        let path = host.directory.appending("run/netns").appending(TestID.make(1) + ".lock")
        #expect(try await TestHost.wait { (try? Files.readText(FilePath("/proc/\(child)/comm"))) == "sleep" })
        let files = try Files.names(in: FilePath("/proc/\(child)/fd"))
        #expect(
            files.contains { name in
                (try? FileDescriptor.workingDirectory.readSymlink("/proc/\(child)/fd/\(name)")) == path.string
            })
        let file = try Files.open(path, .readWrite)
        defer { file.discard() }
        #expect(flock(file.rawValue, LOCK_EX | LOCK_NB) == 0)
        // As after the daemon's death. Nobody waits for what is not the plugin.
        await networks.leave(TestID.make(1))
        #expect(scripts.calls == ["ADD nsfs", "DEL nsfs"])
        #expect(holds(host).isEmpty)
    }

    @Test("plugins that cannot take a container away are asked again when it starts, and when the daemon does")
    func failedDeletion() async throws {
        let host = try TestHost()
        let scripts = try Scripts(in: host)
        try scripts.define("front", "if [ $CNI_COMMAND = DEL ] && [ -e broken ]; then exit 9; fi; \(Scripts.result)")
        var networks = try await host.open(scripts.configure)
        _ = try await networks.join(request(1, EndpointRequest(network: "cni:front")))
        try scripts.write("broken", "")
        await networks.leave(TestID.make(1))
        #expect(networks.endpoints(of: TestID.make(1)).count == 1)
        let error = await #expect(throws: NetworksError.self) {
            _ = try await networks.join(request(1, EndpointRequest(network: "cni:front")))
        }
        #expect(
            error?.message == "what the container had when it last ran cannot be taken away: the CNI plugin front of "
                + "the network front failed at DEL (exit status 9)")
        networks = try await host.open(scripts.configure)
        await networks.recover([])
        #expect(networks.endpoints(of: TestID.make(1)).count == 1)
        try Files.remove(scripts.path.appending("broken"))
        _ = try await networks.join(request(1, EndpointRequest(network: "cni:front")))
        await networks.leave(TestID.make(1))
        #expect(networks.endpoints(of: TestID.make(1)).isEmpty)
        #expect(holds(host).isEmpty)
    }

    @Test("ports, addresses and names are the business of plugins that have the capability")
    func capabilities() async throws {
        let host = try TestHost()
        let scripts = try Scripts(in: host)
        try scripts.define("front", "exit 1")
        try scripts.define(
            "able", capabilities: #""portMappings": true, "ips": true, "mac": true, "aliases": true, "dns": true"#,
            Scripts.result)
        let networks = try await host.open(scripts.configure)
        var wanted = EndpointRequest(
            network: "cni:front", ipv4: IPAddress("10.77.0.9"), macAddress: MACAddress("02:00:00:00:00:09"),
            aliases: ["db"])
        wanted.ports = [
            PortRequest(80, host: .exact(8080)), PortRequest(53, .udp, address: IPAddress("127.0.0.1"), host: .any),
        ]
        wanted.resolver = ResolverWishes(servers: [try #require(IPAddress("192.0.2.9"))])
        for capability in ["portMappings", "ips", "mac", "aliases"] {
            let refused = wanted
            let error = await #expect(throws: NetworksError.self) {
                _ = try await networks.join(request(1, refused))
            }
            #expect(error?.kind == .invalid)
            #expect(
                error?.message.contains("none of its plugins (front) has the capability \"\(capability)\"") == true,
                "\(error?.message ?? "")")
            switch capability {
            case "portMappings": wanted.ports = []
            case "ips": wanted.ipv4 = nil
            case "mac": wanted.macAddress = nil
            default: wanted.aliases = []
            }
        }
        #expect(scripts.calls.isEmpty)
        var able = EndpointRequest(
            network: "cni:able", ipv4: IPAddress("10.77.0.9"), macAddress: MACAddress("02:00:00:00:00:09"),
            aliases: ["db"])
        able.ports = [
            PortRequest(80, host: .exact(8080)), PortRequest(53, .udp, address: IPAddress("127.0.0.1"), host: .any),
        ]
        able.resolver = wanted.resolver
        let sandbox = try await networks.join(request(1, able))
        let ports = try #require(sandbox.endpoints[0].plugins?.ports)
        #expect(ports[0].hostPort == .exact(8080))
        guard case .exact(let chosen) = ports[1].hostPort else {
            Issue.record("no port was chosen")
            return
        }
        let sent = scripts.text("request")
        for part in [
            #""portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"},{"hostPort":\#(chosen),"#
                + #""containerPort":53,"protocol":"udp","hostIP":"127.0.0.1"}]"#,
            #""ips":["10.77.0.9"]"#, #""mac":"02:00:00:00:00:09""#, #""aliases":["db"]"#,
            #""dns":{"servers":["192.0.2.9"]}"#,
        ] {
            #expect(sent.contains(part), "\(sent)")
        }
        #expect(networks.portTarget(of: TestID.make(1), sandbox.endpoints).ipv4?.address.description == "10.77.0.5")
        // Nobody has bound the port, but somebody is about to.
        let error = await #expect(throws: NetworksError.self) { _ = try await networks.join(request(2, able)) }
        #expect(
            error?.message.contains("for 0.0.0.0:8080 failed: port is already allocated (by container c1)") == true,
            "\(error?.message ?? "")")
        #expect(scripts.calls.count == 1)
        await networks.leave(TestID.make(1))
    }

    @Test("two that start at the same time do not get the same port")
    func concurrentPorts() async throws {
        let host = try TestHost()
        let scripts = try Scripts(in: host)
        try scripts.define(
            "front", capabilities: #""portMappings": true"#,
            "if [ $CNI_COMMAND = ADD ]; then until [ -e gate ]; do sleep 0.01; done; fi; \(Scripts.result)")
        let networks = try await host.open(scripts.configure)
        var wanted = EndpointRequest(network: "cni:front")
        wanted.ports = [PortRequest(80, host: .range(8080...8081))]
        let asked = wanted
        let joining = (1...2).map { number in
            Task { try await networks.join(request(number, asked)) }
        }
        #expect(try await TestHost.wait { scripts.calls.count == 2 })
        wanted.ports = [PortRequest(80, host: .exact(8081))]
        let refused = wanted
        let error = await #expect(throws: NetworksError.self) { _ = try await networks.join(request(3, refused)) }
        #expect(error?.message.contains("0.0.0.0:8081 failed: port is already allocated (by container c") == true)
        try scripts.write("gate", "")
        var chosen: [PortRequest] = []
        for task in joining { chosen += try await task.value.endpoints[0].plugins?.ports ?? [] }
        #expect(Set(chosen.map(\.hostPort)) == [.exact(8080), .exact(8081)])
        for number in 1...2 { await networks.leave(TestID.make(number)) }
        // Those that have left, or could not start, have no port any more.
        let sandbox = try await networks.join(request(3, refused))
        #expect(sandbox.endpoints[0].plugins?.ports.map(\.hostPort) == [.exact(8081)])
        await networks.leave(TestID.make(3))
    }

    @Test("a port that somebody on the host has is not given to plugins")
    func takenPort() async throws {
        let host = try TestHost()
        let scripts = try Scripts(in: host)
        try scripts.define("front", capabilities: #""portMappings": true"#, Scripts.result)
        let networks = try await host.open(scripts.configure)
        let holder = try NetworkNamespace.visit(host.namespace) {
            Result { () throws(Errno) in
                let socket = try InternetSocket.make(.tcp, .ipv4)
                try socket.bind(to: SocketAddress(.unspecified(.ipv4), 8080))
                try socket.listen(backlog: 1)
                return socket
            }
        }.get()
        defer { holder.discard() }
        var wanted = EndpointRequest(network: "cni:front")
        wanted.ports = [PortRequest(80, host: .exact(8080))]
        let refused = wanted
        let error = await #expect(throws: NetworksError.self) { _ = try await networks.join(request(1, refused)) }
        #expect(error?.message.contains("failed to bind host port for 0.0.0.0:8080") == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("address already in use (by process \(getpid()), ") == true)
        #expect(scripts.calls.isEmpty)
        wanted.ports = [PortRequest(80, host: .range(8080...8081))]
        let sandbox = try await networks.join(request(1, wanted))
        #expect(sandbox.endpoints[0].plugins?.ports[0].hostPort == .exact(8081))
        await networks.leave(TestID.make(1))
    }

    @Test("what cannot be is refused before any plugin runs")
    func refusals() async throws {
        let host = try TestHost()
        let scripts = try Scripts(in: host)
        try scripts.define("front", Scripts.result)
        let networks = try await host.open(scripts.configure)
        func refusal(_ endpoints: EndpointRequest...) async -> String {
            let request = SandboxRequest(id: TestID.make(9), name: "c9", endpoints: endpoints)
            do { _ = try await networks.join(request) } catch { return "\(error)" }
            return "no error"
        }
        #expect(
            await refusal(EndpointRequest(network: "cni:front"), EndpointRequest(network: "bridge"))
                .contains("can be on no other network"))
        #expect(await refusal(EndpointRequest(network: "cni:back")).contains("there are: front"))
        #expect(
            await refusal(EndpointRequest(network: "cni:front", driverOptions: ["a": "b"]))
                .contains("plugins have no option a"))
        #expect(
            await refusal(
                EndpointRequest(network: "cni:front", linkLocal: [try #require(IPAddress("169.254.1.1"))])
            ).contains("link-local"))
        #expect(scripts.calls.isEmpty)
        await #expect(throws: NetworksError.self) { _ = try await networks.create(NetworkRequest(name: "cni:front")) }
        await #expect(throws: NetworksError.self) {
            _ = try await networks.create(NetworkRequest(name: "front", driver: "cni"))
        }
        await #expect(throws: NetworksError.self) { _ = try await networks.remove("cni:front") }
        let inner = try await networks.join(request(1, EndpointRequest(network: "bridge")))
        var running = request(1)
        running.namespace = inner.namespace
        let connected = running
        let error = await #expect(throws: NetworksError.self) {
            _ = try await networks.connect(EndpointRequest(network: "cni:front"), connected)
        }
        #expect(error?.message.contains("only while it does not run") == true)
    }
}
