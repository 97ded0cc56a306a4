import Glibc
import Hashing
import OCISpec
import Synchronization
import SystemPackage

/// A blob that is being written. One that is let go without `commit` leaves nothing behind, unless it has a key: such a
/// one stays, also over the end of the process, until it is committed, discarded or swept.
///
/// The descriptor is open only while bytes are written: an archive may consist of thousands of blobs.
package final class Ingest: Sendable {
    private struct State {
        /// -1 when closed.
        var descriptor: Int32
        var hasher: ContentHasher
        var digest: Digest?
        /// The digest by the other algorithm, where it was asked for.
        var other: Digest?
        var isMoved = false
        var size: Int64 = 0
    }

    private let store: ContentStore
    /// Where the bytes are until they are committed.
    package let path: FilePath
    /// Whether it stays when it is let go.
    private let isKept: Bool
    private let state: Mutex<State>

    private static let serial = Atomic<UInt64>(0)

    init(in store: ContentStore, algorithm: Digest.Algorithm) throws(ContentError) {
        self.store = store
        isKept = false
        let number = Self.serial.wrappingAdd(1, ordering: .relaxed).newValue
        path = store.root.appending("ingest").appending("\(getpid())-\(number)")
        let descriptor = path.withPlatformString { open($0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600) }
        guard descriptor >= 0 else { throw .system("create", path, Errno(rawValue: errno)) }
        state = Mutex(State(descriptor: descriptor, hasher: ContentHasher(algorithm)))
    }

    /// Goes on with what is at `path`: its bytes are hashed once more, for a hash's state cannot be stored.
    init(
        in store: ContentStore, resuming path: FilePath, algorithm: Digest.Algorithm, limit: Int64
    ) throws(ContentError) {
        self.store = store
        self.path = path
        isKept = true
        let descriptor = path.withPlatformString { open($0, O_RDWR | O_CREAT | O_CLOEXEC, 0o600) }
        guard descriptor >= 0 else { throw .system("create", path, Errno(rawValue: errno)) }
        var state = State(descriptor: descriptor, hasher: ContentHasher(algorithm))
        do throws(Errno) {
            state.size = try state.hasher.update(
                contentsOf: FileDescriptor(rawValue: descriptor), limit: limit)
            // More than there may be is what a crash left of another try.
            if ftruncate(descriptor, Int(state.size)) != 0 || lseek(descriptor, Int(state.size), SEEK_SET) < 0 {
                throw Errno(rawValue: errno)
            }
        } catch {
            close(descriptor)
            throw .system("read", path, error)
        }
        self.state = Mutex(state)
    }

    deinit {
        state.withLock { state in
            if state.descriptor >= 0 { close(state.descriptor) }
            if !state.isMoved, !isKept { path.withPlatformString { _ = unlink($0) } }
        }
    }

    /// Gives up what was written. A blob that is committed already stays.
    package func discard() {
        state.withLock { state in
            if !state.isMoved { path.withPlatformString { _ = unlink($0) } }
        }
    }

    /// Bytes written.
    package var size: Int64 { state.withLock { $0.size } }

    /// The digest of all that was written; nothing can be written afterwards.
    package var digest: Digest {
        state.withLock { state in
            if let digest = state.digest { return digest }
            let digest = state.hasher.digest
            state.digest = digest
            if state.descriptor >= 0 { close(state.descriptor) }
            state.descriptor = -1
            return digest
        }
    }

    /// Appends a document.
    package func write(_ document: [UInt8]) throws(ContentError) {
        // Array's own accessor does not pass typed errors through, hence the result.
        let result: Result<Void, ContentError> = document.withUnsafeBytes { bytes in
            do throws(ContentError) {
                return .success(try write(bytes))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// Appends bytes.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(ContentError) {
        try state.withLock { state throws(ContentError) in
            precondition(state.digest == nil, "writing to a blob whose digest has been taken")
            state.hasher.update(bytes)
            var done = 0
            while done < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
                let count = Glibc.write(state.descriptor, rest.baseAddress, rest.count)
                if count < 0 {
                    if errno == EINTR { continue }
                    throw ContentError.system("write", path, Errno(rawValue: errno))
                }
                done += count
            }
            state.size += Int64(bytes.count)
        }
    }

    /// A descriptor of its own on what was written, from its beginning; the caller's.
    package func reading() throws(ContentError) -> FileDescriptor {
        let copy = path.withPlatformString { open($0, O_RDONLY | O_CLOEXEC) }
        guard copy >= 0 else { throw .system("open", path, Errno(rawValue: errno)) }
        return FileDescriptor(rawValue: copy)
    }

    /// Puts the blob under its digest. Returns the digest, and whether the blob was not there already.
    ///
    /// - Parameter expected: The digest it should have, of whatever algorithm; another is an error.
    @discardableResult
    package func commit(
        expecting expected: Digest? = nil
    ) throws(ContentError) -> (digest: Digest, isNew: Bool) {
        let digest = if let expected { try digest(expected.algorithm) } else { digest }
        if let expected, expected != digest { throw .mismatch(expected: expected, found: digest) }
        if store.size(of: digest) == size { return (digest, false) }
        try move(to: store.path(of: digest))
        return (digest, true)
    }

    /// The digest by an algorithm: another one than the ingest's own has to read all bytes once more.
    package func digest(_ algorithm: Digest.Algorithm) throws(ContentError) -> Digest {
        let digest = digest
        if digest.algorithm == algorithm { return digest }
        if let other = state.withLock({ $0.other }) { return other }
        let other = try rehashed(algorithm)
        state.withLock { $0.other = other }
        return other
    }

    private func rehashed(_ algorithm: Digest.Algorithm) throws(ContentError) -> Digest {
        let descriptor = try reading()
        defer { close(descriptor.rawValue) }
        var hasher = ContentHasher(algorithm)
        do throws(Errno) {
            try hasher.update(contentsOf: descriptor)
        } catch {
            throw .system("read", path, error)
        }
        return hasher.digest
    }

    func move(to target: FilePath) throws(ContentError) {
        _ = digest
        let status = path.withPlatformString { old in target.withPlatformString { rename(old, $0) } }
        guard status == 0 else { throw .system("rename to", target, Errno(rawValue: errno)) }
        state.withLock { $0.isMoved = true }
    }
}
