import Networks

/// What a configuration is checked against.
package struct ValidationContext: Sendable {
    /// How many processors the machine has.
    package var processors: Int
    /// CPUs and memory nodes which exist, as lists like `0-3,8`.
    package var availableCPUs: String
    package var availableMems: String
    /// The names of the runtimes that the daemon knows.
    package var runtimes: Set<String>
    package var memoryIsLimitable = true
    package var swapIsLimitable = true
    /// The networks there are.
    package var networks: [Network] = []
    /// Where the daemon keeps its state; empty: bind mounts of it are nothing special.
    package var dataRoot = ""

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
        for variable in environment where variable.isEmpty || variable.hasPrefix("=") {
            throw .invalid("invalid environment variable: \(variable)")
        }
        // They become lines of the container's files.
        let lines =
            [hostname, domainname] + host.extraHosts.map(\.value.name) + host.dnsSearch + host.dnsOptions
        for text in lines where text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
            throw .invalid("invalid name: \"\(text)\" contains a control character")
        }
        if hostname.utf8.count > 64 {
            throw .invalid("hostname \"\(hostname)\" is too long (maximum 64 bytes)")
        }
        try noNull(
            in: environment + (command ?? []) + (entrypoint ?? []) + [hostname, domainname, workingDirectory, user])
        try healthcheck?.validate()
        try validateConflicts()
        try validateEndpoints(on: context.networks)
        _ = try portRequests()
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
            if !host.publishedPorts.isEmpty || host.publishAllPorts {
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
        if !host.publishedPorts.isEmpty, host.networkMode == .host {
            warnings.append("Published ports are discarded when using host network mode")
        }
        if host.securityOptions.labels.contains(where: { $0 != "disable" }) {
            warnings.append("This version does not set SELinux labels. Labels discarded.")
        }
        return warnings
    }

    private func noNull(in texts: [String]) throws(EngineError) {
        for text in texts where text.utf8.contains(0) { throw .invalid("a value contains a NUL byte") }
    }
}

extension Healthcheck {
    fileprivate func validate() throws(EngineError) {
        func check(_ name: String, _ value: Int64?) throws(EngineError) {
            guard let value, value != 0, value < 1_000_000 else { return }
            throw .invalid("\(name) in Healthcheck cannot be less than 1ms")
        }
        try check("Interval", interval)
        try check("Timeout", timeout)
        if let retries, retries < 0 { throw .invalid("Retries in Healthcheck cannot be negative") }
        try check("StartPeriod", startPeriod)
        try check("StartInterval", startInterval)
    }
}
