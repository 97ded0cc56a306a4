import Glibc
import JSON
import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage
import Testing

/// Several containers of one shim.
@Suite(
    "A shim of several containers", .serialized,
    .enabled(if: TestContainer.obstacle.isEmpty, Comment(rawValue: TestContainer.obstacle)))
struct PodTests {
    /// A container that runs until it is told to end.
    private static let waiting = ["sh", "-c", "trap 'exit 3' TERM; echo here; while true; do sleep 0.05; done"]

    /// Joins `types` of name spaces of the process `pid`, in place of new ones.
    private static func join(_ types: [LinuxNamespaceType], of pid: Int32, _ spec: inout Spec) {
        for type in types {
            let name = ["uts": "uts", "ipc": "ipc", "pid": "pid", "network": "net"][type.rawValue] ?? ""
            replace(type, by: "/proc/\(pid)/ns/\(name)", &spec)
        }
    }

    private static func replace(_ type: LinuxNamespaceType, by path: String, _ spec: inout Spec) {
        spec.linux?.namespaces?.removeAll { $0.type == type }
        spec.linux?.namespaces?.append(LinuxNamespace(type: type, path: path))
    }

    private static func namespace(_ name: String, of container: TestContainer) throws -> String {
        let pid = try #require(container.pid)
        return try FileDescriptor.workingDirectory.readSymlink("/proc/\(pid)/ns/\(name)")
    }

    private func pod(
        _ arguments: [String] = PodTests.waiting, joining types: [LinuxNamespaceType] = [.uts, .ipc]
    ) throws -> (first: TestContainer, second: TestContainer) {
        let first = try TestContainer(Self.waiting)
        let pid = try #require(first.pid)
        let second = try TestContainer(arguments, beside: first) { spec, _ in Self.join(types, of: pid, &spec) }
        if case .failed(let error) = second.launchResult { throw error }
        return (first, second)
    }

    @Test("a container is in those name spaces of the first that its configuration names, and has its own group")
    func namespaces() throws {
        let (first, second) = try pod(joining: [.uts, .ipc, .pid])
        for name in ["uts", "ipc", "pid"] {
            #expect(try Self.namespace(name, of: first) == Self.namespace(name, of: second), "\(name)")
        }
        #expect(try Self.namespace("mnt", of: first) != Self.namespace("mnt", of: second))
        let text = try Files.readText(FilePath("/proc/\(try #require(second.pid))/cgroup"))
        #expect(text.contains(second.group) && !text.contains(first.group))
    }

    @Test("a name space can be named by a descriptor")
    func descriptor() throws {
        let first = try TestContainer(Self.waiting)
        let file = try Files.open(FilePath("/proc/\(try #require(first.pid))/ns/uts"), .readOnly)
        defer { file.discard() }
        let second = try TestContainer(Self.waiting, beside: first) { spec, _ in
            Self.replace(.uts, by: "/proc/\(getpid())/fd/\(file.rawValue)", &spec)
        }
        #expect(try Self.namespace("uts", of: first) == Self.namespace("uts", of: second))
    }

    @Test(
        "each has its own streams, log, execs and exit record, and the end of one is not the other's",
        arguments: [0, 1])
    func ends(_ which: Int) throws {
        let (first, second) = try pod(joining: which == 0 ? [.uts, .ipc] : [.uts, .ipc, .pid])
        let pair = [first, second]
        let connections = try pair.map { try $0.connect() }
        let streams = try pair.map { try $0.attach() }
        for (container, connection) in zip(pair, connections) {
            try connection.call(.start, container: container.address)
        }
        let (ending, staying) = (pair[which], pair[1 - which])
        let (endingConnection, stayingConnection) = (connections[which], connections[1 - which])
        #expect(try TestContainer.eventually { try ending.records == ["stdout: here\n"] })
        try endingConnection.call(.kill(signal: .terminate), container: ending.address)
        #expect(try endingConnection.exit().exitCode == 3)
        #expect(try ending.exitRecord?.exitCode == 3)
        #expect(unframed(try streams[which].readToEnd()).output == Array("here\n".utf8))
        #expect(try staying.exitRecord == nil)

        #expect(!first.hasShimEnded)
        guard case .containers(let states) = try stayingConnection.call(.containers) else { return }
        #expect(states.map(\.id) == pair.map(\.id))
        for (state, container) in zip(states, pair) {
            if case .exited = state.state {
                #expect(container.id == ending.id)
            } else {
                #expect(container.id == staying.id)
            }
        }
        let process = Process(args: ["sh", "-c", "echo exec; exit 5"], env: ["PATH=/bin"])
        try stayingConnection.call(.exec(id: "x", process: process, openStdin: false), container: staying.address)
        let exec = try staying.attach(execID: "x")
        try stayingConnection.call(.execStart(id: "x"), container: staying.address)
        #expect(unframed(try exec.readToEnd()).output == Array("exec\n".utf8))
        #expect(throws: ShimError.self) {
            try endingConnection.call(.exec(id: "x", process: process, openStdin: false), container: ending.address)
        }

