import Glibc
import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage
import TemporaryDirectories
import Testing

/// The runtimes of the machine's packages.
enum OtherRuntime: String, CaseIterable, CustomTestStringConvertible {
    case crun
    case runc
    case runsc

    var testDescription: String { rawValue }

    var path: String? {
        ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"].map { "\($0)/\(rawValue)" }
            .first { access($0, X_OK) == 0 }
    }

    /// Those that are installed. crun and runc have to be.
    static let installed = allCases.filter { $0 != .runsc || $0.path != nil }

    static let obstacle = runsc.path == nil ? "runsc (gVisor) is not installed: tried with crun and runc only" : ""
}

@Suite(
    "A shim with another runtime", .serialized,
    .enabled(if: TestContainer.obstacle.isEmpty, Comment(rawValue: TestContainer.obstacle)))
struct ExternalRuntimeTests {
    private func container(
        _ runtime: OtherRuntime, _ arguments: [String], terminal: Bool = false, openStdin: Bool = false,
        configure: (inout Spec, inout ShimConfiguration) -> Void = { _, _ in }
    ) throws -> TestContainer {
        let path = try #require(runtime.path, "\(runtime.rawValue) is not installed")
        return try TestContainer(arguments, terminal: terminal, openStdin: openStdin, stdinOnce: openStdin) {
            $1.runtime = ShimConfiguration.Runtime(path: path)
            $0.linux?.namespaces?.append(LinuxNamespace(type: .network))
            configure(&$0, &$1)
        }
    }

    /// A program that does what `script` says with the words after the global flags.
    private func fake(
        _ script: String, patience: Int = 1, directory: TemporaryDirectory
    ) throws -> ShimConfiguration.Runtime {
        let path = directory.path.appending("fake")
        // After the global flags.
        let text = "#!/bin/sh\nshift 6\n" + script
        try Files.replace(path, with: Array(text.utf8), mode: 0o755)
        return ShimConfiguration.Runtime(path: path.string, patience: patience)
    }

    private func expectNothingLeft(of container: TestContainer) throws {
        #expect(try container.shimFiles.filter { $0 != "exit" } == [])
        let mounts = try Files.readText("/proc/self/mountinfo")
        #expect(!mounts.contains(container.bundle.string))
        for hierarchy in try Files.names(in: "/sys/fs/cgroup") {
            #expect(!Files.exists(FilePath("/sys/fs/cgroup/\(hierarchy)\(container.group)")))
        }
    }

    @Test("runsc is installed", .enabled(if: OtherRuntime.runsc.path != nil, Comment(rawValue: OtherRuntime.obstacle)))
    func gVisorIsThere() {
        #expect(OtherRuntime.installed.contains(.runsc))
    }

    @Test("output, exit code, input and nothing left", arguments: OtherRuntime.installed)
    func run(_ runtime: OtherRuntime) throws {
        let container = try container(runtime, ["sh", "-c", "cat; echo err >&2; exit 7"], openStdin: true)
        let connection = try container.connect()
        let stream = try container.attach(stdin: true)
        try connection.call(.start)
        try stream.writeEntire(Array("input\n".utf8))
        try stream.shutdownSending()
        let (output, error) = unframed(try stream.readToEnd())
        #expect(output == Array("input\n".utf8))
        #expect(String(decoding: error, as: UTF8.self).hasSuffix("err\n"))
        let record = try connection.exit()
        #expect(record.exitCode == 7)
        #expect(record.warning == nil)
        #expect(try TestContainer.eventually { container.hasShimEnded })
        try stream.close()
        try expectNothingLeft(of: container)
    }

    @Test("the host never sees the root that is mounted for the runtime", arguments: OtherRuntime.installed)
    func hiddenMount(_ runtime: OtherRuntime) throws {
        let container = try container(runtime, ["sleep", "100"])
        let connection = try container.connect()
        try connection.call(.start)
        #expect(try !Files.readText("/proc/self/mountinfo").contains(container.bundle.string))
        try connection.call(.kill(signal: .kill))
        #expect(try connection.exit().exitCode == 137)
        try expectNothingLeft(of: container)
    }

