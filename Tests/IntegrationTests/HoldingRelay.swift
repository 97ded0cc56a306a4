import Foundation
import LinuxKernel
import SystemPackage

/// A TCP relay to a server on this machine that can stop in the middle: what happens between two programs then happens
/// at a byte of the test's choice, however fast they are.
final class HoldingRelay: @unchecked Sendable {
    /// Which way the bytes go that are counted.
    enum Direction {
        /// What clients send: pushes.
        case toServer
        /// What the server sends: pulls.
        case toClient
    }

    /// Where clients connect.
    let port: UInt16
    private let server: UInt16
    private let held: Direction
    private let listener: Int32
    // All below is guarded by the condition.
    private let condition = NSCondition()
    private var allowance: Int
    private var isHolding = false

    /// - Parameter allowance: so many bytes go in the direction `held`, over all connections; then it stops until
    ///   `release`.
    init(to server: UInt16, holding held: Direction, after allowance: Int) throws {
        self.server = server
        self.held = held
        self.allowance = allowance
        (listener, port) = try LocalPort.listen()
        Thread.detachNewThread { [self] in acceptAll() }
    }

    deinit { close(listener) }

    /// Waits until it has stopped in the middle; whether it came to that.
    func waitUntilHolding(within seconds: Double = 120) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        let deadline = Date().addingTimeInterval(seconds)
        while !isHolding {
            guard condition.wait(until: deadline) else { return false }
        }
        return true
    }

    /// Lets everything pass from now on.
    func release() { allow(.max) }

    /// Lets so many bytes more pass until it stops again.
    func allow(_ bytes: Int) {
        condition.lock()
        allowance = allowance.addingReportingOverflow(bytes).overflow ? .max : allowance + bytes
        isHolding = false
        condition.broadcast()
        condition.unlock()
    }

    /// Ends the relay; connections that are open go on.
    func stop() {
        release()
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private func acceptAll() {
        while true {
            let client: Int32
            do {
                client = try FileDescriptor(rawValue: listener).acceptConnection().rawValue
            } catch {
                return
            }
            // A server that is not there is a connection that ends at once.
            guard let upstream = LocalPort.connect(to: server) else {
                close(client)
                continue
            }
            let pair = Pair(client: client, server: upstream)
            Thread.detachNewThread { [self] in copy(from: client, to: upstream, .toServer, of: pair) }
            Thread.detachNewThread { [self] in copy(from: upstream, to: client, .toClient, of: pair) }
        }
    }

    /// How many of the bytes may go now; waits while it is none. `nil` if the connection ended meanwhile.
    private func take(_ count: Int, _ direction: Direction, from source: Int32) -> Int? {
        guard direction == held else { return count }
        condition.lock()
        defer { condition.unlock() }
        while allowance == 0 {
            isHolding = true
            condition.broadcast()
            // Looks now and then whether the sender is still there: its end must get through.
            _ = condition.wait(until: Date().addingTimeInterval(0.05))
            var state = pollfd(fd: source, events: Int16(POLLIN), revents: 0)
            if poll(&state, 1, 0) > 0, state.revents & Int16(POLLHUP | POLLERR) != 0, allowance == 0 {
                return nil
            }
        }
        let taken = min(count, allowance)
        if allowance != .max { allowance -= taken }
        return taken
    }

    private func copy(from source: Int32, to target: Int32, _ direction: Direction, of pair: Pair) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        reading: while true {
            let count = read(source, &buffer, buffer.count)
            guard count > 0 else { break }
            var done = 0
            while done < count {
                guard let allowed = take(count - done, direction, from: source) else { break reading }
                let end = done + allowed
                while done < end {
                    let written = buffer.withUnsafeBytes {
                        send(target, $0.baseAddress.map { $0 + done }, end - done, Int32(MSG_NOSIGNAL))
                    }
                    guard written > 0 else { break reading }
                    done += written
                }
            }
        }
        // One side's end is the connection's: nobody here closes one half and goes on.
        shutdown(source, Int32(SHUT_RDWR))
        shutdown(target, Int32(SHUT_RDWR))
        withExtendedLifetime(pair) {}
    }

    /// Both sockets of a connection, closed when both directions have ended.
    private final class Pair: Sendable {
        let client: Int32
        let server: Int32

        init(client: Int32, server: Int32) {
            self.client = client
            self.server = server
        }

        deinit {
            close(client)
            close(server)
        }
    }
}

/// TCP ports on loopback, of a range from which the kernel gives none to connections that go out.
enum LocalPort {
    private static let range: ClosedRange<UInt16> = 20_000...32_000

    /// A port that nobody listens on.
    static func free() throws -> UInt16 {
        let (descriptor, port) = try listen()
        close(descriptor)
        return port
    }

    /// A socket that listens on a free port.
    static func listen() throws -> (descriptor: Int32, port: UInt16) {
        for _ in 0..<1000 {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            let port = UInt16.random(in: range)
            let status = with(port) { bind(descriptor, $0, $1) == 0 ? Glibc.listen(descriptor, 64) : -1 }
            if status == 0 { return (descriptor, port) }
            close(descriptor)
        }
        throw Command.Failure(description: "no free port")
    }

    /// A connection; `nil` if nobody listens.
    static func connect(to port: UInt16) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard with(port, { Glibc.connect(descriptor, $0, $1) }) == 0 else {
            close(descriptor)
            return nil
        }
        return descriptor
    }

    private static func with(_ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafeBytes(of: &address) { raw in
            guard let base = raw.assumingMemoryBound(to: sockaddr.self).baseAddress else { return -1 }
            return body(base, socklen_t(raw.count))
        }
    }
}
