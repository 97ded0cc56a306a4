import Glibc
import JSON
import LinuxKernel
import SystemPackage

/// The contexts that docker's clients share, below `contexts` beside `config.json`: `meta/ID/meta.json`, and the files
/// for TLS in `tls/ID/ENDPOINT`. ID is the SHA-256 of the name.
package struct ContextStore: Sendable {
    private let root: String

    /// A store in the directory `contexts` of a directory of docker's clients.
    package init(beside configuration: String) {
        root = CopyPath.parent(LocalFile.absolute(configuration)) + "/contexts"
    }

    /// The store of the user of this program.
    static var user: ContextStore { ContextStore(beside: ClientConfiguration.standardPath) }

    /// Where `meta.json` of a context is.
    package func metadataPath(_ name: String) -> String {
        "\(root)/meta/\(SHA256.hexadecimal(Array(name.utf8)))"
    }

    /// Where its files for TLS are.
    package func secretsPath(_ name: String) -> String {
        "\(root)/tls/\(SHA256.hexadecimal(Array(name.utf8)))"
    }

    /// Whether there is a context of this name.
    package func has(_ name: String) -> Bool { LocalFile.exists(metadataPath(name) + "/meta.json") }

    /// A context.
    ///
    /// - Throws: ``CommandError``, in docker's words if it does not exist.
    package func context(_ name: String) throws(CommandError) -> StoredContext {
        let path = metadataPath(name) + "/meta.json"
        guard LocalFile.exists(path) else {
            throw CommandError("context \"\(name)\": context not found: open \(path): \(Console.words(ENOENT))")
        }
        do throws(CommandError) {
            var context = try StoredContext(parsing: try LocalFile.read(path))
            context.secrets = try secrets(name)
            return context
        } catch {
            throw CommandError("context \"\(name)\": parsing \(path): \(error.message)")
        }
    }

    /// All contexts, in the order of their names.
    package func all() throws(CommandError) -> [StoredContext] {
        var contexts: [StoredContext] = []
        for folder in try names(root + "/meta") {
            let path = "\(root)/meta/\(folder)/meta.json"
            guard LocalFile.exists(path) else { continue }
            do throws(CommandError) {
                contexts.append(try StoredContext(parsing: try LocalFile.read(path)))
            } catch {
                throw CommandError("parsing \(path): \(error.message)")
            }
        }
        return contexts.sorted { NaturalOrder.precedes($0.name, $1.name) }
    }

    /// The names of the files for TLS, by endpoint.
    package func secretNames(_ name: String) throws(CommandError) -> JSONObject {
        var result = JSONObject()
        for endpoint in try names(secretsPath(name)) {
            result[endpoint] = .array(try names("\(secretsPath(name))/\(endpoint)").map { .string($0) })
        }
        return result
    }

    private func secrets(_ name: String) throws(CommandError) -> [String: [(name: String, content: [UInt8])]] {
        var result: [String: [(name: String, content: [UInt8])]] = [:]
        for endpoint in try names(secretsPath(name)) {
            for file in try names("\(secretsPath(name))/\(endpoint)") {
                let content = try LocalFile.read("\(secretsPath(name))/\(endpoint)/\(file)")
                result[endpoint, default: []].append((file, content))
            }
        }
        return result
    }

    /// Writes a context; one of the same name is replaced.
    package func save(_ context: StoredContext) throws(CommandError) {
        // Keys that stay as they are are not touched: a full disk must not cost them.
        if has(context.name), try Self.areSame(secrets(context.name), context.secrets) {
            return try writeMetadata(context)
        }
        try replaceSecrets(of: context)
        // Last, because a context exists from now on.
        try writeMetadata(context)
    }

    /// Writes all files for TLS beside the old ones, and then puts them in their place.
    private func replaceSecrets(of context: StoredContext) throws(CommandError) {
        let place = secretsPath(context.name)
        let (new, old) = ("\(place).new-\(getpid())", "\(place).old-\(getpid())")
        // A process of this number may have been killed here.
        try removeTree(new)
        if LocalFile.exists(place) { try removeTree(old) } else if LocalFile.exists(old) { try move(old, to: place) }
        do throws(CommandError) {
            for (endpoint, files) in context.secrets where !files.isEmpty {
                try makeDirectories("\(new)/\(endpoint)", mode: 0o700)
                for file in files { try LocalFile.replace("\(new)/\(endpoint)/\(file.name)", with: file.content) }
            }
            let hadSome = LocalFile.exists(place)
            if hadSome { try move(place, to: old) }
            if LocalFile.exists(new) {
                do throws(CommandError) {
                    try move(new, to: place)
                } catch {
                    if hadSome { rename(old, place) }
                    throw error
                }
            }
        } catch {
            // The old ones are where they were; that is what matters.
            try? removeTree(new)
            throw error
        }
        try removeTree(old)
    }

    private func move(_ path: String, to other: String) throws(CommandError) {
        guard rename(path, other) == 0 else {
            throw CommandError("rename \(path) \(other): \(Console.words(errno))")
        }
    }

    private static func areSame(
        _ left: [String: [(name: String, content: [UInt8])]], _ right: [String: [(name: String, content: [UInt8])]]
    ) -> Bool {
        func contents(_ secrets: [String: [(name: String, content: [UInt8])]]) -> [String: [String: [UInt8]]] {
            secrets.filter { !$0.value.isEmpty }.mapValues { files in
                Dictionary(files.map { ($0.name, $0.content) }) { $1 }
            }
        }
        return contents(left) == contents(right)
    }

    private func writeMetadata(_ context: StoredContext) throws(CommandError) {
        let folder = metadataPath(context.name)
        try makeDirectories(folder, mode: 0o755)
        try LocalFile.replace(folder + "/meta.json", with: context.serialized, mode: 0o644)
    }

    /// Removes a context.
    ///
    /// - Throws: ``CommandError`` if there is none of this name.
    package func remove(_ name: String) throws(CommandError) {
        guard has(name) else { throw CommandError("context \"\(name)\" does not exist") }
        try removeTree(metadataPath(name))
        let place = secretsPath(name)
        try removeTree(place)
        // What is left of processes that were killed has keys as well.
        let identifier = CopyPath.name(place)
        for file in try names(root + "/tls") where file.hasPrefix(identifier + ".") {
            try removeTree("\(root)/tls/\(file)")
        }
    }

    private func removeTree(_ path: String) throws(CommandError) {
        do throws(Errno) {
            try TreeRemoval.remove(FilePath(path))
        } catch {
            throw CommandError("remove \(path): \(Console.words(error.rawValue))")
        }
    }

    private func makeDirectories(_ path: String, mode: mode_t) throws(CommandError) {
        var current = ""
        for part in path.split(separator: "/") {
            current += "/\(part)"
            guard mkdir(current, mode) == 0 || errno == EEXIST else {
                throw CommandError("mkdir \(current): \(Console.words(errno))")
            }
        }
    }

    /// Nothing for a directory that does not exist.
    private func names(_ path: String) throws(CommandError) -> [String] {
        do throws(Errno) {
            return try DirectoryListing.names(of: FilePath(path)).map { String(decoding: $0, as: UTF8.self) }.sorted()
        } catch {
            if error == .noSuchFileOrDirectory || error == .notDirectory { return [] }
            throw CommandError("open \(path): \(Console.words(error.rawValue))")
        }
    }
}
