import Glibc
import Text

/// Why output could not be written. Every command ends with it.
struct OutputError: Error, CustomStringConvertible {
    /// `write /dev/stdout: no space left on device`.
    let description: String
    /// Whether the reader has gone away.
    let isBrokenPipe: Bool

    /// - Parameters:
    ///   - operation: `write` or `close`.
    ///   - code: the errno.
    init(_ operation: String, _ descriptor: Int32, _ code: Int32) {
        description = "\(operation) /dev/\(descriptor == STDERR_FILENO ? "stderr" : "stdout"): \(Console.words(code))"
        isBrokenPipe = code == EPIPE
    }
}

/// Standard output and standard error.
///
/// Texts often come from the daemon, and so from registries, images and containers. Errors are always written with
/// their control characters shown (`\u001b`), output when it goes to a terminal. Only ``pass(_:to:)`` writes bytes as
/// they are.
enum Console {
    /// Writes a text to standard output.
    static func write(_ text: String) throws(OutputError) {
        try pass(isTerminal ? text.showingControls() : text, to: STDOUT_FILENO)
    }

    /// Writes a text and a line feed to standard output.
    static func print(_ text: String) throws(OutputError) {
        try write(text + "\n")
    }

    /// Writes a text and a line feed to standard error. A failure is dropped: there is nobody left to tell.
    static func complain(_ text: String) {
        try? pass(text.showingControls() + "\n", to: STDERR_FILENO)
    }

    /// A text that has to stay within its line or its cell of a table, as standard output should get it.
    static func cell(_ text: String) -> String {
        isTerminal ? text.showingControls(keepsLines: false) : text
    }

    /// Writes bytes as they are until all are written.
    static func pass(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws(OutputError) {
        guard writeAll(bytes, to: descriptor) else { throw OutputError("write", descriptor, errno) }
    }

    /// Writes a text as it is: one of this program's own with control sequences.
    static func pass(_ text: String, to descriptor: Int32) throws(OutputError) {
        let bytes = Array(text.utf8)
        guard bytes.withUnsafeBytes({ writeAll($0, to: descriptor) }) else {
            throw OutputError("write", descriptor, errno)
        }
    }

    /// Closes standard output at the end of a command: some file systems tell only now that they have no room.
    static func finish() throws(OutputError) {
        guard close(STDOUT_FILENO) == 0 || errno == EINTR else { throw OutputError("close", STDOUT_FILENO, errno) }
    }

    /// Writes bytes to a descriptor until all are written; says whether that went well, and leaves the reason in
    /// `errno` if not.
    static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
            if count > 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            } else if count < 0, errno == EAGAIN {
                // The terminal's descriptor was made non-blocking by someone it is shared with.
                var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&entry, 1, -1)
            } else if count < 0, errno == EINTR {
                continue
            } else {
                return false
            }
        }
        return true
    }

    private static let isTerminal = Terminal.isTerminal(STDOUT_FILENO)

    /// The words of an errno.
    static func words(_ code: Int32) -> String {
        guard let text = strerror(code) else { return "error \(code)" }
        let words = String(cString: text)
        return words.prefix(1).lowercased() + words.dropFirst()
    }

    /// A variable of the environment, nil when not set.
    static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}

/// What a command prints that does one thing after the other. A line that cannot be written is no reason to leave the
/// rest undone: the error is kept for the end.
struct ResultLines {
    private var failure: OutputError?

    /// Writes a line to standard output.
    mutating func print(_ line: String) {
        guard failure == nil else { return }
        do throws(OutputError) { try Console.print(line) } catch { failure = error }
    }

    /// - Throws: ``OutputError`` if a line could not be written.
    func finish() throws(OutputError) {
        if let failure { throw failure }
    }
}
