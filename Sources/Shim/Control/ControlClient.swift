import JSON
import LinuxKernel
import ShimProtocol
import SystemPackage

/// A connection on which requests come and responses and events go.
final class ControlClient {
    /// What is done with a request.
    enum Reply {
        case response(ShimResponse)
        /// The response comes by the function that the closure is called with: at once or later.
        case later((@escaping (ShimResponse) -> Void) -> Void)
        /// `response` is the last message; after it the connection is attached to `streams`.
        case attach(ShimResponse, ProcessStreams, AttachedClient.Interest, detachKeys: [UInt8])
    }

    /// A client that does not read while so much waits for it is not worth waiting for.
    private static let outgoingLimit = 4 << 20

    private let socket: FileDescriptor
    private let loop: EventLoop
    private let answer: (ControlClient, AddressedRequest) -> Reply
    private let onGone: (ControlClient) -> Void
    private var watch: EventLoop.Watch?
    private var reader = FrameReader()
    private var outgoing: [UInt8] = []
    private var isWaitingToWrite = false
    /// The answers to requests from the oldest on that has none yet: they are sent in the order of the requests.
    private var answers: [ShimResponse?] = []
    /// How many requests have been answered before those.
    private var answeredCount = 0
    private(set) var isGone = false
    /// The containers whose events it wants.
    private var subscriptions: [String] = []
    /// The containers whose ends it has been sent.
    private var knownEnds: [String] = []

    /// Takes over a connected socket that does not block.
    init(
        _ socket: FileDescriptor, loop: EventLoop, answer: @escaping (ControlClient, AddressedRequest) -> Reply,
        onGone: @escaping (ControlClient) -> Void
    ) throws(Errno) {
        self.socket = socket
        self.loop = loop
        self.answer = answer
        self.onGone = onGone
        watch = try loop.watch(socket, .readable) { [unowned self] in handle($0) }
    }

    /// Whether all requests are answered and everything has been sent.
    var isFlushed: Bool { outgoing.isEmpty && answers.isEmpty }

    /// Whether it has been sent all ends that it wants to know, and at least one.
    var knowsEnd: Bool { !knownEnds.isEmpty && subscriptions.allSatisfy(knownEnds.contains) }

    /// Whether it wants the events of the container `id`.
    func isSubscribed(to id: String) -> Bool { subscriptions.contains(id) }

    /// It wants the events of the container `id` from now on.
    func subscribe(to id: String) {
        if !isSubscribed(to: id) { subscriptions.append(id) }
    }

    /// It has been sent the end of the container `id`.
    func knowsEnd(of id: String) {
        if !knownEnds.contains(id) { knownEnds.append(id) }
    }

    /// Ends the connection.
    func close() {
        guard !isGone else { return }
        isGone = true
        unwatch()
        socket.discard()
        onGone(self)
    }

    private func unwatch() {
        if let watch { loop.unwatch(watch) }
        watch = nil
    }

    /// Sends a message; an event only to whom it has been promised.
    func send(_ message: ShimMessage) {
        guard !isGone else { return }
        do throws(ShimError) {
            outgoing += try MessageFraming.frame(message)
        } catch {
            return close()
        }
        flush()
        if !isGone, outgoing.count > Self.outgoingLimit { close() }
    }

    private func respond(_ response: ShimResponse) {
        if answers.isEmpty { return answered(response) }
        answers.append(response)
    }

    private func answered(_ response: ShimResponse) {
        answeredCount += 1
        send(.response(response))
    }

    private func fulfil(_ number: Int, _ response: ShimResponse) {
        guard !isGone else { return }
        answers[number - answeredCount] = response
        while !isGone, let first = answers.first, let response = first {
            answers.removeFirst()
            answered(response)
        }
    }

    private func flush() {
        var offset = 0
        sending: while offset < outgoing.count {
            let transfer = outgoing.withUnsafeBytes {
                Transfer.send(socket, UnsafeRawBufferPointer(rebasing: $0[offset...]))
            }
            switch transfer {
            case .bytes(let count): offset += count
            case .wouldBlock: break sending
            case .ended, .failed: return close()
            }
        }
        if offset == outgoing.count { outgoing = [] } else { outgoing.removeFirst(offset) }
        if isWaitingToWrite == outgoing.isEmpty, let watch {
            isWaitingToWrite = !outgoing.isEmpty
            loop.change(watch, to: isWaitingToWrite ? [.readable, .writable] : .readable)
        }
    }

    private func handle(_ events: ReadyEvents) {
        if events.contains(.writable) { flush() }
        guard !isGone, !events.isDisjoint(with: [.readable, .hangUp, .error]) else { return }
        while true {
            // Requests are short, and rare.
            var chunk: [UInt8] = []
            let transfer = withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
                let transfer = Transfer.read(socket, into: buffer)
                if case .bytes(let count) = transfer { chunk = Array(buffer[..<count]) }
                return transfer
            }
            switch transfer {
            case .bytes:
                reader.append(chunk)
                answerRequests()
                if isGone { return }
            case .wouldBlock:
                return
            case .ended, .failed:
                return close()
            }
        }
    }

    private func answerRequests() {
        do throws(ShimError) {
            while !isGone, let body = try reader.next() {
                let request: AddressedRequest
                do throws(ShimError) {
                    request = try MessageFraming.message(AddressedRequest.self, from: body)
                } catch {
                    // From another version of the engine; the stream of messages itself is in order.
                    respond(.failure(error))
                    continue
                }
                switch answer(self, request) {
                case .response(let response):
                    respond(response)
                case .later(let begin):
                    let number = answeredCount + answers.count
                    answers.append(nil)
                    begin { [weak self] in self?.fulfil(number, $0) }
                case .attach where !answers.isEmpty:
                    respond(.failure(ShimError(.conflict, "an earlier request on this connection has no answer yet")))
                case .attach(let response, let streams, let interest, let detachKeys):
                    let frame = try MessageFraming.frame(ShimMessage.response(response))
                    isGone = true
                    unwatch()
                    streams.attach(
                        socket, interest: interest, detachKeys: detachKeys, first: outgoing + frame,
                        received: reader.pending)
                    onGone(self)
                }
            }
        } catch {
            close()
        }
    }
}
