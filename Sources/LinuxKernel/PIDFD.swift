import CLinux
import Glibc
import SystemPackage

/// A descriptor that refers to one process and never to another one that later has the same pid; pidfd_open(2).
package struct PIDFD: Hashable, Sendable {
    /// Readable (in poll and epoll) once the process has ended.
    package let descriptor: FileDescriptor

    /// Takes over a pidfd.
    package init(descriptor: FileDescriptor) {
        self.descriptor = descriptor
    }

    /// Opens the process `pid`; close-on-exec.
    ///
    /// - Throws: `noSuchProcess` if there is none.
    package static func open(_ pid: Int32) throws(Errno) -> PIDFD {
        do {
            return PIDFD(descriptor: try LinuxKernel.descriptor(masu_pidfd_open(pid, 0)))
        } catch .invalidArgument {
            // Before Linux 6.9 that is the answer for one that is just being reaped, and for a thread's number.
            throw .noSuchProcess
        }
    }

    /// Opens the child `pid` of this process, which has not been waited for.
    ///
    /// - Throws: `noChildProcess` for any other process: the number of a child that has been waited for can be that of
    ///   a stranger.
    package static func open(child pid: Int32) throws(Errno) -> PIDFD {
        let process: PIDFD
        do throws(Errno) { process = try open(pid) } catch {
            throw error == .noSuchProcess ? .noChildProcess : error
        }
        var information = siginfo_t()
        // P_PIDFD of waitid(2), since Linux 5.4. It waits for nobody: WNOWAIT leaves one that has ended as it is.
        let result = waitid(
            idtype_t(rawValue: 3), id_t(process.descriptor.rawValue), &information, WEXITED | WNOHANG | WNOWAIT)
        if result == 0 { return process }
        let error = Errno(rawValue: errno)
        process.close()
        throw error
    }

    /// pidfd_send_signal(2).
    package func send(signal: Int32) throws(Errno) {
        try checked(masu_pidfd_send_signal(descriptor.rawValue, signal))
    }

    /// A copy of the process's descriptor `number`, close-on-exec; pidfd_getfd(2). Needs the right to trace the
    /// process.
    package func copy(ofDescriptor number: Int32) throws(Errno) -> FileDescriptor {
        try LinuxKernel.descriptor(masu_pidfd_getfd(descriptor.rawValue, number))
    }

    /// Closes the descriptor; the process goes on.
    package func close() {
        descriptor.discard()
    }
}
