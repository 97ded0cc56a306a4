import struct Crypto.SHA256
import Glibc
import JSON
import LinuxKernel
import OCISpec
import SystemPackage

/// Immutable blobs, each under its digest, in an OCI image layout that other tools can read as it is (image-spec,
/// image-layout.md).
///
/// A blob is written to `ingest/` and moved to `blobs/` when its digest is known, so that what lies under a digest is
/// always whole as long as the machine does not stop. Nothing is flushed here: on ext4 that would write out all that a
/// load has just unpacked, and whoever asked for the load would wait for the disk. `Images` does it afterwards, and
/// knows after a power failure which images it had not come to yet.
package struct ContentStore: Sendable {
    package let root: FilePath

    /// Opens or makes the store. What a crash left in `ingest/` is removed.
    package init(opening root: FilePath) throws(ContentError) {
        self.root = root
        let ingest = root.appending("ingest")
        do throws(Errno) {
            try TreeRemoval.remove(ingest)
        } catch {
            throw .system("remove", ingest, error)
        }
        for path in [root, root.appending("blobs"), blobs, ingest] {
            guard path.withPlatformString({ mkdir($0, 0o700) }) == 0 || errno == EEXIST else {
                throw .system("create directory", path, Errno(rawValue: errno))
            }
        }
        try replace("oci-layout", with: #"{"imageLayoutVersion":"1.0.0"}"#.utf8.map(\.self))
    }

    private var blobs: FilePath { root.appending("blobs").appending("sha256") }

    /// Where the blob lies, if it is there.
    package func path(of digest: Digest) -> FilePath {
        root.appending("blobs").appending(digest.algorithm.rawValue).appending(digest.encoded)
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
    package func ingest() throws(ContentError) -> Ingest { try Ingest(in: self) }

    /// Stores a document and returns its digest and whether it is new here.
    package func store(_ document: [UInt8]) throws(ContentError) -> (digest: Digest, isNew: Bool) {
        let ingest = try ingest()
        try ingest.write(document)
        return try ingest.commit()
    }

    /// Removes a blob. One that is not there is no error.
    package func remove(_ digest: Digest) throws(ContentError) {
        let path = path(of: digest)
        guard path.withPlatformString({ unlink($0) }) == 0 || errno == ENOENT else {
            throw .system("remove", path, Errno(rawValue: errno))
        }
    }

    /// The digests of all blobs.
    package func list() throws(ContentError) -> [Digest] {
        do throws(Errno) {
            return try DirectoryListing.names(of: blobs).compactMap {
                Digest("sha256:" + String(decoding: $0, as: UTF8.self))
            }
        } catch {
            throw .system("list", blobs, error)
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
        // What is there already needs no room: a daemon has to come up on a full disk, too, to help against it. A file that cannot be
        // read is one that has to be written.
        if (try? Files.read(root.appending(name), limit: document.count + 1)) == document { return }
        let ingest = try ingest()
        try ingest.write(document)
        try ingest.move(to: root.appending(name))
    }
}
