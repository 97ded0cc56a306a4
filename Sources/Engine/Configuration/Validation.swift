import Glibc
import LinuxKernel

/// What a configuration is checked against.
package struct ValidationContext: Sendable {
    package var processors: Int
    /// CPUs and memory nodes which exist, as lists like `0-3,8`.
    package var availableCPUs: String
    package var availableMems: String
    package var runtimes: Set<String>
    package var memoryIsLimitable = true
    package var swapIsLimitable = true

    package init(processors: Int, availableCPUs: String, availableMems: String, runtimes: Set<String>) {
        self.processors = processors
        self.availableCPUs = availableCPUs
        self.availableMems = availableMems
        self.runtimes = runtimes
    }
}

extension ContainerConfiguration {
    /// Checks everything that can be known without the image; returns warnings. Throws with Docker's texts.
    package func validate(in context: ValidationContext) throws(EngineError) -> [String] {
        if !workingDirectory.isEmpty, !workingDirectory.hasPrefix("/") {
            throw .invalid(
                "the working directory '\(workingDirectory)' is invalid, it needs to be an absolute path")
        }
        if !stopSignal.isEmpty { _ = try Signal.parse(stopSignal) }
        for variable in environment where variable.isEmpty || variable.hasPrefix("=") {
            throw .invalid("invalid environment variable: \(variable)")
        }
        // They become lines of the container's files.
        for text in [hostname, domainname] + host.extraHosts + host.dnsSearch + host.dnsOptions
        where text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
            throw .invalid("invalid name: \"\(text)\" contains a control character")
        }
        if hostname.utf8.count > 64 {
            throw .invalid("invalid hostname: \"\(hostname)\" is too long (maximum 64 bytes)")
        }
        try noNull(
            in: environment + (command ?? []) + (entrypoint ?? []) + [hostname, domainname, workingDirectory, user])
        try healthcheck?.validate()
        // Many clients name the target of every bind mount here too.
        let mounted = Set(
            (host.binds.map(\.destination) + host.mounts.map(\.target) + host.tmpfs.keys).map(lexicallyClean))
        let anonymous = volumes.filter { !mounted.contains(lexicallyClean($0)) }
        if !anonymous.isEmpty {
            throw .notImplemented(
                "volumes are not available in this version: \(anonymous.joined(separator: ", ")) (bind a host directory instead: -v /host/path:\(anonymous[0]))"
            )
        }
        try validateConflicts()
        return try host.validate(in: context) + warnings()
    }

    /// Options that contradict each other, by Docker's texts.
    private func validateConflicts() throws(EngineError) {
        if case .container = host.networkMode {
            if !hostname.isEmpty { throw .invalid("conflicting options: hostname and the network mode") }
            if !host.dns.isEmpty { throw .invalid("conflicting options: dns and the network mode") }
            if !host.extraHosts.isEmpty {
                throw .invalid("conflicting options: custom host-to-IP mapping and the network mode")
            }
            if !host.portBindings.isEmpty || host.publishAllPorts {
                throw .invalid("conflicting options: port publishing and the container type network mode")
            }
            if !exposedPorts.isEmpty {
                throw .invalid("conflicting options: port exposing and the container type network mode")
            }
        }
        if host.utsMode == .host, !hostname.isEmpty {
            throw .invalid("conflicting options: hostname and the UTS mode")
        }
    }

    private func warnings() -> [String] {
        var warnings: [String] = []
        if !host.portBindings.isEmpty, host.networkMode == .host {
            warnings.append("Published ports are discarded when using host network mode")
        }
        if healthcheck.map({ !$0.test.isEmpty && $0.test != ["NONE"] }) ?? false {
            warnings.append("Health checks are not run by this version.")
        }
        return warnings
    }

    private func noNull(in texts: [String]) throws(EngineError) {
        for text in texts where text.utf8.contains(0) { throw .invalid("a value contains a NUL byte") }
    }
}

extension Healthcheck {
    fileprivate func validate() throws(EngineError) {
        let durations = [
            ("Interval", interval), ("Timeout", timeout), ("StartPeriod", startPeriod),
            ("StartInterval", startInterval),
        ]
        for (name, value) in durations {
            if let value, value != 0, value < 1_000_000 {
                throw .invalid("\(name) in Healthcheck cannot be less than 1ms")
            }
        }
        if let retries, retries < 0 { throw .invalid("Retries in Healthcheck cannot be negative") }
    }
}

