import CLinux
import Glibc
import SystemPackage

/// What can happen on a descriptor; poll(2) and epoll(7) use the same bits.
package struct ReadyEvents: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// There is something to read, or the end.
    package static let readable = ReadyEvents(rawValue: 0x1)
    /// Out-of-band data; a watched file of cgroupfs or procfs has changed.
    package static let priority = ReadyEvents(rawValue: 0x2)
    /// Writing does not wait.
    package static let writable = ReadyEvents(rawValue: 0x4)
    /// An error, or the reader of a pipe has gone; always reported.
    package static let error = ReadyEvents(rawValue: 0x8)
    /// The other side has gone; always reported.
    package static let hangUp = ReadyEvents(rawValue: 0x10)
    /// `EPOLLRDHUP`.
    package static let readHangUp = ReadyEvents(rawValue: 0x2000)
    /// Report a change once, not a state as long as it lasts (epoll only).
    package static let edgeTriggered = ReadyEvents(rawValue: 1 << 31)
}

/// poll(2).
package enum Poll {
    /// Does nothing for `milliseconds`, or less if a signal comes.
    package static func pause(milliseconds: Int32) {
        poll(nil, 0, milliseconds)
    }

    /// Waits until something happens on one of the descriptors.
    ///
    /// - Parameter milliseconds: The longest wait; negative is for ever.
    /// - Returns: What happened on each; all empty when the time is over.
    package static func wait(
        for interests: [(descriptor: FileDescriptor, events: ReadyEvents)], milliseconds: Int32 = -1
    ) throws(Errno) -> [ReadyEvents] {
        var entries = interests.map {
            pollfd(fd: $0.descriptor.rawValue, events: Int16(truncatingIfNeeded: $0.events.rawValue), revents: 0)
        }
        try retried {
            let result = poll(&entries, nfds_t(entries.count), milliseconds)
            return result < 0 ? -Int(errno) : Int(result)
        }
        return entries.map { ReadyEvents(rawValue: UInt32(UInt16(bitPattern: $0.revents))) }
    }
}

/// An epoll instance; epoll(7).
package struct Epoll: Hashable, Sendable {
    /// The instance itself, which can be watched in turn.
    package let descriptor: FileDescriptor

    /// A new instance; close-on-exec.
    package init() throws(Errno) {
        let result = epoll_create1(CInt(O_CLOEXEC))
        if result < 0 { throw Errno(rawValue: errno) }
        descriptor = FileDescriptor(rawValue: result)
    }

    /// Watches `target`; `token` comes back with each event.
    package func add(_ target: FileDescriptor, _ events: ReadyEvents, token: UInt64) throws(Errno) {
        try control(EPOLL_CTL_ADD, target, events, token)
    }

    /// Changes what is watched for.
    package func modify(_ target: FileDescriptor, _ events: ReadyEvents, token: UInt64) throws(Errno) {
        try control(EPOLL_CTL_MOD, target, events, token)
    }

    /// Watches `target` no longer.
    package func remove(_ target: FileDescriptor) throws(Errno) {
        try control(EPOLL_CTL_DEL, target, [], 0)
    }

    private func control(
        _ operation: CInt, _ target: FileDescriptor, _ events: ReadyEvents, _ token: UInt64
    ) throws(Errno) {
        var event = epoll_event()
        event.events = events.rawValue
        event.data.u64 = token
        if epoll_ctl(descriptor.rawValue, operation, target.rawValue, &event) < 0 { throw Errno(rawValue: errno) }
    }

    /// Waits for events and calls `body` for each; at most `capacity` at once.
    ///
    /// - Returns: How many there were; 0 when the time was over.
    @discardableResult
    package func wait(
        milliseconds: Int32 = -1, capacity: Int = 32, _ body: (_ token: UInt64, _ events: ReadyEvents) -> Void
    ) throws(Errno) -> Int {
        let result: Result<Int, Errno> = withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: capacity) {
            events in
            while true {
                let count = epoll_wait(descriptor.rawValue, events.baseAddress, CInt(capacity), milliseconds)
                if count < 0 {
                    if errno == EINTR { continue }
                    return .failure(Errno(rawValue: errno))
                }
                for event in events[..<Int(count)] { body(event.data.u64, ReadyEvents(rawValue: event.events)) }
                return .success(Int(count))
            }
        }
        return try result.get()
    }
}

