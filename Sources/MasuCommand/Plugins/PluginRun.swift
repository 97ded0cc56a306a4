import Flags
import Glibc
import LinuxKernel
import SystemPackage

/// Runs a plugin in this program's place.
enum PluginRun {
    /// Runs a plugin with the whole command line, and returns its exit status.
    ///
    /// The plugin reads the flags before its name itself, so `-H` and `--context` are among the arguments. Where they
    /// do not say which daemon is meant, `DOCKER_HOST` does: the standard socket of this program is not docker's.
    ///
    /// - Parameter variables: more of its environment.
    static func run(
        _ plugin: CommandPlugin, _ arguments: [String], _ flags: ParsedFlags, variables: [(String, String)] = []
    ) throws -> Int32 {
        var variables = variables + [(CommandPlugin.callerVariable, ProcessArguments.program)]
        variables += try daemon(flags, in: .own)
        let socket = try? PluginSocket()  // without it a plugin is stopped by signals
        if let socket { variables.append((PluginSocket.variable, "@" + socket.name)) }
        var interruptions = 0
        var child: pid_t = 0
        var hasEnded = false
        let signals = try SignalRelay([SIGINT, SIGTERM, SIGCHLD]) { number in
            if number == SIGCHLD {
                hasEnded = true
                return
            }
            // A terminal sends the signal to the plugin as well.
            if Terminal.isTerminal(STDOUT_FILENO) { return }
            socket?.close()
            interruptions += 1
            if interruptions == 3 {
                Console.complain("got 3 SIGTERM/SIGINTs, forcefully exiting")
                kill(child, SIGKILL)
            }
        }
        child = try ChildProcess.start([plugin.path] + arguments, variables: variables)
        while !hasEnded {
            var entries = [
                pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: socket?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&entries, 2, -1) < 0, errno != EINTR { break }
            signals.drain()
            if entries[1].revents != 0 { socket?.accept() }
            // Also a child that was stopped sends the signal.
            if hasEnded, !hasExited(child) { hasEnded = false }
        }
        let status = ChildProcess.wait(for: child)
        return interruptions >= 3 ? 1 : status
    }

    private static func hasExited(_ child: pid_t) -> Bool {
        var information = siginfo_t()
        return waitid(P_PID, id_t(child), &information, WEXITED | WNOHANG | WNOWAIT) == 0
            && information.si_signo == SIGCHLD
    }

    /// The variables that lead a plugin to the daemon that this program would talk to.
    static func daemon(
        _ flags: ParsedFlags, in surroundings: DaemonSelection.Surroundings
    ) throws(CommandError) -> [(String, String)] {
        guard !flags.isSet(GlobalFlags.host),
            try DaemonSelection.contextName(flags, in: surroundings) == StoredContext.standardName
        else { return [] }
        return [("DOCKER_HOST", try DaemonSelection.standardAddress(flags, in: surroundings).description)]
    }
}

/// A socket on which a plugin waits for the end of this program: when its connection closes, it has to end.
private final class PluginSocket {
    static let variable = "DOCKER_CLI_PLUGIN_SOCKET"

    /// In the abstract namespace, without the mark at its beginning.
    let name: String
    /// −1 when it is closed.
    private(set) var descriptor: Int32
    private var connections: [Int32] = []

    init() throws {
        name =
            "docker_cli_"
            + (0..<32).map { _ in String(UInt8.random(in: 0..<16), radix: 16) }.joined()
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // An abstract name begins with a null byte and has just its own length (unix(7)).
        let bytes = [0] + Array(name.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
        let isBound = withUnsafeBytes(of: &address) { raw in
            raw.withMemoryRebound(to: sockaddr.self) { bind(descriptor, $0.baseAddress, length) == 0 }
        }
        guard isBound, listen(descriptor, 16) == 0 else {
            let code = errno
            Glibc.close(descriptor)
            throw Errno(rawValue: code)
        }
    }

    deinit { close() }

    func accept() {
        // A connection that is gone already tells nobody anything.
        if let connection = try? FileDescriptor(rawValue: descriptor).acceptConnection() {
            connections.append(connection.rawValue)
        }
    }

    func close() {
        for connection in connections { Glibc.close(connection) }
        connections = []
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }
}
