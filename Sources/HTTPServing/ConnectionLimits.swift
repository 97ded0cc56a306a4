/// How much of the machine a server gives to its clients: the one place where deadlines and byte budgets of connections
/// are decided.
///
/// A deadline is about progress, not about duration: an upload may take hours as long as it goes on.
package struct ConnectionLimits: Sendable {
    /// How many connections there may be at a time. One more is closed at once.
    package var connections = 4096
    /// How many bytes a request may have before its body: request line and headers. Trailers and the headers of chunks
    /// count in the same way.
    package var headBytes = 256 << 10
    /// How long a client may take to connect and to send its first request, and for the head of each further one,
    /// counted from its first byte.
    package var headTime = Duration.seconds(60)
    /// How long a connection may wait for its next request.
    package var idleTime = Duration.seconds(180)
    /// How long a client may send nothing of a body that is collected in memory.
    package var bodyTime = Duration.seconds(600)
    /// The same for a body that is used piece by piece. `nil`: for ever, because somebody may still be making it
    /// (`make-rootfs | docker import -`).
    package var uploadTime: Duration?
    /// How long a client may take nothing of an answer. One that takes nothing is cut off after this time, at the
    /// latest after twice as long.
    package var answerTime = Duration.seconds(300)
    /// The same for streams without an announced length. `nil`: as long as the client wants, because a person may stop
    /// reading a log for the night; the server then holds back what produces the stream.
    package var streamTime: Duration?
    /// How many bytes of request bodies the server collects in memory, for all connections together. The first 64 KiB
    /// of a body are not counted.
    package var collectedBytes = 64 << 20

    /// The limits of a server that people use by hand: streams may stand still.
    package init() {}
}
