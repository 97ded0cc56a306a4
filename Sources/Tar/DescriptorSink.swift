import Glibc
import SystemPackage

/// Writes bytes to a file, pipe or socket, gathered to large pieces. The descriptor stays the caller's.
///
/// A reader that has gone is reported as `cancelled`: nobody wants the rest.
package final class DescriptorSink {
    private let descriptor: Int32
    private let isCancelled: @Sendable () -> Bool
    private var pending: [UInt8] = []
    /// Bytes taken so far.
    package private(set) var count: Int64 = 0

    private static let capacity = 256 << 10

    /// - Parameter isCancelled: asked before each piece is written.
    package init(_ descriptor: FileDescriptor, isCancelled: @escaping @Sendable () -> Bool = { false }) {
        self.descriptor = descriptor.rawValue
        self.isCancelled = isCancelled
        pending.reserveCapacity(Self.capacity)
    }

    /// Takes bytes; they are written at the latest by `flush`.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        count += Int64(bytes.count)
        guard bytes.count + pending.count > Self.capacity else {
            pending.append(contentsOf: bytes)
            return
        }
        try flush()
        if bytes.count < Self.capacity / 2 { pending.append(contentsOf: bytes) } else { try send(bytes) }
    }

    /// Takes `count` bytes of a file, from its present position on; fewer are an error.
    package func copy(from file: FileDescriptor, count: Int64) throws(ArchiveError) {
        try flush()
        self.count += count
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        var remaining = count
        while remaining > 0 {
            let got = Glibc.read(file.rawValue, buffer.baseAddress, Int(min(remaining, Int64(buffer.count))))
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw .system("read", "", Errno(rawValue: errno)) }
            guard got > 0 else { throw .truncated }
            try send(UnsafeRawBufferPointer(rebasing: buffer[..<got]))
            remaining -= Int64(got)
        }
    }

    /// Writes what has been gathered.
    package func flush() throws(ArchiveError) {
        guard !pending.isEmpty else { return }
        // Array's own accessor does not pass typed errors through, hence the result.
        let result: Result<Void, ArchiveError> = pending.withUnsafeBytes { bytes in
            do throws(ArchiveError) {
                return .success(try send(bytes))
            } catch {
                return .failure(error)
            }
        }
        pending.removeAll(keepingCapacity: true)
        try result.get()
    }

    private func send(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        var rest = bytes
        while !rest.isEmpty {
            if isCancelled() { throw .cancelled }
            // A reader that stalls must not keep this thread from being told to stop.
            var sent = Glibc.send(
                descriptor, rest.baseAddress, rest.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
            if sent < 0, errno == ENOTSOCK { sent = Glibc.write(descriptor, rest.baseAddress, rest.count) }
            if sent >= 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[sent...])
            } else if errno == EAGAIN {
                // A socket that an event loop owned before may be left non-blocking.
                var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&request, 1, 200)
            } else if errno == EPIPE || errno == ECONNRESET {
                throw .cancelled
            } else if errno != EINTR {
                throw .system("write", "", Errno(rawValue: errno))
            }
        }
    }
}
