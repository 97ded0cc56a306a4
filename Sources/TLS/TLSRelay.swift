import Glibc
import LinuxKernel
import NIOCore
import struct SystemPackage.Errno
import struct SystemPackage.FileDescriptor

/// A client's TLS on a connected socket, for a program without TLS on the other end of a plain stream socket.
///
/// One thread carries the bytes of both directions, and takes no more from a side than the other side accepts. The end
/// of one direction is passed on by itself: as `close_notify` to the server, as a half-close to the plain side.
package final class TLSRelay {
    private let connection: TLSConnection
    private let plain: Int32
    private let encrypted: Int32

    /// What the plain side has sent, to be encrypted, and what is encrypted and to be sent.
    private var (outgoing, sending) = (ByteBuffer(), ByteBuffer())
    /// What the server has sent, and what is decrypted and to be delivered.
    private var (coming, delivering) = (ByteBuffer(), ByteBuffer())

    /// Whether both sides have agreed on keys.
    private var isOpen = false
    /// Whether the plain side sends no more, and whether it is gone altogether.
    private var (outgoingEnded, plainIsGone) = (false, false)
    /// Whether the server knows that no more follows, or takes nothing any more.
    private var outputEnded = false
    private var serverTakesNothing = false
    /// Whether the server sends no more, and whether the plain side knows that.
    private var (inputEnded, endIsDelivered) = (false, false)

    /// So many bytes are read at once.
    private static let portion = 64 << 10
    /// No more is read from the server while so many bytes wait for it to read them.
    private static let mostUnsent = 1 << 20
    /// How long the server may say nothing before both sides have agreed on keys, in milliseconds.
    private static let handshakeTime: Int32 = 30_000
    /// POLLRDHUP of poll(2), which Swift does not see.
    private static let noMoreComes: Int16 = 0x2000
    /// How long the server may take nothing once the plain side is gone.
    private let patience: Duration
    /// When that time is over.
    private var deadline: ContinuousClock.Instant?

    /// - Parameters:
    ///   - host: the name or address that the server's certificate has to have.
    ///   - plain: a connected stream socket; so is `encrypted`, on which the server is. Both stay the caller's.
    ///   - patience: how long the server may take nothing once the plain side is gone; then it does not get the rest.
    /// - Throws: `TLSError.unusable` if `host` cannot be the name of a server.
    package init(
        _ context: TLSContext, host: String, plain: FileDescriptor, encrypted: FileDescriptor,
        patience: Duration = .seconds(60)
    ) throws(TLSError) {
        connection = try TLSConnection(context, server: host)
        self.plain = plain.rawValue
        self.encrypted = encrypted.rawValue
        self.patience = patience
    }

    /// How many bytes of memory it has for what it carries.
    package var capacity: Int { outgoing.capacity + sending.capacity + coming.capacity + delivering.capacity }

    /// Carries bytes until both directions have ended, or the plain side is gone.
    ///
    /// - Throws: `TLSError`; `Errno` when the connection to the server breaks.
    package func run() throws {
        do {
            try advance()
            while !isAtEnd { try carry() }
        } catch let error as TLSError {
            // The server is told why, if TLS has words for it and the socket takes them.
            connection.moveOutput(to: &sending)
            send()
            throw error
        }
    }

    private var isAtEnd: Bool {
        if plainIsGone, !isOpen { return true }
        guard outgoingEnded, outputEnded, sending.readableBytes == 0 else { return false }
        return plainIsGone || inputEnded && delivering.readableBytes == 0
    }

    /// Waits until something can be done, and does it.
    private func carry() throws {
        var entries = [plainEntry, encryptedEntry]
        let count = poll(&entries, 2, timeLeft)
        if count < 0, errno == EINTR { return }
        guard count >= 0 else { throw Errno(rawValue: errno) }
        if count == 0, !isOpen { throw TLSError.handshakeTimeout }
        let canSend = entries[1].revents & Int16(POLLOUT) != 0
        if !canSend, let deadline, ContinuousClock.now >= deadline { return giveUp() }
        if entries[0].revents & Int16(POLLHUP | POLLERR | POLLNVAL) != 0 { losePlain() }
        // Nobody is left to hear what becomes of the handshake.
        if isAtEnd { return }
        if entries[0].revents & Int16(POLLOUT) != 0 { deliver() }
        if entries[0].revents & Int16(POLLIN | POLLHUP) != 0, takesOutgoing { receiveOutgoing() }
        if canSend { send() }
        if entries[1].revents & ~Int16(POLLOUT) != 0 { try receive() }
        try advance()
        if inputEnded, delivering.readableBytes == 0, !endIsDelivered {
            endIsDelivered = true
            shutdown(plain, Int32(SHUT_WR))
        }
    }

    /// For poll(2): in milliseconds, or without end.
    private var timeLeft: Int32 {
        guard isOpen else { return Self.handshakeTime }
        guard let deadline else { return -1 }
        // One more, because the rest of a millisecond counts as well.
        return Int32(min(max(.zero, deadline - .now) / .milliseconds(1), 3_600_000)) + 1
    }

    private var takesOutgoing: Bool {
        isOpen && !outgoingEnded && outgoing.readableBytes == 0 && sending.readableBytes == 0
    }
    private var takesComing: Bool {
        !inputEnded && delivering.readableBytes == 0 && sending.readableBytes < Self.mostUnsent
    }

    private var plainEntry: pollfd {
        var events: Int16 = 0
        if takesOutgoing { events |= Int16(POLLIN) }
        if delivering.readableBytes > 0 { events |= Int16(POLLOUT) }
        // One that is gone would say so without end.
        return pollfd(fd: plainIsGone && events == 0 ? -1 : plain, events: events, revents: 0)
    }

    private var encryptedEntry: pollfd {
        var events: Int16 = 0
        if takesComing { events |= Int16(POLLIN) }
        if sending.readableBytes > 0 { events |= Int16(POLLOUT) }
        // Once it has ended, only that it is closed is of interest. A TCP socket tells that of the other side alone
        // only when it is asked.
        if events == 0, inputEnded, !serverTakesNothing { events = Self.noMoreComes }
        return pollfd(fd: events == 0 ? -1 : encrypted, events: events, revents: 0)
    }

    // MARK: The plain side

    private func losePlain() {
        plainIsGone = true
        delivering.clear()
        if deadline == nil { deadline = .now + patience }
    }

    /// Nobody is left to wait for a server that takes nothing.
    private func giveUp() {
        breakOutput()
        outgoingEnded = true
    }

    private func receiveOutgoing() {
        let count = Self.receive(from: plain, into: &outgoing)
        if count == 0 { outgoingEnded = true }
        guard count < 0, errno != EAGAIN, errno != EINTR else { return }
        // It was closed with bytes that it had not read.
        outgoingEnded = true
        losePlain()
    }

    private func deliver() {
        if Self.send(&delivering, to: plain) { return }
        losePlain()
    }

    // MARK: The server

    private func receive() throws {
        // It has ended properly, and is closed now.
        if inputEnded { return breakOutput() }
        let count = Self.receive(from: encrypted, into: &coming)
        if count > 0 { return }
        if count == 0 { throw isOpen ? TLSError.truncated : TLSError.endOfHandshake }
        guard errno == EAGAIN || errno == EINTR else { throw Errno(rawValue: errno) }
    }

    private func send() {
        let before = sending.readableBytes
        // What it has said before may still tell why.
        if !Self.send(&sending, to: encrypted) { return breakOutput() }
        if plainIsGone, sending.readableBytes < before { deadline = .now + patience }
    }

    private func breakOutput() {
        serverTakesNothing = true
        outputEnded = true
        outgoing.clear()
        sending.clear()
        if inputEnded { outgoingEnded = true }
    }

    // MARK: TLS

    /// Has OpenSSL work on all that has come from both sides.
    private func advance() throws(TLSError) {
        while !isOpen {
            try connection.take(&coming)
            isOpen = try connection.shakeHands()
            if coming.readableBytes == 0 { break }
        }
        if isOpen, !inputEnded {
            // Once also without bytes that are left: data may have come with the end of the handshake.
            repeat {
                try connection.take(&coming)
                inputEnded = try connection.decrypt(into: &delivering)
            } while !inputEnded && coming.readableBytes > 0
            if plainIsGone { delivering.clear() }
        }
        if isOpen, !serverTakesNothing {
            try encrypt()
            if outgoingEnded, outgoing.readableBytes == 0, !outputEnded, !connection.isInMessage {
                outputEnded = true
                connection.endOutput()
            }
        }
        connection.moveOutput(to: &sending)
        if serverTakesNothing { breakOutput() }
    }

    private func encrypt() throws(TLSError) {
        guard outgoing.readableBytes > 0 else { return }
        var buffer = ByteBuffer()
        let result = outgoing.withUnsafeReadableBytes { bytes in
            Result { () throws(TLSError) in try connection.encrypt(bytes, into: &buffer) }
        }
        outgoing.moveReaderIndex(forwardBy: try result.get())
        sending.writeBuffer(&buffer)
    }

    // MARK: Sockets

    /// Reads what is there. As recv(2) returns.
    private static func receive(from socket: Int32, into buffer: inout ByteBuffer) -> Int {
        var count = 0
        buffer.discardReadBytes()
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: portion) { space in
            count = recv(socket, space.baseAddress, min(space.count, portion), Int32(MSG_DONTWAIT))
            return max(0, count)
        }
        return count
    }

    /// Writes what the socket takes. False when it takes nothing any more.
    private static func send(_ buffer: inout ByteBuffer, to socket: Int32) -> Bool {
        while buffer.readableBytes > 0 {
            let flags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL)
            let count = buffer.withUnsafeReadableBytes { Glibc.send(socket, $0.baseAddress, $0.count, flags) }
            if count < 0 {
                if errno == EINTR { continue }
                let isBusy = errno == EAGAIN
                // What has been written does not stay, or the buffer would grow by all that is ever carried.
                buffer.discardReadBytes()
                return isBusy
            }
            buffer.moveReaderIndex(forwardBy: count)
        }
        buffer.clear()
        return true
    }
}
