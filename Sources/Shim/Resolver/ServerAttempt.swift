import DNS
import LinuxKernel
import SystemPackage

/// One server being asked. It tells verdicts, `unrelated` ones too, from the loop, never from within its beginning.
protocol ServerAttempt {
    /// Gives up.
    func close()
}

/// A server being asked by UDP, with a socket that takes datagrams from this server only.
final class DatagramAttempt: ServerAttempt {
    private let query: ForwardedQuery
    private let way: ServerWay
    private let id = UInt16.random(in: 0...(.max))
    private let socket: FileDescriptor
    private var watch: EventLoop.Watch?
    private let settle: (ForwardedQuery.Verdict) -> Void

    init(
        _ query: ForwardedQuery, _ server: ResolverConfiguration.Server, _ way: ServerWay,
        _ settle: @escaping (ForwardedQuery.Verdict) -> Void
    ) throws(Errno) {
        self.query = query
        self.way = way
        self.settle = settle
        socket = try way.connect(to: server, by: .udp).socket
        do throws(Errno) {
            if case .failed(let error) = query.bytes(id: id).withUnsafeBytes({ Transfer.send(socket, $0) }) {
                throw error
            }
            watch = try way.context.loop.watch(socket, .readable) { [unowned self] _ in receive() }
        } catch {
            socket.discard()
            throw error
        }
    }

    func close() {
        guard let watch else { return }
        self.watch = nil
        way.context.loop.unwatch(watch)
        socket.discard()
    }

    private func receive() {
        // One at a time: the verdict may be the end of this.
        switch Transfer.read(socket, into: way.context.inputBuffer.bytes) {
        case .bytes(let count):
            settle(query.judge(UnsafeRawBufferPointer(rebasing: way.context.inputBuffer.bytes[..<count]), id: id))
        case .ended, .wouldBlock: break
        // Nobody listens there.
        case .failed: settle(.tryNext)
        }
    }
}

/// A server being asked by TCP.
final class StreamAttempt: ServerAttempt {
    private let query: ForwardedQuery
    private let way: ServerWay
    private let id = UInt16.random(in: 0...(.max))
    private let socket: FileDescriptor
    private var watch: EventLoop.Watch?
    private let settle: (ForwardedQuery.Verdict) -> Void
    private var isConnected: Bool
    private var outgoing: ArraySlice<UInt8>
    private var incoming = StreamMessages()

    init(
        _ query: ForwardedQuery, _ server: ResolverConfiguration.Server, _ way: ServerWay,
        _ settle: @escaping (ForwardedQuery.Verdict) -> Void
    ) throws(Errno) {
        self.query = query
        self.way = way
        self.settle = settle
        (socket, isConnected) = try way.connect(to: server, by: .tcp)
        outgoing = StreamMessages.frame(query.bytes(id: id))[...]
        do throws(Errno) {
            watch = try way.context.loop.watch(socket, .writable) { [unowned self] in handle($0) }
        } catch {
            socket.discard()
            throw error
        }
    }

    func close() {
        guard let watch else { return }
        self.watch = nil
        way.context.loop.unwatch(watch)
        socket.discard()
    }

    private func handle(_ events: ReadyEvents) {
        if !isConnected {
            if socket.takeSocketError() != nil { return settle(.tryNext) }
            isConnected = true
        }
        if outgoing.isEmpty { receive() } else { send() }
    }

    private func send() {
        switch outgoing.withUnsafeBytes({ Transfer.send(socket, $0) }) {
        case .bytes(let count):
            outgoing.removeFirst(count)
            if outgoing.isEmpty, let watch { way.context.loop.change(watch, to: .readable) }
        case .wouldBlock: break
        case .ended, .failed: settle(.tryNext)
        }
    }

    private func receive() {
        switch Transfer.read(socket, into: way.context.inputBuffer.bytes) {
        case .bytes(let count):
            incoming.append(UnsafeRawBufferPointer(rebasing: way.context.inputBuffer.bytes[..<count]))
            guard let message = incoming.next() else { return }
            let verdict = message.withUnsafeBytes { query.judge($0, id: id) }
            // It is our connection alone: what is no answer to us, is none.
            settle(verdict == .unrelated ? .tryNext : verdict)
        case .wouldBlock: break
        case .ended, .failed: settle(.tryNext)
        }
    }
}
