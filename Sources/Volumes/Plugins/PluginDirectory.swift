import JSON
import LinuxKernel
import Logging
import Synchronization
import SystemPackage

/// The plugins of this machine: sockets and files in Docker's places, named after the plugins.
final class PluginDirectory: Sendable {
    private let configuration: VolumesConfiguration
    private let logger: Logger
    /// Those that have answered, with the address at which they did.
    private let active = Mutex<[String: (address: PluginAddress, driver: PluginDriver)]>([:])

    init(_ configuration: VolumesConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// The names of the plugins that have answered.
    var activeNames: [String] { active.withLock { Array($0.keys) } }

    /// A plugin that has answered.
    func active(_ name: String) -> PluginDriver? { active.withLock { $0[name]?.driver } }

    /// Whether there is anything in the places of plugins, which on most machines there is not.
    var mayHavePlugins: Bool {
        ([configuration.pluginSockets] + configuration.pluginFiles).contains(where: Files.exists)
    }

    /// A plugin by its name. One that was found once is asked for its abilities again only if it has moved.
    ///
    /// - Throws: `.notFound` if there is none, in Docker's words.
    func driver(_ name: String) throws(VolumesError) -> PluginDriver {
        do throws(VolumesError) {
            // A name with a slash would lead out of the directories.
            guard !name.contains("/"), let address = try address(of: name) else {
                active.withLock { $0[name] = nil }
                throw VolumesError(.notFound, "plugin \"\(name)\" not found")
            }
            if let known = active.withLock({ $0[name] }), known.address == address { return known.driver }
            let driver = try PluginDriver(name, at: address, configuration, logger: logger)
            active.withLock { $0[name] = (address, driver) }
            return driver
        } catch {
            throw VolumesError(error.kind, "error looking up volume plugin \(name): \(error.message)")
        }
    }

    /// All plugins for volumes, in the order of their names. Who does not answer at once is left out, and told of in
    /// the log.
    func all() -> (drivers: [PluginDriver], warnings: [String]) {
        var impatient = configuration
        impatient.pluginPatience = .zero
        var drivers: [PluginDriver] = []
        for name in names() {
            do throws(VolumesError) {
                guard let address = try address(of: name) else { continue }
                if let known = active.withLock({ $0[name] }), known.address == address {
                    drivers.append(known.driver)
                    continue
                }
                // Not kept: a container that starts has more patience with it.
                drivers.append(try PluginDriver(name, at: address, impatient, logger: logger))
            } catch {
                // Docker's plugins may do something else, or not run at the moment.
                logger.debug("a plugin is left out", metadata: ["plugin": "\(name)", "error": "\(error)"])
            }
        }
        return (drivers, [])
    }

    private func names() -> [String] {
        var names: Set<String> = []
        for name in entries(configuration.pluginSockets) {
            names.insert(name.hasSuffix(".sock") ? String(name.dropLast(5)) : name)
        }
        for directory in configuration.pluginFiles {
            for name in entries(directory) {
                let isFile = name.hasSuffix(".spec") || name.hasSuffix(".json")
                names.insert(isFile ? String(name.dropLast(5)) : name)
            }
        }
        return names.sorted()
    }

    private func entries(_ directory: FilePath) -> [String] {
        // A directory that is not there has no plugins.
        (try? Files.names(in: directory)) ?? []
    }

    // MARK: Addresses

    /// Where a plugin listens: a socket, or what a file says; each in the directory or in one of the plugin's own.
    private func address(of name: String) throws(VolumesError) -> PluginAddress? {
        for path in Self.places(name, ".sock", in: configuration.pluginSockets) where Self.kind(of: path) == .socket {
            return .unix(path)
        }
        for directory in configuration.pluginFiles {
            for path in Self.places(name, ".spec", in: directory) where Self.kind(of: path) == .regular {
                return try PluginAddress(text(path))
            }
            for path in Self.places(name, ".json", in: directory) where Self.kind(of: path) == .regular {
                return try Self.address(inDocument: text(path), path)
            }
        }
        return nil
    }

    private static func places(_ name: String, _ ending: String, in directory: FilePath) -> [FilePath] {
        [directory.appending(name + ending), directory.appending(name).appending(name + ending)]
    }

    private static func kind(of path: FilePath) -> FileStatus.Kind? {
        // Nothing there is nothing of a kind.
        try? FileStatus.of(path).kind
    }

    private func text(_ path: FilePath) throws(VolumesError) -> String {
        do throws(Errno) {
            let text = try Files.readText(path, limit: 1 << 16)
            return String(text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
        } catch {
            throw .system("cannot read \(path): \(error)")
        }
    }

    private struct Document: Decodable {
        struct Security: Decodable {
            var CAFile: String?
            var CertFile: String?
            var KeyFile: String?
        }

        var Addr: String
        var TLSConfig: Security?
    }

    private static func address(inDocument text: String, _ path: FilePath) throws(VolumesError) -> PluginAddress {
        let document: Document
        do { document = try JSON.decode(Document.self, from: try JSON.parse(text), ignoringCase: true) } catch {
            throw .system("cannot read \(path): \(error)")
        }
        if let security = document.TLSConfig,
            [security.CAFile, security.CertFile, security.KeyFile].contains(where: { !($0 ?? "").isEmpty })
        {
            throw VolumesError(.notImplemented, "this version does not speak TLS with plugins: \(path) asks for it")
        }
        return try PluginAddress(document.Addr)
    }
}