    @Test(
        "a container whose files somebody has removed gets its signals all the same",
        arguments: [OtherRuntime.crun, .runc])
    func removedBundle(_ runtime: OtherRuntime) throws {
        let container = try container(
            runtime, ["sh", "-c", "trap 'exit 4' TERM; echo here; while true; do sleep 0.05; done"])
        let connection = try container.connect()
        try connection.call(.start)
        #expect(try TestContainer.eventually { try !container.records.isEmpty })
        try TreeRemoval.remove(container.bundle)
        try connection.call(.kill(signal: .terminate))
        #expect(try connection.exit().exitCode == 4)
        #expect(try TestContainer.eventually { container.hasShimEnded })
    }

    @Test(
        "exec has its own streams and exit code, and so has one that is over at once", arguments: OtherRuntime.installed
    )
    func exec(_ runtime: OtherRuntime) throws {
        let container = try container(runtime, ["sleep", "100"])
        let connection = try container.connect()
        try connection.call(.start)
        let commands: [(String, String, Int32)] = [("x", "cat; echo out; exit 5", 5), ("y", "exit 6", 6)]
        for (id, command, code) in commands {
            let process = Process(args: ["sh", "-c", command], env: ["PATH=/bin"])
            try connection.call(.exec(id: id, process: process, openStdin: true))
            let stream = try container.attach(execID: id, stdin: true)
            try stream.shutdownSending()
            guard case .started(let pid) = try connection.call(.execStart(id: id)) else { return }
            #expect(try connection.nextEvent() == .execStarted(execID: id, pid: pid))
            let (output, _) = unframed(try stream.readToEnd())
            #expect(output == (id == "x" ? Array("out\n".utf8) : []))
            guard case .execExited(id, code, _) = try connection.nextEvent() else {
                Issue.record("another event")
                return
            }
            try stream.close()
        }
        try connection.call(.exec(id: "z", process: Process(args: ["nothing"], env: ["PATH=/bin"]), openStdin: false))
        #expect { try connection.call(.execStart(id: "z")) } throws: {
            ($0 as? ShimError)?.reason == .commandNotFound && ($0 as? ShimError)?.operation == "exec"
        }
        #expect(try container.records.isEmpty)
        try connection.call(.kill(signal: .kill))
        _ = try connection.exit()
        try expectNothingLeft(of: container)
    }

    @Test(
        "a tmpfs without a mode has that of its directory, or is writable to all, at the second start as at the first",
        arguments: OtherRuntime.installed)
    func tmpfsModes(_ runtime: OtherRuntime) throws {
        var first: TestContainer?
        var root = ""
        for start in 1...2 {
            let container = try container(
                runtime, ["busybox", "stat", "-c", "%a", "/new/place", "/private", "/own", "/dev/below"]
            ) { spec, configuration in
                if start == 1 {
                    root = configuration.rootfsMounts[0].source
                    mkdir(root + "/private", 0o700)
                }
                configuration.rootfsMounts[0].source = root
                for place in ["/new/place", "/private", "/own", "/dev/below"] {
                    let options = place == "/own" ? ["nosuid", "mode=0750"] : ["nosuid"]
                    spec.mounts?.append(
                        Mount(destination: place, type: "tmpfs", source: "tmpfs", options: options))
                }
            }
            first = first ?? container
            let connection = try container.connect()
            try connection.call(.start)
            #expect(try connection.exit().exitCode == 0)
            let modes = try container.records.map { $0.filter { $0.isNumber } }
            #expect(modes.prefix(3) == ["1777", "700", "750"], "start \(start)")
        }
        #expect(!Files.exists(FilePath(root + "/dev/below")), "what another mount covers is not made in the root")
        // The root is its.
        withExtendedLifetime(first) {}
    }

    @Test("a terminal comes over the socket, has its size and can be resized", arguments: OtherRuntime.installed)
    func terminal(_ runtime: OtherRuntime) throws {
        let container = try container(
            runtime, ["sh", "-c", "stty size; read line; stty size; echo got $line"], terminal: true, openStdin: true
        ) { $1.consoleSize = Box(height: 37, width: 101) }
        let connection = try container.connect()
        let stream = try container.attach(stdin: true)
        try connection.call(.start)
        #expect(try TestContainer.eventually { try !container.records.isEmpty })
        try connection.call(.resize(columns: 55, rows: 44))
        try stream.writeEntire(Array("hello\n".utf8))
        let output = String(decoding: try stream.readToEnd(), as: UTF8.self)
        #expect(output.hasPrefix("37 101\r\n"), "\(output)")
        #expect(output.hasSuffix("44 55\r\ngot hello\r\n"), "\(output)")
        #expect(try connection.exit().exitCode == 0)
        try stream.close()
        try expectNothingLeft(of: container)
    }

    @Test("pause, resume, processes, statistics, signals", arguments: OtherRuntime.installed)
    func control(_ runtime: OtherRuntime) throws {
        let container = try container(
            runtime, ["sh", "-c", "trap 'echo term; exit 4' TERM; echo ready; while true; do sleep 0.05; done"])
        let connection = try container.connect()
        do {
            try control(container, connection)
        } catch {
            Issue.record("\(error): \(try container.records), \(Result { try connection.exit() })")
        }
    }

    private func control(_ container: TestContainer, _ connection: ShimConnection) throws {
        try connection.call(.start)
        #expect(throws: ShimError.self) { try connection.call(.start) }
        guard case .processes(let pids) = try connection.call(.processes) else { return }
        #expect(!pids.isEmpty)
        try connection.call(.pause)
        guard case .state(.running(_, _, paused: true)) = try connection.call(.state) else {
            Issue.record("not paused")
            return
        }
        #expect(throws: ShimError.self) { try connection.call(.pause) }
        try connection.call(.resume)
        if case .statistics(let statistics) = try connection.call(.statistics) {
            #expect((statistics.cgroup.memory?.usage ?? 0) > 0)
        }
        // A signal before the trap is set ends it in another way.
        #expect(try TestContainer.eventually { try container.records.contains("stdout: ready\n") })
        try connection.call(.kill(signal: .terminate))
        #expect(try connection.exit().exitCode == 4)
        #expect(try container.records.contains("stdout: term\n"))
    }

    @Test("a paused container can be killed", arguments: OtherRuntime.installed)
    func killPaused(_ runtime: OtherRuntime) throws {
        let container = try container(runtime, ["sleep", "100"])
        let connection = try container.connect()
        try connection.call(.start)
        try connection.call(.pause)
        try connection.call(.kill(signal: .kill))
        #expect(try connection.exit().exitCode == 137)
        try expectNothingLeft(of: container)
    }

    @Test("limits change", arguments: [OtherRuntime.crun, .runc])
    func update(_ runtime: OtherRuntime) throws {
        let container = try container(runtime, ["sleep", "100"])
        let connection = try container.connect()
        try connection.call(.start)
        var resources = LinuxResources()
        resources.pids = LinuxPids(limit: 17)
        try connection.call(.update(resources: resources))
        guard case .statistics(let statistics) = try connection.call(.statistics) else { return }
        #expect(statistics.cgroup.pids?.limit == 17)
    }

    @Test(
        "a program that does not exist is the runtime's error, and nothing is left", arguments: OtherRuntime.installed)
    func failedLaunch(_ runtime: OtherRuntime) throws {
        let container = try container(runtime, ["nothing-of-this-name"])
        switch container.launchResult {
        case .failed(let error):
            #expect(error.reason == .commandNotFound, "\(error)")
            #expect(error.operation == "create")
        case .launched:
            // gVisor looks when it is started.
            let connection = try container.connect()
            #expect { try connection.call(.start) } throws: { ($0 as? ShimError)?.reason == .commandNotFound }
            #expect(try connection.exit().exitCode == 127)
        }
        try expectNothingLeft(of: container)
    }

    @Test("a runtime that is no program, fails without a word or hangs is said to, and nothing is left")
    func brokenRuntimes() throws {
        let cases: [(String, String)] = [
            ("exit 3", "exit status 3"), ("echo oops >&2; exit 1", "fake: oops"),
            ("[ $1 = create ] && exec sleep 1000; exit 0", "fake create did not finish within 1 s"),
            ("exit 0", "fake create did not write the process id"),
        ]
        for (script, text) in cases {
            let directory = try TemporaryDirectory(mode: 0o755)
            let program = try fake(script, directory: directory)
            let container = try container(.crun, ["true"]) { $1.runtime = program }
            guard case .failed(let error) = container.launchResult else {
                Issue.record("launched")
                continue
            }
            #expect(error.message.contains(text), "\(error)")
            try expectNothingLeft(of: container)
        }
        let missing = try container(.crun, ["true"]) { $1.runtime = .init(path: "/nonexistent/runtime") }
        guard case .failed(let error) = missing.launchResult else { return }
        #expect(error.message == "fork/exec /nonexistent/runtime: no such file or directory")
        try expectNothingLeft(of: missing)
    }

    @Test("a runtime that hangs holds up neither other requests nor the end")
    func hangingRuntime() throws {
        let directory = try TemporaryDirectory(mode: 0o755)
        // Everything is runc's but `pause` and `exec`, which never end.
        let path = directory.path.appending("fake")
        let runc = try #require(OtherRuntime.runc.path)
        try Files.replace(
            path,
            with: Array(
                """
                #!/bin/sh
                for word; do case $word in pause|exec|kill|delete) \
                [ $word = $(cat \(directory.path)/hang) ] && exec sleep 1000;; esac; done
                exec \(runc) "$@"
                """.utf8), mode: 0o755)
        try Files.replace(directory.path.appending("hang"), with: Array("pause".utf8))
        let container = try container(.runc, ["sleep", "100"]) {
            $1.runtime = ShimConfiguration.Runtime(path: path.string, patience: 2)
        }
        let connection = try container.connect()
        try connection.call(.start)
        let other = try ShimConnection(bundle: container.bundle, timeout: 30)
        try connection.send(.pause)
        guard case .state(.running) = try other.call(.state) else {
            Issue.record("no answer")
            return
        }
        guard case .response(.failure(let error))? = try connection.receive() else {
            Issue.record("another answer")
            return
        }
        #expect(error.message == "fake pause did not finish within 2 s")
        // The shim kills the container whatever the runtime does.
        try Files.replace(directory.path.appending("hang"), with: Array("kill".utf8))
        try connection.call(.kill(signal: .kill))
        #expect(try connection.exit().exitCode == 137)
        #expect(try TestContainer.eventually { container.hasShimEnded })
        try expectNothingLeft(of: container)
    }

    @Test("what a killed shim leaves is removed by its runtime", arguments: OtherRuntime.installed)
    func killedShim(_ runtime: OtherRuntime) throws {
        let container = try container(runtime, ["sleep", "100"])
        let connection = try container.connect()
        try connection.call(.start)
        let shim = try #require(container.shimPID)
        kill(shim, SIGKILL)
        #expect(try TestContainer.eventually { container.hasShimEnded })
        #expect(system("\(TestContainer.shim) --bundle \(container.bundle) --delete") == 0)
        #expect(try !container.shimFiles.contains(ShimBundle.runtime))
        #expect(try TestContainer.eventually { !Files.exists(FilePath("/sys/fs/cgroup/pids\(container.group)")) })
    }
}