        try stayingConnection.call(.kill(signal: .terminate), container: staying.address)
        #expect(try stayingConnection.exit().exitCode == 3)
        #expect(unframed(try streams[1 - which].readToEnd()).output == Array("here\n".utf8))
        #expect(try staying.exitRecord?.exitCode == 3)
        #expect(try TestContainer.eventually { first.hasShimEnded })
        #expect(try first.shimFiles == ["exit"] && second.shimFiles == ["exit"])
        for stream in streams + [exec] { try stream.close() }
    }

    @Test("events say whose they are, unless they are the first container's")
    func events() throws {
        let (first, second) = try pod(["true"])
        let connection = try ShimConnection(bundle: first.bundle, timeout: 30)
        try connection.call(.subscribe)
        try connection.call(.subscribe, container: second.id)
        try connection.call(.start, container: second.id)
        guard case .event(.exited, second.id)? = try connection.receive() else {
            Issue.record("another message")
            return
        }
        try connection.call(.start)
        try connection.call(.kill(signal: .kill))
        guard case .event(.exited, nil)? = try connection.receive() else {
            Issue.record("another message")
            return
        }
    }

    @Test("a container that cannot be created leaves nothing, and the others as they are")
    func failure() throws {
        let first = try TestContainer(Self.waiting)
        let connection = try first.connect()
        try connection.call(.start)
        let second = try TestContainer(["nothing-of-this-name"], beside: first)
        guard case .failed(let error) = second.launchResult else {
            Issue.record("created")
            return
        }
        #expect(error.reason == .commandNotFound)
        #expect(try second.shimFiles == [])
        #expect(!Files.exists(second.log))
        let external = try TestContainer(["true"], beside: first) {
            $1.runtime = ShimConfiguration.Runtime(path: "/bin/true")
        }
        guard case .failed(let refusal) = external.launchResult else {
            Issue.record("created")
            return
        }
        #expect(refusal.reason == .conflict)
        #expect(throws: ShimError(.notFound, "no such container: nobody")) {
            try connection.call(.state, container: "nobody")
        }
        guard case .containers(let states) = try connection.call(.containers) else { return }
        #expect(states.map(\.id) == [first.id])
        guard case .state(.running) = try connection.call(.state) else {
            Issue.record("not running")
            return
        }
    }

    @Test("a container that has ended is forgotten when nobody needs it any more, and another one can have its name")
    func dismissal() throws {
        let (first, second) = try pod(["true"])
        let connection = try second.connect()
        #expect(throws: ShimError.self) { try connection.call(.shutdown, container: second.id) }
        try connection.call(.start, container: second.id)
        #expect(try connection.exit().exitCode == 0)
        #expect(throws: ShimError.self) { try connection.call(.create(bundle: second.bundle.string)) }
        try connection.call(.shutdown, container: second.id)
        guard case .created = try connection.call(.create(bundle: second.bundle.string)) else { return }
        try connection.call(.start, container: second.id)
        #expect(try connection.exit().exitCode == 0)
        #expect(!first.hasShimEnded)
    }

    @Test("containers that come and go, and such that cannot be created, leave no descriptor open in the shim")
    func descriptors() throws {
        let first = try TestContainer(Self.waiting)
        let connection = try first.connect()
        try connection.call(.start)
        let directory = FilePath("/proc/\(try #require(first.shimPID))/fd")
        func open() throws -> [String] {
            try Files.names(in: directory).compactMap { name in
                // It may be closed just now.
                try? FileDescriptor.workingDirectory.readSymlink(directory.appending(name).string)
            }
        }
        /// A container with all there is of descriptors: a terminal, an exec, a client.
        func run() throws {
            let container = try TestContainer(["cat"], terminal: true, openStdin: true, beside: first)
            let connection = try container.connect()
            let stream = try container.attach(stdin: true)
            try connection.call(.start, container: container.id)
            let process = Process(args: ["true"], env: ["PATH=/bin"])
            try connection.call(.exec(id: "x", process: process, openStdin: true), container: container.id)
            try connection.call(.execStart(id: "x"), container: container.id)
            try connection.call(.kill(signal: .kill), container: container.id)
            #expect(try connection.exit().exitCode == 137)
            try connection.call(.shutdown, container: container.id)
            try stream.close()
            connection.close()
        }
        try run()
        var before = 0
        #expect(
            try TestContainer.eventually {
                before = try open().count
                return try open().filter { $0.hasPrefix("socket:") }.count == 2
            }, "the listener and our connection are left")
        for _ in 0..<10 {
            try run()
            let refused = try TestContainer(["nothing-of-this-name"], beside: first)
            if case .launched = refused.launchResult { Issue.record("created") }
        }
        #expect(try TestContainer.eventually { try open().count <= before })
    }

    @Test("a program that is not masu-shim can have such a shim by the library alone")
    func library() throws {
        let program = TestContainer.shim.removingLastComponent().appending("PodShim")
        try #require(Files.exists(program), "needs \(program)")
        let first = try TestContainer(["sh", "-c", "exit 4"], isLaunched: false)
        let second = try TestContainer(["sh", "-c", "exit 5"], isLaunched: false)
        guard let output = popen("\(program) \(first.bundle) \(second.bundle) &", "re") else { return }
        defer { pclose(output) }
        var line = [CChar](repeating: 0, count: 1000)
        #expect(fgets(&line, 1000, output) != nil)
        #expect(String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) == "created 2\n")
        let connection = try ShimConnection(bundle: first.bundle, timeout: 30)
        for id in [first.id, second.id] { try connection.call(.subscribe, container: id) }
        try connection.call(.start, container: first.id)
        #expect(try connection.exit().exitCode == 4)
        try connection.call(.start, container: second.id)
        #expect(try connection.exit().exitCode == 5)
        #expect(try first.shimFiles == ["exit"] && second.shimFiles == ["exit"])
    }
}
