import LinuxKernel
import SystemPackage

/// A connection to a bus, or to a service that listens itself. All calls are synchronous.
package final class DBusConnection {
    private let socket: FileDescriptor
    private let address: DBusAddress
    private var received: [UInt8] = []
    private var serial: UInt32 = 0
    /// Signals that came while this side waited for another message.
    private var signals: [DBusMessage] = []
    /// More signals push out the oldest ones, which no caller waits for.
    private static let mostSignals = 1024

    /// Connects and proves who this process is, by its credentials (SASL's EXTERNAL).
    ///
    /// - Parameter isBus: Whether it is a bus, to which one has to say hello.
    package init(_ address: DBusAddress, isBus: Bool) throws(DBusError) {
        self.address = address
        do throws(Errno) {
            switch address {
            case .path(let path): socket = try UnixSocket.connect(to: path)
            case .abstract(let name): socket = try UnixSocket.connect(toAbstract: name)
            }
        } catch {
            throw DBusError("cannot connect to \(address)", error)
        }
        // From here on an error runs the deinitializer, which closes the socket.
        try authenticate()
        guard isBus else { return }
        let hello = DBusMessage(
            call: "Hello", of: "org.freedesktop.DBus", at: "/org/freedesktop/DBus", on: "org.freedesktop.DBus")
        _ = try call(hello)
    }

    deinit {
        socket.discard()
    }

    // MARK: Authentication

    private func authenticate() throws(DBusError) {
        // Without a uid, which in a user namespace is not the one that the other side sees: it asks for more, gets
        // nothing, and looks itself. All at once, because systemd's own socket does not look at a message that comes
        // together with BEGIN before the next one does.
        try send(Array("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n".utf8))
        switch try line() {
        case "DATA":
            let answer = try line()
            guard answer.hasPrefix("OK") else { throw rejected(answer) }
        case let answer where answer.hasPrefix("OK"):
            // systemd before version 240 has looked at once. It has no use for what follows, and says so.
            _ = try line()
        case let answer: throw rejected(answer)
        }
    }

    private func rejected(_ answer: String) -> DBusError {
        DBusError("\(address) does not let user \(ProcessAttributes.uid) in: \(answer)")
    }

    private func line() throws(DBusError) -> String {
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: received[..<end], as: UTF8.self)
                received.removeSubrange(...end)
                return line.hasSuffix("\r") ? String(line.dropLast()) : line
            }
            guard received.count < 16_384 else { throw DBusError("\(address) does not speak D-Bus") }
            guard try receive(milliseconds: Self.patience) else { throw tooLate("an answer") }
        }
    }

    // MARK: Messages

    /// How long an answer may take, in milliseconds.
    private static let patience: Int32 = 30_000

    /// Calls a method and waits for the answer, half a minute at most.
    ///
    /// - Throws: also the error that the other side answers with.
    /// - Returns: The answer's values.
    package func call(_ message: DBusMessage) throws(DBusError) -> [DBusValue] {
        let serial = try send(message)
        while true {
            guard let reply = try next(milliseconds: Self.patience) else {
                throw tooLate("an answer to \(message.member ?? "a call")")
            }
            guard reply.replySerial == serial else {
                keep(reply)
                continue
            }
            if reply.kind == .error {
                throw DBusError(
                    name: reply.errorName ?? "an error without a name", message: reply.body.first?.text ?? "")
            }
            return reply.body
        }
    }

    /// Sends a message without waiting for an answer, should there be one. Gives its serial.
    @discardableResult
    package func send(_ message: DBusMessage) throws(DBusError) -> UInt32 {
        serial += 1
        var message = message
        message.serial = serial
        try send(message.encoded())
        return serial
    }

    /// The next signal `member` of `interface` for which `isMeant` is true, also one that has come already. Others are
    /// forgotten.
    ///
    /// - Throws: if it does not come within half a minute.
    package func signal(
        _ member: String, of interface: String, where isMeant: ([DBusValue]) -> Bool
    ) throws(DBusError) -> [DBusValue] {
        func isIt(_ message: DBusMessage) -> Bool {
            message.kind == .signal && message.member == member && message.interface == interface
                && isMeant(message.body)
        }
        let early = signals
        signals = []
        if let found = early.first(where: isIt) { return found.body }
        let clock = MonotonicClock.milliseconds
        while true {
            let left = clock + Int64(Self.patience) - MonotonicClock.milliseconds
            guard left > 0, let message = try next(milliseconds: Int32(left)) else {
                throw tooLate("the signal \(member)")
            }
            if isIt(message) { return message.body }
        }
    }

    private func tooLate(_ what: String) -> DBusError {
        DBusError("\(address) did not send \(what) within \(Self.patience / 1000) seconds")
    }

    private func keep(_ message: DBusMessage) {
        guard message.kind == .signal else { return }
        if signals.count == Self.mostSignals { signals.removeFirst() }
        signals.append(message)
    }

    /// The next message of a known kind; `nil` if nothing comes for so long.
    private func next(milliseconds: Int32) throws(DBusError) -> DBusMessage? {
        while true {
            if let length = try DBusMessage.length(received), length <= received.count {
                let bytes = Array(received[..<length])
                received.removeSubrange(..<length)
                if let message = try DBusMessage.decoded(bytes) { return message }
            } else if try !receive(milliseconds: milliseconds) {
                return nil
            }
        }
    }

    // MARK: Bytes

    private func send(_ bytes: [UInt8]) throws(DBusError) {
        var rest = bytes
        do throws(Errno) {
            while !rest.isEmpty { rest.removeFirst(try socket.sendMessage(rest)) }
        } catch {
            throw DBusError("cannot send to \(address)", error)
        }
    }

    /// Waits for bytes; false if none come for so long.
    private func receive(milliseconds: Int32) throws(DBusError) -> Bool {
        do throws(Errno) {
            let ready = try Poll.wait(for: [(socket, .readable)], milliseconds: milliseconds)
            if ready[0].isEmpty { return false }
            let (bytes, descriptors) = try socket.receiveMessage(capacity: 16_384)
            for descriptor in descriptors { descriptor.discard() }
            if bytes.isEmpty { throw Errno.connectionReset }
            received += bytes
            return true
        } catch {
            throw DBusError("cannot receive from \(address)", error)
        }
    }
}
