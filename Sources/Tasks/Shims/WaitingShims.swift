import BlockingCalls
import Glibc
import LinuxKernel
import ShimProtocol
import Synchronization
import SystemPackage

/// Shims that have been started before there is anything to run, so that a container need not wait for its shim to
/// start. They end with this process, and with this object.
final class WaitingShims: Sendable {
    private struct Waiting {
        let shim: ShimProcess
        let connection: FileDescriptor
        /// The file of the program that it executes.
        let program: FileIdentity
    }

    private struct State {
        var shims: [Waiting] = []
        var isFilling = false
    }

    private let program: FilePath
    private let count: Int
    /// What stands in the place of a bundle's path in the command line, as long as the longest.
    private let room: String
    private let state = Mutex(State())

    /// At most `count` shims at a time, of which there is none before `fill`. `directory` is that of the bundles.
    init(program: FilePath, count: Int, directory: FilePath) {
        self.program = program
        self.count = count
        room = String(repeating: "-", count: directory.string.utf8.count + 1 + 64)
    }

    deinit { state.withLock { for waiting in $0.shims { Self.end(waiting) } } }

    /// Has one of them launch the container of `bundle`; `nil` if none can. Blocks.
    ///
    /// One of a program that has been replaced meanwhile is not asked.
    func take(for bundle: FilePath) -> (shim: ShimProcess, connection: FileDescriptor)? {
        while let waiting = state.withLock({ $0.shims.popLast() }) {
            let isOfUse =
                (try? FileIdentity(program)) == waiting.program  // Gone, or not to be seen: not the same.
                && !waiting.shim.hasEnded(within: 0) && waiting.connection.send(Array((bundle.string + "\n").utf8))
            if isOfUse { return (waiting.shim, waiting.connection) }
            Self.end(waiting)
        }
        return nil
    }

    /// Starts as many as there should be, behind the back of the caller. What cannot be started is tried again the next
    /// time: a container that finds none waiting gets a shim of its own, and says what is wrong.
    func fill(on pool: BlockingPool) {
        let isWanted = state.withLock { state in
            guard !state.isFilling, state.shims.count < count else { return false }
            state.isFilling = true
            return true
        }
        if isWanted { pool.submit { [self] in start() } }
    }

    private func start() {
        defer { state.withLock { $0.isFilling = false } }
        while state.withLock({ $0.shims.count < count }) {
            guard
                // See `fill`.
                let identity = try? FileIdentity(program),
                // As above.
                let (shim, connection) = try? ShimLaunch.start(program, bundle: room, mode: "--waiting")
            else { return }
            state.withLock { $0.shims.append(Waiting(shim: shim, connection: connection, program: identity)) }
        }
    }

    private static func end(_ waiting: Waiting) {
        waiting.connection.discard()
        waiting.shim.kill()
        _ = waiting.shim.end()
    }
}

/// Which file a path leads to, and which version of it.
private struct FileIdentity: Equatable {
    let device: UInt64
    let inode: UInt64
    let changedAt: timespec

    init(_ path: FilePath) throws(Errno) {
        var status = Glibc.stat()
        guard path.withPlatformString({ fstatat(AT_FDCWD, $0, &status, 0) }) == 0 else { throw Errno(rawValue: errno) }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        changedAt = status.st_ctim
    }

    static func == (one: Self, other: Self) -> Bool {
        one.device == other.device && one.inode == other.inode && one.changedAt.tv_sec == other.changedAt.tv_sec
            && one.changedAt.tv_nsec == other.changedAt.tv_nsec
    }
}

extension FileDescriptor {
    /// Sends a short message to a socket; false if nobody receives it.
    fileprivate func send(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { Glibc.send(rawValue, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            == bytes.count
    }
}
