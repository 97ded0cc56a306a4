import Addresses
import BuildInformation
import CDI
import Distribution
import Engine
import EngineAPI
import Flags
import Glibc
import HTTPServing
import JSON
import Snapshots
import SystemPackage

/// All that the daemon was told, from flags and file together.
struct DaemonConfiguration: Sendable {
    let flags: ParsedFlags
    /// Where to listen.
    let addresses: [ListeningAddress]
    /// The arguments of runtimes, which only the file can give.
    private let runtimeArguments: [String: [String]]

    /// Parses the arguments after the program's name and the configuration file they name.
    ///
    /// - Throws: `UsageError`, `ConfigurationError`.
    init(arguments: [String]) throws {
        let given = try DaemonFlags.command.parse(arguments)
        let path = FilePath(given.flags[DaemonFlags.configFile])
        let file: ConfigurationFile?
        do {
            file = try ConfigurationFile.read(path)
        } catch {
            throw ConfigurationError("unable to configure masud with file \(path): \(error)")
        }
        if file == nil, given.flags.isSet(DaemonFlags.configFile) {
            throw ConfigurationError(
                "unable to configure masud with file \(path): open \(path): no such file or directory")
        }
        let conflicts = try Self.conflicts(between: given.flags, and: file, path: path)
        guard conflicts.isEmpty else {
            throw ConfigurationError(
                "unable to configure masud with file \(path): the following directives are specified both as a flag "
                    + "and in the configuration file: \(conflicts.joined(separator: ", "))")
        }
        do {
            flags = try DaemonFlags.command.parse((file?.arguments ?? []) + arguments).flags
        } catch {
            throw ConfigurationError("unable to configure masud with file \(path): \(error.message)")
        }
        addresses = try Self.addresses(flags)
        runtimeArguments = file?.runtimeArguments ?? [:]
        try validate()
    }

    private static func conflicts(
        between given: ParsedFlags, and file: ConfigurationFile?, path: FilePath
    ) throws -> [String] {
        guard let file else { return [] }
        return DaemonFlags.all.compactMap { flag in
            let name = flag.definition.name
            guard let inFile = file.settings[name], given.isSet(flag) else { return nil }
            return "\(name): (from flag: \(ProxySettings.masked(flag.text(in: given))), from file: \(inFile))"
        }
    }

    private static func addresses(_ flags: ParsedFlags) throws -> [ListeningAddress] {
        let standard = "unix://\(flags[DaemonFlags.execRoot])/masu.sock"
        let access = ServerTLS.Access(flags)
        var hosts = flags[DaemonFlags.hosts]
        if hosts.isEmpty { hosts = [access == .plain ? standard : ServerTLS.standardHost] }
        return try hosts.map { try ListeningAddress($0, standardSocket: standard, access: access) }
    }