extension HostConfiguration {
    fileprivate func validate(in context: ValidationContext) throws(EngineError) -> [String] {
        if autoRemove, restartPolicy != .no {
            throw .invalid("can't create 'AutoRemove' container with restart policy")
        }
        _ = try SecurityOptions(securityOptions)
        _ = try Capabilities.normalized(capAdd, what: "CapAdd")
        _ = try Capabilities.normalized(capDrop, what: "CapDrop")
        if let shmSize, shmSize < 0 { throw .invalid("SHM size can not be less than 0") }
        guard (-1000...1000).contains(oomScoreAdj) else {
            throw .invalid("Invalid value \(oomScoreAdj), range for oom score adj is [-1000, 1000]")
        }
        try validateNetwork()
        try validateMounts()
        try validateSysctls()
        if !runtime.isEmpty, runtime != EngineConfiguration.builtInRuntime, !context.runtimes.contains(runtime) {
            throw .unknownRuntime(runtime)
        }
        if let logConfiguration { try logConfiguration.validate() }
        for name in annotations.keys where name.isEmpty {
            throw .invalid("invalid Annotations: the empty string is not permitted as an annotation key")
        }
        return try resources.validate(in: context)
    }

    private func validateNetwork() throws(EngineError) {
        switch networkMode {
        case .network(let name) where name != "bridge":
            throw EngineError(.notFound, "network \(name) not found")
        default: break
        }
        if networkMode != .host, publishAllPorts || !portBindings.isEmpty {
            throw .notImplemented(
                "publishing ports is not available in this version: use --network host, or leave out -p and -P")
        }
        if !links.isEmpty { throw .notImplemented("links between containers are not available in this version") }
        for host in extraHosts { _ = try ExtraHost(host) }
        for server in dns where !isAddress(server) { throw .invalid("invalid IP address in DNS server: \(server)") }
    }

    private func validateMounts() throws(EngineError) {
        if !storageOptions.isEmpty {
            throw .invalid("--storage-opt is supported only for overlay over xfs with 'pquota' mount option")
        }
        if !volumesFrom.isEmpty {
            throw .notImplemented("--volumes-from is not available in this version")
        }
        var destinations: Set<String> = []
        func claim(_ destination: String) throws(EngineError) {
            let clean = lexicallyClean(destination)
            if !destinations.insert(clean).inserted { throw .invalid("Duplicate mount point: \(clean)") }
        }
        for bind in binds {
            if bind.isVolume {
                throw .notImplemented(
                    "named volumes are not available in this version: '\(bind)' (use an absolute host path as the source)"
                )
            }
            if bind.options.contains("nocopy") { throw .invalid("invalid volume specification: '\(bind)'") }
            try claim(bind.destination)
        }
        for mount in mounts {
            try mount.validate()
            try claim(mount.target)
        }
        for (destination, options) in tmpfs {
            guard destination.hasPrefix("/") else {
                throw .invalid("invalid mount path: '\(destination)' mount path must be absolute")
            }
            try claim(destination)
            try TmpfsText.validate(options)
        }
    }

    private func validateSysctls() throws(EngineError) {
        let ipcIsOwn: Bool
        switch ipcMode {
        case .host: ipcIsOwn = false
        default: ipcIsOwn = true
        }
        let ipcNames: Set = [
            "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
            "kernel.shmmni", "kernel.shm_rmid_forced",
        ]
        for name in sysctls.keys.sorted() {
            let dotted = String(name.map { $0 == "/" ? "." : $0 })
            if ipcNames.contains(dotted) || dotted.hasPrefix("fs.mqueue.") {
                if !ipcIsOwn { throw .invalid("sysctl '\(name)' is not allowed in the host ipc namespace") }
            } else if dotted.hasPrefix("net.") {
                if networkMode == .host {
                    throw .invalid("sysctl \"\(name)\" not allowed in host network namespace")
                }
            } else if dotted == "kernel.domainname" || dotted == "kernel.hostname" {
                if utsMode == .host || dotted == "kernel.hostname" {
                    throw .invalid("sysctl \"\(name)\" is not allowed: use --hostname")
                }
            } else {
                throw .invalid("sysctl \"\(name)\" is not in a separate kernel namespace")
            }
        }
    }
}

extension LogConfiguration {
    package func validate() throws(EngineError) {
        switch driver {
        case "", "json-file": break
        case "none":
            if !options.isEmpty { throw .invalid("unknown log opt for none log driver") }
            return
        default: throw .invalid("logger: no log driver named '\(driver)' is registered")
        }
        let known: Set = [
            "max-file", "max-size", "compress", "labels", "labels-regex", "env", "env-regex", "tag", "mode",
            "max-buffer-size",
        ]
        for (name, value) in options.sorted(by: { $0.key < $1.key }) {
            guard known.contains(name) else {
                throw .invalid("unknown log opt '\(name)' for json-file log driver")
            }
            if name == "compress", value != "false" {
                throw .invalid(
                    "log opt 'compress' is not available in this version: rotated files are kept as they are")
            }
            if name == "max-size", Self.bytes(value) == nil { throw .invalid("invalid size: '\(value)'") }
            if name == "max-file", (Int(value).map { $0 < 1 } ?? true) {
                throw .invalid("max-file cannot be less than 1")
            }
            if name == "max-file", let count = Int(value), count > Self.maximumFiles {
                throw .invalid("max-file cannot be more than \(Self.maximumFiles)")
            }
        }
    }

