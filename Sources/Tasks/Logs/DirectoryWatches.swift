import Glibc
import LinuxKernel
import Synchronization
import SystemPackage

/// Notices writes and renames in directories, by one inotify instance for all: a user may have only 128 of them.
final class DirectoryWatches: Sendable {
    /// The watches of this process.
    static let shared = Result { () throws(Errno) in try DirectoryWatches() }

    private struct State {
        /// By the kernel's number of a watched directory: who wants to know.
        var listeners: [Int32: [UInt64: @Sendable () -> Void]] = [:]
        var next: UInt64 = 0
    }

    /// One listener's place; kept to be removed.
    struct Token: Hashable, Sendable {
        fileprivate var watch: Int32
        fileprivate var number: UInt64
    }

    private let inotify: Inotify
    private let state = Mutex(State())

    private init() throws(Errno) {
        inotify = try Inotify()
        // Never removed: the object lives as long as the process.
        _ = try EventThread.shared.get().add(inotify.descriptor, .readable) { [self] _ in read() }
    }

    /// Calls `body` on the event thread whenever a file in `directory` is written, made or renamed.
    func add(_ directory: FilePath, _ body: @escaping @Sendable () -> Void) throws(Errno) -> Token {
        try state.withLock { (state) throws(Errno) in
            // The kernel gives a directory that is watched already the same number again.
            let watch = try inotify.watch(directory, mask: UInt32(IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF))
            state.next += 1
            state.listeners[watch, default: [:]][state.next] = body
            return Token(watch: watch, number: state.next)
        }
    }

    func remove(_ token: Token) {
        state.withLock { state in
            guard state.listeners[token.watch]?.removeValue(forKey: token.number) != nil else { return }
            if state.listeners[token.watch]?.isEmpty ?? false {
                state.listeners[token.watch] = nil
                // It fails if the directory is gone, and the watch with it.
                inotify_rm_watch(inotify.descriptor.rawValue, token.watch)
            }
        }
    }

    private func read() {
        var touched: Set<Int32> = []
        withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 8) { buffer in
            while true {
                let count = Glibc.read(inotify.descriptor.rawValue, buffer.baseAddress, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return }
                var offset = 0
                // struct inotify_event: watch, mask, cookie, length of the name (4 bytes each), name.
                while offset + 16 <= count {
                    touched.insert(buffer.loadUnaligned(fromByteOffset: offset, as: Int32.self))
                    offset += 16 + Int(buffer.loadUnaligned(fromByteOffset: offset + 12, as: UInt32.self))
                }
            }
        }
        let listeners = state.withLock { state in
            // -1 says that the queue ran over: anything may have changed.
            touched.contains(-1)
                ? state.listeners.values.flatMap(\.values)
                : touched.flatMap { Array((state.listeners[$0] ?? [:]).values) }
        }
        for listener in listeners { listener() }
    }
}
