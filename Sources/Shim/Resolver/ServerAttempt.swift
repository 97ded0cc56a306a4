import DNS
import LinuxKernel
import SystemPackage

/// One server being asked, by a socket of its own. It tells verdicts, `unrelated` ones too, from the loop, never from
/// within its beginning.
class ServerAttempt {
    fileprivate let query: ForwardedQuery
    fileprivate let id = UInt16.random(in: 0...(.max))
    fileprivate let socket: FileDescriptor
    fileprivate let settle: (ForwardedQuery.Verdict) -> Void
    /// Whether the socket is connected by now.
    fileprivate var isConnected: Bool
    private let way: ServerWay
    private var watch: EventLoop.Watch?

    fileprivate init(
        _ query: ForwardedQuery, _ server: ResolverConfiguration.Server, _ way: ServerWay,
        by transport: ResolverTransport, _ settle: @escaping (ForwardedQuery.Verdict) -> Void
    ) throws(Errno) {
        self.query = query
        self.way = way
        self.settle = settle
        (socket, isConnected) = try way.connect(to: server, by: transport)
    }

    /// Gives up.
    func close() {
        guard let watch else { return }
        self.watch = nil
        way.context.loop.unwatch(watch)
        socket.discard()
    }

    /// Has `handle` called when the socket is ready.
    fileprivate func begin(
        _ events: ReadyEvents, _ handle: @escaping (ReadyEvents) -> Void
    ) throws(Errno) {
        watch = try way.context.loop.watch(socket, events, handle)
    }

    fileprivate func awaitAnswer() {
        if let watch { way.context.loop.change(watch, to: .readable) }
    }

    /// The server has nothing more to say.
    fileprivate func ended() { settle(.tryNext) }

    /// Hands on what has come, if anything has. Its use may be the end of this.
    fileprivate func receive(_ use: (UnsafeRawBufferPointer) -> Void) {
        let buffer = way.context.inputBuffer.bytes
        switch Transfer.read(socket, into: buffer) {
        case .bytes(let count): use(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        case .wouldBlock: break
        case .ended: ended()
        // Nobody listens there.
        case .failed: settle(.tryNext)
        }
    }
}

/// A server being asked by UDP, with a socket that takes datagrams from this server only.
final class DatagramAttempt: ServerAttempt {
    init(
        _ query: ForwardedQuery, _ server: ResolverConfiguration.Server, _ way: ServerWay,
        _ settle: @escaping (ForwardedQuery.Verdict) -> Void
    ) throws(Errno) {
        try super.init(query, server, way, by: .udp, settle)
        do throws(Errno) {
            if case .failed(let error) = query.bytes(id: id).withUnsafeBytes({ Transfer.send(socket, $0) }) {
                throw error
            }
            // One at a time: the verdict may be the end of this.
            try begin(.readable) { [unowned self] _ in
                receive { settle(query.judge($0, id: id)) }
            }
        } catch {
            socket.discard()
            throw error
        }
    }

    /// A datagram without content is no answer, and no end either.
    override fileprivate func ended() {}
}

/// A server being asked by TCP.
final class StreamAttempt: ServerAttempt {
    private var outgoing: ArraySlice<UInt8> = []
    private var incoming = StreamMessages()

    init(
        _ query: ForwardedQuery, _ server: ResolverConfiguration.Server, _ way: ServerWay,
        _ settle: @escaping (ForwardedQuery.Verdict) -> Void
    ) throws(Errno) {
        try super.init(query, server, way, by: .tcp, settle)
        outgoing = StreamMessages.frame(query.bytes(id: id))[...]
        do throws(Errno) {
            try begin(.writable) { [unowned self] _ in proceed() }
        } catch {
            socket.discard()
            throw error
        }
    }

    private func proceed() {
        if !isConnected {
            if socket.takeSocketError() != nil { return settle(.tryNext) }
            isConnected = true
        }
        if outgoing.isEmpty { receive(take) } else { send() }
    }

    private func send() {
        switch outgoing.withUnsafeBytes({ Transfer.send(socket, $0) }) {
        case .bytes(let count):
            outgoing.removeFirst(count)
            if outgoing.isEmpty { awaitAnswer() }
        case .wouldBlock: break
        case .ended, .failed: settle(.tryNext)
        }
    }

    private func take(_ bytes: UnsafeRawBufferPointer) {
        incoming.append(bytes)
        guard let message = incoming.next() else { return }
        let verdict = message.withUnsafeBytes { query.judge($0, id: id) }
        // It is our connection alone: what is no answer to us, is none.
        settle(verdict == .unrelated ? .tryNext : verdict)
    }
}