    /// Each rotation looks at every file.
    private static let maximumFiles = 1000

    /// `10m`, `1g`, `-1` (no limit, answered as 0) as bytes.
    package static func bytes(_ text: String) -> Int64? {
        if text == "-1" { return 0 }
        let lower = text.lowercased()
        let digits = lower.prefix { $0.isNumber || $0 == "." }
        guard let number = Double(digits), number >= 0 else { return nil }
        let multiplier: Double
        switch lower.dropFirst(digits.count) {
        case "", "b": multiplier = 1
        case "k", "kb", "kib": multiplier = 1024
        case "m", "mb", "mib": multiplier = 1_048_576
        case "g", "gb", "gib": multiplier = 1_073_741_824
        case "t", "tb", "tib": multiplier = 1_099_511_627_776
        default: return nil
        }
        let value = number * multiplier
        return value < 9e18 ? Int64(value) : nil
    }
}

extension MountSpecification {
    fileprivate func validate() throws(EngineError) {
        func fail(_ reason: String) -> EngineError {
            .invalid("invalid mount config for type \"\(kind.rawValue)\": \(reason)")
        }
        if target.isEmpty { throw fail("field Target must not be empty") }
        guard target.hasPrefix("/") else { throw fail("invalid mount path: '\(target)' mount path must be absolute") }
        if lexicallyClean(target) == "/" { throw fail("invalid specification: destination can't be '/'") }
        switch kind {
        case .bind:
            if source.isEmpty { throw fail("field Source must not be empty") }
            if tmpfs != nil { throw fail("field TmpfsOptions must not be specified") }
            guard source.hasPrefix("/") else {
                throw fail("invalid mount path: '\(source)' mount path must be absolute")
            }
            let propagations: Set = ["", "private", "rprivate", "shared", "rshared", "slave", "rslave"]
            if let bind, !propagations.contains(bind.propagation) {
                throw fail("invalid propagation mode: \(bind.propagation)")
            }
            if bind?.createMountpoint != true, access(source, F_OK) != 0 {
                throw fail("bind source path does not exist: \(source)")
            }
        case .tmpfs:
            if bind != nil { throw fail("field BindOptions must not be specified") }
            if !source.isEmpty { throw fail("field Source must not be specified") }
        case .volume:
            throw .notImplemented(
                "volumes are not available in this version: use type=bind or type=tmpfs for '\(target)'")
        case .image, .cluster, .npipe:
            throw .invalid("mount type \"\(kind.rawValue)\" is not supported")
        }
    }
}

/// Options of `--tmpfs`.
package enum TmpfsText {
    private static let flags: Set = [
        "defaults", "ro", "rw", "suid", "nosuid", "dev", "nodev", "exec", "noexec", "sync", "async", "dirsync",
        "remount", "mand",
        "nomand", "atime", "noatime", "diratime", "nodiratime", "bind", "rbind", "unbindable", "runbindable", "private",
        "rprivate", "shared", "rshared", "slave", "rslave", "relatime", "norelatime", "strictatime", "nostrictatime",
    ]
    private static let valued: Set = [
        "mode", "uid", "gid", "size", "nr_inodes", "nr_blocks", "mpol", "huge", "noswap", "inode32", "inode64",
    ]

    package static func validate(_ options: String) throws(EngineError) {
        for option in options.split(separator: ",") {
            let name = String(option.prefix { $0 != "=" })
            guard flags.contains(name) || valued.contains(name) else {
                throw .invalid("Invalid tmpfs option \"\(option)\"")
            }
        }
    }
}

/// `name:address` or `name=address` of `--add-host`.
package struct ExtraHost: Hashable, Sendable {
    package var name: String
    package var address: String

    package init(_ text: String) throws(EngineError) {
        let separator = text.firstIndex(of: "=") ?? text.firstIndex(of: ":")
        guard let separator, separator != text.startIndex else {
            throw .invalid("bad format for add-host: \"\(text)\"")
        }
        name = String(text[..<separator])
        address = String(text[text.index(after: separator)...])
        if address.hasPrefix("["), address.hasSuffix("]") { address = String(address.dropFirst().dropLast()) }
        if address == "host-gateway" {
            throw .notImplemented("host-gateway needs a bridge network, which is not available in this version")
        }
        guard isAddress(address) else { throw .invalid("invalid IP address in add-host: \"\(address)\"") }
    }
}

/// Whether `text` is an IPv4 or IPv6 address.
package func isAddress(_ text: String) -> Bool {
    var buffer: (UInt64, UInt64) = (0, 0)
    return inet_pton(AF_INET, text, &buffer) == 1 || inet_pton(AF_INET6, text, &buffer) == 1
}
