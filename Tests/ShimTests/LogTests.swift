import Glibc
import JSON
import LinuxKernel
import OCISpec
import Shim
import ShimProtocol
import SystemPackage
import TemporaryDirectories
import Testing

@Suite("json-file log")
struct LogTests {
    private static let time = Timestamp(seconds: 1_763_711_166, nanoseconds: 120_000_000)
    private static let tail = "\",\"stream\":\"stdout\",\"time\":\"2025-11-21T07:46:06.12Z\"}\n"

    /// What is in the log after `parts` have been written one by one, and then the end.
    private func log(_ parts: [[UInt8]], attributes: JSONValue? = nil) throws -> String {
        let directory = try TemporaryDirectory(mode: 0o755)
        let path = directory.path.appending("log")
        let configuration = LogConfiguration(driver: .jsonFile, path: path.string, attributes: attributes)
        let log = try #require(try ContainerLog(configuration))
        for part in parts { part.withUnsafeBytes { log.write($0, stream: .standardOutput, time: Self.time) } }
        log.finish()
        return String(decoding: try Files.read(path), as: UTF8.self)
    }

    @Test(
        "bytes are escaped as Docker escapes them",
        arguments: [
            ("plain", "plain"), ("", ""), ("\"quoted\" \\ back", "\\\"quoted\\\" \\\\ back"),
            ("tab\tand\rreturn", "tab\\u0009and\\rreturn"),
            ("<a href='x'>&amp;", "\\u003ca href='x'\\u003e\\u0026amp;"),
            ("bell\u{7}escape\u{1b}[0m\u{0}", "bell\\u0007escape\\u001b[0m\\u0000"), ("delete \u{7f}", "delete \u{7f}"),
            ("größer, 日本語, 🦊", "größer, 日本語, 🦊"), ("line\u{2028}paragraph\u{2029}", "line\\u2028paragraph\\u2029"),
            (
                "long enough for eight bytes at a time & then some",
                "long enough for eight bytes at a time \\u0026 then some"
            ),
        ])
    func escaping(_ text: String, _ escaped: String) throws {
        #expect(try log([Array((text + "\n").utf8)]) == "{\"log\":\"\(escaped)\\n" + Self.tail)
    }

    @Test("each of the 128 ASCII characters reads back as itself, wherever in a word it stands", arguments: 0..<9)
    func ascii(_ offset: Int) throws {
        for byte in UInt8(0)..<128 where byte != 0x0a {
            let line = [UInt8](repeating: 0x61, count: offset) + [byte] + [UInt8](repeating: 0x62, count: 8 - offset)
            let value = try JSON.parse(Array(try log([line + [0x0a]]).utf8))
            #expect(value["log"]?.string.map { Array($0.utf8) } == line + [0x0a])
        }
    }

    @Test(
        "a byte that is not UTF-8 becomes U+FFFD",
        arguments: [
            ([0xff], 1), ([0x80], 1), ([0xc3], 1), ([0xc0, 0x80], 2), ([0xe2, 0x82], 2), ([0xed, 0xa0, 0x80], 3),
            ([0xf0, 0x9f, 0xa6], 3), ([0xf4, 0x90, 0x80, 0x80], 4), ([0xf8, 0x88, 0x80, 0x80, 0x80], 5),
            ([0xe0, 0x80, 0x80], 3),
        ] as [([UInt8], Int)])
    func invalid(_ bytes: [UInt8], _ count: Int) throws {
        let expected = "{\"log\":\"a" + String(repeating: "\\ufffd", count: count) + "b\\n" + Self.tail
        #expect(try log([[0x61] + bytes + [0x62, 0x0a]]) == expected)
    }

    @Test("a line is a record, however it comes in portions", arguments: [1, 2, 3, 7, 1000])
    func portions(_ size: Int) throws {
        let text = Array("one\ntwo three\n\nfour\n".utf8)
        let parts = stride(from: 0, to: text.count, by: size).map { Array(text[$0..<min($0 + size, text.count)]) }
        let lines = ["one\\n", "two three\\n", "\\n", "four\\n"]
        #expect(try log(parts) == lines.map { "{\"log\":\"" + $0 + Self.tail }.joined())
    }

    @Test("a line without an end is written at the end of the output, without a newline")
    func unfinished() throws {
        let text = try log([Array("one\ntw".utf8), Array("o".utf8)])
        #expect(text.hasPrefix("{\"log\":\"one\\n" + Self.tail + "{\"log\":\"two\",\"stream\":\"stdout\",\"time\":\""))
    }

    @Test(
        "a long line goes on in further records, of which only the last ends it",
        arguments: [
            (16383, [16384]), (16384, [16384, 1]), (16385, [16384, 2]), (32768, [16384, 16384, 1]),
            (40000, [16384, 16384, 7233]),
        ], [1000, 16384, 65536])
    func longLines(_ line: (length: Int, records: [Int]), _ portion: Int) throws {
        let text = [UInt8](repeating: 0x78, count: line.length) + [0x0a]
        let parts = stride(from: 0, to: text.count, by: portion).map { Array(text[$0..<min($0 + portion, text.count)]) }
        let records = try log(parts).split(separator: "\n").map { try JSON.parse(String($0))["log"]?.string ?? "" }
        #expect(records.map(\.utf8.count) == line.records)
        #expect(records.joined().utf8.elementsEqual(text))
    }

    @Test("a long line is not continued in the middle of a character", arguments: 0..<4)
    func characterAtTheEdge(_ offset: Int) throws {
        let text = String(repeating: "x", count: 16381 + offset) + "🦊🦊\n"
        let records = try log([Array(text.utf8)]).split(separator: "\n").map {
            try JSON.parse(String($0))["log"]?.string
        }
        #expect(records.compactMap { $0 }.joined() == text)
    }

