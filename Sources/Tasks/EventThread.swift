import LinuxKernel
import Synchronization
import SystemPackage

/// The one thread that waits for all descriptors that are watched: the control connections of all shims, the ends of
/// shims, and the logs that are followed.
///
/// A handler runs on that thread and must not block. Descriptors are watched level-triggered.
final class EventThread: Sendable {
    typealias Handler = @Sendable (ReadyEvents) -> Void

    /// The one of this process; it is started at first use and lives as long as the process does.
    static let shared = Result { () throws(Errno) in try EventThread() }

    private struct State {
        var handlers: [UInt64: Handler] = [:]
        var next: UInt64 = 0
    }

    private let epoll: Epoll
    private let state = Mutex(State())

    private init() throws(Errno) {
        epoll = try Epoll()
        let started = Threads.start(name: "task-events") { [self] in run() }
        if !started { throw .resourceTemporarilyUnavailable }
    }

    /// Watches `descriptor` until `remove`, which comes before it is closed. Returns the watch's token.
    func add(_ descriptor: FileDescriptor, _ events: ReadyEvents, _ handler: @escaping Handler) throws(Errno) -> UInt64
    {
        let token = state.withLock { state in
            state.next += 1
            state.handlers[state.next] = handler
            return state.next
        }
        do throws(Errno) {
            try epoll.add(descriptor, events, token: token)
        } catch {
            state.withLock { _ = $0.handlers.removeValue(forKey: token) }
            throw error
        }
        return token
    }

    func modify(_ descriptor: FileDescriptor, _ events: ReadyEvents, token: UInt64) throws(Errno) {
        try epoll.modify(descriptor, events, token: token)
    }

    /// Watches it no longer. A handler that is running already may still run to its end.
    func remove(_ descriptor: FileDescriptor, token: UInt64) {
        let known = state.withLock { $0.handlers.removeValue(forKey: token) != nil }
        // It can only fail for a descriptor that is not watched, and then the end is the same.
        if known { try? epoll.remove(descriptor) }
    }

    private func run() {
        while true {
            do {
                try epoll.wait(capacity: 64) { token, events in
                    state.withLock { $0.handlers[token] }?(events)
                }
            } catch {
                preconditionFailure("epoll_wait: \(error)")
            }
        }
    }
}
