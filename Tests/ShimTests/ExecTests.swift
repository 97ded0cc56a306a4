import Glibc
import JSON
import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage
import Testing

@Suite(
    "Execs of a real shim", .serialized,
    .enabled(if: TestContainer.obstacle.isEmpty, Comment(rawValue: TestContainer.obstacle)))
struct ExecTests {
    private func process(_ script: String, terminal: Bool = false, environment: [String] = []) -> Process {
        var process = Process(args: ["sh", "-c", script], env: ["PATH=/bin"] + environment)
        process.terminal = terminal
        return process
    }

    @Test("the end of an exec of which nobody was told comes to who subscribes next, once")
    func untold() throws {
        let container = try TestContainer(["sleep", "100"])
        do {
            let connection = try ShimConnection(bundle: container.bundle, timeout: 30)
            try connection.call(.start)
            try connection.call(.exec(id: "x", process: process("exit 9"), openStdin: false))
            try connection.call(.execStart(id: "x"))
            #expect(
                try TestContainer.eventually {
                    guard case .execState(.exited) = try connection.call(.execState(id: "x")) else { return false }
                    return true
                })
        }
        let connection = try container.connect()
        guard case .execExited("x", 9, _) = try connection.nextEvent() else {
            Issue.record("another event")
            return
        }
        #expect(throws: ShimError(.notFound, "no such exec: x")) { try connection.call(.execState(id: "x")) }
    }

    @Test("the memory of a shim does not grow with the execs there have been, nor with their environments")
    func memory() throws {
        let container = try TestContainer(["sleep", "100"])
        let connection = try container.connect()
        try connection.call(.start)
        let shim = try #require(container.shimPID)
        let environment = (0..<100).map { "VARIABLE_\($0)=" + String(repeating: "x", count: 1000) }
        func run(_ count: Int) throws {
            for number in 0..<count {
                let id = "\(number)"
                try connection.call(.exec(id: id, process: process("true", environment: environment), openStdin: false))
                try connection.call(.execStart(id: id))
                while let event = try connection.nextEvent() {
                    if case .execExited = event { break }
                }
            }
        }
        func kilobytes() throws -> Int {
            let text = try Files.readText(FilePath("/proc/\(shim)/smaps_rollup"))
            let line = text.split(separator: "\n").first { $0.hasPrefix("Private_Dirty:") }
            return line.flatMap { Int($0.filter(\.isNumber)) } ?? 0
        }
        try run(10)
        // Memory is given back a little after the last request.
        var before = Int.max
        _ = try TestContainer.eventually {
            before = min(before, try kilobytes())
            return before < 600
        }
        try run(100)
        #expect(try TestContainer.eventually { try kilobytes() < before + 300 })
    }

    @Test("who attaches says whether the output comes in frames, whatever the process has", arguments: [false, true])
    func framing(_ terminal: Bool) throws {
        let container = try TestContainer(["sleep", "100"])
        let connection = try container.connect()
        try connection.call(.start)
        try connection.call(
            .exec(id: "x", process: process("read line; echo got $line", terminal: terminal), openStdin: true))
        let framed = try container.attach(execID: "x", framing: .multiplexed)
        let raw = try container.attach(execID: "x", framing: .raw)
        let usual = try container.attach(execID: "x", stdin: true)
        try connection.call(.execStart(id: "x"))
        try usual.writeEntire(Array("it\n".utf8))
        let expected = Array((terminal ? "it\r\ngot it\r\n" : "got it\n").utf8)
        #expect(unframed(try framed.readToEnd()).output == expected)
        #expect(try raw.readToEnd() == expected)
        let rest = try usual.readToEnd()
        #expect((terminal ? rest : unframed(rest).output) == expected)
        for stream in [framed, raw, usual] { try stream.close() }
    }

    @Test("a client that is far behind is let go at the limit of the configuration, and no other one")
    func spillLimit() throws {
        let count = 300_000
        let container = try TestContainer(["seq", "\(count)"]) { $1.spillLimit = 100_000 }
        let connection = try container.connect()
        let slow = try container.attach()
        let quick = try container.attach()
        try connection.call(.start)
        let reader = Thread { [UInt8](try! quick.readToEnd()) }
        #expect(try connection.exit().exitCode == 0)
        let expected = (1...count).map { "\($0)\n" }.joined()
        #expect(unframed(reader.join()).output == Array(expected.utf8))
        #expect(unframed(try slow.readToEnd()).output.count < expected.utf8.count)
        #expect(try TestContainer.eventually { container.hasShimEnded })
        for stream in [slow, quick] { try stream.close() }
    }

    @Test("the notes of all execs fit into one answer; those for which there is no room are left out")
    func notes() throws {
        let container = try TestContainer(["sleep", "100"])
        let connection = try container.connect()
        try connection.call(.start)
        let note = JSONValue.string(String(repeating: "n", count: 300 << 10))
        // All together are more than a message may have.
        let ids = (0..<60).map { "\($0)" }
        for id in ids {
            try connection.call(.exec(id: id, process: process("read x"), openStdin: true, note: note))
            try connection.call(.execStart(id: id))
        }
        try connection.call(.exec(id: "small", process: process("read x"), openStdin: true, note: .string("small")))
        try connection.call(.execStart(id: "small"))
        let other = try ShimConnection(bundle: container.bundle, timeout: 120)
        guard case .execs(let execs) = try other.call(.execs) else {
            Issue.record("another answer")
            return
        }
        #expect(Set(execs.map(\.id)) == Set(ids + ["small"]))
        #expect(execs.first { $0.id == "small" }?.note == .string("small"))
        let kept = execs.filter { $0.note == note }.count
        #expect(kept == 3, "as many as there is room for")
    }

    @Test("answers wait for a client that reads late; one that never reads is let go, and others are served")
    func lateReaders() throws {
        let container = try TestContainer(["sleep", "100"])
        let connection = try container.connect()
        try connection.call(.start)
        let note = JSONValue.string(String(repeating: "n", count: 1_000_000))
        try connection.call(.exec(id: "x", process: process("read x"), openStdin: true, note: note))
        try connection.call(.execStart(id: "x"))
        let late = try ShimConnection(bundle: container.bundle, timeout: 120)
        for _ in 0..<4 { try late.send(.execs) }
        let never = try ShimConnection(bundle: container.bundle, timeout: 120)
        for _ in 0..<12 { try? never.send(.execs) }  // It may be gone already.
        for _ in 0..<4 {
            guard case .response(.execs(let execs))? = try late.receive() else {
                Issue.record("another message")
                return
            }
            #expect(execs.map(\.note) == [note])
        }
        guard case .execState = try connection.call(.execState(id: "x")) else {
            Issue.record("another answer")
            return
        }
        // What had been sent before is still to be read.
        var count = 0
        while let message = try? never.receive() {
            guard case .response(.execs) = message else { break }
            count += 1
        }
        #expect(count < 12)
    }
}
