import Archive
import ContentStore
import OCISpec
import SystemPackage

/// An archive of images, written to the store's ingest directory file by file: what a layer is good for is only known
/// when the documents have been read, which often come last. Nothing is copied a second time; a file that turns out to
/// be a blob is renamed.
final class SpooledArchive {
    private enum File {
        case document([UInt8])
        case blob(Ingest)
        case link(String)
    }

    private let content: ContentStore
    private var files: [String: File] = [:]

    /// Up to this size a file is kept in memory, as long as all of them together stay below the second figure.
    private static let documentLimit: Int64 = 1 << 20
    private static let documentsLimit = 64 << 20
    /// More files than this no archive of images has.
    private static let fileLimit = 100_000

    /// Reads the whole archive.
    init(reading source: any ByteSource, into content: ContentStore, _ cancellation: Cancellation) throws {
        self.content = content
        let archive = TarReader(try Compression.decompressing(source).source)
        var documents = 0
        while let entry = try archive.next() {
            if cancellation.isCancelled { throw ArchiveError.cancelled }
            guard files.count < Self.fileLimit else { throw ArchiveError.malformed("too many entries") }
            guard let path = Self.clean(entry.displayName) else {
                throw ArchiveError.escapes(entry: entry.displayName, "leads out of the archive")
            }
            switch entry.kind {
            case .file:
                guard entry.extents == nil else { throw ArchiveError.malformed("\"\(path)\" is a sparse file") }
                if entry.size <= Self.documentLimit, documents < Self.documentsLimit {
                    var bytes: [UInt8] = []
                    bytes.reserveCapacity(Int(entry.size))
                    while let chunk = try archive.nextChunk() { bytes.append(contentsOf: chunk) }
                    documents += bytes.count
                    files[path] = .document(bytes)
                } else {
                    let ingest = try content.ingest()
                    while let chunk = try archive.nextChunk() {
                        try ingest.write(chunk)
                        if cancellation.isCancelled { throw ArchiveError.cancelled }
                    }
                    _ = ingest.digest  // closes it
                    files[path] = .blob(ingest)
                }
            case .symbolicLink:
                // Old versions of `docker save` store a layer that two images share as a link from one to the other.
                let base = path.split(separator: "/").dropLast().joined(separator: "/")
                let target = String(decoding: entry.linkName, as: UTF8.self)
                guard let resolved = Self.clean(base + "/" + target) else {
                    throw ArchiveError.escapes(
                        entry: entry.displayName, "is a link to \"\(target)\", outside of the archive")
                }
                files[path] = .link(resolved)
            case .hardLink:
                let target = String(decoding: entry.linkName, as: UTF8.self)
                guard let resolved = Self.clean(target) else {
                    throw ArchiveError.escapes(
                        entry: entry.displayName, "is a link to \"\(target)\", outside of the archive")
                }
                files[path] = .link(resolved)
            case .directory, .fifo, .characterDevice, .blockDevice: continue
            }
        }
        try archive.drain()
    }

    /// A document, or `nil` if there is no such file.
    func file(_ path: String) throws -> [UInt8]? {
        switch find(path) {
        case .document(let bytes): return bytes
        case .blob(let ingest):
            // Documents are small; one of this size has no place in memory.
            throw ImagesError(.invalid, "\(path) in the archive is too large (\(ingest.size) bytes)")
        case .link, nil: return nil
        }
    }

    /// A file as a blob to be put in the store, or `nil` if there is no such file.
    func blob(_ path: String) throws -> Ingest? {
        switch find(path) {
        case .blob(let ingest): return ingest
        case .document(let bytes):
            let ingest = try content.ingest()
            try ingest.write(bytes)
            _ = ingest.digest  // closes it
            files[resolve(path)] = .blob(ingest)
            return ingest
        case .link, nil: return nil
        }
    }

    private func find(_ path: String) -> File? { files[resolve(path)] }

    /// The path after following links; a chain of links that does not end leads nowhere.
    private func resolve(_ path: String) -> String {
        var path = Self.clean(path) ?? ""
        for _ in 0..<16 {
            guard case .link(let target) = files[path] else { return path }
            path = target
        }
        return ""
    }

    /// A path without `.` and `..`; `nil` if it leads out.
    private static func clean(_ path: String) -> String? {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." {
                if parts.popLast() == nil { return nil }
            } else {
                parts.append(part)
            }
        }
        return parts.joined(separator: "/")
    }
}
