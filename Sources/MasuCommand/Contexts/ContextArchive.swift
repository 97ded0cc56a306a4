import Tar

/// A context as the tar archive of `context export`: `meta.json` and `tls/ENDPOINT/FILE`. A zip archive of the same
/// files can be imported, too.
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
        var parts = Parts()
        // What docker itself imports beside its own archives.
        if bytes.starts(with: Array("PK".utf8)) {
            for entry in try ZipArchive(bytes, limit: limit).entries where !entry.name.hasSuffix("/") {
                guard entry.isPlain else { throw unexpected(entry.name) }
                try parts.add(entry.name, entry.content)
            }
            return try parts.context()
        }
        let reader = TarReader(MemorySource(bytes))
        do {
            while let entry = try reader.next() {
                if entry.kind == .directory { continue }
                var content: [UInt8] = []
                while let chunk = try reader.nextChunk() { content += chunk }
                guard let name = String(validating: entry.name, as: UTF8.self), entry.kind == .file else {
                    throw unexpected(entry.displayName)
                }
                try parts.add(name, content)
            }
        } catch let error as CommandError {
            throw error
        } catch {
            throw CommandError("\(error)")
        }
        return try parts.context()
    }

    private static func unexpected(_ name: String) -> CommandError { CommandError("unexpected context file: \(name)") }

    /// What has been read of a context.
    private struct Parts {
        private var metadata: StoredContext?
        private var secrets: [String: [(name: String, content: [UInt8])]] = [:]

        mutating func add(_ name: String, _ content: [UInt8]) throws(CommandError) {
            if name == "meta.json" {
                metadata = try StoredContext(parsing: content)
                return
            }
            let words = name.split(separator: "/", omittingEmptySubsequences: false)
            let isPlain = words.allSatisfy { !["", ".", ".."].contains($0) }
            guard words.count == 3, words[0] == "tls", isPlain else { throw unexpected(name) }
            secrets[String(words[1]), default: []].append((String(words[2]), content))
        }

        func context() throws(CommandError) -> StoredContext {
            guard var context = metadata else { throw CommandError("invalid context: no metadata found") }
            context.secrets = secrets
            return context
        }
    }
}
