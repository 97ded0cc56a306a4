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

        /// Surroundings.
        package init(
            environment: @escaping (String) -> String?, currentContext: @escaping () -> String,
            store: @escaping () -> ContextStore
        ) {
            self.environment = environment
            self.currentContext = currentContext
            self.store = store
        }

        /// Those of this process.
        static var own: Surroundings {
            Surroundings(
                environment: { Console.environment($0) }, currentContext: { ClientConfiguration.user.currentContext },
                store: { ContextStore.user })
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
    ///   and where TLS is asked for.
    package init(_ flags: ParsedFlags, in surroundings: Surroundings) throws(CommandError) {
        context = try Self.contextName(flags, in: surroundings)
        guard context == StoredContext.standardName else {
            let stored: StoredContext
            do throws(CommandError) {
                stored = try surroundings.store().context(context)
            } catch {
                throw CommandError("Failed to initialize: unable to resolve docker endpoint: \(error.message)")
            }
            guard let host = stored.host else {
                throw CommandError(
                    "Failed to initialize: unable to resolve docker endpoint: "
                        + "context \"\(context)\" is not about a daemon")
            }
            if stored.secrets[StoredContext.endpoint]?.isEmpty == false { throw Self.noTLS("context \"\(context)\"") }
            address = host.isEmpty ? .standard : try DaemonAddress(parsing: host)
            return
        }
        address = try Self.standardAddress(flags, in: surroundings)
        guard case .tcp = address else { return }
        for flag in [GlobalFlags.tls, GlobalFlags.tlsVerify] where flags[flag] {
            throw Self.noTLS("--\(flag.definition.name)")
        }
        for name in ["DOCKER_TLS_VERIFY", "DOCKER_TLS"] {
            if !flags.isSet(GlobalFlags.tlsVerify), surroundings.environment(name)?.isEmpty == false {
                throw Self.noTLS(name)
            }
        }
    }

    /// The address of the context `default`: `-H`, the environment, or else the standard socket.
    static func standardAddress(
        _ flags: ParsedFlags, in surroundings: Surroundings
    ) throws(CommandError) -> DaemonAddress {
        let hosts = flags[GlobalFlags.host]
        guard hosts.count < 2 else { throw CommandError("Specify only one -H") }
        guard let text = hosts.first ?? surroundings.hostVariable?.value else { return .standard }
        return try DaemonAddress(parsing: text)
    }

    /// This program has no TLS: a library for it would take longer to load than all the rest.
    private static func noTLS(_ asker: String) -> CommandError {
        CommandError(
            """
            \(asker): TLS connections to a daemon are not supported by this version of masu
            Hint: reach the daemon over SSH (-H ssh://user@host), or use docker with this configuration.
            """)
    }
}
