import Glibc
import LinuxKernel
import ShimProtocol
import Synchronization
import SystemPackage

/// The engine's one long-lived connection to a container's shim: requests, their answers, and events.
///
/// It costs no thread: sending is done at once (the socket's buffer takes any request but the largest), receiving on the
/// event loop.
final class ShimClient: Sendable {
    private struct State {
        var reader = FrameReader()
        /// Those who wait for answers, in the order of their requests.
        var callers: [CheckedContinuation<ShimResponse, any Error>] = []
        /// Bytes which the socket did not take yet.
        var unsent: [UInt8] = []
        var token: UInt64 = 0
        var interest: ReadyEvents = .readable
        var isOpen = true
    }

    private let descriptor: FileDescriptor
    private let loop: EventLoop
    private let state = Mutex(State())
    private let eventContinuation: AsyncStream<ShimEvent>.Continuation
    /// What happens in the container, in order; ends when the shim closes the connection. For one consumer.
    let events: AsyncStream<ShimEvent>

    /// Connects to the shim of the container whose bundle is `bundle`. Throws `unavailable` if there is none.
    init(bundle: FilePath) throws(ShimError) {
        (events, eventContinuation) = AsyncStream.makeStream(of: ShimEvent.self)
        do throws(Errno) {
            loop = try EventLoop.shared.get()
            // By way of the directory's descriptor, because a socket's address holds 107 bytes only.
            let directory = try Files.open(bundle, [.path, .directory])
            defer { directory.discard() }
            descriptor = try UnixSocket.connect(to: directory.procPath.appending(ShimBundle.socket))
        } catch {
            throw ShimError(.unavailable, "cannot connect to \(bundle.appending(ShimBundle.socket)): \(error)")
        }
        do throws(Errno) {
            try descriptor.setNonBlocking(true)
            let token = try loop.add(descriptor, .readable) { [weak self] events in self?.ready(events) }
            state.withLock { $0.token = token }
        } catch {
            // The descriptor is closed by deinit.
            throw ShimError(.system, "cannot watch a shim's socket: \(error)")
        }
    }

    deinit {
        loop.remove(descriptor, token: state.withLock { $0.token })
        descriptor.discard()
    }

    /// Ends the connection; the shim goes on.
    func close() { fail(ShimError(.unavailable, "the connection to the shim was closed")) }

    /// Sends a request and suspends until it is answered; throws the shim's error, or `unavailable` if it goes away before.
    @discardableResult
    func call(_ request: ShimRequest) async throws -> ShimResponse {
        let bytes = try MessageFraming.frame(request)
        let response = try await withCheckedThrowingContinuation { continuation in
            let failure: ShimError? = state.withLock { state in
                guard state.isOpen else { return ShimError(.unavailable, "the shim has ended") }
                // In one critical section, so that the order of callers is that of their requests.
                state.callers.append(continuation)
                state.unsent += bytes
                return nil
            }
            if let failure { continuation.resume(throwing: failure) } else { flush() }
        }
        if case .failure(let error) = response { throw error }
        return response
    }

    /// The same for a shim that may not be able to answer (stopped, or stuck in a way nobody has thought of). One that has not
    /// answered within `patience` is killed: the connection ends with it, and the container as that of a killed shim does.
    @discardableResult
    func call(_ request: ShimRequest, orKillWithin patience: Duration) async throws -> ShimResponse {
        let timer = Task { [weak self] in
            try await Task.sleep(for: patience)
            self?.killShim()
        }
        defer { timer.cancel() }
        return try await call(request)
    }

    /// Ends the shim and with it the connection.
    func killShim() {
        // As long as the connection is open its other end lives, and the pid is its.
        // Either fails only if it has ended by itself just now.
        guard state.withLock({ $0.isOpen }), let pid = try? descriptor.peerCredentials().pid else { return }
        try? Signals.send(Signal.kill.rawValue, to: pid)  // As above.
    }

    /// Writes what can be written without waiting; the event loop goes on with the rest.
    private func flush() {
        let failure: Errno? = state.withLock { state in
            while !state.unsent.isEmpty {
                let count = state.unsent.withUnsafeBytes {
                    send(descriptor.rawValue, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
                }
                if count < 0 {
                    if errno == EINTR { continue }
                    if errno == EAGAIN { break }
                    return Errno(rawValue: errno)
                }
                state.unsent.removeFirst(count)
            }
            let interest: ReadyEvents = state.unsent.isEmpty ? .readable : [.readable, .writable]
            guard interest != state.interest else { return nil }
            do throws(Errno) {
                try loop.modify(descriptor, interest, token: state.token)
            } catch {
                return error
            }
            state.interest = interest
            return nil
        }
        if let failure { fail(ShimError(.unavailable, "cannot write to the shim: \(failure)")) }
    }

    private func ready(_ events: ReadyEvents) {
        if events.contains(.writable) { flush() }
        guard !events.isDisjoint(with: [.readable, .hangUp, .error]) else { return }
        var isOver = false
        var chunk: [UInt8] = []
        repeat {
            var failure: Int32 = 0
            chunk = [UInt8](unsafeUninitializedCapacity: 16 << 10) { buffer, count in
                let result = recv(descriptor.rawValue, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
                if result < 0 { failure = errno }
                count = max(0, result)
            }
            if chunk.isEmpty { isOver = failure != EAGAIN && failure != EINTR }
            do {
                try take(chunk)
            } catch {
                fail(error)
                return
            }
        } while chunk.count == 16 << 10
        if isOver { fail(ShimError(.unavailable, "the shim has ended")) }
    }

    private func take(_ bytes: [UInt8]) throws(ShimError) {
        guard !bytes.isEmpty else { return }
        state.withLock { $0.reader.append(bytes) }
        while true {
            let body: Result<[UInt8]?, ShimError> = state.withLock { state in
                do throws(ShimError) { return .success(try state.reader.next()) } catch { return .failure(error) }
            }
            guard let body = try body.get() else { return }
            switch try MessageFraming.message(ShimMessage.self, from: body) {
            case .event(let event): eventContinuation.yield(event)
            case .response(let response):
                let caller = state.withLock { $0.callers.isEmpty ? nil : $0.callers.removeFirst() }
                caller?.resume(returning: response)
            }
        }
    }

    private func fail(_ error: ShimError) {
        let (token, callers) = state.withLock { state in
            defer {
                state.callers = []
                state.isOpen = false
            }
            return (state.isOpen ? state.token : nil, state.callers)
        }
        if let token { loop.remove(descriptor, token: token) }
        for caller in callers { caller.resume(throwing: error) }
        eventContinuation.finish()
    }
}