/// A counter that can be waited for; eventfd(2).
package struct EventFD: Hashable, Sendable {
    /// Readable when the counter is not zero.
    package let descriptor: FileDescriptor

    /// A counter at zero; close-on-exec and not blocking.
    package init() throws(Errno) {
        let result = eventfd(0, CInt(O_CLOEXEC | O_NONBLOCK))
        if result < 0 { throw Errno(rawValue: errno) }
        descriptor = FileDescriptor(rawValue: result)
    }

    /// Adds one.
    package func signal() throws(Errno) {
        if eventfd_write(descriptor.rawValue, 1) < 0 { throw Errno(rawValue: errno) }
    }

    /// The count since the last call; 0 if nothing happened.
    package func take() throws(Errno) -> UInt64 {
        var value: UInt64 = 0
        if eventfd_read(descriptor.rawValue, &value) < 0 {
            if errno == EAGAIN { return 0 }
            throw Errno(rawValue: errno)
        }
        return value
    }
}

/// A clock that makes a descriptor readable; timerfd_create(2).
package struct TimerFD: Hashable, Sendable {
    /// Readable when the time has come.
    package let descriptor: FileDescriptor

    /// A timer that does not run, on the monotonic clock; close-on-exec and not blocking.
    package init() throws(Errno) {
        let result = timerfd_create(CLOCK_MONOTONIC, CInt(O_CLOEXEC | O_NONBLOCK))
        if result < 0 { throw Errno(rawValue: errno) }
        descriptor = FileDescriptor(rawValue: result)
    }

    /// Lets it run out `milliseconds` from now, and then again and again after `interval` milliseconds if that is not
    /// 0. Zero milliseconds stop it.
    package func set(milliseconds: Int64, interval: Int64 = 0) throws(Errno) {
        var times = itimerspec(
            it_interval: timespec(tv_sec: Int(interval / 1000), tv_nsec: Int(interval % 1000 * 1_000_000)),
            it_value: timespec(tv_sec: Int(milliseconds / 1000), tv_nsec: Int(milliseconds % 1000 * 1_000_000)))
        if timerfd_settime(descriptor.rawValue, 0, &times, nil) < 0 { throw Errno(rawValue: errno) }
    }

    /// How often it has run out since the last call.
    package func take() throws(Errno) -> UInt64 {
        var value: UInt64 = 0
        let count = Glibc.read(descriptor.rawValue, &value, 8)
        if count < 0 {
            if errno == EAGAIN { return 0 }
            throw Errno(rawValue: errno)
        }
        return value
    }
}

/// Changes of files; inotify(7).
package struct Inotify: Hashable, Sendable {
    /// Readable when there are changes.
    package let descriptor: FileDescriptor

    /// A new instance; close-on-exec and not blocking.
    package init() throws(Errno) {
        let result = inotify_init1(CInt(O_CLOEXEC | O_NONBLOCK))
        if result < 0 { throw Errno(rawValue: errno) }
        descriptor = FileDescriptor(rawValue: result)
    }

    /// `IN_MODIFY`: a file's content has changed.
    package static let modified = UInt32(IN_MODIFY)

    /// Watches `path` for the events in `mask` (`IN_MODIFY`, …); gives the watch's number.
    @discardableResult
    package func watch(_ path: FilePath, mask: UInt32) throws(Errno) -> Int32 {
        let result = path.withPlatformString { inotify_add_watch(descriptor.rawValue, $0, mask) }
        if result < 0 { throw Errno(rawValue: errno) }
        return result
    }

    /// Reads and forgets all changes; whether there were any.
    package func drain() throws(Errno) -> Bool {
        var any = false
        while true {
            let count = withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) {
                Glibc.read(descriptor.rawValue, $0.baseAddress, $0.count)
            }
            if count > 0 {
                any = true
            } else if count < 0 && errno == EINTR {
                continue
            } else if count < 0 && errno != EAGAIN {
                throw Errno(rawValue: errno)
            } else {
                return any
            }
        }
    }
}
