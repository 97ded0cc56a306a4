import NIOCore

/// What a connection waits for at the moment, and for how long: that its client sends something, or that it takes some
/// of what was written. Used on the event loop only.
final class Patience {
    /// The connection; known once it is.
    var channel: (any Channel)?
    private let deadline: Deadline
    private let gate: InputGate
    /// How far the client was when the wait began.
    private var last = Progress(waiting: 0, writes: 0)

    private struct Progress: Equatable {
        /// Bytes that the kernel has not taken.
        var waiting: Int
        var writes: Int
    }

    /// Nothing is waited for yet; `ended` is called each time that patience ends.
    init(on eventLoop: any EventLoop, gate: InputGate, ended: @escaping () -> Void) {
        self.gate = gate
        deadline = Deadline(on: eventLoop, passed: ended)
    }

    /// Waits for the client to send something, for `time` from now; `nil` waits for nothing.
    func wait(_ time: Duration?) { deadline.set(time) }

    /// Waits for the client to take something of what was written, for `time` from now; `nil` waits for ever.
    func awaitProgress(_ time: Duration?) {
        last = progress
        deadline.set(time)
    }

    /// Whether something waits for the client, and it has taken nothing since the wait began.
    var clientStandsStill: Bool { progress.waiting > 0 && progress == last }

    /// Waits for nothing any more: the connection has ended.
    func end() {
        deadline.cancel()
        channel = nil
    }

    private var progress: Progress {
        // A channel that does not know what it has not written is one that is closed.
        let unsent = (try? channel?.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        // TLS holds back what it has not encrypted.
        let waiting = unsent + (channel?.pipeline.syncOperations.outboundBufferedBytes() ?? 0)
        return Progress(waiting: waiting, writes: gate.writes)
    }
}
