import Flags
import Glibc
import JSON
import LinuxKernel
import SystemPackage

/// A program that adds a command to docker's command line, and to this one: `docker-NAME`.
package struct CommandPlugin: Sendable {
    /// The command's name.
    package let name: String
    /// Where the program is.
    package let path: String
    /// What it says about itself, or why it cannot be used.
    package let description: Result<JSONObject, Invalid>

    /// Why a program is no plugin.
    package struct Invalid: Error, Equatable {
        /// In docker's words.
        package let reason: String

        /// A reason.
        package init(reason: String) { self.reason = reason }
    }

    /// Plugins that many people look for.
    static let wellKnown: Set = ["buildx", "compose", "scout", "sbom", "init", "model", "mcp", "debug", "ai"]

    /// The argument with which a plugin describes itself.
    static let metadataCommand = "docker-cli-plugin-metadata"
    /// How a plugin calls this program again.
    static let callerVariable = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND"

    /// A line for lists of commands.
    package var summary: String {
        switch description {
        case .success(let document): document["ShortDescription"]?.string ?? ""
        case .failure(let error): error.reason
        }
    }

    /// Asks a program to describe itself.
    init(_ name: String, at path: String) {
        self.name = name
        self.path = path
        description = Result { () throws(Invalid) in try Self.describe(name, path) }
    }

    private static func describe(_ name: String, _ path: String) throws(Invalid) -> JSONObject {
        guard isName(name) else {
            throw Invalid(reason: #"plugin candidate "\#(name)" did not match "^[a-z][a-z0-9]*$""#)
        }
        if MasuProgram.hasBuiltIn(name) { throw Invalid(reason: #"plugin "\#(name)" duplicates builtin command"#) }
        let answer: (status: Int32, bytes: [UInt8])
        do throws(CommandError) {
            answer = try ChildProcess.output(
                of: [path, metadataCommand], variables: [(callerVariable, ProcessArguments.program)])
        } catch {
            throw Invalid(reason: "failed to fetch metadata: \(error.message)")
        }
        guard answer.status == 0 else {
            throw Invalid(reason: "failed to fetch metadata: exit status \(answer.status)")
        }
        return try metadata(answer.bytes)
    }

    /// Checks what a plugin says about itself.
    ///
    /// - Throws: ``Invalid`` in docker's words.
    package static func metadata(_ bytes: [UInt8]) throws(Invalid) -> JSONObject {
        let document: JSONObject
        do throws(JSONError) {
            guard let object = try JSON.parse(bytes).object else {
                throw JSONError.value(path: "", reason: "must be an object")
            }
            document = object
        } catch {
            throw Invalid(reason: "invalid metadata: \(error)")
        }
        let schema = document["SchemaVersion"]?.string ?? ""
        guard schema == "0.1.0" else {
            throw Invalid(reason: #"plugin SchemaVersion "\#(schema)" is not valid, must be 0.1.0"#)
        }
        guard document["Vendor"]?.string?.isEmpty == false else {
            throw Invalid(reason: "plugin metadata does not define a vendor")
        }
        return document
    }

    /// Whether a word can be a plugin's name.
    package static func isName(_ word: String) -> Bool {
        guard let first = word.utf8.first, (0x61...0x7A).contains(first) else { return false }
        return word.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) }
    }

    // MARK: Finding them

    /// The directories of plugins, the strongest first.
    package static func directories(_ configuration: ClientConfiguration) -> [String] {
        configuration.pluginDirectories + [
            CopyPath.parent(LocalFile.absolute(configuration.path)) + "/cli-plugins",
            "/usr/local/lib/docker/cli-plugins", "/usr/local/libexec/docker/cli-plugins",
            "/usr/lib/docker/cli-plugins", "/usr/libexec/docker/cli-plugins",
        ]
    }

    /// The program of a plugin, without asking it anything.
    static func path(of name: String) -> String? {
        guard isName(name) else { return nil }
        return directories(ClientConfiguration.user).lazy.map { "\($0)/docker-\(name)" }
            .first { LocalFile.exists($0) }
    }

    /// A plugin that can be used.
    static func usable(_ name: String) -> CommandPlugin? {
        guard let path = path(of: name) else { return nil }
        let plugin = CommandPlugin(name, at: path)
        if case .failure = plugin.description { return nil }
        return plugin
    }

    /// The programs that are there, by name; the first directory that has a name wins.
    static func candidates() -> [(name: String, path: String)] {
        var found: [(name: String, path: String)] = []
        for directory in directories(ClientConfiguration.user) {
            // A directory that is not there has no plugins.
            let names = (try? DirectoryListing.names(of: FilePath(directory))) ?? []
            for file in names.map({ String(decoding: $0, as: UTF8.self) }).sorted() {
                guard let name = file.removing(prefix: "docker-"), !name.isEmpty,
                    !found.contains(where: { $0.name == name }), isFile("\(directory)/\(file)")
                else { continue }
                found.append((name, "\(directory)/\(file)"))
            }
        }
        return found.sorted { NaturalOrder.precedes($0.name, $1.name) }
    }

    /// All plugins, those that cannot be used as well.
    static func all() -> [CommandPlugin] { candidates().map { CommandPlugin($0.name, at: $0.path) } }

    private static func isFile(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }
}
