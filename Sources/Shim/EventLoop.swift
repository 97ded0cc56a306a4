import Glibc
import LinuxKernel
import SystemPackage

/// Where the shim's only thread waits for something to happen.
///
/// Level-triggered: a handler that leaves something undone is called again.
package final class EventLoop {
    /// Called with what has happened on a descriptor.
    package typealias Handler = (ReadyEvents) -> Void

    /// A descriptor being watched.
    package struct Watch {
        fileprivate let token: UInt64
        fileprivate let descriptor: FileDescriptor
    }

    /// Something to be done later.
    package struct Timer: Equatable {
        fileprivate let number: UInt64
    }

    private let epoll: Epoll
    private var handlers: [UInt64: Handler] = [:]
    private var timers: [(number: UInt64, deadline: Int64, action: () -> Void)] = []
    private var lastNumber: UInt64 = 0
    private var isStopped = false

    /// A loop that watches nothing.
    package init() throws(Errno) {
        epoll = try Epoll()
    }

    /// Calls `handler` whenever one of `events`, an error or a hang-up happens on `descriptor`, which has to stay open
    /// until `unwatch`.
    package func watch(
        _ descriptor: FileDescriptor, _ events: ReadyEvents, _ handler: @escaping Handler
    ) throws(Errno) -> Watch {
        lastNumber += 1
        // Tokens are never used again: an event that was fetched before its watch ended finds no handler.
        try epoll.add(descriptor, events, token: lastNumber)
        handlers[lastNumber] = handler
        return Watch(token: lastNumber, descriptor: descriptor)
    }

    /// Watches for other events.
    package func change(_ watch: Watch, to events: ReadyEvents) {
        // Fails only for a descriptor that is not watched, or for want of memory that is there already.
        try? epoll.modify(watch.descriptor, events, token: watch.token)
    }

    /// Ends a watch; to be called before the descriptor is closed.
    package func unwatch(_ watch: Watch) {
        guard handlers.removeValue(forKey: watch.token) != nil else { return }
        try? epoll.remove(watch.descriptor)  // Fails only for a descriptor that is not watched.
    }

    /// Calls `action` once, `milliseconds` from now.
    @discardableResult
    package func schedule(milliseconds: Int64, _ action: @escaping () -> Void) -> Timer {
        lastNumber += 1
        timers.append((lastNumber, Self.now() + milliseconds, action))
        return Timer(number: lastNumber)
    }

    /// Forgets a timer.
    package func cancel(_ timer: Timer) {
        timers.removeAll { $0.number == timer.number }
    }

    /// Handles events until `stop`.
    package func run() {
        while !isStopped {
            let next = timers.map(\.deadline).min()
            let timeout = next.map { Int32(clamping: max(0, $0 - Self.now())) } ?? -1
            do throws(Errno) {
                try epoll.wait(milliseconds: timeout) { token, events in
                    // A copy of the handler is held while it runs: it may end its own watch.
                    if let handler = handlers[token] { handler(events) }
                }
            } catch {
                preconditionFailure("epoll_wait: \(error)")
            }
            if next != nil { fire() }
        }
    }

    /// Lets `run` return once the present event is handled.
    package func stop() {
        isStopped = true
    }

    private func fire() {
        let now = Self.now()
        while let index = timers.firstIndex(where: { $0.deadline <= now }) {
            let timer = timers.remove(at: index)
            timer.action()
        }
    }

    /// Milliseconds on the monotonic clock.
    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
