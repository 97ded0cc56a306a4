import Glibc
import Text

/// Copies between this program's standard streams and a container's, in one loop over `poll(2)`, until the
/// container's output ends or the detach keys are typed.
struct StreamSession {
    /// How a session ended.
    enum Ending {
        /// All output has come.
        case finished
        /// The detach keys were typed.
        case detached
    }

    /// How a command says that the user has left what it was there to watch.
    static let detached = CommandError("read escape sequence")

    /// The hijacked connection.
    let stream: HTTPResponse
    /// Whether the container has a terminal: then its output is not multiplexed.
    let tty: Bool
    /// Whether standard input goes to the container.
    let forwardsInput: Bool
    /// The keys that detach.
    var detachKeys = DetachKeys.none
    /// Signals to handle meanwhile.
    var signals: SignalRelay?
    /// Tells the container the window's size.
    var resizer: WindowResizer?

    private static let chunk = 32768

    func run() throws -> Ending {
        let connection = stream.connection
        var sink = OutputSink(isMultiplexed: !tty)
        try sink.write(connection.takeBuffered())

        var input = InputPump(socket: connection.descriptor, isOpen: forwardsInput, keys: detachKeys)
        if !forwardsInput { input.halfClose() }
        while true {
            var entries = [
                pollfd(fd: connection.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: input.wantsInput ? STDIN_FILENO : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
            ]
            if input.hasPending { entries[0].events |= Int16(POLLOUT) }
            let count = poll(&entries, nfds_t(entries.count), resizer?.retryDelay ?? -1)
            if count < 0 {
                if errno == EINTR { continue }
                throw CommandError("cannot wait for the streams: \(Console.words(errno))")
            }
            if count == 0 { resizer?.resize() }
            if entries[2].revents != 0 { signals?.drain() }
            if entries[0].revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 {
                guard try connection.fill() else { return .finished }
                try sink.write(connection.takeBuffered())
            }
            if entries[0].revents & Int16(POLLOUT) != 0 { input.send() }
            if entries[1].revents != 0, try input.readMore() == .detached { return .detached }
        }
    }
}

/// Standard input on its way to the container. The socket is never waited for here: a container that does not read
/// its input may still have output to give.
private struct InputPump {
    enum Reading {
        case going
        case detached
    }

    private let socket: Int32
    private var isOpen: Bool
    private var scanner: DetachScanner?
    private var pending: ArraySlice<UInt8> = []
    private var chunk = [UInt8](repeating: 0, count: 32768)

    init(socket: Int32, isOpen: Bool, keys: DetachKeys) {
        self.socket = socket
        self.isOpen = isOpen
        scanner = DetachScanner(keys.bytes)
    }

    var wantsInput: Bool { isOpen && pending.isEmpty }
    var hasPending: Bool { !pending.isEmpty }

    mutating func readMore() throws -> Reading {
        let count = read(STDIN_FILENO, &chunk, chunk.count)
        if count < 0, errno == EINTR || errno == EAGAIN { return .going }
        guard count > 0 else {
            isOpen = false
            halfClose()
            return .going
        }
        pending = chunk[..<count]
        if let (passed, isComplete) = scanner?.scan(pending) {
            pending = passed[...]
            if isComplete {
                send()
                return .detached
            }
        }
        send()
        return .going
    }

    mutating func send() {
        while !pending.isEmpty {
            let count = pending.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if count < 0 {
                if errno == EINTR { continue }
                if errno == EAGAIN { return }
                // The container's input is closed; its output may go on.
                isOpen = false
                pending = []
                return
            }
            pending = pending.dropFirst(count)
        }
    }

    func halfClose() {
        shutdown(socket, Int32(SHUT_WR))
    }
}

/// Tells a container or exec the size of this window, again and again while it is still starting.
final class WindowResizer {
    private let request: (Terminal.Size) throws -> Void
    private var attemptsLeft = 10
    /// Milliseconds until the next attempt; nil when the size has arrived.
    private(set) var retryDelay: Int32?

    init(_ request: @escaping (Terminal.Size) throws -> Void) {
        self.request = request
    }

    /// Sends the window's size now.
    func resize() {
        guard let size = Terminal.size() else {
            retryDelay = nil
            return
        }
        do {
            try request(size)
            retryDelay = nil
        } catch {
            // The process may not have its terminal yet. If the size never arrives, the session goes on.
            attemptsLeft -= 1
            retryDelay = attemptsLeft > 0 ? 20 : nil
        }
    }
}
