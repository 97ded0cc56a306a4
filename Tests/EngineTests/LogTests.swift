import BlockingCalls
import Engine
import LinuxKernel
import OCISpec
import SystemPackage
import Testing

@Suite("Container logs") struct LogTests {
    private static let pool = BlockingPool(threads: 4, name: "test")

    private func line(_ text: String, stream: String = "stdout", second: Int = 0) -> String {
        let clock = second < 10 ? "0\(second)" : "\(second)"
        return #"{"log":"\#(text)\n","stream":"\#(stream)","time":"2026-01-02T03:04:\#(clock).000000001Z"}"# + "\n"
    }

    private func read(
        _ directory: TemporaryDirectory, _ change: (inout LogOptions) -> Void = { _ in }
    ) async throws -> [String] {
        var options = LogOptions()
        options.stdout = true
        options.stderr = true
        change(&options)
        let reader = try LogReader(
            path: directory.path.appending("x-json.log"), options: options, change: nil, pool: Self.pool)
        var texts: [String] = []
        while let batch = try await reader.next() {
            texts += batch.map { String(decoding: $0.bytes, as: UTF8.self).filter { $0 != "\n" } }
        }
        return texts
    }

    private func rotated() throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory()
        try directory.write("x-json.log.2", line("a", second: 1) + line("b", stream: "stderr", second: 2))
        try directory.write("x-json.log.1", line("c", second: 3))
        try directory.write("x-json.log", line("d", second: 4) + line("e", second: 5))
        return directory
    }

    @Test("rotated files are read from the oldest on")
    func rotation() async throws {
        #expect(try await read(try rotated()) == ["a", "b", "c", "d", "e"])
    }

    @Test("tail counts over files", arguments: [(0, ""), (1, "e"), (2, "de"), (3, "cde"), (4, "bcde"), (9, "abcde")])
    func tail(_ count: Int, _ expected: String) async throws {
        #expect(try await read(try rotated()) { $0.tail = count }.joined() == expected)
    }

    @Test("since, until and the streams choose lines")
    func selection() async throws {
        let directory = try rotated()
        #expect(try await read(directory) { $0.since = Timestamp("2026-01-02T03:04:03Z") } == ["c", "d", "e"])
        #expect(try await read(directory) { $0.until = Timestamp("2026-01-02T03:04:03Z") } == ["a", "b"])
        #expect(try await read(directory) { $0.stdout = false } == ["b"])
        #expect(try await read(directory) { $0.stderr = false } == ["a", "c", "d", "e"])
    }

    @Test("a missing log is an empty one")
    func missing() async throws {
        #expect(try await read(try TemporaryDirectory()) == [])
    }

    @Test("a long tail is found across blocks")
    func longTail() async throws {
        let directory = try TemporaryDirectory()
        try directory.write(
            "x-json.log", (0..<5000).map { line("line \($0) " + String(repeating: "x", count: 40)) }.joined())
        let lines = try await read(directory) { $0.tail = 3000 }
        #expect(lines.count == 3000)
        #expect(lines.first?.hasPrefix("line 2000 ") ?? false)
    }

    @Test("following misses nothing while the log is written, rotated twice and ended", .timeLimit(.minutes(1)))
    func following() async throws {
        let directory = try TemporaryDirectory()
        try directory.write("x-json.log", line("0"))
        var options = LogOptions()
        options.stdout = true
        options.follow = true
        let change = LogChange()
        let reader = try LogReader(
            path: directory.path.appending("x-json.log"), options: options, change: change, pool: Self.pool)
        let texts = Task {
            var texts: [String] = []
            while let batch = try await reader.next() {
                texts += batch.map { String(decoding: $0.bytes, as: UTF8.self) }
            }
            return texts
        }
        for number in 1...300 {
            if number.isMultiple(of: 100) {
                if number > 100 { try directory.rename("x-json.log.1", "x-json.log.2") }
                try directory.rename("x-json.log", "x-json.log.1")
            }
            let text = line("\(number)")
            // In two pieces: a reader must not take half a line for one.
            try directory.append("x-json.log", String(text.prefix(20)))
            try directory.append("x-json.log", String(text.dropFirst(20)))
            if number.isMultiple(of: 50) { await Task.yield() }
        }
        change.end()
        #expect(try await texts.value == (0...300).map { "\($0)\n" })
    }

    @Test("following ends when its task is cancelled", .timeLimit(.minutes(1)))
    func cancelling() async throws {
        let directory = try TemporaryDirectory()
        var options = LogOptions()
        options.stdout = true
        options.follow = true
        let reader = try LogReader(
            path: directory.path.appending("x-json.log"), options: options, change: LogChange(), pool: Self.pool)
        let task = Task { try await reader.next() }
        task.cancel()
        await #expect(throws: CancellationError.self) { _ = try await task.value }
    }

    @Test(
        "entries are unescaped",
        arguments: [
            (#"{"log":"a\"b\\\u003cé\ud83d\ude00\t","stream":"stderr","time":"2026-01-02T03:04:05Z"}"#, "a\"b\\<é😀\t"),
            (#"{"stream":"stderr","time":"2026-01-02T03:04:05Z","log":"x","attrs":{"k":"v"}}"#, "x"),
            (#"{"log":"","stream":"stderr","time":"2026-01-02T03:04:05.5Z"}"#, ""),
        ])
    func entries(_ json: String, _ text: String) throws {
        let line = try #require(Array(json.utf8).withUnsafeBytes { LogEntry.parse($0) })
        #expect(String(decoding: line.bytes, as: UTF8.self) == text)
        #expect(line.stream == .stderr)
        if json.contains("attrs") { #expect(line.details == ["k": "v"]) }
    }

    @Test(
        "torn lines are none",
        arguments: ["", "{", #"{"log":"x"#, #"{"log":"x","stream":"stdout","time":"no"}"#, "\0\0"])
    func torn(_ text: String) {
        #expect(Array(text.utf8).withUnsafeBytes { LogEntry.parse($0) } == nil)
    }
}
