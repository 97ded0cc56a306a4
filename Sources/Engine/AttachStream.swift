import SystemPackage
import Tasks
import Text

/// How a client attaches.
package struct AttachOptions: Hashable, Sendable {
    /// Send the client's input to the process.
    package var stdin = false
    /// Send the client what the process writes to its standard output.
    package var stdout = false
    /// Send the client what the process writes to its standard error.
    package var stderr = false
    /// Connect to the living streams at all (`stream=1`).
    package var stream = true
    /// First replay the log (`logs=1`).
    package var logs = false
    /// Whether the client gets the bytes of both streams as they are, also without a terminal.
    package var isRaw = false
    /// The keys that end the attaching and leave the process alone.
    package var detachKeys = DetachKeys.standard

    /// Nothing is attached.
    package init() {}
}

/// A client's connection to a container's or exec's streams, possibly before there is a process.
///
/// The API knows at once whether to answer with the raw or the multiplexed content type (`tty`), upgrades the client's
/// connection, replays `backlog` if there is one, and then glues the client to `connection()` byte for byte: what comes
/// from the descriptor is framed as Docker's stdcopy (raw with a terminal) already; what is written to it is stdin, and
/// shutting down its writing side is the end of stdin.
package final class AttachStream: Sendable {
    /// Whether there is a terminal.
    package let tty: Bool
    /// The log up to now, when asked for.
    package let backlog: LogStream?
    private let connect: @Sendable () async throws -> FileDescriptor?
    private let abandon: @Sendable () -> Void

    init(
        tty: Bool, backlog: LogStream? = nil, connect: @escaping @Sendable () async throws -> FileDescriptor?,
        abandon: @escaping @Sendable () -> Void = {}
    ) {
        self.tty = tty
        self.backlog = backlog
        self.connect = connect
        self.abandon = abandon
    }

    /// The socket (non-blocking not set), owned by the caller from now on. For a container which does not run yet this
    /// suspends until it is started; for an exec this is what starts it. nil: there is nothing to connect to (only the
    /// log was asked for, or the container was removed without ever running). Throws what made the start fail.
    package func connection() async throws -> FileDescriptor? { try await connect() }

    /// The client went away before `connection()` answered. Letting go of the object does the same.
    package func cancel() async { abandon() }

    deinit {
        abandon()
    }
}
