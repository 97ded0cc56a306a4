import Flags
import Glibc

/// `masu system dial-stdio`: the daemon's socket as standard input and output, for clients on other machines.
enum DialCommand {
    static let command = Command(
        "dial-stdio", "Proxy the stdio stream to the daemon connection", isHidden: true,
        action: { invocation in
            let address = try DaemonSelection(invocation.flags, in: .own).address
            let connection = try HTTPConnection(address)
            try StreamRelay(input: STDIN_FILENO, output: STDOUT_FILENO, socket: connection.descriptor).run()
            try connection.checkEnd()
            return 0
        })
}

/// Carries bytes between a socket and a pair of streams until the socket's other side has ended.
struct StreamRelay {
    let input: Int32
    let output: Int32
    let socket: Int32

    /// A pipe that is ready takes so much without waiting (pipe(7), `PIPE_BUF`).
    private static let portion = 4096

    /// - Throws: ``CommandError`` when a side breaks.
    func run() throws(CommandError) {
        var toSocket: ArraySlice<UInt8> = []
        var toOutput: ArraySlice<UInt8> = []
        var inputIsOpen = true
        var socketIsOpen = true
        while socketIsOpen || !toOutput.isEmpty {
            var entries = [
                pollfd(fd: inputIsOpen && toSocket.isEmpty ? input : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: socket, events: 0, revents: 0),
                // Without anything to be written, too: its reader may have gone, which nothing else would tell.
                pollfd(fd: output, events: toOutput.isEmpty ? 0 : Int16(POLLOUT), revents: 0),
            ]
            if socketIsOpen, toOutput.isEmpty { entries[1].events |= Int16(POLLIN) }
            if !toSocket.isEmpty { entries[1].events |= Int16(POLLOUT) }
            if entries[1].events == 0 { entries[1].fd = -1 }
            guard poll(&entries, 3, -1) >= 0 else {
                if errno == EINTR { continue }
                throw CommandError("cannot wait for the streams: \(Console.words(errno))")
            }
            if entries[0].revents != 0 {
                toSocket = try read(input)[...]
                if toSocket.isEmpty {
                    inputIsOpen = false
                    shutdown(socket, Int32(SHUT_WR))
                }
            }
            if entries[1].revents & Int16(POLLOUT) != 0, !toSocket.isEmpty {
                let count = toSocket.withUnsafeBytes {
                    send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
                }
                if count > 0 {
                    toSocket = toSocket.dropFirst(count)
                } else if errno != EAGAIN, errno != EINTR {
                    // The daemon reads no more; its answer may still come.
                    toSocket = []
                    inputIsOpen = false
                }
            }
            if entries[1].revents & ~Int16(POLLOUT) != 0, socketIsOpen, toOutput.isEmpty {
                toOutput = try read(socket)[...]
                socketIsOpen = !toOutput.isEmpty
            }
            if toOutput.isEmpty, entries[2].revents & Int16(POLLERR | POLLHUP | POLLNVAL) != 0 { return }
            if entries[2].revents != 0, !toOutput.isEmpty {
                let count = toOutput.withUnsafeBytes { write(output, $0.baseAddress, min($0.count, Self.portion)) }
                if count > 0 {
                    toOutput = toOutput.dropFirst(count)
                } else if errno != EAGAIN, errno != EINTR {
                    throw CommandError("write /dev/stdout: \(Console.words(errno))")
                }
            }
        }
    }

    /// Empty at the end.
    private func read(_ descriptor: Int32) throws(CommandError) -> [UInt8] {
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count >= 0 { return Array(chunk[..<count]) }
            if errno == ECONNRESET { return [] }
            guard errno == EINTR else { throw CommandError("cannot read: \(Console.words(errno))") }
        }
    }
}
