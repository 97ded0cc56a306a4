import Glibc
import LinuxKernel
import Synchronization
import SystemPackage

/// The first bytes of what a process writes. The rest is read and dropped, so that the process never waits for a
/// reader.
///
/// It is read on the event thread: a thousand processes that are listened to cost no thread more.
package final class CapturedOutput: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var isTruncated = false
        var isOver = false
        var token: UInt64?
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let descriptor: FileDescriptor
    private let limit: Int
    private let thread: EventThread
    private let state = Mutex(State())

    /// Reads `descriptor`, which it owns from now on, to its end.
    ///
    /// - Parameter limit: how many bytes are kept.
    package init(_ descriptor: FileDescriptor, limit: Int) throws(TaskError) {
        self.descriptor = descriptor
        self.limit = limit
        do throws(Errno) {
            thread = try EventThread.shared.get()
            try descriptor.setNonBlocking(true)
            // The handler waits for the token, by which it ends the watch of a stream that has ended already.
            try state.withLock { (state) throws(Errno) in
                state.token = try thread.add(descriptor, .readable) { [weak self] _ in self?.read() }
            }
        } catch {
            // Where a property has no value yet, nothing is closed by deinit.
            descriptor.discard()
            throw .system("cannot listen to a process: \(error)")
        }
    }

    deinit {
        if let token = state.withLock({ $0.token }) { thread.remove(descriptor, token: token) }
        descriptor.discard()
    }

    /// What was kept, and whether there was more.
    package var content: (bytes: [UInt8], isTruncated: Bool) { state.withLock { ($0.bytes, $0.isTruncated) } }

    /// Suspends until the process and all that have its streams have closed them, or until the time is over.
    package func end(within limit: Duration) async {
        let timer = Task { [weak self] in
            // Cancelled when the end has come.
            try? await Task.sleep(for: limit)
            self?.release()
        }
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if !state.isOver { state.waiters.append(continuation) }
                return state.isOver
            }
            if isOver { continuation.resume() }
        }
        timer.cancel()
    }

    private func release() {
        let waiters = state.withLock { state in
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Whoever writes without an end gets only so much of the thread that all others wait for; what is left wakes it
    /// again.
    private static let chunksAtOnce = 16

    private func read() {
        for turn in 0... {
            if turn == Self.chunksAtOnce { return }
            var failure: Int32 = 0
            let chunk = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
                let result = recv(descriptor.rawValue, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
                if result < 0 { failure = errno }
                count = max(0, result)
            }
            if failure == EINTR { continue }
            if failure == EAGAIN { return }
            if chunk.isEmpty { break }
            state.withLock { state in
                let room = max(0, limit - state.bytes.count)
                state.bytes += chunk.prefix(room)
                if chunk.count > room { state.isTruncated = true }
            }
        }
        let token = state.withLock { state in
            defer { state.token = nil }
            state.isOver = true
            return state.token
        }
        if let token { thread.remove(descriptor, token: token) }
        release()
    }
}
