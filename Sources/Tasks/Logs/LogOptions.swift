import OCISpec

/// Which stream a piece of output came from.
package enum OutputStream: UInt8, Hashable, Sendable {
    case stdout = 1
    case stderr = 2
}

/// Which part of a log a client wants.
package struct LogOptions: Hashable, Sendable {
    /// Lines of the standard output.
    package var stdout = false
    /// Lines of the standard error.
    package var stderr = false
    /// Go on with what is written from now on, until the container ends.
    package var follow = false
    /// Only lines at or after.
    package var since: Timestamp?
    /// Only lines before.
    package var until: Timestamp?
    /// Only so many last lines; nil: all.
    package var tail: Int?
    /// Fill `LogLine.details` (extra attributes of the log driver).
    package var details = false

    /// Nothing: the caller chooses streams.
    package init() {}
}

/// One line (or a part of one longer than 16 KiB) of a container's log.
package struct LogLine: Hashable, Sendable {
    /// Where the process wrote it.
    package var stream: OutputStream
    /// When the shim read it.
    package var time: Timestamp
    /// With its newline, unless it is a part whose line goes on or was the last and had none.
    package var bytes: [UInt8]
    /// `name=value` pairs of the log driver (`--log-opt labels=…`).
    package var details: [String: String] = [:]
}

/// A container's log as batches of lines, read as fast as they are taken (no unbounded buffer in between).
///
/// With `follow` it ends when the container's process ended and all it wrote has been delivered. Cancelling the task
/// that iterates ends it too.
package struct LogStream: AsyncSequence, Sendable {
    package typealias Element = [LogLine]
    /// Reading fails as the disk does.
    package typealias Failure = any Error

    /// Whether the container has a terminal: then the API sends the bytes raw instead of framed.
    package let tty: Bool
    private let next: @Sendable () async throws -> [LogLine]?

    /// `next` says the next batch of lines, nil at the end.
    package init(tty: Bool, next: @escaping @Sendable () async throws -> [LogLine]?) {
        self.tty = tty
        self.next = next
    }

    package struct AsyncIterator: AsyncIteratorProtocol {
        let base: @Sendable () async throws -> [LogLine]?

        package mutating func next() async throws -> [LogLine]? { try await base() }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(base: next) }
}
