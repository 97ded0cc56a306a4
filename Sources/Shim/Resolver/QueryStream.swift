import DNS
import LinuxKernel
import SystemPackage

/// A program in the container that asks by TCP. Its queries are answered one after the other; while one is, no more is
/// read.
final class QueryStream {
    /// When it was last heard of.
    private(set) var lastUse = MonotonicClock.milliseconds
    private let socket: FileDescriptor
    private let context: StreamContext
    private unowned let service: NameService
    private var watch: EventLoop.Watch?
    private var timer: EventLoop.Timer?
    private var incoming = StreamMessages()
    private var outgoing: ArraySlice<UInt8> = []
    /// The query whose answer servers have to give.
    private var forwarding: Forwarding?

    init(_ socket: FileDescriptor, context: StreamContext, service: NameService) throws(Errno) {
        self.socket = socket
        self.context = context
        self.service = service
        watch = try context.loop.watch(socket, .readable) { [unowned self] in handle($0) }
        scheduleEnd(service.limits.streamPatience)
    }

    /// Ends the connection.
    func close() {
        guard let watch else { return }
        self.watch = nil
        context.loop.unwatch(watch)
        socket.discard()
        if let timer { context.loop.cancel(timer) }
        if let forwarding { service.end(forwarding) }
        forwarding = nil
        context.onHeavyUse()
        service.forget(self)
    }

    private func scheduleEnd(_ time: Int64) {
        timer = context.loop.schedule(milliseconds: time) { [unowned self] in
            let left = lastUse + service.limits.streamPatience - MonotonicClock.milliseconds
            // Servers have a time limit of their own.
            if forwarding != nil {
                scheduleEnd(service.limits.streamPatience)
            } else if left > 0 {
                scheduleEnd(left)
            } else {
                close()
            }
        }
    }

    private func handle(_ events: ReadyEvents) {
        lastUse = MonotonicClock.milliseconds
        if events.contains(.writable) {
            flush()
            answerNext()
        }
        if watch != nil, events.contains(.readable) { receive() }
        if watch != nil, !events.isDisjoint(with: [.hangUp, .error]) { close() }
    }

    private func receive() {
        switch Transfer.read(socket, into: context.inputBuffer.bytes) {
        case .bytes(let count):
            incoming.append(UnsafeRawBufferPointer(rebasing: context.inputBuffer.bytes[..<count]))
            answerNext()
        case .wouldBlock: break
        case .ended, .failed: close()
        }
    }

    private func answerNext() {
        while watch != nil, forwarding == nil, outgoing.isEmpty, let query = incoming.next() {
            forwarding = query.withUnsafeBytes { bytes in
                service.answer(bytes, by: .tcp) { [weak self] in self?.respond($0) }
            }
        }
        awaitNext()
    }

    private func respond(_ answer: [UInt8]) {
        let wasWaiting = forwarding != nil
        forwarding = nil
        lastUse = MonotonicClock.milliseconds
        outgoing = StreamMessages.frame(answer)[...]
        flush()
        if wasWaiting { answerNext() }
    }

    private func flush() {
        while !outgoing.isEmpty {
            switch outgoing.withUnsafeBytes({ Transfer.send(socket, $0) }) {
            case .bytes(let count): outgoing.removeFirst(count)
            case .wouldBlock: return
            case .ended, .failed: return close()
            }
        }
        // The memory of a long answer is not kept.
        outgoing = []
    }

    /// Waits for what is needed next: room for an answer, a server, or a query.
    private func awaitNext() {
        guard let watch else { return }
        context.loop.change(watch, to: forwarding != nil ? [] : outgoing.isEmpty ? .readable : .writable)
    }
}
