import Addresses
import DNS
import Glibc
import LinuxKernel
import Synchronization
import SystemPackage

/// A name server at port 53 that does as it is told.
final class FakeNameServer: Sendable {
    /// A query, as it came.
    struct Query {
        var message: DNSMessage
        var transport: ResolverTransport
        /// The port it came from.
        var port: UInt16

        /// An answer with one address.
        func answer(_ address: String, code: ResponseCode = .noError) -> [UInt8] {
            var answer = DNSMessage(message.header.response(code), questions: message.questions)
            if let question = message.questions.first, let address = IPAddress(address) {
                answer.answers = [ResourceRecord(question.name, .address(address), timeToLive: 1)]
            }
            return answer.serialised()
        }
    }

    private let datagrams: FileDescriptor
    private let listener: FileDescriptor
    private let seen = Mutex<[Query]>([])
    private let answers: @Sendable (Query) -> [[UInt8]]
    private let threads = Mutex<[Thread<Void>]>([])

    /// All queries so far.
    var queries: [Query] { seen.withLock { $0 } }

    /// A server at `address` in `namespace` that sends what `answers` gives.
    init(
        _ address: String, in namespace: TestNetworkNamespace, _ answers: @escaping @Sendable (Query) -> [[UInt8]]
    ) throws {
        self.answers = answers
        let address = SocketAddress(IPAddress(address) ?? .loopback(.ipv4), 53)
        datagrams = try namespace.socket(.udp)
        listener = try namespace.socket(.tcp)
        try datagrams.bind(to: address)
        try listener.set(SOL_SOCKET, SO_REUSEADDR, 1)
        try listener.bind(to: address)
        try listener.listen(backlog: 64)
        threads.withLock { $0 = [Thread { [self] in serveDatagrams() }, Thread { [self] in serveStreams() }] }
    }

    /// Ends it.
    func stop() {
        shutdown(datagrams.rawValue, CInt(SHUT_RDWR))
        shutdown(listener.rawValue, CInt(SHUT_RDWR))
        for thread in threads.withLock({ $0 }) { thread.join() }
        datagrams.discard()
        listener.discard()
    }

    private func note(_ bytes: some Collection<UInt8>, _ transport: ResolverTransport, _ port: UInt16) -> Query? {
        guard let message = try? DNSMessage(parsing: Array(bytes)) else { return nil }
        let query = Query(message: message, transport: transport, port: port)
        seen.withLock { $0.append(query) }
        return query
    }

    private func serveDatagrams() {
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let received = buffer.withUnsafeMutableBytes { try? datagrams.receiveDatagramWaiting(into: $0) }
            guard let (count, origin) = received, count > 0 else { return }
            guard let query = note(buffer[..<count], .udp, origin.peer.port) else { continue }
            for answer in answers(query) { answer.withUnsafeBytes { try? datagrams.sendDatagram($0, to: origin) } }
        }
    }

    private func serveStreams() {
        while let socket = try? listener.acceptConnection() {
            defer { socket.discard() }
            guard let bytes = try? socket.readMessage(), let query = note(bytes, .tcp, socket.peerName()?.port ?? 0)
            else { continue }
            for answer in answers(query) { try? socket.writeMessage(answer) }
        }
    }
}

extension FileDescriptor {
    /// Waits for a datagram; `nil` when the socket is shut down or has waited too long.
    fileprivate func receiveDatagramWaiting(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws -> (Int, DatagramOrigin)? {
        guard try Poll.wait(for: [(self, .readable)], milliseconds: 30_000).first?.isEmpty == false else { return nil }
        let (count, origin) = try receiveDatagram(into: buffer)
        return origin.map { (count, $0) }
    }

    /// Reads a message of a stream, with its length.
    func readMessage() throws -> [UInt8]? {
        guard let length = try readExactly(2) else { return nil }
        return try readExactly(Int(length[0]) << 8 + Int(length[1]))
    }

    /// Writes a message of a stream, with its length.
    func writeMessage(_ bytes: [UInt8]) throws {
        try writeEntire([UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)] + bytes)
    }

    private func readExactly(_ count: Int) throws -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let more = try readOnce(capacity: count - bytes.count)
            if more.isEmpty { return nil }
            bytes += more
        }
        return bytes
    }
}
