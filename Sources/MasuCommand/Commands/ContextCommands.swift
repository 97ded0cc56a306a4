import EngineAPIModel
import Flags
import Glibc
import JSON
import Text

/// `masu context`: named daemons, shared with docker.
enum ContextCommands {
    static var all: [Command] { [create, export, importContext, inspect, list, remove, show, update, use] }

    private static let description = Flag.string("description", "Description of the context")
    private static let from = Flag.string("from", "Create context from a named context")
    private static let docker = Flag<[(String, String)]?>.optional(
        "docker", type: "stringToString", "Set the endpoint: from, host, ca, cert, key, skip-tls-verify"
    ) { (text: String) throws(InvalidFlagValue) in
        var pairs: [(String, String)] = []
        for field in text.isEmpty ? [] : try CommaSeparated.fields(text) {
            guard field.utf8.contains(UInt8(ascii: "=")) else {
                throw InvalidFlagValue("\(field) must be formatted as key=value")
            }
            let (key, value, _) = KeyValueTexts.divide(field)
            pairs.append((key, value))
        }
        return pairs
    }

    private static let create = Command(
        "create", operands: "CONTEXT", arity: .exactly(1), "Create a context",
        discussion: """
            Give a daemon a name. The endpoint is a list of keys: 'host' is the daemon's address, 'ca', 'cert' and \
            'key' are files for TLS, 'skip-tls-verify' is true or false, 'from' copies the endpoint of another context.
            """,
        examples: [
            .init("Name a daemon on another machine", "masu context create lab --docker host=ssh://me@lab.example.org"),
            .init("Copy the context in use", "masu context create copy"),
        ],
        flags: { [description, docker, from] },
        action: { invocation in
            let name = invocation.operands[0]
            let flags = invocation.flags
            try StoredContext.check(name)
            if flags.isSet(from), flags.isSet(docker) {
                throw CommandError("cannot use --docker flag when --from is set")
            }
            let store = ContextStore.user
            guard !store.has(name) else { throw CommandError("context \"\(name)\" already exists") }
            var context: StoredContext
            if let pairs = flags[docker] {
                context = StoredContext(name, host: "")
                try apply(pairs, to: &context, invocation)
            } else {
                let source = try flags.given(from) ?? current(invocation)
                context = try existing(source, invocation).renamed(name)
            }
            if flags.isSet(description) { context.description = flags[description] }
            try store.save(context)
            return try report(name, "Successfully created context \"\(name)\"")
        })

    private static let update = Command(
        "update", operands: "CONTEXT", arity: .exactly(1), "Update a context",
        examples: [
            .init("Let a context lead to another machine", "masu context update lab --docker host=tcp://10.0.0.7:2375")
        ],
        flags: { [description, docker] },
        action: { invocation in
            let name = invocation.operands[0]
            try StoredContext.check(name)
            var context = try ContextStore.user.context(name)
            if invocation.flags.isSet(description) { context.description = invocation.flags[description] }
            if let pairs = invocation.flags[docker] { try apply(pairs, to: &context, invocation) }
            try ContextStore.user.save(context)
            return try report(name, "Successfully updated context \"\(name)\"")
        })

    private static let use = Command(
        "use", operands: "CONTEXT", arity: .exactly(1), "Set the current context",
        examples: [.init("Go back to the daemon of this machine", "masu context use default")],
        action: { invocation in
            let name = invocation.operands[0]
            if name != StoredContext.standardName { _ = try ContextStore.user.context(name) }
            var configuration = try ClientConfiguration(path: ClientConfiguration.standardPath)
            if configuration.currentContext != (name == StoredContext.standardName ? "" : name) {
                configuration.currentContext = name == StoredContext.standardName ? "" : name
                try configuration.write()
            }
            _ = try report(name, "Current context is now \"\(name)\"")
            if name != StoredContext.standardName, let variable = DaemonSelection.Surroundings.own.hostVariable {
                Console.complain(
                    "Warning: \(variable.name) environment variable overrides the active context. To use \"\(name)\", "
                        + "either set the global --context flag, or unset \(variable.name) environment variable.")
            }
            return 0
        })

    private static let show = Command(
        "show", "Print the name of the current context",
        action: { invocation in
            try Console.print(try current(invocation))
            return 0
        })

    private static let force = Flag.boolean("force", short: "f", "Force the removal of a context in use")

