import Foundation
import Testing

@Suite("What keeps the daemon from starting", .enabled(if: geteuid() == 0, "needs root"), .timeLimit(.minutes(10)))
struct StartTests {
    /// A daemon that cannot start; `DIR` in arguments and texts stands for its directory, where `prepare` is a shell's
    /// command.
    private func expect(_ prepare: String, _ arguments: [String], says text: String) throws {
        let masud = try Masud()
        defer { try? masud.remove() }
        try masud.write("{}")
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = ["-c", prepare]
        shell.currentDirectoryURL = masud.directory
        try shell.run()
        shell.waitUntilExit()
        let all = masud.roots + arguments.map { $0.replacingOccurrences(of: "DIR", with: masud.directory.path) }
        let result = try masud.run(all)
        #expect(result.status == 1)
        let expected = text.replacingOccurrences(of: "DIR", with: masud.directory.path)
        #expect(result.errors.contains("masud: " + expected), "\(result.errors)")
        #expect(!FileManager.default.fileExists(atPath: masud.path("run/masud.pid")))
    }

    @Test("files for TLS that are not there are named")
    func tlsFiles() throws {
        let own = ["--tlscert", "DIR/cert.pem", "--tlskey", "DIR/key.pem"]
        let text =
            #"invalid TLS configuration: could not load X509 key pair (cert: "DIR/cert.pem", key: "DIR/key.pem"): "#
        try expect("", ["--tls"] + own, says: text + "open DIR/cert.pem: no such file or directory")
        try expect(
            "touch cert.pem key.pem", ["--tlsverify"] + own, says: text + "there is no certificate in PEM form")
    }

    @Test("a socket of socket activation that other machines can reach is refused like an address of that kind")
    func activation() throws {
        let masud = try Masud()
        defer { try? masud.remove() }
        try masud.write("{}")
        // It has no address yet, which means all.
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        try #require(number >= 0)
        let handle = FileHandle(fileDescriptor: number, closeOnDealloc: true)
        let result = try masud.run(masud.roots + ["-H", "fd://"], activation: handle)
        #expect(result.status == 1)
        let text = "masud: refusing to listen on fd://3 (0.0.0.0:0): every client that can connect would be root"
        #expect(result.errors.contains(text), "\(result.errors)")
    }

    @Test(
        "a root that cannot be used is named with what was to be done",
        arguments: [
            (
                "touch data", [],
                "cannot use DIR/data as --data-root: cannot make the directory DIR/data: Not a directory"
            ),
            ("touch run", [], "cannot use DIR/run as --exec-root: cannot make the directory DIR/run: Not a directory"),
            (
                "touch file", ["--data-root", "DIR/file/a/b"],
                "cannot use DIR/file/a/b as --data-root: cannot make the directory DIR/file: Not a directory"
            ),
            (
                "ln -s nowhere data", [],
                "cannot use DIR/data as --data-root: cannot make the directory DIR/data: No such file or directory"
            ),
            ("", ["--data-root", "/proc/a"], "cannot use /proc/a as --data-root: cannot make the directory /proc/a: "),
            // An existing directory that cannot be written to, as on a read-only file system.
            (
                "", ["--data-root", "/proc/1"],
                "cannot use /proc/1 as --data-root: cannot open /proc/1/masud.lock for writing: "
            ),
            (
                "", ["--exec-root", "/proc/1"],
                "cannot use /proc/1 as --exec-root: cannot open /proc/1/masud.lock for writing: "
            ),
            (
                "mkdir -p data/masud.lock", [],
                "cannot use DIR/data as --data-root: cannot open DIR/data/masud.lock for writing: Is a directory"
            ),
            ("mkdir -p data/masu.db", [], "cannot open the database DIR/data/masu.db: Is a directory"),
            (
                "mkdir -p data && head -c 9000 /dev/urandom > data/masu.db", [],
                "cannot open the database DIR/data/masu.db: "
            ),
        ])
    func roots(prepare: String, arguments: [String], text: String) throws {
        try expect(prepare, arguments, says: text)
    }

    @Test(
        "so are the pid file, the socket and the configuration file",
        arguments: [
            (
                "mkdir pid", ["--pidfile", "DIR/pid"],
                "cannot write the daemon's process id to DIR/pid (--pidfile): Is a directory"
            ),
            (
                "", ["--pidfile", "DIR/no/pid"],
                "cannot write the daemon's process id to DIR/no/pid (--pidfile): No such file or directory"
            ),
            ("mkdir s", ["-H", "unix://DIR/s"], "cannot listen on unix://DIR/s: a file that is not a socket"),
            ("touch f", ["-H", "unix://DIR/f/s"], "cannot listen on unix://DIR/f/s: Not a directory"),
            ("", ["-H", "unix://DIR/no/s"], "cannot listen on unix://DIR/no/s: No such file or directory"),
            (
                "rm daemon.json; mkdir daemon.json", [],
                "unable to configure masud with file DIR/daemon.json: cannot read the file: Is a directory"
            ),
        ])
    func files(prepare: String, arguments: [String], text: String) throws {
        try expect(prepare, arguments, says: text)
    }
}
