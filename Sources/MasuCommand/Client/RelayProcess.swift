import Glibc
import LinuxKernel
import SystemPackage

/// A program whose standard streams are a connection to a daemon: ssh, or `masu-tls`.
package final class RelayProcess {
    /// The end that is talked to; the caller's to close.
    package let descriptor: Int32
    /// The program's process id.
    package let process: pid_t
    private let arguments: [String]
    private let purpose: Purpose
    /// What it says on standard error. A file and not a pipe, because nobody reads it while the program works.
    private let complaints: Int32
    private var status: Int32?

    private enum Purpose {
        case ssh, tls
    }

    /// Programs whose connection is closed and that have not been waited for. This program has one thread.
    nonisolated(unsafe) private static var ending: [pid_t] = []

    /// Starts a program that reaches the daemon by itself, and that `PATH` leads to.
    package convenience init(_ arguments: [String]) throws(CommandError) {
        try self.init(arguments, for: .ssh, streams: [])
    }

    /// Starts `masu-tls`, which lies beside this program.
    ///
    /// - Parameters:
    ///   - host: whom the daemon's certificate must belong to.
    ///   - socket: connected to the daemon; the caller's to close.
    convenience init(_ tls: TLSMaterial, to host: String, on socket: Int32) throws(CommandError) {
        let program = try Self.tlsProgram()
        // Last, because the number may be that of one of the others.
        try self.init([program] + tls.arguments(host: host), for: .tls, streams: [(socket, 3)])
    }

    private init(
        _ arguments: [String], for purpose: Purpose, streams more: [(Int32, Int32)]
    ) throws(CommandError) {
        Self.reap()
        self.arguments = arguments
        self.purpose = purpose
        let (own, others): (FileDescriptor, FileDescriptor)
        do throws(Errno) {
            (own, others) = try UnixSocket.pair(.stream)
        } catch {
            throw CommandError("cannot make a pair of sockets: \(Console.words(error.rawValue))")
        }
        defer { close(others.rawValue) }
        do throws(Errno) {
            complaints = try MemoryFile.create("masu-relay").rawValue
        } catch {
            close(own.rawValue)
            throw CommandError("cannot make a file in memory: \(Console.words(error.rawValue))")
        }
        let streams = [
            (others.rawValue, STDIN_FILENO), (others.rawValue, STDOUT_FILENO), (complaints, STDERR_FILENO),
        ]
        do throws(CommandError) {
            // An interrupt at the terminal is for this program, which may still have something to say to the daemon.
            process = try ChildProcess.start(arguments, streams: streams + more, hasOwnSession: true)
        } catch {
            close(own.rawValue)
            close(complaints)
            throw CommandError("error during connect: \(error.message)")
        }
        descriptor = own.rawValue
    }

    deinit {
        close(complaints)
        // Its connection is closed, so it ends by itself; a command does not wait for that.
        if status == nil { Self.ending.append(process) }
        Self.reap()
    }

    /// Takes away what is left of programs that have ended.
    private static func reap() {
        ending.removeAll { waitpid($0, nil, WNOHANG) != 0 }
    }

    private static func tlsProgram() throws(CommandError) -> String {
        // Where /proc is not mounted, what this program was called leads to it, if that is a path: a name alone has
        // been looked for in PATH, and not in the working directory, which may be anybody's.
        let own = try? FileDescriptor.workingDirectory.readSymlink("/proc/self/exe")
        let called = ProcessArguments.program
        guard let program = own ?? (called.contains("/") ? LocalFile.absolute(called) : nil) else {
            throw CommandError(
                "error during connect: TLS needs the program masu-tls beside masu, which cannot be found without "
                    + "/proc: mount it, or call masu by its path")
        }
        let path = CopyPath.parent(program) + "/masu-tls"
        guard LocalFile.exists(path) else {
            throw CommandError(
                "error during connect: TLS needs the program masu-tls beside masu, and \(path) does not exist")
        }
        return path
    }

    /// Whether the program is gone, and not because all went well. One that has passed on the daemon's end has only
    /// shut down its output until its connection is closed.
    func hasFailed() -> Bool {
        var entry = pollfd(fd: descriptor, events: 0, revents: 0)
        return poll(&entry, 1, 0) > 0 && entry.revents & Int16(POLLHUP) != 0 && wait() != 0
    }

    /// The program's status, as that of waitpid(2), once it has ended.
    private func wait() -> Int32 {
        if let status { return status }
        var code: Int32 = 0
        while waitpid(process, &code, 0) < 0, errno == EINTR {}
        status = code
        return code
    }

    /// Why there is no answer, or only a part of it, after the connection has ended. Waits for the program's end.
    package func failure() -> CommandError {
        // It may be waiting for more to be sent to the daemon.
        shutdown(descriptor, Int32(SHUT_RDWR))
        let code = wait()
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = pread(complaints, &chunk, chunk.count, off_t(bytes.count))
            if count <= 0 || bytes.count > 64 << 10 { break }
            bytes += chunk[..<count]
        }
        let text = String(decoding: bytes, as: UTF8.self).trimmingLineFeeds()
        let ending = code & 0x7f == 0 ? "exit status \(code >> 8 & 0xff)" : "signal \(code & 0x7f)"
        switch purpose {
        case .ssh:
            return CommandError(
                "error during connect: command [\(arguments.joined(separator: " "))] has exited with \(ending), make "
                    + "sure the URL is valid, and Masu or Docker 18.09 or later is installed on the remote host: "
                    + "stderr=\(text)")
        case .tls where text.isEmpty && code == 0:
            return CommandError("the daemon closed the connection without an answer")
        case .tls where text.isEmpty:
            return CommandError("error during connect: masu-tls has exited with \(ending)")
        case .tls where text.holds("bad certificate"):
            return CommandError(
                "the server probably has client authentication (--tlsverify) enabled; check your TLS client "
                    + "certification settings: \(text)")
        case .tls:
            return CommandError("error during connect: \(text)")
        }
    }
}
