import Tar

/// A context as the tar archive of `context export`: `meta.json` and `tls/ENDPOINT/FILE`.
package enum ContextArchive {
    /// The most that an archive may hold, as with docker.
    static let limit = 10 << 20

    /// The archive's bytes.
    package static func bytes(of context: StoredContext) throws(CommandError) -> [UInt8] {
        var archive: [UInt8] = []
        do throws(ArchiveError) {
            var writer = TarWriter { archive += $0 }
            try add("meta.json", context.serialized, mode: 0o644, to: &writer)
            try writer.add(TarEntry(kind: .directory, name: Array("tls".utf8), mode: 0o700))
            for (endpoint, files) in context.secrets.sorted(by: { $0.key < $1.key }) {
                try writer.add(TarEntry(kind: .directory, name: Array("tls/\(endpoint)".utf8), mode: 0o700))
                for file in files {
                    try add("tls/\(endpoint)/\(file.name)", file.content, mode: 0o600, to: &writer)
                }
            }
            try writer.finish()
        } catch {
            throw CommandError("\(error)")
        }
        return archive
    }

    private static func add(
        _ name: String, _ content: [UInt8], mode: UInt32, to writer: inout TarWriter
    ) throws(ArchiveError) {
        var entry = TarEntry(kind: .file, name: Array(name.utf8), mode: mode)
        entry.size = Int64(content.count)
        try writer.add(entry)
        try writer.write(content)
    }

    /// Reads an archive. Nothing in it names a place outside of the context.
    ///
    /// - Throws: ``CommandError`` for what is no archive of a context.
    package static func context(from bytes: [UInt8]) throws(CommandError) -> StoredContext {
        guard bytes.count <= limit else {
            throw CommandError("the file is larger than \(limit) bytes, the most that a context may have")
        }
        if bytes.starts(with: Array("PK".utf8)) {
            throw CommandError("zip files are not supported by this version of masu: import a tar archive")
        }
        var metadata: StoredContext?
        var secrets: [String: [(name: String, content: [UInt8])]] = [:]
        let reader = TarReader(MemorySource(bytes))
        do {
            while let entry = try reader.next() {
                if entry.kind == .directory { continue }
                var content: [UInt8] = []
                while let chunk = try reader.nextChunk() { content += chunk }
                guard let name = String(validating: entry.name, as: UTF8.self), entry.kind == .file else {
                    throw CommandError("unexpected context file: \(entry.displayName)")
                }
                if name == "meta.json" {
                    metadata = try StoredContext(parsing: content)
                    continue
                }
                let parts = name.split(separator: "/", omittingEmptySubsequences: false)
                let isPlain = parts.allSatisfy { !["", ".", ".."].contains($0) }
                guard parts.count == 3, parts[0] == "tls", isPlain else {
                    throw CommandError("unexpected context file: \(name)")
                }
                secrets[String(parts[1]), default: []].append((String(parts[2]), content))
            }
        } catch let error as CommandError {
            throw error
        } catch {
            throw CommandError("\(error)")
        }
        guard var context = metadata else { throw CommandError("invalid context: no metadata found") }
        context.secrets = secrets
        return context
    }
}
