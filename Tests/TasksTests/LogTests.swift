import BlockingCalls
import Glibc
import LinuxKernel
import OCISpec
import SystemPackage
import Tasks
import TemporaryDirectories
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

    @Test("following misses nothing while the log is written, rotated twice and ended", .timeLimit(.minutes(10)))
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

    /// A log that is followed, with the lines that have come so far.
    private final class Follower: Sendable {
        private let reader: LogReader
        let change = LogChange()

        init(_ directory: TemporaryDirectory) throws {
            var options = LogOptions()
            options.stdout = true
            options.follow = true
            reader = try LogReader(
                path: directory.path.appending("x-json.log"), options: options, change: change, pool: LogTests.pool)
        }

        /// The next `count` lines.
        func next(_ count: Int) async throws -> [String] {
            var texts: [String] = []
            while texts.count < count, let batch = try await reader.next() {
                texts += batch.map { String(decoding: $0.bytes, as: UTF8.self) }
            }
            return texts
        }
    }

    @Test(
        "a log that is emptied in place is followed from its new beginning on, however much is written to it at once",
        .timeLimit(.minutes(10)), arguments: [1, 2, 3, 50])
    func emptied(_ count: Int) async throws {
        let directory = try TemporaryDirectory()
        try directory.write("x-json.log", line("1", second: 1) + line("2", second: 2))
        let follower = try Follower(directory)
        #expect(try await follower.next(2) == ["1\n", "2\n"])
        let file = try Files.open(directory.path.appending("x-json.log"), [.writeOnly, .append])
        defer { file.discard() }
        for round in 1...3 {
            ftruncate(file.rawValue, 0)
            let lines = (0..<count).map { line("\(round).\($0)", second: 10 + (round * 10 + $0) % 50) }
            try file.writeEntire(Array(lines.joined().utf8))
            #expect(try await follower.next(count) == (0..<count).map { "\(round).\($0)\n" })
        }
        follower.change.end()
        #expect(try await follower.next(1) == [])
    }

    @Test("a file that takes the place of a log's only one is followed after that one's end", .timeLimit(.minutes(10)))
    func replaced() async throws {
        let directory = try TemporaryDirectory()
        try directory.write("x-json.log", line("1", second: 1))
        let follower = try Follower(directory)
        #expect(try await follower.next(1) == ["1\n"])
        // What the old file gets last, and the new one, come between two looks of the reader.
        try directory.append("x-json.log", line("2", second: 2))
        try directory.write("x-json.log.next", line("3", second: 3))
        try directory.rename("x-json.log.next", "x-json.log")
        #expect(try await follower.next(2) == ["2\n", "3\n"])
        follower.change.end()
    }

    @Test("the half of a record that is taken back from a full disk is not taken for a log that was emptied")
    func takenBack() async throws {
        let directory = try TemporaryDirectory()
        try directory.write("x-json.log", line("1", second: 1))
        let follower = try Follower(directory)
        #expect(try await follower.next(1) == ["1\n"])
        let file = try Files.open(directory.path.appending("x-json.log"), [.writeOnly, .append])
        defer { file.discard() }
        let size = try FileStatus.of(file).size
        try file.writeEntire(Array(line("lost", second: 2).utf8.prefix(20)))
        ftruncate(file.rawValue, off_t(size))
        try file.writeEntire(Array(line("2", second: 3).utf8))
        #expect(try await follower.next(1) == ["2\n"])
        follower.change.end()
        #expect(try await follower.next(1) == [])
    }

    @Test("a line longer than any buffer is read whole")
    func longLine() async throws {
        let directory = try TemporaryDirectory()
        let text = String(repeating: "x", count: 700_000)
        try directory.write("x-json.log", line("a") + line(text) + line("b"))
        #expect(try await read(directory) == ["a", text, "b"])
    }

    @Test("following ends when its task is cancelled", .timeLimit(.minutes(10)))
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
        let line = try #require(Array(json.utf8).withUnsafeBytes { JSONLogEntry.parse($0) })
        #expect(String(decoding: line.bytes, as: UTF8.self) == text)
        #expect(line.stream == .stderr)
        if json.contains("attrs") { #expect(line.details == ["k": "v"]) }
    }

    @Test(
        "torn lines are none",
        arguments: ["", "{", #"{"log":"x"#, #"{"log":"x","stream":"stdout","time":"no"}"#, "\0\0"])
    func torn(_ text: String) {
        #expect(Array(text.utf8).withUnsafeBytes { JSONLogEntry.parse($0) } == nil)
    }
}
