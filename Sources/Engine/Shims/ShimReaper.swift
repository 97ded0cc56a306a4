import Glibc
import LinuxKernel
import Synchronization
import SystemPackage

/// Buries the shims this daemon has started.
///
/// A shim is nobody's child: its parent ended when it was ready. While the daemon lives it takes such orphans in (it is a
/// subreaper), so that they do not wait for an init that is slow or not there; when it dies, init inherits them.
enum ShimReaper {
    /// Whether orphans come to us; asked for once.
    private static let isSubreaper: Bool = {
        do {
            try ProcessAttributes.setChildSubreaper(true)
            return true
        } catch {
            return false
        }
    }()

    /// To be called before a shim is started.
    static func prepare() { _ = isSubreaper }

    /// Reaps the shim `pid` when it ends.
    static func watch(_ pid: Int32) {
        guard isSubreaper, case .success(let loop) = EventLoop.shared else { return }
        // A shim that cannot be watched stays a zombie until the daemon ends, which is all there is to it.
        guard let process = try? PIDFD.open(pid) else { return }
        let end = ShimEnd(pid: pid, process: process, loop: loop)
        do throws(Errno) {
            // The handler keeps the object, and the loop the handler, until the end.
            try end.begin()
        } catch {
            process.close()
        }
    }

    /// Reaps what a killed shim left us: the processes of its container.
    static func reapOrphans() {
        guard isSubreaper else { return }
        var status: Int32 = 0
        while waitpid(-1, &status, WNOHANG) > 0 {}
    }
}

/// Waits for the end of one process.
private final class ShimEnd: Sendable {
    private let pid: Int32
    private let process: PIDFD
    private let loop: EventLoop
    private let token = Mutex<UInt64>(0)

    init(pid: Int32, process: PIDFD, loop: EventLoop) {
        self.pid = pid
        self.process = process
        self.loop = loop
    }

    func begin() throws(Errno) {
        try token.withLock { (token) throws(Errno) in
            token = try loop.add(process.descriptor, .readable) { [self] _ in finish() }
        }
    }

    private func finish() {
        // Waits for `begin` if the process ended at once.
        loop.remove(process.descriptor, token: token.withLock { $0 })
        process.close()
        var status: Int32 = 0
        // Somebody else's child by now, or reaped with the orphans: gone either way.
        waitpid(pid, &status, WNOHANG)
    }
}
