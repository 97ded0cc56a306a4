import Foundation
import LinuxKernel
import SystemPackage
import Testing

/// A `masud` on private roots under /tmp, with a socket and a cgroup of its own.
///
/// A guardian process (`scripts/sweep --guard`) holds the other end of a pipe: when this object goes, or the whole test
/// process is killed, it takes everything away. So nothing stays on the machine, whatever happens.
final class TestDaemon {
    let root: String
    let cgroup: String
    private(set) var pid: pid_t = 0
    private var process: RunningCommand?
    private var guardian: RunningCommand?
    private var guardianPipe: Int32 = -1
    private let options: [String]
    /// Words before the daemon's command line.
    private let prefix: [String]
    /// Where its standard streams go, as a shell says it; `$0` is the log.
    private let redirections: String

    var dataRoot: String { root + "/data" }
    var execRoot: String { root + "/run" }
    var socket: String { execRoot + "/masu.sock" }
    var log: String { (try? String(contentsOfFile: root + "/masud.log", encoding: .utf8)) ?? "" }

    /// Makes the roots and starts the daemon; returns when it answers.
    init(
        options: [String] = [], configuration: String = "{}", redirections: String = #">>"$0" 2>&1"#,
        prefix: [String] = []
    ) throws {
        var template = Array("/tmp/masu-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Command.Failure(description: "mkdtemp failed") }
        root = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        cgroup = "masu-test-" + root.suffix(6)
        self.options = options
        self.prefix = prefix
        self.redirections = redirections
        mkdir(root + "/docker", 0o700)
        try configuration.write(toFile: root + "/daemon.json", atomically: true, encoding: .utf8)
        try startGuardian()
        try start()
    }

    deinit {
        destroy()
    }

    private func startGuardian() throws {
        let ends = try FileDescriptor.makePipe()
        guardianPipe = ends.writing.rawValue
        var command = Command(Programs.project + "/scripts/sweep", "--guard", root, cgroup)
        // Opened anew by path in the child: the pipe's end itself is close-on-exec.
        command.inputFile = "/proc/\(getpid())/fd/\(ends.reading.rawValue)"
        guardian = try command.start()
        try ends.reading.close()
    }

    /// Starts the daemon, the first time or again on the same roots, with these options beside its own.
    func start(with more: [String] = []) throws {
        let command = Command(
            "/bin/sh",
            [
                "-c", "exec \"$@\" \(redirections)", root + "/masud.log",
            ] + prefix + [
                Programs.masud, "--data-root", dataRoot, "--exec-root", execRoot, "--pidfile", execRoot + "/masud.pid",
                "--config-file", root + "/daemon.json", "--cgroup-parent", "/" + cgroup, "-H", "unix://" + socket,
            ] + options + more)
        let process = try command.start()
        self.process = process
        pid = process.pid
        let answers = try eventually {
            if process.hasEnded { return true }
            return try run(.masu, "version").code == 0
        }
        if !answers || process.hasEnded {
            throw Command.Failure(description: "masud does not answer; its log:\n\(log.suffix(3000))")
        }
    }

    /// `kill -9`, as a crash would.
    func crash() throws {
        kill(pid, SIGKILL)
        _ = try process?.waitForEnd()
        process = nil
    }

    /// SIGTERM; its exit code.
    @discardableResult
    func stop() throws -> Int32 {
        guard let process else { return 0 }
        process.send(SIGTERM)
        defer { self.process = nil }
        return try process.waitForEnd().code
    }

    /// Ends everything and waits until it is gone.
    func destroy() {
        process = nil
        if guardianPipe >= 0 {
            close(guardianPipe)
            guardianPipe = -1
            // Nothing can be done here about a guardian that does not end in time.
            _ = try? guardian?.waitForEnd()
            guardian = nil
        }
    }

    // MARK: Driving it

    /// A command of one of the clients, aimed at this daemon.
    func command(_ client: Client, _ arguments: [String], input: [UInt8] = []) -> Command {
        var command = Command(client.path, arguments)
        command.environment["MASU_HOST"] = client == .masu ? "unix://" + socket : nil
        command.environment["DOCKER_HOST"] = client == .docker ? "unix://" + socket : nil
        command.environment["DOCKER_CONFIG"] = root + "/docker"
        command.environment["HOME"] = root
        command.input = input
        return command
    }

    /// Runs one to its end.
    @discardableResult
    func run(_ client: Client, _ arguments: String..., input: [UInt8] = [], timeout: Double = 180) throws
        -> Command.Result
    {
        try command(client, arguments, input: input).runToEnd(timeout: timeout)
    }

    /// Runs one that has to succeed; its output without the last line's end.
    @discardableResult
    func ok(
        _ client: Client, _ arguments: String..., input: [UInt8] = [], timeout: Double = 180,
        at location: SourceLocation = #_sourceLocation
    ) throws -> String {
        let result = try command(client, arguments, input: input).runToEnd(timeout: timeout)
        try #require(result.code == 0, "\(result)", sourceLocation: location)
        return result.line
    }

    /// Runs one that goes on.
    func begin(_ client: Client, _ arguments: String...) throws -> RunningCommand {
        try command(client, arguments).start()
    }

    /// Runs one at a terminal.
    func terminal(_ client: Client, _ arguments: String..., columns: UInt16 = 80, rows: UInt16 = 24) throws -> Terminal
    {
        try Terminal(command(client, arguments), columns: columns, rows: rows)
    }

    /// Makes `busybox:latest`, without network and in a blink.
    func importBusybox() throws {
        var command = self.command(.masu, ["import", try Roots.busybox(), "busybox:latest"])
        command.inputFile = "/dev/null"
        let result = try command.runToEnd()
        try #require(result.code == 0, "\(result)")
    }

    /// One HTTP request to the API, as written; for what no client would send.
    func http(_ method: String, _ path: String, body: String = "", type: String = "application/json") throws -> (
        status: Int, body: String
    ) {
        let curl = try #require(Programs.find("curl"), "curl is not installed")
        let result = try Command(
            curl, "-s", "--max-time", "20", "--unix-socket", socket, "-X", method, "-H", "Content-Type: \(type)", "-H",
            "Expect:", "--data-binary", body, "-w", "\n%{http_code}", "http://masu\(path)"
        ).runToEnd()
        var lines = result.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let status = Int(lines.popLast() ?? "") ?? 0
        return (status, lines.joined(separator: "\n"))
    }
}

/// Runs a test with a daemon of its own, in a network of its own, and with the image `busybox`; afterwards nothing of
/// any container may be left.
func withDaemon(
    options: [String] = [], configuration: String = "{}", redirections: String = #">>"$0" 2>&1"#,
    image: Bool = true, at location: SourceLocation = #_sourceLocation, _ body: (TestDaemon) throws -> Void
) throws {
    try PrivateNetwork().enter {
        try withDaemonHere(
            options: options, configuration: configuration, redirections: redirections, image: image, at: location,
            body)
    }
}

/// The same in the network where the test is already.
func withDaemonHere(
    options: [String] = [], configuration: String = "{}", redirections: String = #">>"$0" 2>&1"#,
    prefix: [String] = [], image: Bool = true, at location: SourceLocation = #_sourceLocation,
    _ body: (TestDaemon) throws -> Void
) throws {
    let daemon = try TestDaemon(
        options: options, configuration: configuration, redirections: redirections, prefix: prefix)
    defer { daemon.destroy() }
    if image { try daemon.importBusybox() }
    do {
        try body(daemon)
    } catch {
        Issue.record("the daemon's log ends with:\n\(daemon.log.suffix(3000))", sourceLocation: location)
        throw error
    }
    try daemon.removeContainers()
    daemon.expectNothingLeft(at: location)
    #expect(try daemon.stop() == 0, "a daemon that is told to stop ends with 0", sourceLocation: location)
    let processes = Programs.isReference ? [] : daemon.processes()
    #expect(processes.isEmpty, "processes outlive the daemon and all containers", sourceLocation: location)
}