    private static let remove = Command(
        "rm", aliases: ["remove"], operands: "CONTEXT [CONTEXT...]", arity: .atLeast(1), "Remove one or more contexts",
        spellings: ["masu context rm", "masu context remove"], flags: { [force] },
        action: { invocation in
            let inUse = try current(invocation)
            var status: Int32 = 0
            var lines = ResultLines()
            for name in invocation.operands {
                do throws(CommandError) {
                    guard name != StoredContext.standardName else {
                        throw CommandError("context \"default\" cannot be removed")
                    }
                    guard ContextStore.user.has(name) || invocation.flags[force] else {
                        throw CommandError("context \"\(name)\" does not exist")
                    }
                    if name == inUse {
                        guard invocation.flags[force] else {
                            throw CommandError("context \"\(name)\" is in use, set -f flag to force remove")
                        }
                        var configuration = try ClientConfiguration(path: ClientConfiguration.standardPath)
                        if configuration.currentContext == name {
                            configuration.currentContext = ""
                            try configuration.write()
                        }
                    }
                    if ContextStore.user.has(name) { try ContextStore.user.remove(name) }
                    lines.print(name)
                } catch {
                    Console.complain(error.message)
                    status = 1
                }
            }
            try lines.finish()
            return status
        })

    private static let quiet = Flag.boolean("quiet", short: "q", "Only show context names")

    private static let list = Command(
        "ls", aliases: ["list"], "List contexts", spellings: ["masu context ls", "masu context list"],
        flags: { [FormatFlags.list, quiet] },
        action: { invocation in
            let inUse = try current(invocation)
            var rows = try ContextStore.user.all().map { context in
                (context.name, context.description, context.host ?? "", "")
            }
            let standard = try existing(StoredContext.standardName, invocation)
            rows.append((standard.name, StoredContext.standardDescription, standard.host ?? "", ""))
            if !rows.contains(where: { $0.0 == inUse }) {
                do throws(CommandError) {
                    _ = try ContextStore.user.context(inUse)
                } catch {
                    rows.append((inUse, "", "", error.message))
                }
            }
            rows.sort { NaturalOrder.precedes($0.0, $1.0) }
            if invocation.flags[quiet] {
                try Console.write(rows.map { $0.0 + "\n" }.joined())
                return 0
            }
            let format = invocation.flags[FormatFlags.list]
            try Console.write(ContextRows.rendered(rows, current: inUse, format: format))
            if let variable = DaemonSelection.Surroundings.own.hostVariable {
                Console.complain(
                    "Warning: \(variable.name) environment variable overrides the active context. To use a context, "
                        + "either set the global --context flag, or unset \(variable.name) environment variable.")
            }
            return 0
        })

    private static let inspect = Command(
        "inspect", operands: "[CONTEXT] [CONTEXT...]", arity: .any,
        "Display detailed information on one or more contexts",
        examples: [
            .init("Print the address of the daemon in use", "masu context inspect -f '{{.Endpoints.docker.Host}}'")
        ],
        flags: { [FormatFlags.object] },
        action: { invocation in
            let names = invocation.operands.isEmpty ? [try current(invocation)] : invocation.operands
            return try InspectCommands.show(names, format: invocation.flags[FormatFlags.object]) { name in
                try inspection(of: name, invocation)
            }
        })

    private static func inspection(of name: String, _ invocation: Invocation) throws(CommandError) -> JSONValue {
        let context = try existing(name, invocation)
        let isStandard = name == StoredContext.standardName
        let store = ContextStore.user
        var storage = JSONObject()
        storage["MetadataPath"] = .string(isStandard ? "<IN MEMORY>" : store.metadataPath(name))
        storage["TLSPath"] = .string(isStandard ? "<IN MEMORY>" : store.secretsPath(name))
        var result = JSONObject()
        result["Name"] = .string(name)
        result["Metadata"] = isStandard ? [:] : context.metadata
        result["Endpoints"] = context.endpoints
        result["TLSMaterial"] = .object(isStandard ? secretNames(context) : try store.secretNames(name))
        result["Storage"] = .object(storage)
        return .object(result)
    }

    private static func secretNames(_ context: StoredContext) -> JSONObject {
        var result = JSONObject()
        for (endpoint, files) in context.secrets { result[endpoint] = .array(files.map { .string($0.name) }) }
        return result
    }

    private static let export = Command(
        "export", operands: "CONTEXT [FILE|-]", arity: .between(1, 2),
        "Export a context to a tar archive FILE or a tar stream on STDOUT",
        examples: [.init("Give a context to another machine", "masu context export lab - | ssh me@other tee lab.tar")],
        action: { invocation in
            let name = invocation.operands[0]
            let file = invocation.operands.count > 1 ? invocation.operands[1] : "\(name).dockercontext"
            guard name != StoredContext.standardName else {
                throw CommandError(#""default" is a reserved context name"#)
            }
            let bytes = try ContextArchive.bytes(of: try ContextStore.user.context(name))
            if file == "-" {
                guard !Terminal.isTerminal(STDOUT_FILENO) else {
                    throw CommandError("cowardly refusing to export to a terminal, specify a file path")
                }
                try bytes.withUnsafeBytes { try Console.pass($0, to: STDOUT_FILENO) }
                return 0
            }
            // It may hold a private key.
            let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw CommandError("open \(file): \(Console.words(errno))") }
            defer { close(descriptor) }
            guard bytes.withUnsafeBytes({ Console.writeAll($0, to: descriptor) }) else {
                let code = errno
                unlink(file)
                throw CommandError("write \(file): \(Console.words(code))")
            }
            Console.complain("Written file \"\(file)\"")
            return 0
        })

