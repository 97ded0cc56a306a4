import Glibc
import LinuxKernel
import Synchronization
import SystemPackage

/// A blocking connection to a shim, for threads that may wait.
///
/// Two ways to use one:
/// - `call` for one request after the other, by whichever thread. Events that come in between are kept for `receive`.
/// - after `subscribe`, one thread stays in `receive` (or waits until `descriptor` is readable: a message is sent
///   whole, so `receive` does not wait for long then), while others only `send`, or better use a connection of their
///   own.
///
/// A shim serves any number of connections. The descriptor is closed with the object.
package final class ShimConnection: Sendable {
    private struct Incoming {
        var reader = FrameReader()
        var events: [(ShimEvent, container: String?)] = []
    }

    /// The connected socket.
    package let descriptor: FileDescriptor
    private let isOpen = Atomic(true)
    private let incoming = Mutex(Incoming())
    private let outgoing = Mutex(())

    /// Connects to the shim of the container whose bundle is `bundle`.
    ///
    /// - Parameter timeout: Seconds after which an unanswered call fails; `nil` waits for ever. For a connection that
    ///   waits for events it must be `nil`.
    /// - Throws: `unavailable` if there is no shim.
    package init(bundle: FilePath, timeout: Int? = nil) throws(ShimError) {
        do throws(Errno) {
            // A socket's address holds 107 bytes, which the path of a bundle easily exceeds; by way of its directory's
            // descriptor it is always short.
            let directory = try Files.open(bundle, [.path, .directory])
            defer { directory.discard() }
            descriptor = try UnixSocket.connect(to: directory.procPath.appending(ShimBundle.socket))
        } catch {
            throw ShimError(.unavailable, "cannot connect to \(bundle.appending(ShimBundle.socket)): \(error)")
        }
        if let timeout {
            var time = timeval(tv_sec: timeout, tv_usec: 0)
            let size = socklen_t(MemoryLayout<timeval>.size)
            setsockopt(descriptor.rawValue, SOL_SOCKET, SO_RCVTIMEO, &time, size)
            setsockopt(descriptor.rawValue, SOL_SOCKET, SO_SNDTIMEO, &time, size)
        }
    }

    deinit {
        if isOpen.load(ordering: .relaxed) { descriptor.discard() }
    }

    /// Sends a request about `container` (`nil`: the shim's first one) and waits for its response.
    ///
    /// - Throws: the shim's error if that is its response; `unavailable` if it goes away before it has answered.
    @discardableResult
    package func call(_ request: ShimRequest, container: String? = nil) throws(ShimError) -> ShimResponse {
        try send(request, container: container)
        while true {
            switch try receiveMessage() {
            case .response(.failure(let error))?: throw error
            case .response(let response)?: return response
            case .event(let event, let origin)?: incoming.withLock { $0.events.append((event, origin)) }
            case nil: throw ShimError(.unavailable, "the shim has ended")
            }
        }
    }

    /// Sends a request; its response comes by `receive`.
    package func send(_ request: ShimRequest, container: String? = nil) throws(ShimError) {
        let bytes = try MessageFraming.frame(AddressedRequest(request, container: container))
        let failure: Errno? = outgoing.withLock { _ in
            var offset = 0
            while offset < bytes.count {
                let count = bytes.withUnsafeBytes {
                    Glibc.send(
                        descriptor.rawValue, $0.baseAddress.map { $0 + offset }, bytes.count - offset,
                        Int32(MSG_NOSIGNAL))
                }
                if count >= 0 { offset += count } else if errno != EINTR { return Errno(rawValue: errno) }
            }
            return nil
        }
        if let failure { throw ShimError(.unavailable, "cannot write to the shim: \(failure)") }
    }

    /// The next message, an event kept by `call` first; `nil` if the shim has closed the connection.
    package func receive() throws(ShimError) -> ShimMessage? {
        let kept = incoming.withLock { $0.events.isEmpty ? nil : $0.events.removeFirst() }
        if let kept { return .event(kept.0, container: kept.container) }
        return try receiveMessage()
    }

    /// The next event, skipping responses; `nil` if the shim has closed the connection.
    package func nextEvent() throws(ShimError) -> ShimEvent? {
        while let message = try receive() {
            if case .event(let event, _) = message { return event }
        }
        return nil
    }

    /// Attaches, and gives up the connection: the descriptor is a raw stream and the caller's from now on.
    package func attach(
        execID: String? = nil, stdin: Bool, stdout: Bool, stderr: Bool, detachKeys: [UInt8] = [],
        framing: StreamFraming? = nil, container: String? = nil
    ) throws(ShimError) -> FileDescriptor {
        try call(
            .attach(
                execID: execID, stdin: stdin, stdout: stdout, stderr: stderr, detachKeys: detachKeys, framing: framing),
            container: container)
        isOpen.store(false, ordering: .relaxed)
        return descriptor
    }

    /// Ends the connection, also for a thread that waits in `receive`.
    package func close() {
        shutdown(descriptor.rawValue, Int32(SHUT_RDWR))
    }

    /// Reads exactly one message and not a byte more: what follows a response may be raw.
    private func receiveMessage() throws(ShimError) -> ShimMessage? {
        let result: Result<ShimMessage?, ShimError> = incoming.withLock { _ in
            do throws(ShimError) {
                guard let header = try read(4) else { return .success(nil) }
                let length = try MessageFraming.length(header)
                guard let body = try read(length) else {
                    throw ShimError(.unavailable, "the shim ended in the middle of a message")
                }
                return .success(try MessageFraming.message(ShimMessage.self, from: body))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// `count` bytes, or `nil` at the end of the stream.
    private func read(_ count: Int) throws(ShimError) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var offset = 0
        while offset < count {
            let got = bytes.withUnsafeMutableBytes {
                recv(descriptor.rawValue, $0.baseAddress.map { $0 + offset }, count - offset, 0)
            }
            if got > 0 {
                offset += got
            } else if got == 0 || errno == ECONNRESET {
                return nil
            } else if errno == EAGAIN {
                throw ShimError(.unavailable, "the shim does not answer")
            } else if errno != EINTR {
                throw ShimError(.unavailable, "cannot read from the shim: \(Errno(rawValue: errno))")
            }
        }
        return bytes
    }
}
