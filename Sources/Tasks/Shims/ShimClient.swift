import Glibc
import JSON
import LinuxKernel
import ShimProtocol
import Synchronization
import SystemPackage

/// The one long-lived connection to a task's shim: requests, their answers, and events.
///
/// It costs no thread: sending is done at once (the socket's buffer takes any request but the largest), receiving on
/// the event thread. Every call has a deadline (see `ShimPatience`).
final class ShimClient: Sendable {
    private struct State {
        var reader = FrameReader()
        /// Those who wait for answers, in the order of their requests. Who has given up leaves his place empty.
        var callers: [Caller] = []
        /// How many requests have been sent.
        var sent: UInt64 = 0
        /// Bytes which the socket did not take yet.
        var unsent: [UInt8] = []
        var token: UInt64 = 0
        var interest: ReadyEvents = .readable
        var isOpen = true
    }

    private struct Caller {
        var number: UInt64
        var continuation: CheckedContinuation<ShimResponse, any Error>?
    }

    /// Thrown where the shim has not answered in time; its answer, should it come, is dropped.
    struct Silence: Error {}

    private let descriptor: FileDescriptor
    private let thread: EventThread
    /// The shim, where this process has started it and the connection has been there since.
    private let shim: ShimProcess?
    /// Whether events come without having been asked for.
    let isSubscribed: Bool
    private let state = Mutex(State())
    private let eventContinuation: AsyncStream<ShimEvent>.Continuation
    /// What happens in the container, in order; ends when the shim closes the connection. For one consumer.
    let events: AsyncStream<ShimEvent>

    /// Connects to the shim of the container whose bundle is `bundle`. Throws `unavailable` if there is none.
    init(bundle: FilePath) throws(ShimError) {
        (events, eventContinuation) = AsyncStream.makeStream(of: ShimEvent.self)
        shim = nil
        isSubscribed = false
        do throws(Errno) {
            thread = try EventThread.shared.get()
            // By way of the directory's descriptor, because a socket's address holds 107 bytes only.
            let directory = try Files.open(bundle, [.path, .directory])
            defer { directory.discard() }
            descriptor = try UnixSocket.connect(to: directory.procPath.appending(ShimBundle.socket))
        } catch {
            throw ShimError(.unavailable, "cannot connect to \(bundle.appending(ShimBundle.socket)): \(error)")
        }
        try watch()
    }

    /// Goes on with the connection by which a shim has been launched; connects to an earlier shim.
    convenience init(_ launched: ShimLaunch.Launched, bundle: FilePath) throws(ShimError) {
        if let connection = launched.connection {
            try self.init(connection, to: launched.shim, received: launched.received)
        } else {
            try self.init(bundle: bundle)
        }
    }

    /// Takes over the connection `descriptor` to `shim`, from which `received` has been read already.
    private init(_ descriptor: FileDescriptor, to shim: ShimProcess, received: [UInt8]) throws(ShimError) {
        (events, eventContinuation) = AsyncStream.makeStream(of: ShimEvent.self)
        self.descriptor = descriptor
        self.shim = shim
        isSubscribed = true
        do throws(Errno) { thread = try EventThread.shared.get() } catch {
            descriptor.discard()
            throw ShimError(.system, "cannot watch a shim's socket: \(error)")
        }
        try take(received)
        try watch()
    }

    private func watch() throws(ShimError) {
        do throws(Errno) {
            try descriptor.setNonBlocking(true)
            // The handler waits for the token, by which it ends the watch of a connection that has ended already.
            try state.withLock { (state) throws(Errno) in
                state.token = try thread.add(descriptor, .readable) { [weak self] events in self?.ready(events) }
            }
        } catch {
            // The descriptor is closed by deinit.
            throw ShimError(.system, "cannot watch a shim's socket: \(error)")
        }
    }

    deinit {
        thread.remove(descriptor, token: state.withLock { $0.token })
        descriptor.discard()
    }

    /// Ends the connection; the shim goes on.
    func close() { fail(ShimError(.unavailable, "the connection to the shim was closed")) }

