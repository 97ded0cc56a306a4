import Glibc
import LinuxKernel
import Synchronization
import SystemPackage

/// Buries the shims this daemon has started, which are its children. Those that an earlier daemon left are init's.
enum ShimReaper {
    /// Reaps the shim `pid` when it ends.
    static func watch(_ pid: Int32) {
        // A shim that cannot be watched stays a zombie until the daemon ends, which is all there is to it.
        guard case .success(let thread) = EventThread.shared, let process = try? PIDFD.open(pid) else { return }
        let end = ShimEnd(pid: pid, process: process, thread: thread)
        do throws(Errno) {
            // The handler keeps the object, and the thread the handler, until the end.
            try end.begin()
        } catch {
            process.close()
        }
    }
}

/// Waits for the end of one process.
private final class ShimEnd: Sendable {
    private let pid: Int32
    private let process: PIDFD
    private let thread: EventThread
    private let token = Mutex<UInt64>(0)

    init(pid: Int32, process: PIDFD, thread: EventThread) {
        self.pid = pid
        self.process = process
        self.thread = thread
    }

    func begin() throws(Errno) {
        try token.withLock { (token) throws(Errno) in
            token = try thread.add(process.descriptor, .readable) { [self] _ in finish() }
        }
    }

    private func finish() {
        // Waits for `begin` if the process ended at once.
        thread.remove(process.descriptor, token: token.withLock { $0 })
        process.close()
        var status: Int32 = 0
        waitpid(pid, &status, WNOHANG)
    }
}
