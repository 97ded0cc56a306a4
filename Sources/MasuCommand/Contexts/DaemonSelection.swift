import Flags

/// Which daemon a command is about: a context's, or the one that `-H` or the environment names.
package struct DaemonSelection: Equatable {
    /// The context; ``StoredContext/standardName`` where the address comes from elsewhere.
    package let context: String
    /// Where the daemon listens.
    package let address: DaemonAddress

    /// The variables that name a daemon, the strongest first.
    static let hostVariables = ["MASU_HOST", "DOCKER_HOST"]

    /// What is looked at beside the flags.
    package struct Surroundings {
        let environment: (String) -> String?
        /// `currentContext` of `config.json`; asked for where nothing else says which daemon is meant.
        let currentContext: () -> String
        let store: () -> ContextStore
        /// Where the files of docker's clients are.
        let directory: () -> String

        /// Surroundings.
        package init(
            environment: @escaping (String) -> String?, currentContext: @escaping () -> String,
            store: @escaping () -> ContextStore, directory: @escaping () -> String
        ) {
            self.environment = environment
            self.currentContext = currentContext
            self.store = store
            self.directory = directory
        }

        /// Those of this process.
        static var own: Surroundings {
            Surroundings(
                environment: { Console.environment($0) }, currentContext: { ClientConfiguration.user.currentContext },
                store: { ContextStore.user },
                directory: { CopyPath.parent(LocalFile.absolute(ClientConfiguration.standardPath)) })
        }

        /// The first variable of those that name a daemon and its value.
        var hostVariable: (name: String, value: String)? {
            for name in DaemonSelection.hostVariables {
                if let value = environment(name), !value.isEmpty { return (name, value) }
            }
            return nil
        }
    }

    /// The name of the context that flags, environment and `config.json` choose, in docker's order. It need not exist.
    package static func contextName(
        _ flags: ParsedFlags, in surroundings: Surroundings
    ) throws(CommandError) -> String {
        if let name = flags.given(GlobalFlags.context), !name.isEmpty {
            guard !flags.isSet(GlobalFlags.host) else {
                throw CommandError("conflicting options: cannot specify both --host and --context")
            }
            return name
        }
        if flags.isSet(GlobalFlags.host) || surroundings.hostVariable != nil { return StoredContext.standardName }
        if let name = surroundings.environment("DOCKER_CONTEXT"), !name.isEmpty { return name }
        let name = surroundings.currentContext()
        return name.isEmpty ? StoredContext.standardName : name
    }

    /// The daemon that flags, environment and `config.json` choose.
    ///
    /// - Throws: ``CommandError``, in docker's words, for a context that does not exist, for an address that is none,
    ///   and for files for TLS that cannot be read.
    package init(_ flags: ParsedFlags, in surroundings: Surroundings) throws(CommandError) {
        context = try Self.contextName(flags, in: surroundings)
        guard context == StoredContext.standardName else {
            let stored: StoredContext
            let store = surroundings.store()
            do throws(CommandError) {
                stored = try store.context(context)
            } catch {
                throw CommandError("Failed to initialize: unable to resolve docker endpoint: \(error.message)")
            }
            guard let host = stored.host else {
                throw CommandError(
                    "Failed to initialize: unable to resolve docker endpoint: "
                        + "context \"\(context)\" is not about a daemon")
            }
            let plain = host.isEmpty ? .standard : try DaemonAddress(parsing: host)
            address = plain.secured(by: TLSMaterial(stored, in: store))
            return
        }
        address = try Self.standardAddress(flags, in: surroundings)
    }

    /// Where a daemon with TLS is if nothing else is said, as with docker.
    private static let standardHostWithTLS = "tcp://localhost:2376"

    /// The address of the context `default`: `-H`, the environment, or else the standard socket.
    static func standardAddress(
        _ flags: ParsedFlags, in surroundings: Surroundings
    ) throws(CommandError) -> DaemonAddress {
        let hosts = flags[GlobalFlags.host]
        guard hosts.count < 2 else { throw CommandError("Specify only one -H") }
        if let text = hosts.first ?? surroundings.hostVariable?.value {
            let address = try DaemonAddress(parsing: text)
            guard case .tcp = address else { return address }
            return address.secured(by: try TLSMaterial(flags, in: surroundings))
        }
        guard let tls = try TLSMaterial(flags, in: surroundings) else { return .standard }
        return try DaemonAddress(parsing: standardHostWithTLS).secured(by: tls)
    }
}
