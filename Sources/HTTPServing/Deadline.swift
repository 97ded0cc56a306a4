import NIOCore

/// The end of a connection's patience: one timer for whatever the connection waits for at the moment.
///
/// Setting it is cheap, because most deadlines are replaced long before they pass: the timer stays where it is as long
/// as it rings early enough, and looks at the deadline when it rings. Used on the event loop only.
final class Deadline {
    private let eventLoop: any EventLoop
    private let passed: () -> Void
    private var moment: NIODeadline?
    private var timer: Scheduled<Void>?
    private var rings = NIODeadline.distantFuture

    /// A deadline that is not set; `passed` is called each time that one has passed.
    init(on eventLoop: any EventLoop, passed: @escaping () -> Void) {
        self.eventLoop = eventLoop
        self.passed = passed
    }

    /// Sets the deadline to `time` from now, in the place of the one before; `nil` waits for ever.
    func set(_ time: Duration?) {
        guard let time else {
            moment = nil
            return
        }
        let moment = NIODeadline.now() + TimeAmount(time)
        self.moment = moment
        if timer == nil || moment < rings { schedule(moment) }
    }

    /// Gives up the timer, which would keep the connection in memory.
    func cancel() {
        moment = nil
        timer?.cancel()
        timer = nil
    }

    private func schedule(_ moment: NIODeadline) {
        timer?.cancel()
        rings = moment
        timer = eventLoop.assumeIsolated().scheduleTask(deadline: moment) { self.ring() }
    }

    private func ring() {
        timer = nil
        guard let moment else { return }
        guard moment <= .now() else { return schedule(moment) }
        self.moment = nil
        passed()
    }
}
