import Foundation

/// The program under test, from the same build as these tests.
struct Masud {
    /// A directory of its own, removed with `remove`.
    let directory: URL

    private static let program: URL = {
        let environment = ProcessInfo.processInfo.environment
        if let directory = environment["MASU_BIN"] { return URL(fileURLWithPath: directory + "/masud") }
        let test = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: test).deletingLastPathComponent().appendingPathComponent("masud")
    }()

    init() throws {
        directory = URL(fileURLWithPath: "/tmp/masud-test-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    func remove() throws { try FileManager.default.removeItem(at: directory) }

    /// Arguments that keep a daemon apart from all others.
    var roots: [String] {
        ["--data-root", path("data"), "--exec-root", path("run"), "--config-file", path("daemon.json")]
    }

    func path(_ name: String) -> String { directory.appendingPathComponent(name).path }

    func write(_ configuration: String) throws {
        try configuration.write(toFile: path("daemon.json"), atomically: true, encoding: .utf8)
    }

    /// Runs it to its end.
    func run(_ arguments: [String], activation socket: FileHandle? = nil) throws -> (status: Int32, errors: String) {
        let errors = try start(arguments, activation: socket)
        errors.process.waitUntilExit()
        let text = try String(contentsOfFile: errors.log, encoding: .utf8)
        return (errors.process.terminationStatus, text)
    }

    /// Starts it, in a network namespace of its own: this machine's is none of a test's business. Its log goes to a
    /// file. Root can hand a socket over to it, as a service manager does.
    func start(_ arguments: [String], activation socket: FileHandle? = nil) throws -> (process: Process, log: String) {
        let log = path("log-\(UUID().uuidString.prefix(8))")
        try Data().write(to: URL(fileURLWithPath: log))
        let process = Process()
        if geteuid() == 0 {
            process.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
            let activation =
                socket == nil ? "" : "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; "
            let script = activation + #"/bin/busybox ip link set lo up && exec "$0" "$@""#
            process.arguments = ["--net", "/bin/sh", "-c", script, Self.program.path] + arguments
            if let socket { process.standardInput = socket }
        } else {
            process.executableURL = Self.program
            process.arguments = arguments
        }
        process.standardError = FileHandle(forWritingAtPath: log)
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        return (process, log)
    }
}