    @Test("without a driver there is no log")
    func none() throws {
        #expect(try ContainerLog(.none) == nil)
    }

    @Test("all parts of a line have the time of the first")
    func times() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path.appending("log")
        let log = try #require(try ContainerLog(.jsonFile(path.string)))
        for (index, part) in [20_000, 20_000].enumerated() {
            let text = [UInt8](repeating: 0x78, count: part) + (index == 1 ? [0x0a] : [])
            let time = Timestamp(seconds: Self.time.seconds + Int64(index))
            text.withUnsafeBytes { log.write($0, stream: .standardOutput, time: time) }
        }
        let times = try String(decoding: try Files.read(path), as: UTF8.self).split(separator: "\n").map {
            try JSON.parse(String($0))["time"]?.string
        }
        #expect(times == [String?](repeating: "2025-11-21T07:46:06Z", count: 3))
    }

    @Test("attributes stand between stream and time")
    func attributes() throws {
        let text = try log([Array("x\n".utf8)], attributes: ["tag": "t"])
        #expect(text.hasPrefix("{\"log\":\"x\\n\",\"stream\":\"stdout\",\"attrs\":{\"tag\":\"t\"},\"time\":\""))
    }

    @Test("a full file is set aside, as many as there may be", arguments: [1, 2, 3, 5])
    func rotation(_ files: Int) throws {
        let directory = try TemporaryDirectory(mode: 0o755)
        let path = directory.path.appending("log")
        let log = try #require(
            try ContainerLog(
                LogConfiguration(driver: .jsonFile, path: path.string, maxSize: 1000, maxFiles: files)))
        let count = 200
        for number in 0..<count {
            let line = Array("line \(number)\n".utf8)
            line.withUnsafeBytes { log.write($0, stream: .standardOutput, time: Self.time) }
        }
        let names = try Files.names(in: directory.path).sorted()
        #expect(names == ["log"] + (1..<files).map { "log.\($0)" })
        var lines: [String] = []
        for name in names.reversed() {
            let text = String(decoding: try Files.read(directory.path.appending(name)), as: UTF8.self)
            #expect(text.utf8.count < 1100)
            if name != "log" { #expect(text.utf8.count >= 1000) }
            lines += try text.split(separator: "\n").compactMap { try JSON.parse(String($0))["log"]?.string }
        }
        #expect(lines == (count - lines.count..<count).map { "line \($0)\n" }, "nothing is missing between the files")
    }

    @Test("a reader of the only file there may be can read it to its end after it is full")
    func replacement() throws {
        let directory = try TemporaryDirectory(mode: 0o755)
        let path = directory.path.appending("log")
        let log = try #require(
            try ContainerLog(
                LogConfiguration(driver: .jsonFile, path: path.string, maxSize: 1000, maxFiles: 1)))
        let reader = try Files.open(path, .readOnly)
        defer { reader.discard() }
        for number in 0..<20 {
            Array("line \(number)\n".utf8).withUnsafeBytes { log.write($0, stream: .standardOutput, time: Self.time) }
        }
        let first = String(decoding: try reader.readToEnd(), as: UTF8.self).split(separator: "\n").count
        let second = String(decoding: try Files.read(path), as: UTF8.self).split(separator: "\n").count
        #expect(first > 0 && second > 0 && first + second == 20)
        #expect(try Files.names(in: directory.path) == ["log"])
    }

    @Test("a file that somebody else has emptied is not full before it is")
    func emptied() throws {
        let directory = try TemporaryDirectory(mode: 0o755)
        let path = directory.path.appending("log")
        let log = try #require(
            try ContainerLog(
                LogConfiguration(driver: .jsonFile, path: path.string, maxSize: 1000, maxFiles: 3)))
        for number in 0..<8 {
            Array("line \(number)\n".utf8).withUnsafeBytes { log.write($0, stream: .standardOutput, time: Self.time) }
            if number == 3 { truncate(path.string, 0) }
        }
        for number in 8..<14 {
            Array("line \(number)\n".utf8).withUnsafeBytes { log.write($0, stream: .standardOutput, time: Self.time) }
        }
        #expect(try Files.names(in: directory.path) == ["log"])
        let lines = String(decoding: try Files.read(path), as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 10)
    }

    @Test("half a record that a killed shim has left does not spoil the next one")
    func brokenRecord() throws {
        let directory = try TemporaryDirectory(mode: 0o755)
        let path = directory.path.appending("log")
        try Files.replace(path, with: Array("{\"log\":\"a".utf8))
        let log = try #require(try ContainerLog(.jsonFile(path.string)))
        Array("b\n".utf8).withUnsafeBytes { log.write($0, stream: .standardError, time: Self.time) }
        let lines = String(decoding: try Files.read(path), as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 2)
        #expect(try JSON.parse(String(lines[1]))["stream"] == "stderr")
    }

    @Test("on a full disk whole records are dropped and counted", .enabled(if: geteuid() == 0, "needs root"))
    func fullDisk() throws {
        let directory = try TemporaryDirectory(mode: 0o755)
        #expect(mount("tmpfs", directory.path.string, "tmpfs", 0, "size=64k") == 0)
        defer { umount(directory.path.string) }
        let path = directory.path.appending("log")
        let log = try #require(try ContainerLog(.jsonFile(path.string)))
        let line = Array((String(repeating: "x", count: 100) + "\n").utf8)
        for _ in 0..<1000 { line.withUnsafeBytes { log.write($0, stream: .standardOutput, time: Self.time) } }
        let text = String(decoding: try Files.read(path), as: UTF8.self)
        #expect(text.hasSuffix("}\n"))
        let written = text.split(separator: "\n").count
        #expect(written > 100)
        #expect(log.droppedLines == UInt64(1000 - written))
    }
}
