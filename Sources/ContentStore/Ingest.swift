import struct Crypto.SHA256
import Glibc
import OCISpec
import Synchronization
import SystemPackage

/// A blob that is being written. One that is let go without `commit` leaves nothing behind.
///
/// The descriptor is open only while bytes are written: an archive may consist of thousands of blobs.
package final class Ingest: Sendable {
    private struct State {
        /// -1 when closed.
        var descriptor: Int32
        var hasher = SHA256()
        var digest: Digest?
        var isMoved = false
        var size: Int64 = 0
    }

    private let store: ContentStore
    /// Where the bytes are until they are committed.
    package let path: FilePath
    private let state: Mutex<State>

    private static let serial = Atomic<UInt64>(0)

    init(in store: ContentStore) throws(ContentError) {
        self.store = store
        let number = Self.serial.wrappingAdd(1, ordering: .relaxed).newValue
        path = store.root.appending("ingest").appending("\(getpid())-\(number)")
        let descriptor = path.withPlatformString { open($0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600) }
        guard descriptor >= 0 else { throw .system("create", path, Errno(rawValue: errno)) }
        state = Mutex(State(descriptor: descriptor))
    }

    deinit {
        state.withLock { state in
            if state.descriptor >= 0 { close(state.descriptor) }
            if !state.isMoved { path.withPlatformString { _ = unlink($0) } }
        }
    }

    /// Bytes written.
    package var size: Int64 { state.withLock { $0.size } }

    /// The digest of all that was written; nothing can be written afterwards.
    package var digest: Digest {
        state.withLock { state in
            if let digest = state.digest { return digest }
            let digest = Digest(hash: state.hasher.finalize())
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
            state.hasher.update(bufferPointer: bytes)
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
    /// - Parameter expected: The digest it should have; another is an error.
    @discardableResult
    package func commit(
        expecting expected: Digest? = nil
    ) throws(ContentError) -> (digest: Digest, isNew: Bool) {
        let digest = digest
        if let expected, expected != digest { throw .mismatch(expected: expected, found: digest) }
        if store.size(of: digest) == size { return (digest, false) }
        try move(to: store.path(of: digest))
        return (digest, true)
    }

    func move(to target: FilePath) throws(ContentError) {
        _ = digest
        let status = path.withPlatformString { old in target.withPlatformString { rename(old, $0) } }
        guard status == 0 else { throw .system("rename to", target, Errno(rawValue: errno)) }
        state.withLock { $0.isMoved = true }
    }
}
