import JSON
import LinuxKernel
import SystemPackage

/// A directory of networks' configurations, normally `/etc/cni/net.d`. It is read anew each time: administrators and
/// other programs change it whenever they like.
package struct ConfigurationDirectory: Hashable, Sendable {
    /// Where it is.
    package let path: FilePath

    /// The directory with this path, which may not be there yet.
    package init(_ path: FilePath) { self.path = path }

    /// A network, or what is wrong with its file.
    package struct Entry: Sendable {
        /// The file's name in the directory.
        package let fileName: String
        /// When the file was changed: seconds since 1970.
        package let modified: Int64
        /// What is in it.
        package let list: Result<NetworkConfigurationList, CNIError>
    }

    /// The longest file that is read.
    static let sizeLimit = 1 << 20
    private static let lists = "conflist"
    private static let singles = ["conf", "json"]

    /// All files that define networks, in the order of their names; none where there is no directory. The first one
    /// without an error is the network of Kubernetes. Blocks.
    ///
    /// - Throws: `CNIError` if the directory cannot be read.
    package func entries() throws(CNIError) -> [Entry] {
        try names(in: path, extensions: [Self.lists] + Self.singles).map { name in
            let file = path.appending(name)
            // What cannot be read is told below.
            let modified = (try? FileStatus.of(file).modified.seconds) ?? 0
            do throws(CNIError) {
                return Entry(fileName: name, modified: modified, list: .success(try list(name)))
            } catch {
                return Entry(fileName: name, modified: modified, list: .failure(error))
            }
        }
    }

    /// The network with this name. As with libcni lists come before configurations of one plugin, and of several files
    /// the one whose name is first counts. Blocks.
    ///
    /// - Throws: `CNIError`: `notFound` with the names that there are, and the files that cannot be used.
    package func list(named name: String) throws(CNIError) -> NetworkConfigurationList {
        let entries = try entries()
        let ranked =
            entries.filter { $0.fileName.hasSuffix("." + Self.lists) }
            + entries.filter { !$0.fileName.hasSuffix("." + Self.lists) }
        let found = ranked.compactMap { try? $0.list.get() }  // Those with errors are named below.
        if let list = found.first(where: { $0.name == name }) { return list }
        let names = Set(found.map(\.name)).sorted()
        var message = "no file of \(path) defines a CNI network \"\(name)\""
        message += names.isEmpty ? ", nor any other" : "; there are: \(names.joined(separator: ", "))"
        for case (let file, .failure(let error)) in entries.map({ ($0.fileName, $0.list) }) {
            message += "; \(file) cannot be used: \(error.message)"
        }
        throw CNIError(.notFound, message)
    }

    private func list(_ fileName: String) throws(CNIError) -> NetworkConfigurationList {
        let document = try document(path.appending(fileName))
        guard fileName.hasSuffix("." + Self.lists) else { return try NetworkConfigurationList(single: document) }
        var list = try NetworkConfigurationList(list: document)
        if !list.hasOnlyInlinedPlugins { list.plugins += try plugins(of: list.name) }
        if list.plugins.isEmpty { throw CNIError(.invalid, "it has no plugins") }
        return list
    }

    /// Plugins of a network in files of their own: `<network>/*.conf` beside the list.
    private func plugins(of network: String) throws(CNIError) -> [PluginConfiguration] {
        let directory = path.appending(network)
        var plugins: [PluginConfiguration] = []
        for name in try names(in: directory, extensions: ["conf"]) {
            do throws(CNIError) {
                plugins.append(try PluginConfiguration(try document(directory.appending(name))))
            } catch {
                throw CNIError(error.kind, "\(network)/\(name): \(error.message)")
            }
        }
        return plugins
    }

    private func names(in directory: FilePath, extensions: [String]) throws(CNIError) -> [String] {
        do throws(Errno) {
            return try Files.names(in: directory).filter { name in
                guard let dot = name.lastIndex(of: ".") else { return false }
                return extensions.contains(String(name[name.index(after: dot)...]))
            }.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
        } catch .noSuchFileOrDirectory {
            return []
        } catch {
            throw CNIError(.system, "cannot read \(directory): \(error.words)")
        }
    }

    private func document(_ file: FilePath) throws(CNIError) -> JSONValue {
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try Files.read(file, limit: Self.sizeLimit)
        } catch {
            throw CNIError(.system, "cannot read it: \(error.words)")
        }
        do throws(JSONError) { return try JSON.parse(bytes) } catch { throw CNIError(.invalid, "\(error)") }
    }
}