    private func validate() throws {
        for option in flags[DaemonFlags.execOptions] {
            let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0] == "native.cgroupdriver" else {
                throw ConfigurationError("invalid exec option \"\(option)\": only native.cgroupdriver is known")
            }
            guard parts[1] == "cgroupfs" || parts[1] == "systemd" else {
                throw ConfigurationError(
                    "native.cgroupdriver option \(parts[1]) not supported: use cgroupfs or systemd")
            }
        }
        let driver = flags[DaemonFlags.storageDriver]
        guard (["", "overlay"] + Snapshots.drivers).contains(driver) else {
            throw ConfigurationError("\(SnapshotError.unknownDriver(driver))")
        }
        let runtime = flags[DaemonFlags.defaultRuntime]
        guard EngineConfiguration.runtime(runtime, among: runtimes) != nil else {
            throw ConfigurationError("specified default runtime '\(runtime)' does not exist")
        }
        guard LogDriver(rawValue: flags[DaemonFlags.logDriver]) != nil else {
            throw ConfigurationError("unknown log driver \"\(flags[DaemonFlags.logDriver])\": use \(LogDriver.list)")
        }
        for root in [DaemonFlags.dataRoot, DaemonFlags.execRoot] where !flags[root].hasPrefix("/") {
            throw ConfigurationError("--\(root.definition.name) must be an absolute path, not \"\(flags[root])\"")
        }
        guard flags[DaemonFlags.shutdownTimeout] >= -1 else {
            throw ConfigurationError("invalid shutdown timeout: \(flags[DaemonFlags.shutdownTimeout])")
        }
        for (name, flag) in [("downloads", DaemonFlags.downloads), ("uploads", DaemonFlags.uploads)]
        where flags[flag] < 1 {
            throw ConfigurationError("invalid max concurrent \(name): \(flags[flag])")
        }
        for flag in [DaemonFlags.httpProxy, DaemonFlags.httpsProxy] {
            do {
                try ProxySettings.check(flags[flag])
            } catch {
                throw ConfigurationError("--\(flag.definition.name): \(error.message)")
            }
        }
        for option in BorrowedOption.all where option.consequence == .refusal {
            guard option.objections(in: flags).isEmpty else {
                throw ConfigurationError("--\(option.name) cannot be honoured: \(option.reason)")
            }
        }
        guard flags[DaemonFlags.downloadAttempts] >= 1 else {
            throw ConfigurationError("invalid max download attempts: \(flags[DaemonFlags.downloadAttempts])")
        }
        guard (-1000...1000).contains(flags[DaemonFlags.oomScore]) else {
            throw ConfigurationError("invalid oom-score-adjust: \(flags[DaemonFlags.oomScore]) is not in -1000…1000")
        }
        guard flags[DaemonFlags.maxConnections] >= 0 else {
            throw ConfigurationError("invalid max connections: \(flags[DaemonFlags.maxConnections])")
        }
        guard (1 << 10...1 << 30).contains(flags[DaemonFlags.maxDocument]) else {
            throw ConfigurationError(
                "invalid max request document: \(flags[DaemonFlags.maxDocument]) bytes are not between 1 KiB and 1 GiB")
        }
        try validateNetworks()
        _ = try oldestVersion()
        _ = try seccompProfile()
    }

    /// The oldest version of the API that is answered.
    func oldestVersion() throws -> APIVersion {
        let text = flags[DaemonFlags.oldestVersion]
        guard let version = APIVersion(text), version >= .oldest, version <= .newest else {
            throw ConfigurationError(
                "invalid min-api-version \"\(text)\": the API has the versions \(APIVersion.oldest) to "
                    + "\(APIVersion.newest)"
            )
        }
        return version
    }

    /// What a reload takes over besides the engine's own, for its event, by the names of `daemon.json`.
    var reloadAttributes: [String: String] {
        func list(_ texts: [String]) -> String { JSONValue.array(texts.map { .string($0) }).text() }
        return [
            "allow-nondistributable-artifacts": "[]", "features": "map[]",
            "insecure-registries": list(flags[DaemonFlags.insecureRegistries]),
            "max-concurrent-downloads": "\(flags[DaemonFlags.downloads])",
            "max-concurrent-uploads": "\(flags[DaemonFlags.uploads])",
            "max-download-attempts": "\(flags[DaemonFlags.downloadAttempts])",
            "registry-mirrors": list(flags[DaemonFlags.mirrors]),
            "shutdown-timeout": "\(flags[DaemonFlags.shutdownTimeout])",
        ]
    }

    /// What was asked for and has no effect: the option, and why.
    var withoutEffect: [BorrowedOption] {
        BorrowedOption.all.filter { $0.consequence == .warning && !$0.objections(in: flags).isEmpty }
    }

    /// Deadlines and byte budgets of the API's connections; `openFiles` is how many this process may have.
    func connectionLimits(openFiles: Int) -> ConnectionLimits {
        var limits = ConnectionLimits()
        let given = flags[DaemonFlags.maxConnections]
        // Containers need descriptors as well.
        limits.connections = given > 0 ? given : min(openFiles / 2, 16384)
        // One document of the largest size must always fit.
        limits.collectedBytes = max(limits.collectedBytes, 2 * Int(flags[DaemonFlags.maxDocument]))
        return limits
    }

    /// Which registries are where, and how far they are trusted.
    func registries() throws -> RegistrySettings {
        var settings = RegistrySettings()
        settings.insecureRegistries = flags[DaemonFlags.insecureRegistries]
        settings.mirrors = try flags[DaemonFlags.mirrors].map { try RegistrySettings.mirror($0) }
        settings.userAgent = "masu/\(MasuVersion.version)"
        settings.proxies = ProxySettings(
            overrides: (flags[DaemonFlags.httpProxy], flags[DaemonFlags.httpsProxy], flags[DaemonFlags.noProxy])
        ) { name in getenv(name).map { String(cString: $0) } }
        settings.retries.attempts = flags[DaemonFlags.downloadAttempts]
        return settings
    }

    var dataRoot: FilePath { FilePath(flags[DaemonFlags.dataRoot]).lexicallyNormalized() }
    var execRoot: FilePath { FilePath(flags[DaemonFlags.execRoot]).lexicallyNormalized() }

    var pidFile: FilePath {
        let given = flags[DaemonFlags.pidFile]
        return given.isEmpty ? execRoot.appending("masud.pid") : FilePath(given)
    }

    /// Nil: chosen by what works.
    var storageDriver: String? {
        let name = flags[DaemonFlags.storageDriver]
        return name.isEmpty ? nil : name
    }

    /// `name=value`; the driver knows which there are.
    var storageOptions: [String] { flags[DaemonFlags.storageOptions] }

    /// `--debug` wins over `--log-level`.
    var logLevel: String { flags[DaemonFlags.debug] ? "debug" : flags[DaemonFlags.logLevel] }

    /// `--seccomp-profile` names a file, where a container's option has the file's text.
    private func seccompProfile() throws -> SeccompChoice {
        let name = flags[DaemonFlags.seccompProfile]
        if name.isEmpty { return .builtIn }
        if ["builtin", "unconfined"].contains(name) { return try SeccompChoice(wire: name) }
        let text: String
        do {
            text = String(decoding: try FileDescriptor.contents(of: FilePath(name)), as: UTF8.self)
        } catch {
            throw ConfigurationError("opening seccomp profile (\(name)) failed: \(error)")
        }
        do {
            return .profile(try SeccompProfile(wire: text))
        } catch {
            throw ConfigurationError("cannot use the seccomp profile \(name): \(error)")
        }
    }

    /// External runtimes by name.
    private var runtimes: [String: RuntimeProgram] {
        var programs: [String: RuntimeProgram] = [:]
        for runtime in flags[DaemonFlags.runtimes] {
            programs[runtime.name] = RuntimeProgram(
                path: runtime.path, arguments: runtimeArguments[runtime.name] ?? [])
        }
        return programs
    }

    private func program(_ flag: Flag<String>, in directory: FilePath, _ name: String) -> FilePath {
        flags[flag].isEmpty ? directory.appending(name) : FilePath(flags[flag])
    }

    /// What the engine needs to know. `programs` is where masu-shim and masu-init are looked for.
    func engine(programs: FilePath) throws -> EngineConfiguration {
        var engine = EngineConfiguration(
            dataRoot: dataRoot, execRoot: execRoot, shimPath: program(DaemonFlags.shimPath, in: programs, "masu-shim"),
            initPath: program(DaemonFlags.initPath, in: programs, "masu-init"))
        engine.defaultRuntime = flags[DaemonFlags.defaultRuntime]
        engine.runtimes = runtimes
        engine.usesSystemdCgroups = flags[DaemonFlags.execOptions].last == "native.cgroupdriver=systemd"
        engine.cgroupParent = flags[DaemonFlags.cgroupParent]
        engine.initByDefault = flags[DaemonFlags.initProcess]
        var logOptions: [String: String] = [:]
        for option in flags[DaemonFlags.logOptions] { logOptions[option.name] = option.value }
        engine.log = try LogSettings(driver: flags[DaemonFlags.logDriver], options: logOptions)
        engine.labels = flags[DaemonFlags.labels]
        engine.defaultUlimits = flags[DaemonFlags.ulimits].map(\.ulimit)
        engine.defaultShmSize = flags[DaemonFlags.shmSize]
        engine.attachSpillLimit = flags[DaemonFlags.spillLimit]
        engine.defaultIPCMode = try IPCMode(wire: flags[DaemonFlags.ipcMode])
        let cgroupNamespace = flags[DaemonFlags.cgroupNamespaceMode]
        engine.defaultCgroupNamespaceMode =
            cgroupNamespace.isEmpty ? nil : try CgroupNamespaceMode(wire: cgroupNamespace)
        engine.seccompProfile = try seccompProfile()
        engine.noNewPrivileges = flags[DaemonFlags.noNewPrivileges]
        engine.dns = try flags[DaemonFlags.dns].map { try IPAddress(server: $0) }
        engine.hostGateways = flags[NetworkFlags.hostGateways]
        engine.hasLinkEnvironment = flags[NetworkFlags.linkEnvironment]
        engine.addressPools = flags[NetworkFlags.pools]
        if let directories = flags.given(DaemonFlags.deviceDirectories) {
            for text in directories where !text.isEmpty && !text.hasPrefix("/") {
                throw ConfigurationError("CDI spec directory must be an absolute path: \(text)")
            }
            engine.devices = DeviceRegistry(directories: directories.filter { !$0.isEmpty }.map { FilePath($0) })
        }
        engine.dnsOptions = flags[DaemonFlags.dnsOptions]
        engine.dnsSearch = flags[DaemonFlags.dnsSearch]
        engine.stopsContainersOnShutdown = !flags[DaemonFlags.liveRestore]
        engine.debug = flags[DaemonFlags.debug]
        engine.isExperimental = flags[DaemonFlags.experimental]
        engine.stopTimeout = flags[DaemonFlags.stopTimeout]
        try engine.validate()
        return engine
    }
}
