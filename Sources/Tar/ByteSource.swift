import Glibc
import SystemPackage

/// Bytes that come one after the other.
package protocol ByteSource: AnyObject {
    /// Puts the next bytes at the beginning of `buffer` and returns how many: at least one, or 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int
}

/// The bytes of a file, pipe or socket. The descriptor stays the caller's.
package final class DescriptorSource: ByteSource {
    private let descriptor: Int32
    private let isCancelled: @Sendable () -> Bool

    /// - Parameter isCancelled: asked several times a second while nothing comes.
    package init(_ descriptor: FileDescriptor, isCancelled: @escaping @Sendable () -> Bool = { false }) {
        self.descriptor = descriptor.rawValue
        self.isCancelled = isCancelled
    }

    /// See `ByteSource`.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        while true {
            // Waiting first also serves a socket that an event loop owned before and left non-blocking.
            var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = poll(&request, 1, 200)
            if isCancelled() { throw .cancelled }
            if ready == 0 { continue }
            let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            guard errno == EINTR || errno == EAGAIN else {
                throw .system("read", "the archive", Errno(rawValue: errno))
            }
        }
    }
}

/// The bytes of an array.
package final class MemorySource: ByteSource {
    private let bytes: [UInt8]
    private var position = 0

    /// A source of these bytes.
    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// See `ByteSource`.
    package func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, bytes.count - position)
        bytes.withUnsafeBytes { source in
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[position..<position + count]))
        }
        position += count
        return count
    }
}

/// Hands every byte that is read through it to a closure.
package final class ObservedSource: ByteSource {
    private let source: any ByteSource
    private let observe: (UnsafeRawBufferPointer) throws(ArchiveError) -> Void

    /// A source whose bytes `observe` sees in order, each once.
    package init(
        _ source: any ByteSource, observe: @escaping (UnsafeRawBufferPointer) throws(ArchiveError) -> Void
    ) {
        self.source = source
        self.observe = observe
    }

    /// See `ByteSource`.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        let count = try source.read(into: buffer)
        if count > 0 { try observe(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
        return count
    }
}

/// A source of which the first bytes were looked at already, without taking them away.
package final class PeekedSource: ByteSource {
    private var prefix: [UInt8]
    private var position = 0
    private let rest: any ByteSource

    /// Takes up to `count` bytes from `source` for looking at; fewer only at its end.
    package init(peeking count: Int, from source: any ByteSource) throws(ArchiveError) {
        rest = source
        prefix = [UInt8](repeating: 0, count: count)
        var have = 0
        while have < count {
            let got = try prefix.read(from: source, at: have)
            if got == 0 { break }
            have += got
        }
        prefix.removeLast(count - have)
    }

    /// What has been looked at.
    package var peeked: [UInt8] { prefix }

    /// See `ByteSource`.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        guard position < prefix.count else { return try rest.read(into: buffer) }
        let count = min(buffer.count, prefix.count - position)
        buffer.copyBytes(from: prefix[position..<position + count])
        position += count
        return count
    }
}

extension [UInt8] {
    /// Reads from `source` into the part of the array that begins at `offset`.
    fileprivate mutating func read(from source: any ByteSource, at offset: Int) throws(ArchiveError) -> Int {
        // Typed errors do not pass through withUnsafeMutableBytes, hence the result.
        let result: Result<Int, ArchiveError> = withUnsafeMutableBytes { bytes in
            do throws(ArchiveError) {
                return .success(try source.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[offset...])))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}