    /// Sends a request and suspends until it is answered; throws the shim's error, `unavailable` if it goes away
    /// before, or `Silence` if it has not answered within `limit` (`nil`: it may take for ever).
    @discardableResult
    func call(_ request: ShimRequest, within limit: Duration?) async throws -> ShimResponse {
        let bytes = try MessageFraming.frame(request)
        var timer: Task<Void, any Error>?
        defer { timer?.cancel() }
        let response = try await withCheckedThrowingContinuation { continuation in
            let number: UInt64? = state.withLock { state in
                guard state.isOpen else { return nil }
                // In one critical section, so that the order of callers is that of their requests.
                state.sent += 1
                state.callers.append(Caller(number: state.sent, continuation: continuation))
                state.unsent += bytes
                return state.sent
            }
            guard let number else {
                return continuation.resume(throwing: ShimError(.unavailable, "the shim has ended"))
            }
            // Only now: whose time is over has to be among those who wait.
            timer = limit.map { limit in
                Task { [weak self] in
                    try await Task.sleep(for: limit)
                    self?.giveUp(number)
                }
            }
            flush()
        }
        if case .failure(let error) = response { throw error }
        return response
    }

    private func giveUp(_ number: UInt64) {
        let waiting: CheckedContinuation<ShimResponse, any Error>? = state.withLock { state in
            guard let index = state.callers.firstIndex(where: { $0.number == number }) else { return nil }
            defer { state.callers[index].continuation = nil }
            return state.callers[index].continuation
        }
        waiting?.resume(throwing: Silence())
    }

    /// Sends a request without waiting for the answer.
    func post(_ request: ShimRequest) {
        // What cannot be framed is not among the requests that are posted.
        guard let bytes = try? MessageFraming.frame(request) else { return }
        let isOpen = state.withLock { state in
            guard state.isOpen else { return false }
            state.sent += 1
            state.callers.append(Caller(number: state.sent, continuation: nil))
            state.unsent += bytes
            return true
        }
        if isOpen { flush() }
    }

    /// The shim's process; `nil` if it has ended.
    func process() -> (pid: Int32, handle: PIDFD)? {
        // A pair of sockets has the one who made it for a peer.
        if let shim { return shim.handleCopy().map { (shim.pid, $0) } }
        guard let pid = try? descriptor.peerCredentials().pid else { return nil }  // There is always one.
        do throws(Errno) {
            return (pid, try descriptor.peerProcess())
        } catch .protocolNotAvailable {
            // An older kernel. As long as the connection is open its other end lives, and the number is that process's.
            guard let handle = try? PIDFD.open(pid) else { return nil }  // Ended just now.
            let events = try? Poll.wait(for: [(descriptor, [])], milliseconds: 0)  // Fails only for want of memory.
            if events?.first?.isEmpty == true { return (pid, handle) }
            handle.close()
            return nil
        } catch {
            return nil
        }
    }

    /// Ends the shim and with it the connection.
    func killShim() {
        if let shim { return shim.kill() }
        guard let (_, handle) = process() else { return }
        defer { handle.close() }
        try? handle.send(signal: SIGKILL)  // It fails only for one that has ended.
    }

    /// Writes what can be written without waiting; the event thread goes on with the rest.
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
                try thread.modify(descriptor, interest, token: state.token)
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
                // What comes next cannot be told from the middle of a message: nobody will ever hear of this task
                // again. Its shim cannot be worked with, and must not go on with it alone.
                killShim()
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
            switch try message(body) {
            case nil: break
            case .event(let event, _): eventContinuation.yield(event)
            case .response(let response):
                let caller = state.withLock { $0.callers.isEmpty ? nil : $0.callers.removeFirst() }
                caller?.continuation?.resume(returning: response)
            }
        }
    }

    /// The message in a whole body; nil for an event that this version does not know, which a newer shim may send. An
    /// answer that cannot be read is a failure of the request.
    private func message(_ body: [UInt8]) throws(ShimError) -> ShimMessage? {
        do throws(ShimError) {
            return try MessageFraming.message(ShimMessage.self, from: body)
        } catch {
            // What is no JSON at all is thrown as the error it was.
            guard let members = (try? JSON.parse(body))?.object else { throw error }
            if members["event"] != nil { return nil }
            return .response(.failure(ShimError(.system, "the shim sent an answer that cannot be read: \(error)")))
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
        if let token { thread.remove(descriptor, token: token) }
        // The descriptor stays until nobody can use it; the shim is told now, which else would count on us to remember
        // what it tells. It fails for a connection that has ended by itself.
        shutdown(descriptor.rawValue, Int32(SHUT_RDWR))
        for caller in callers { caller.continuation?.resume(throwing: error) }
        eventContinuation.finish()
    }
}
