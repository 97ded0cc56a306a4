import Hashing
import Glibc
import JSON
import LinuxKernel
import OCISpec
import SystemPackage

/// Immutable blobs, each under its digest, in an OCI image layout that other tools can read as it is (image-spec,
/// image-layout.md).
///
/// A blob is written to `ingest/` and moved to `blobs/` when its digest is known, so that what lies under a digest is
/// always whole as long as the machine does not stop. The store flushes nothing: on ext4 a flush would write out all
/// files that a load has just unpacked, and the client would wait for the disk. `Images` flushes afterwards, and knows
/// after a power failure which images are not flushed yet.
package struct ContentStore: Sendable {
    /// The directory of the store, an OCI image layout.
    package let root: FilePath

    /// Opens or makes the store. What a crash left in `ingest/` is removed, but for what can be resumed.
    package init(opening root: FilePath) throws(ContentError) {
        self.root = root
        let ingest = root.appending("ingest")
        do throws(Errno) {
            let names = (try? DirectoryListing.names(of: ingest)) ?? []  // there is none before the first start
            for name in names.map({ String(decoding: $0, as: UTF8.self) }) where name != Self.resumable {
                try TreeRemoval.remove(ingest.appending(name))
            }
        } catch {
            throw .system("remove", ingest, error)
        }
        let blobs = Digest.Algorithm.allCases.map { directory(of: $0) }
        for path in [root, root.appending("blobs")] + blobs + [ingest] {
            guard path.withPlatformString({ mkdir($0, 0o700) }) == 0 || errno == EEXIST else {
                throw .system("create directory", path, Errno(rawValue: errno))
            }
        }
        try replace("oci-layout", with: #"{"imageLayoutVersion":"1.0.0"}"#.utf8.map(\.self))
    }

    private static let resumable = "resumable"

    private func directory(of algorithm: Digest.Algorithm) -> FilePath {
        root.appending("blobs").appending(algorithm.rawValue)
    }

    /// Where the blob lies, if it is there.
    package func path(of digest: Digest) -> FilePath {
        directory(of: digest.algorithm).appending(digest.encoded)
    }

    /// The size of a blob in bytes, or `nil` if it is not there.
    package func size(of digest: Digest) -> Int64? {
        var status = stat()
        guard path(of: digest).withPlatformString({ stat($0, &status) }) == 0 else { return nil }
        return Int64(status.st_size)
    }

    /// Opens a blob for reading; the descriptor is the caller's.
    package func open(_ digest: Digest) throws(ContentError) -> FileDescriptor {
        let path = path(of: digest)
        let descriptor = path.withPlatformString { Glibc.open($0, O_RDONLY | O_CLOEXEC) }
        guard descriptor >= 0 else {
            if errno == ENOENT { throw .notFound(digest) }
            throw .system("open", path, Errno(rawValue: errno))
        }
        return FileDescriptor(rawValue: descriptor)
    }

    /// A document whole. Manifests and configurations are never near the limit.
    package func read(_ digest: Digest, limit: Int = 8 << 20) throws(ContentError) -> [UInt8] {
        guard let size = size(of: digest) else { throw .notFound(digest) }
        guard size <= limit else { throw .tooLarge(digest, limit: limit) }
        let descriptor = try open(digest)
        defer { Glibc.close(descriptor.rawValue) }
        var bytes = [UInt8](repeating: 0, count: Int(size))
        var have = 0
        while have < bytes.count {
            let count = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(descriptor.rawValue, buffer.baseAddress.map { $0 + have }, buffer.count - have)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .system("read", path(of: digest), Errno(rawValue: count < 0 ? errno : EIO)) }
            have += count
        }
        return bytes
    }

    /// Begins a blob whose digest is not known yet.
    ///
    /// - Parameter algorithm: what is computed while bytes come in; committing to another digest reads them once more.
    package func ingest(_ algorithm: Digest.Algorithm = .sha256) throws(ContentError) -> Ingest {
        try Ingest(in: self, algorithm: algorithm)
    }

    /// Begins a blob, or goes on with the bytes that an earlier try under the same key has left, also in a process that
    /// was killed. Nobody else may write under that key meanwhile.
    ///
    /// - Parameters:
    ///   - key: letters, digits, `.`, `_` and `-`; not beginning with a dot.
    ///   - limit: bytes beyond it are dropped.
    package func ingest(
        resuming key: String, _ algorithm: Digest.Algorithm = .sha256, limit: Int64 = .max
    ) throws(ContentError) -> Ingest {
        precondition(Self.isKey(key), "not a key of an ingest: \(key)")
        let folder = root.appending("ingest").appending(Self.resumable)
        guard folder.withPlatformString({ mkdir($0, 0o700) }) == 0 || errno == EEXIST else {
            throw .system("create directory", folder, Errno(rawValue: errno))
        }
        return try Ingest(in: self, resuming: folder.appending(key), algorithm: algorithm, limit: limit)
    }

    private static func isKey(_ key: String) -> Bool {
        let isPlain = key.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: "._-".utf8.contains(byte)
            }
        }
        return isPlain && !key.isEmpty && key.utf8.first != UInt8(ascii: ".")
    }

    /// Removes what can be resumed but for these keys, and for what was written to after `time` (seconds since 1970).
    package func sweepIngests(keeping keys: Set<String>, unusedSince time: Int64) throws(ContentError) {
        let folder = root.appending("ingest").appending(Self.resumable)
        do throws(Errno) {
            for name in try DirectoryListing.names(of: folder).map({ String(decoding: $0, as: UTF8.self) }) {
                let path = folder.appending(name)
                var status = stat()
                guard !keys.contains(name), path.withPlatformString({ lstat($0, &status) }) == 0,
                    Int64(status.st_mtim.tv_sec) <= time
                else { continue }
                path.withPlatformString { _ = unlink($0) }
            }
        } catch {
            if error == .noSuchFileOrDirectory { return }  // nothing has been resumable yet
            throw .system("list", folder, error)
        }
    }

    /// Takes what can be resumed but for these keys out of the way, so that nobody goes on with it, and says where it
    /// is now: there it can be removed, which may take its time, and the next start removes what is left.
    package func setIngestsAside(keeping keys: Set<String>) throws(ContentError) -> [FilePath] {
        let ingest = root.appending("ingest")
        let folder = ingest.appending(Self.resumable)
        do throws(Errno) {
            var aside: [FilePath] = []
            for name in try DirectoryListing.names(of: folder).map({ String(decoding: $0, as: UTF8.self) })
            where !keys.contains(name) {
                let path = ingest.appending("aside-\(name)")
                try Files.rename(folder.appending(name), to: path)
                aside.append(path)
            }
            return aside
        } catch {
            if error == .noSuchFileOrDirectory { return [] }  // nothing has been resumable yet
            throw .system("move", folder, error)
        }
    }

    /// Stores a document and returns its digest and whether it is new here.
    ///
    /// - Parameter digest: The digest it should have; another is an error.
    package func store(
        _ document: [UInt8], expecting digest: Digest? = nil
    ) throws(ContentError) -> (digest: Digest, isNew: Bool) {
        let ingest = try ingest(digest?.algorithm ?? .sha256)
        try ingest.write(document)
        return try ingest.commit(expecting: digest)
    }

    /// Removes a blob. One that is not there is no error.
    package func remove(_ digest: Digest) throws(ContentError) {
        let path = path(of: digest)
        guard path.withPlatformString({ unlink($0) }) == 0 || errno == ENOENT else {
            throw .system("remove", path, Errno(rawValue: errno))
        }
    }

    /// Writes a blob out to the disk. One that is not there is no error.
    package func flush(_ digest: Digest) throws(ContentError) {
        let descriptor: FileDescriptor
        do throws(ContentError) {
            descriptor = try open(digest)
        } catch {
            if case .notFound = error { return }
            throw error
        }
        defer { Glibc.close(descriptor.rawValue) }
        guard fsync(descriptor.rawValue) == 0 else { throw .system("flush", path(of: digest), Errno(rawValue: errno)) }
    }

    /// Whether a blob is there and its bytes are those of its digest; reads all of it.
    package func verify(_ digest: Digest) throws(ContentError) -> Bool {
        let descriptor: FileDescriptor
        do throws(ContentError) {
            descriptor = try open(digest)
        } catch {
            if case .notFound = error { return false }
            throw error
        }
        defer { Glibc.close(descriptor.rawValue) }
        var hasher = ContentHasher(digest.algorithm)
        do throws(Errno) {
            try hasher.update(contentsOf: descriptor)
        } catch {
            throw .system("read", path(of: digest), error)
        }
        return hasher.digest == digest
    }

    /// The digests of all blobs.
    package func list() throws(ContentError) -> [Digest] {
        do throws(Errno) {
            var all: [Digest] = []
            for algorithm in Digest.Algorithm.allCases {
                all += try DirectoryListing.names(of: directory(of: algorithm)).compactMap {
                    Digest(algorithm.rawValue + ":" + String(decoding: $0, as: UTF8.self))
                }
            }
            return all
        } catch {
            throw .system("list", root.appending("blobs"), error)
        }
    }

    /// Replaces `index.json`, by which other tools find the images.
    package func setIndex(_ index: ImageIndex) throws(ContentError) {
        let document: [UInt8]
        do {
            document = try JSON.encode(index)
        } catch {
            throw .system("encode", root.appending("index.json"), .invalidArgument)
        }
        try replace("index.json", with: document)
    }

    private func replace(_ name: String, with document: [UInt8]) throws(ContentError) {
        // What is there already needs no room: a daemon has to come up on a full disk, too, to help against it. A file
        // that cannot be read is one that has to be written.
        if (try? Files.read(root.appending(name), limit: document.count + 1)) == document { return }
        let ingest = try ingest()
        try ingest.write(document)
        try ingest.move(to: root.appending(name))
    }
}
