import Glibc
import LinuxKernel
import SystemPackage
import Testing

@Suite("Descriptors of processes")
struct PIDFDTests {
    @Test("a child is found by its number until it has been waited for, a stranger never")
    func children() throws {
        var pid: pid_t = 0
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("1000"), nil]
        defer { for argument in arguments { free(argument) } }
        #expect(posix_spawnp(&pid, "sleep", nil, nil, &arguments, environ) == 0)
        let running = try PIDFD.open(child: pid)
        defer { running.close() }
        try running.send(signal: SIGKILL)
        #expect(try !Poll.wait(for: [(running.descriptor, .readable)]).isEmpty)
        // Also one that has ended, which looking at it does not reap.
        try PIDFD.open(child: pid).close()
        try PIDFD.open(child: pid).close()
        #expect(waitpid(pid, nil, 0) == pid)
        for stranger in [pid, getpid(), 1] {
            #expect(throws: Errno.noChildProcess) { try PIDFD.open(child: stranger).close() }
        }
    }

    @Test("the process at the other end of a socket is had by its descriptor")
    func peer() throws {
        let (one, other) = try UnixSocket.pair(.stream)
        defer {
            one.discard()
            other.discard()
        }
        let found = Result { () throws(Errno) in try one.peerProcess() }
        if case .failure(.protocolNotAvailable) = found { return }  // A kernel before 6.5.
        let process = try found.get()
        defer { process.close() }
        let information = try Files.readText(FilePath("/proc/self/fdinfo/\(process.descriptor.rawValue)"))
        #expect(information.contains("Pid:\t\(getpid())\n"))
        #expect(fcntl(process.descriptor.rawValue, F_GETFD) & FD_CLOEXEC != 0)
    }
}
