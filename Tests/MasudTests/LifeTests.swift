import Foundation
import Testing

@Suite("The daemon's life", .enabled(if: geteuid() == 0, "needs root"), .timeLimit(.minutes(10)))
struct LifeTests {
    private func withDaemon(
        _ flags: [String] = [], _ body: (Masud, Process, String) throws -> Void
    ) throws {
        let masud = try Masud()
        defer { try? masud.remove() }
        try masud.write("{}")
        let (process, log) = try masud.start(masud.roots + flags)
        defer {
            if process.isRunning { kill(process.processIdentifier, SIGKILL) }
            process.waitUntilExit()
        }
        try #require(wait { has(log, "completed initialization") || !process.isRunning })
        let said = try text(log)
        try #require(process.isRunning, "\(said)")
        try body(masud, process, log)
    }

    private func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

    private func has(_ log: String, _ words: String) -> Bool { (try? text(log))?.contains(words) ?? false }

    private func wait(_ condition: () -> Bool) -> Bool {
        for _ in 0..<6000 {
            if condition() { return true }
            usleep(20000)
        }
        return false
    }

    @Test("its socket is for root and one group, and a stop leaves neither socket nor pid file")
    func socket() throws {
        try withDaemon { masud, process, log in
            let attributes = try FileManager.default.attributesOfItem(atPath: masud.path("run/masu.sock"))
            #expect(attributes[.posixPermissions] as? Int == 0o660)
            #expect(try text(masud.path("run/masud.pid")) == "\(process.processIdentifier)")
            #expect(
                try FileManager.default.attributesOfItem(atPath: masud.path("data/masu.db"))[.posixPermissions] as? Int
                    == 0o600)
            process.terminate()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            #expect(try text(log).contains("daemon shutdown complete"))
            #expect(!FileManager.default.fileExists(atPath: masud.path("run/masu.sock")))
            #expect(!FileManager.default.fileExists(atPath: masud.path("run/masud.pid")))
        }
    }

    @Test(
        "an empty or missing database over a data root in use is refused, and nothing is deleted",
        arguments: ["containers/c1/log", "snapshots/overlay/s1/fs", "content/blobs/sha256/abc"], [true, false])
    func emptyDatabase(_ file: String, _ isMissing: Bool) throws {
        let masud = try Masud()
        defer { try? masud.remove() }
        try masud.write("{}")
        let path = masud.path("data/" + file)
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data("kept".utf8).write(to: URL(fileURLWithPath: path))
        if !isMissing { try Data().write(to: URL(fileURLWithPath: masud.path("data/masu.db"))) }
        for _ in 0..<2 {
            // The second time the database is what the first has made.
            let refused = try masud.run(masud.roots)
            #expect(refused.status == 1)
            #expect(
                refused.errors.contains("the database \(masud.path("data/masu.db")) is missing or empty"), "\(refused)")
            #expect(refused.errors.contains("Put masu.db back from a backup"))
            #expect(try text(path) == "kept")
        }
    }

    @Test("a second one is refused the roots and the socket, and does not harm the first")
    func second() throws {
        try withDaemon { masud, _, _ in
            let sameData = try masud.run(
                [
                    "--data-root", masud.path("data"), "--exec-root", masud.path("run2"), "--config-file",
                    masud.path("daemon.json"),
                ])
            #expect(sameData.status == 1)
            #expect(
                sameData.errors.contains(
                    "uses \(masud.path("data")): stop it, or give this one its own with --data-root"))
            let sameRun = try masud.run(
                [
                    "--data-root", masud.path("data2"), "--exec-root", masud.path("run"), "--config-file",
                    masud.path("daemon.json"),
                ])
            #expect(sameRun.errors.contains("give this one its own with --exec-root"))
            let sameSocket = try masud.run([
                "--data-root", masud.path("data2"), "--exec-root", masud.path("run2"), "--config-file",
                masud.path("daemon.json"),
                "-H", "unix://" + masud.path("run/masu.sock"),
            ])
            #expect(sameSocket.errors.contains("another daemon answers there"))
            #expect(FileManager.default.fileExists(atPath: masud.path("run/masu.sock")))
        }
    }

    @Test("after a kill the next one takes over socket, pid file and locks")
    func afterKill() throws {
        try withDaemon { masud, process, _ in
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            #expect(FileManager.default.fileExists(atPath: masud.path("run/masu.sock")))
            let (next, log) = try masud.start(masud.roots)
            #expect(wait { has(log, "completed initialization") || !next.isRunning })
            #expect(next.isRunning)
            next.terminate()
            next.waitUntilExit()
        }
    }

    @Test("SIGHUP reloads the configuration file; a wrong one changes nothing")
    func reload() throws {
        try withDaemon(["--log-format", "json"]) { masud, process, log in
            try masud.write(#"{"log-level":"debug"}"#)
            kill(process.processIdentifier, SIGHUP)
            #expect(wait { has(log, #""msg":"reloaded configuration","log-level":"debug""#) })
            try masud.write(#"{"nonsense":1}"#)
            kill(process.processIdentifier, SIGHUP)
            #expect(wait { has(log, "the daemon keeps the old one") })
            #expect(process.isRunning)
        }
    }
}
