import Glibc
import LinuxKernel
import SystemPackage

/// A program whose standard streams are a connection to a daemon: ssh.
package final class RelayProcess {
    /// The end that is talked to; the caller's to close.
    let descriptor: Int32
    private let child: pid_t
    private let arguments: [String]
    /// What it says on standard error. A file and not a pipe, because nobody reads it while the program works.
    private let complaints: Int32
    private var status: Int32?

    /// Starts the program, which `PATH` leads to.
    init(_ arguments: [String]) throws(CommandError) {
        self.arguments = arguments
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
            child = try ChildProcess.start(arguments, streams: streams)
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
        var ignored: Int32 = 0
        if status == nil { waitpid(child, &ignored, WNOHANG) }
    }

    /// Why there is no answer, after the connection has ended without one.
    func failure() -> CommandError {
        var code: Int32 = 0
        while waitpid(child, &code, 0) < 0, errno == EINTR {}
        status = code
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = pread(complaints, &chunk, chunk.count, off_t(text.count))
            if count <= 0 || text.count > 64 << 10 { break }
            text += chunk[..<count]
        }
        let ending = code & 0x7f == 0 ? "exit status \(code >> 8 & 0xff)" : "signal \(code & 0x7f)"
        return CommandError(
            "error during connect: command [\(arguments.joined(separator: " "))] has exited with \(ending), make sure "
                + "the URL is valid, and Masu or Docker 18.09 or later is installed on the remote host: "
                + "stderr=\(String(decoding: text, as: UTF8.self).trimmingLineFeeds())")
    }
}
