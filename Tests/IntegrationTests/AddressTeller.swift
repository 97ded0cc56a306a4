import Foundation
import Glibc
import LinuxKernel
import SystemPackage

/// Serves TCP and UDP, over IPv4 and IPv6, on one port of the network namespace in which it is made: tells each client
/// the address that it has here.
final class AddressTeller: @unchecked Sendable {
    private let sockets: [Int32]
    private let ended = DispatchSemaphore(value: 0)
    private let end: (reading: FileDescriptor, writing: FileDescriptor)

    init(port: UInt16) throws {
        end = try FileDescriptor.makePipe()
        sockets = try [(AF_INET, "0.0.0.0"), (AF_INET6, "::")].flatMap { family, address in
            try [SOCK_STREAM, SOCK_DGRAM].map { style in
                let socket = Glibc.socket(family, Int32(style.rawValue | SOCK_CLOEXEC.rawValue), 0)
                var on: Int32 = 1
                setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, 4)
                if family == AF_INET6 { setsockopt(socket, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &on, 4) }
                let bound = AddressTeller.with(address, port) { bind(socket, $0, $1) } ?? -1
                guard bound == 0, style == SOCK_DGRAM || listen(socket, 64) == 0 else {
                    throw Command.Failure(description: "cannot serve \(address) \(port): errno \(errno)")
                }
                return socket
            }
        }
        Thread.detachNewThread { [self] in serve() }
    }

    /// Returns when it serves no more.
    func stop() {
        end.writing.discard()
        ended.wait()
    }

    private func serve() {
        defer {
            for socket in sockets { close(socket) }
            end.reading.discard()
            ended.signal()
        }
        while true {
            var entries = (sockets + [end.reading.rawValue]).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            _ = poll(&entries, nfds_t(entries.count), -1)
            if entries[sockets.count].revents != 0 { return }
            for (index, socket) in sockets.enumerated() where entries[index].revents != 0 {
                if index % 2 == 0 { Self.answerStream(socket) } else { Self.answerDatagram(socket) }
            }
        }
    }

    private static func answerStream(_ listener: Int32) {
        // A client that has gone again has no need of an answer.
        guard let client = try? FileDescriptor(rawValue: listener).acceptConnection() else { return }
        defer { client.discard() }
        let answer = with(addressBy: { getpeername(client.rawValue, $0, $1) == 0 }, { Array(text($0, $1).utf8) })
        if let text = answer { _ = send(client.rawValue, text, text.count, Int32(MSG_NOSIGNAL)) }
    }

    private static func answerDatagram(_ socket: Int32) {
        var bytes = [UInt8](repeating: 0, count: 100)
        _ = with(addressBy: { recvfrom(socket, &bytes, 100, 0, $0, $1) >= 0 }) { address, size in
            let text = Array(text(address, size).utf8)
            sendto(socket, text, text.count, 0, address, size)
        }
    }

    /// Does `body` with the address that `call` has filled in; nil if that has failed.
    private static func with<Value>(
        addressBy call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Bool,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Value
    ) -> Value? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { call($0, &size) ? body($0, size) : nil }
        }
    }

    private static func text(_ address: UnsafePointer<sockaddr>, _ size: socklen_t) -> String {
        var name = [CChar](repeating: 0, count: 100)
        getnameinfo(address, size, &name, socklen_t(name.count), nil, 0, NI_NUMERICHOST)
        return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    // MARK: Clients

    /// TCP or UDP.
    enum Transport: String, CaseIterable {
        case tcp, udp
    }

    /// Asks a teller from the network namespace of this thread what address it has there; nil if nothing comes back in
    /// time.
    static func ask(_ transport: Transport, _ address: String, _ port: UInt16, seconds: Double = 60) -> String? {
        let deadline = Date().addingTimeInterval(seconds)
        while Date() < deadline {
            // A packet may be lost: UDP has nobody who sends it again, and TCP takes its time.
            let wait = Int32(min(5, max(0.1, deadline.timeIntervalSinceNow)) * 1000)
            if let answer = askOnce(transport, address, port, milliseconds: wait) { return answer }
            usleep(20_000)
        }
        return nil
    }

    private static func askOnce(
        _ transport: Transport, _ address: String, _ port: UInt16, milliseconds: Int32
    ) -> String? {
        let style = transport == .tcp ? SOCK_STREAM : SOCK_DGRAM
        let socket = Glibc.socket(
            address.contains(":") ? AF_INET6 : AF_INET,
            Int32(style.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        defer { close(socket) }
        let result = with(address, port) { connect(socket, $0, $1) } ?? -1
        guard result == 0 || errno == EINPROGRESS else { return nil }
        var entry = pollfd(fd: socket, events: Int16(transport == .tcp ? POLLIN : POLLOUT), revents: 0)
        if transport == .udp {
            guard send(socket, "?", 1, 0) == 1 else { return nil }
            entry.events = Int16(POLLIN)
        }
        guard poll(&entry, 1, milliseconds) == 1 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 100)
        let count = recv(socket, &bytes, bytes.count, 0)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }

    private static func with<Value>(
        _ address: String, _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Value
    ) -> Value? {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(address, String(port), &hints, &list) == 0, let entry = list else { return nil }
        defer { freeaddrinfo(entry) }
        return body(entry.pointee.ai_addr, entry.pointee.ai_addrlen)
    }
}
