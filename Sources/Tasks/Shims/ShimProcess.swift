import Glibc
import LinuxKernel
import Synchronization
import SystemPackage

/// A shim that this process has started, which therefore waits for it. Those that an earlier daemon left are init's.
///
/// It gets signals by its pidfd alone: as soon as it has been waited for, its number can be another process's.
final class ShimProcess: Sendable {
    let pid: Int32
    private let handle: PIDFD
    private let token = Mutex<UInt64>(0)

    /// A child that nobody has waited for. It must not be waited for by others.
    init(child pid: Int32) throws(Errno) {
        handle = try PIDFD.open(pid)
        self.pid = pid
    }

    deinit { handle.close() }

    /// A handle of the caller's own; `nil` for want of descriptors.
    func handleCopy() -> PIDFD? { (try? handle.descriptor.duplicate(from: 3)).map { PIDFD(descriptor: $0) } }

    /// Sends SIGKILL; nothing happens if it has ended.
    func kill() {
        try? handle.send(signal: SIGKILL)  // It fails only for one that has ended.
    }

    /// Waits for it, as it is about to end, and says how it ended. One that the kernel holds is reaped later.
    func end(within milliseconds: Int32 = 5000) -> String {
        if hasEnded(within: milliseconds) { return reap() }
        reapAtEnd()
        return "it has been killed and has not ended yet"
    }

    /// Whether it ends in this time.
    func hasEnded(within milliseconds: Int32) -> Bool {
        // Fails only for want of memory, and then it is not known.
        let events = try? Poll.wait(for: [(handle.descriptor, .readable)], milliseconds: milliseconds)
        return !(events?.first?.isEmpty ?? true)
    }

    /// Has it reaped when it ends.
    func reapAtEnd() {
        // A shim that cannot be watched stays a zombie until the daemon ends, which is all there is to it.
        guard case .success(let thread) = EventThread.shared else { return }
        // As above.
        try? token.withLock { (token) throws(Errno) in
            // The handler keeps this object, and the thread the handler, until the end.
            token = try thread.add(handle.descriptor, .readable) { [self] _ in
                // Waits for `add` if the process ended at once.
                thread.remove(handle.descriptor, token: self.token.withLock { $0 })
                _ = reap()
            }
        }
    }

    private func reap() -> String {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return status & 0x7F == 0 ? "exit status \(status >> 8 & 0xFF)" : "signal \(status & 0x7F)"
    }
}
