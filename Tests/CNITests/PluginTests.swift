import Addresses
import CNI
import Glibc
import JSON
import LinuxKernel
import SystemPackage
import Testing

@Suite("plugins", .timeLimit(.minutes(10)))
struct PluginTests {
    private static let result = """
        cat <<END
        {"cniVersion": "1.0.0", "interfaces": [{"name": "eth0", "sandbox": "/ns"}],
         "ips": [{"address": "10.1.0.5/16", "gateway": "10.1.0.1", "interface": 0}], "dns": {}}
        END
        """
    private static let second = """
        echo '{"cniVersion": "1.0.0", "ips": [{"address": "10.1.0.6/16"}]}'
        """
    private static let failing = """
        if [ $CNI_COMMAND = ADD ]; then
            echo '{"cniVersion": "1.0.0", "code": 107, "msg": "no more", "details": "all is taken"}'; exit 1
        fi
        """

    @Test("are run in their order, each with the result of the one before")
    func chain() throws {
        let fakes = try FakePlugins()
        try fakes.add("first", Self.result)
        try fakes.add("second", Self.second)
        let list = try FakePlugins.list(
            """
            {"cniVersion": "1.0.0", "name": "front", "plugins": [
                {"type": "first", "bridge": "cni0", "ipam": {"type": "host-local"}, "cni.dev/x": 1, "name": "old",
                 "prevResult": {}, "runtimeConfig": {"a": 1}, "capabilities": {"mac": false, "ips": true}},
                {"type": "second", "capabilities": {"portMappings": true, "mac": true}}]}
            """)
        let parameters = try FakePlugins.parameters(
            arguments: [.init("A", "b"), .init("C", "")],
            [
                .portMappings([
                    .init(8080, to: 80, .tcp), .init(53, to: 53, .udp, address: IPAddress("127.0.0.1")),
                ]),
                .hardwareAddress(try #require(MACAddress("02:00:00:00:00:01"))),
            ])
        let plugins = fakes.plugins()
        var record = try plugins.prepare(list, parameters)
        #expect(try fakes.calls().isEmpty)
        try plugins.add(&record)
        let calls = try fakes.calls()
        #expect(calls.map(\.words) == ["ADD first", "ADD second"])
        for call in calls {
            #expect(call.variables["CONTAINERID"] == "c1")
            #expect(call.variables["NETNS"] == "/proc/self/ns/net")
            #expect(call.variables["IFNAME"] == "eth0")
            #expect(call.variables["ARGS"] == "A=b;C=")
            #expect(call.variables["PATH"] == "/nonexistent:\(fakes.programs)")
        }
        #expect(
            calls[0].document
                == [
                    "cniVersion": "1.0.0", "name": "front", "type": "first", "bridge": "cni0",
                    "ipam": ["type": "host-local"],
                ])
        #expect(
            calls[1].document
                == [
                    "cniVersion": "1.0.0", "name": "front", "type": "second",
                    "runtimeConfig": [
                        "portMappings": [
                            ["hostPort": 8080, "containerPort": 80, "protocol": "tcp"],
                            ["hostPort": 53, "containerPort": 53, "protocol": "udp", "hostIP": "127.0.0.1"],
                        ],
                        "mac": "02:00:00:00:00:01",
                    ],
                    "prevResult": [
                        "cniVersion": "1.0.0", "interfaces": [["name": "eth0", "sandbox": "/ns"]],
                        "ips": [["interface": 0, "address": "10.1.0.5/16", "gateway": "10.1.0.1"]], "dns": [:],
                    ],
                ])
        #expect(record.result?.addresses.map(\.address.description) == ["10.1.0.6/16"])
    }

    @Test("take a container away in the reverse order, with the result that was kept, also after a restart")
    func deletion() throws {
        let fakes = try FakePlugins()
        try fakes.add("first", Self.result)
        try fakes.add("second", "if [ $CNI_COMMAND = DEL ]; then echo 'it is busy' >&2; exit 3; fi; \(Self.second)")
        try fakes.add("third", Self.second)
        let plugins = fakes.plugins()
        var record = try plugins.prepare(try FakePlugins.list(["first", "second", "third"]), FakePlugins.parameters())
        try plugins.add(&record)
        let kept = try JSON.decode(AttachmentRecord.self, from: try JSON.encode(record))
        #expect(kept == record)
        let error = #expect(throws: CNIError.self) { try fakes.plugins().delete(kept) }
        #expect(
            error?.message
                == "the CNI plugin second of the network front failed at DEL (exit status 3): it is busy")
        let calls = try fakes.calls().suffix(3)
        #expect(calls.map(\.words) == ["DEL third", "DEL second", "DEL first"])
        for call in calls {
            #expect(call.document["prevResult"]?["ips"]?[0]?["address"] == "10.1.0.6/16")
            #expect(call.variables["NETNS"] == "/proc/self/ns/net")
        }
    }

    @Test("get no path of a namespace that is gone")
    func goneNamespace() throws {
        let fakes = try FakePlugins()
        try fakes.add("first", Self.result)
        let plugins = fakes.plugins()
        for path in ["/nonexistent/ns", fakes.directory.path.appending("net.d").string] {
            let record = try plugins.prepare(
                try FakePlugins.list(["first"]), try FakePlugins.parameters(namespace: FilePath(path)))
            try plugins.delete(record)
            #expect(try fakes.calls().last?.variables["NETNS"] == "")
            #expect(try fakes.calls().last?.document["prevResult"] == nil)
        }
    }

    @Test("before 0.4.0 get no result at DEL, and are not asked by CHECK")
    func oldVersion() throws {
        let fakes = try FakePlugins()
        try fakes.add("first", "echo '{\"ips\": [{\"version\": \"4\", \"address\": \"10.1.0.5/16\"}]}'")
        let plugins = fakes.plugins()
        let list = try FakePlugins.list(["first"], version: "0.3.1")
        var record = try plugins.prepare(list, FakePlugins.parameters())
        try plugins.add(&record)
        #expect(record.result?.addresses.count == 1)
        try plugins.check(record)
        try plugins.delete(record)
        #expect(try fakes.words() == ["ADD first", "DEL first"])
        #expect(try fakes.calls()[1].document["prevResult"] == nil)
    }

    @Test("whose chain fails are all asked to take back what they made, and the error says who failed and why")
    func failure() throws {
        let fakes = try FakePlugins()
        try fakes.add("first", Self.result)
        try fakes.add("second", Self.failing)
        try fakes.add("third", Self.result)
        let error = try fakes.failure(try FakePlugins.list(["first", "second", "third"]))
        #expect(
            error.message
                == "the CNI plugin second of the network front failed at ADD (code 107): no more: all is taken")
        #expect(error.code == 107)
        #expect(try fakes.words() == ["ADD first", "ADD second", "DEL third", "DEL second", "DEL first"])
    }

    @Test("that cannot take back what they made are told of, too")
    func failedCleanUp() throws {
        let fakes = try FakePlugins()
        try fakes.add("first", "if [ $CNI_COMMAND = DEL ]; then exit 4; fi; \(Self.result)")
        try fakes.add("second", Self.failing)
        let error = try fakes.failure(try FakePlugins.list(["first", "second"]))
        #expect(error.message.contains("no more: all is taken; what it had made may be there still"))
        #expect(error.message.contains("plugin first of the network front failed at DEL (exit status 4)"))
        #expect(error.hasRemains)
        // DEL can be asked for again, with what is known.
        let plugins = fakes.plugins()
        var record = try plugins.prepare(try FakePlugins.list(["first", "second"]), FakePlugins.parameters())
        #expect(throws: CNIError.self) { try plugins.add(&record) }
        #expect(record.result?.addresses.map(\.address.description) == ["10.1.0.5/16"])
        try fakes.add("first", Self.result)
        #expect(try fakes.failure(record.list).hasRemains == false)
    }

    @Test("that are missing are an error before anything is made")
    func missing() throws {
        let fakes = try FakePlugins()
        try fakes.add("first", Self.result)
        try fakes.directory.write("bin/third", "no program")
        for name in ["second", "third", "bin"] {
            let error = try fakes.failure(try FakePlugins.list(["first", name]))
            #expect(
                error.message
                    == "the network front needs the CNI plugin \(name), which is not in /nonexistent, "
                    + "\(fakes.programs)")
        }
        #expect(try fakes.calls().isEmpty)
    }

    @Test("that are missing at DEL do not keep the others from it")
    func missingAtDeletion() throws {
        let fakes = try FakePlugins()
        for name in ["first", "second"] { try fakes.add(name, Self.result) }
        let plugins = fakes.plugins()
        var record = try plugins.prepare(try FakePlugins.list(["first", "second"]), FakePlugins.parameters())
        try plugins.add(&record)
        try Files.remove(fakes.programs.appending("second"))
        let error = #expect(throws: CNIError.self) { try plugins.delete(record) }
        #expect(error?.message.contains("the CNI plugin second") == true)
        #expect(try fakes.words().last == "DEL first")
    }

    @Test("that hang are killed with all that they have started")
    func hang() throws {
        let fakes = try FakePlugins()
        try fakes.add(
            "first", "if [ $CNI_COMMAND = ADD ]; then sleep 1000 & echo $! > child; echo $$ > self; wait; fi")
        // Long enough for the script to have come to its end on a busy machine, where it is that long.
        let error = try fakes.failure(try FakePlugins.list(["first"]), fakes.plugins(timeLimit: .seconds(5)))
        #expect(
            error.message
                == "the CNI plugin first of the network front has not answered ADD within 5000 ms, and has been "
                + "killed")
        #expect(try fakes.words() == ["ADD first", "DEL first"])
        for name in ["child", "self"] {
            guard let pid = fakes.directory.text(name).flatMap({ pid_t($0.filter(\.isNumber)) }) else {
                Issue.record("the script has not come so far")
                continue
            }
            // It was killed; that it is reaped is for whoever has it as a child.
            #expect(try Self.eventually { try Self.state(of: pid).map { $0 == "Z" } ?? true })
        }
    }

    @Test("that hang in another process group are killed", .enabled(if: Files.exists("/usr/bin/perl"), "needs perl"))
    func hangElsewhere() throws {
        let fakes = try FakePlugins()
        try fakes.add(
            "first",
            """
            if [ $CNI_COMMAND = ADD ]; then
                exec /usr/bin/perl -e 'setpgrp(0, getpgrp(getppid())) or die; open(F, ">self"); print F $$; close(F);
                    sleep 1000'
            fi
            """)
        let error = try fakes.failure(try FakePlugins.list(["first"]), fakes.plugins(timeLimit: .seconds(5)))
        #expect(error.message.contains("has not answered ADD within 5000 ms, and has been killed"), "\(error.message)")
        let pid = try #require(fakes.directory.text("self").flatMap { pid_t($0) })
        #expect(try Self.state(of: pid) == nil)
    }

    @Test("share the time that all of them have, if they are given one")
    func sharedTime() throws {
        let fakes = try FakePlugins()
        for name in ["first", "second"] {
            try fakes.add(name, "if [ $CNI_COMMAND = DEL ]; then sleep 1000; fi; \(Self.result)")
        }
        let plugins = fakes.plugins()
        var record = try plugins.prepare(try FakePlugins.list(["first", "second"]), FakePlugins.parameters())
        try plugins.add(&record)
        let error = #expect(throws: CNIError.self) { try plugins.delete(record, within: .seconds(1)) }
        // None of them was left the five minutes that the plugins have at other times.
        for name in ["first", "second"] {
            #expect(error?.message.contains("the CNI plugin \(name) of the network front has not answered DEL") == true)
        }
    }

    @Test("that write without an end are killed")
    func flood() throws {
        let fakes = try FakePlugins()
        try fakes.add(
            "first", "if [ $CNI_COMMAND = ADD ]; then while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaa; done; fi")
        let error = try fakes.failure(try FakePlugins.list(["first"]))
        #expect(error.message.contains("has answered ADD with more than 1048576 bytes, and has been killed"))
    }

    @Test("may say on standard error as much as they like")
    func chatter() throws {
        let fakes = try FakePlugins()
        try fakes.add("first", "head -c 300000 /dev/zero >&2; \(Self.result)")
        let plugins = fakes.plugins()
        var record = try plugins.prepare(try FakePlugins.list(["first"]), FakePlugins.parameters())
        try plugins.add(&record)
        #expect(record.result != nil)
    }

    @Test(
        "that answer with something else than a result are an error",
        arguments: [
            ("echo nonsense", "invalid JSON"), ("", "invalid JSON"), ("echo '[]'", "it is an array"),
            ("echo '{\"ips\": [{\"address\": \"x\"}]}'", "ips[0].address is \"x\""),
            ("echo '{\"cniVersion\": \"9.0.0\"}'", "cniVersion is \"9.0.0\""),
        ])
    func garbage(_ script: String, _ complaint: String) throws {
        let fakes = try FakePlugins()
        try fakes.add("first", "if [ $CNI_COMMAND = ADD ]; then :; \(script.isEmpty ? ":" : script); fi")
        let error = try fakes.failure(try FakePlugins.list(["first"]))
        #expect(error.message.contains("plugin first of the network front has answered ADD with something else"))
        #expect(error.message.contains(complaint), "\(error.message)")
        #expect(try fakes.words() == ["ADD first", "DEL first"])
    }

    @Test(
        "that fail without the document for it are told of by their words",
        arguments: [
            ("echo 'broken pipe' >&2; exit 7", "(exit status 7): broken pipe"), ("echo oops; exit 7", "7): oops"),
            ("exit 7", "failed at ADD (exit status 7)"), ("kill -11 $$", "(killed by signal 11)"),
            ("printf '\\033[2Jx' >&2; exit 7", "(exit status 7): \\u001b[2Jx"),
        ])
    func wordlessFailure(_ script: String, _ complaint: String) throws {
        let fakes = try FakePlugins()
        try fakes.add("first", "if [ $CNI_COMMAND = ADD ]; then \(script); fi")
        let error = try fakes.failure(try FakePlugins.list(["first"]))
        #expect(error.message.contains(complaint), "\(error.message)")
        #expect(!error.message.contains("\u{1B}"))
    }

    @Test("that leave somebody behind who has their output open are not waited for")
    func daemon() throws {
        let fakes = try FakePlugins()
        try fakes.add(
            "first",
            "if [ $CNI_COMMAND = ADD ]; then setsid sleep 1000 & echo $! > child; fi; \(Self.result)")
        let plugins = fakes.plugins()
        var record = try plugins.prepare(try FakePlugins.list(["first"]), FakePlugins.parameters())
        try plugins.add(&record)
        let pid = try #require(fakes.directory.text("child").flatMap { pid_t($0.filter(\.isNumber)) })
        #expect(record.result?.addresses.count == 1)
        #expect(try Self.state(of: pid) != nil)
        kill(pid, SIGKILL)
    }

    @Test("hold the token as long as they run")
    func token() throws {
        let fakes = try FakePlugins()
        try fakes.add("first", "if flock -n 3; then echo free > state; else echo locked > state; fi; \(Self.result)")
        let plugins = fakes.plugins()
        var record = try plugins.prepare(try FakePlugins.list(["first"]), FakePlugins.parameters())
        let path = fakes.directory.path.appending("token")
        let token = try Files.open(path, [.readWrite, .create], mode: 0o600)
        defer { token.discard() }
        try plugins.add(&record, token: token)
        #expect(fakes.directory.text("state") == "free\n")
        // What the plugin has locked is the caller's: it is one opening of the file.
        let other = try Files.open(path, .readWrite)
        defer { other.discard() }
        #expect(flock(token.rawValue, LOCK_EX | LOCK_NB) == 0)
        #expect(flock(other.rawValue, LOCK_EX | LOCK_NB) != 0)
    }

    @Test("are written into the token, and can be killed by that with what they have started")
    func runningPlugin() throws {
        let fakes = try FakePlugins()
        try fakes.add(
            "first",
            "if [ $CNI_COMMAND = ADD ]; then sleep 1000 & echo $! > child; echo $$ > self; wait; fi")
        let list = try FakePlugins.list(["first"])
        let plugins = fakes.plugins()
        let record = try plugins.prepare(list, FakePlugins.parameters())
        let path = fakes.directory.path.appending("token")
        let token = try Files.open(path, [.readWrite, .create], mode: 0o600)
        defer { token.discard() }
        #expect(RunningPlugin.read(from: token) == nil)
        let directory = fakes.directory
        let thread = try JoinableThread(name: "add") {
            var record = record
            return Result { try plugins.add(&record, token: token) }
        }
        func pid(_ name: String) -> pid_t? { directory.text(name).flatMap { pid_t($0.filter(\.isNumber)) } }
        #expect(Self.eventually { pid("self") != nil && RunningPlugin.read(from: token) != nil })
        let running = try #require(RunningPlugin.read(from: token))
        #expect(running.pid == pid("self"))
        #expect(running.isAlive)
        try running.kill(patience: .seconds(120))
        #expect(!running.isAlive)
        let result = try thread.join()
        #expect("\(result)".contains("killed by signal 9"), "\(result)")
        let child = try #require(pid("child"))
        #expect(try Self.eventually { try Self.state(of: child).map { $0 == "Z" } ?? true })
        // That of DEL, which has ended. To kill it is no error.
        let last = try #require(RunningPlugin.read(from: token))
        #expect(last != running && !last.isAlive)
        try last.kill(patience: .zero)
        // Another process with the number of one that has ended.
        #expect(ftruncate(token.rawValue, 0) == 0)
        try Files.write("\(getpid()) 1\n", to: path)
        let other = try #require(RunningPlugin.read(from: token))
        #expect(!other.isAlive)
        try other.kill(patience: .zero)
    }

    @Test("are asked whether all is well")
    func check() throws {
        let fakes = try FakePlugins()
        try fakes.add("first", Self.result)
        try fakes.add(
            "second",
            """
            if [ $CNI_COMMAND = CHECK ] && [ -e broken ]; then echo '{"code": 100, "msg": "it is gone"}'; exit 1; fi
            \(Self.second)
            """)
        let plugins = fakes.plugins()
        var record = try plugins.prepare(try FakePlugins.list(["first", "second"]), FakePlugins.parameters())
        #expect(throws: CNIError.self) { try plugins.check(record) }
        try plugins.add(&record)
        try plugins.check(record)
        #expect(try fakes.words().suffix(2) == ["CHECK first", "CHECK second"])
        #expect(try fakes.calls().last?.document["prevResult"]?["ips"]?[0]?["address"] == "10.1.0.6/16")
        try fakes.directory.write("broken", "")
        let error = #expect(throws: CNIError.self) { try plugins.check(record) }
        #expect(error?.message.hasSuffix("failed at CHECK (code 100): it is gone") == true)
        let count = try fakes.calls().count
        var other = try plugins.prepare(
            try FakePlugins.list(["first"], #", "disableCheck": true"#), FakePlugins.parameters())
        try plugins.add(&other)
        try plugins.check(other)
        #expect(try fakes.calls().count == count + 1)
    }

    @Test("collect garbage from 1.1 on, all of them, unless the network does not want it")
    func garbageCollection() throws {
        let fakes = try FakePlugins()
        for name in ["first", "second"] { try fakes.add(name, "echo '{\"msg\": \"\(name) cannot\"}'; exit 1") }
        let plugins = fakes.plugins()
        let valid = [AttachmentIdentity(container: "c1", interface: "eth0")]
        try plugins.collectGarbage(try FakePlugins.list(["first", "second"]), except: valid)
        try plugins.collectGarbage(
            try FakePlugins.list(["first"], version: "1.1.0", #", "disableGC": true"#), except: valid)
        #expect(try fakes.calls().isEmpty)
        let error = #expect(throws: CNIError.self) {
            try plugins.collectGarbage(try FakePlugins.list(["first", "second"], version: "1.1.0"), except: valid)
        }
        #expect(error?.message.contains("GC: first cannot; the CNI plugin second") == true, "\(error?.message ?? "")")
        let calls = try fakes.calls()
        #expect(calls.map(\.words) == ["GC first", "GC second"])
        #expect(
            calls[0].document == [
                "cniVersion": "1.1.0", "name": "front", "type": "first",
                "cni.dev/valid-attachments": [["containerID": "c1", "ifname": "eth0"]],
            ])
        #expect(calls[0].variables["CONTAINERID"] == "")
    }

    @Test("say whether they are ready, from 1.1 on")
    func status() throws {
        let fakes = try FakePlugins()
        try fakes.add("first", "echo '{\"code\": 50, \"msg\": \"not yet\"}'; exit 1")
        let plugins = fakes.plugins()
        try plugins.status(try FakePlugins.list(["first"]))
        let error = #expect(throws: CNIError.self) {
            try plugins.status(try FakePlugins.list(["first"], version: "1.1.0"))
        }
        #expect(error?.kind == .unavailable && error?.code == 50)
        #expect(throws: CNIError.self) { try plugins.status(try FakePlugins.list(["missing"])) }
        #expect(try fakes.words() == ["STATUS first"])
    }

    @Test("are spoken to in the newest version that all of them and the network know")
    func version() throws {
        let fakes = try FakePlugins()
        try fakes.add("first", Self.result)
        try fakes.add("second", versions: ["0.3.1", "0.4.0", "1.0.0", "5.0.0"], Self.second)
        let plugins = fakes.plugins()
        let list = try FakePlugins.list(["first", "second"], #", "cniVersions": ["1.1.0", "0.4.0"]"#)
        #expect(try plugins.prepare(list, FakePlugins.parameters()).version.description == "1.0.0")
        let error = try fakes.failure(try FakePlugins.list(["first", "second"], version: "1.1.0"), plugins)
        #expect(
            error.message
                == "the plugin second speaks CNI 0.3.1, 0.4.0, 1.0.0, and the network front needs 1.1.0: change its "
                + "\"cniVersion\", or replace the plugin")
        // Each was asked once.
        #expect(try fakes.calls(all: true).map(\.words) == ["VERSION first", "VERSION second"])
        // A new program is another one.
        try Files.remove(fakes.programs.appending("second"))
        try fakes.add("second", Self.second)
        #expect(
            try plugins.prepare(try FakePlugins.list(["first", "second"], version: "1.1.0"), FakePlugins.parameters())
                .version.description == "1.1.0")
    }

    @Test(
        "that do not say what they speak are an error",
        arguments: ["echo nonsense", "echo '{}'", "echo '{\"supportedVersions\": []}'", "exit 1"])
    func noVersion(_ script: String) throws {
        let fakes = try FakePlugins()
        try fakes.addScript("first", script)
        let error = try fakes.failure(try FakePlugins.list(["first"]))
        #expect(error.message.contains("VERSION"), "\(error.message)")
        #expect(try fakes.calls().isEmpty)
    }

    /// The letter of `/proc/<pid>/stat`; nil if there is no such process.
    private static func state(of pid: pid_t) throws -> Character? {
        guard let text = try? Files.readText(FilePath("/proc/\(pid)/stat")) else { return nil }
        return text.split(separator: ")").last?.dropFirst().first
    }

    private static func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
        for _ in 0..<12000 {
            if try condition() { return true }
            Poll.pause(milliseconds: 10)
        }
        return false
    }
}