    private static let importContext = Command(
        "import", operands: "CONTEXT FILE|-", arity: .exactly(2), "Import a context from a tar archive",
        examples: [.init("Take over a context", "masu context import lab lab.dockercontext")],
        action: { invocation in
            let (name, file) = (invocation.operands[0], invocation.operands[1])
            try StoredContext.check(name)
            guard !ContextStore.user.has(name) else { throw CommandError("context \"\(name)\" already exists") }
            let bytes = try LocalFile.read(file == "-" ? "/dev/stdin" : file)
            try ContextStore.user.save(try ContextArchive.context(from: bytes).renamed(name))
            return try report(name, "Successfully imported context \"\(name)\"")
        })

    // MARK: Parts

    private static func current(_ invocation: Invocation) throws(CommandError) -> String {
        try DaemonSelection.contextName(invocation.flags, in: .own)
    }

    /// A stored context, or `default`, which is made of the flags and the environment.
    private static func existing(_ name: String, _ invocation: Invocation) throws(CommandError) -> StoredContext {
        guard name == StoredContext.standardName else { return try ContextStore.user.context(name) }
        let address = try DaemonSelection.standardAddress(invocation.flags, in: .own)
        var context = StoredContext(name, description: StoredContext.standardDescription, host: address.description)
        if case .tcp(_, _, let tls?) = address {
            context.setEndpoint(host: address.description, skipsTLSVerify: !tls.verifies)
            for file in tls.files {
                context.secrets[StoredContext.endpoint, default: []].append((file.name, try LocalFile.read(file.path)))
            }
        }
        return context
    }

    private static func report(_ name: String, _ sentence: String) throws -> Int32 {
        try Console.print(name)
        Console.complain(sentence)
        return 0
    }

    /// Applies the pairs of `--docker`.
    private static func apply(
        _ pairs: [(String, String)], to context: inout StoredContext, _ invocation: Invocation
    ) throws(CommandError) {
        do throws(CommandError) {
            let values = Dictionary(pairs) { $1 }
            let known: Set = ["from", "host", "ca", "cert", "key", "skip-tls-verify"]
            for key in values.keys.sorted() where !known.contains(key) {
                throw CommandError("unrecognized config key: \(key)")
            }
            if let source = values["from"] {
                let other = try existing(source, invocation)
                guard let host = other.host else {
                    throw CommandError("unable to get endpoint from context \"\(source)\"")
                }
                context.setEndpoint(host: host, skipsTLSVerify: other.skipsTLSVerify)
                context.secrets[StoredContext.endpoint] = other.secrets[StoredContext.endpoint]
                return
            }
            var skips = false
            if let text = values["skip-tls-verify"] {
                guard let value = GoBoolean.parse(text) else {
                    throw CommandError("skip-tls-verify: parsing \"\(text)\": invalid syntax")
                }
                skips = value
            }
            let host = values["host"] ?? ""
            if !host.isEmpty {
                do throws(CommandError) {
                    _ = try DaemonAddress(parsing: host)
                } catch {
                    throw CommandError("unable to apply docker endpoint options: \(error.message)")
                }
            }
            var files: [(name: String, content: [UInt8])] = []
            for key in ["ca", "cert", "key"] {
                guard let path = values[key], !path.isEmpty else { continue }
                let content = try LocalFile.read(path)
                guard String(decoding: content, as: UTF8.self).holds("-----BEGIN ") else {
                    throw CommandError(
                        "invalid docker endpoint options: failed to retrieve context tls info: "
                            + "\(key).pem seems invalid")
                }
                files.append(("\(key).pem", content))
            }
            context.setEndpoint(host: host, skipsTLSVerify: skips)
            context.secrets[StoredContext.endpoint] = files
        } catch {
            throw CommandError("unable to create docker endpoint config: \(error.message)")
        }
    }
}

/// Contexts as rows of `context ls`.
package enum ContextRows {
    /// The text for standard output.
    ///
    /// - Parameter current: the name of the context in use.
    package static func rendered(
        _ contexts: [(name: String, description: String, host: String, error: String)], current: String, format: String
    ) throws(CommandError) -> String {
        let rows = contexts.map { context in
            var values = JSONObject()
            values["Current"] = .bool(context.name == current)
            values["Description"] = .string(HumanText.ellipsis(context.description, 60))
            values["DockerEndpoint"] = .string(context.host)
            values["Error"] = .string(HumanText.ellipsis(context.error, 45))
            values["Name"] = .string(context.name)
            return Listing.Row(values)
        }
        let listing = Listing(
            columns: [
                .init("Name", "NAME"), .init("Description", "DESCRIPTION"), .init("DockerEndpoint", "DOCKER ENDPOINT"),
                .init("Error", "ERROR"), .init("Current", ""),
            ],
            defaultTable:
                "{{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}")
        return try listing.rendered(rows, format: format)
    }
}
