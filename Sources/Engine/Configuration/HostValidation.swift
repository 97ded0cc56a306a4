import Glibc

extension HostConfiguration {
    func validate(in context: ValidationContext) throws(EngineError) -> [String] {
        if autoRemove, restartPolicy != .no {
            throw .invalid("can't create 'AutoRemove' container with restart policy")
        }
        if privileged, securityOptions.writableCgroups == false {
            throw .invalid("conflicting options: privileged mode and the security option writable-cgroups=false")
        }
        if let shmSize, shmSize < 0 { throw .invalid("SHM size can not be less than 0") }
        guard (-1000...1000).contains(oomScoreAdj) else {
            throw .invalid("Invalid value \(oomScoreAdj), range for oom score adj is [-1000, 1000]")
        }
        try validateNetwork()
        try validateMounts(dataRoot: context.dataRoot)
        try validateSysctls()
        if !runtime.isEmpty, runtime != EngineConfiguration.builtInRuntime, !context.runtimes.contains(runtime) {
            throw .unknownRuntime(runtime)
        }
        for name in annotations.keys where name.isEmpty {
            throw .invalid("invalid Annotations: the empty string is not permitted as an annotation key")
        }
        return try resources.validate(in: context)
    }

    private func validateNetwork() throws(EngineError) {
        guard !links.isEmpty else { return }
        let what: String
        switch networkMode {
        case .host: what = "host"
        case .container: what = "container"
        default: return
        }
        throw Self.linkRefusal(what)
    }

    /// Why there can be no link to or from a container whose network is that of the host or of another container.
    static func linkRefusal(_ what: String) -> EngineError {
        .invalid(
            "conflicting options: \(what) type networking can't be used with links. This would result in undefined "
                + "behavior"
        )
    }

    private func validateMounts(dataRoot: String) throws(EngineError) {
        if !storageOptions.isEmpty {
            throw .invalid("--storage-opt is supported only for overlay over xfs with 'pquota' mount option")
        }
        if !volumesFrom.isEmpty {
            throw .notImplemented("this version has no --volumes-from")
        }
        var destinations: Set<String> = []
        func claim(_ target: MountTarget) throws(EngineError) {
            if !destinations.insert(target.path).inserted { throw .invalid("Duplicate mount point: \(target.path)") }
        }
        for bind in binds {
            if bind.isVolume {
                throw .notImplemented(
                    "this version has no named volumes: '\(bind)' (use an absolute host path as the source)"
                )
            }
            if bind.options.contains(.nocopy) { throw .invalid("invalid volume specification: '\(bind)'") }
            try DaemonRoot.check(bind.source, bind.propagation, dataRoot: dataRoot)
            try claim(bind.target)
        }
        for mount in mounts {
            try mount.validate()
            if mount.kind == .bind {
                try DaemonRoot.check(mount.source, mount.bind?.propagation, dataRoot: dataRoot)
            }
            try claim(mount.target)
        }
        for mount in tmpfs { try claim(mount.target) }
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

extension MountSpecification {
    func validate() throws(EngineError) {
        func fail(_ reason: String) -> EngineError {
            .invalid("invalid mount config for type \"\(kind.rawValue)\": \(reason)")
        }
        switch kind {
        case .bind:
            if source.isEmpty { throw fail("field Source must not be empty") }
            if tmpfs != nil { throw fail("field TmpfsOptions must not be specified") }
            guard source.hasPrefix("/") else {
                throw fail("invalid mount path: '\(source)' mount path must be absolute")
            }
            if bind?.createMountpoint != true, access(source, F_OK) != 0 {
                throw fail("bind source path does not exist: \(source)")
            }
        case .tmpfs:
            if bind != nil { throw fail("field BindOptions must not be specified") }
            if !source.isEmpty { throw fail("field Source must not be specified") }
        case .volume:
            throw .notImplemented(
                "this version has no volumes: use type=bind or type=tmpfs for '\(target)'")
        case .image, .cluster, .npipe:
            throw .invalid("mount type \"\(kind.rawValue)\" is not supported")
        }
    }
}

/// Bind mounts of what the daemon keeps, or of a directory that holds it: a container must not hold on to mounts that
/// the daemon makes and removes there.
enum DaemonRoot {
    /// Whether one of the two paths is, or is below, the other.
    static func touches(_ source: String, dataRoot: String) -> Bool {
        guard !dataRoot.isEmpty else { return false }
        let (one, other) = (lexicallyClean(source) + "/", lexicallyClean(dataRoot) + "/")
        return one == "//" || other == "//" || one.hasPrefix(other) || other.hasPrefix(one)
    }

    /// Throws, in Docker's words, for a propagation that keeps the host's unmounting out.
    static func check(
        _ source: String, _ propagation: MountPropagationMode?, dataRoot: String
    ) throws(EngineError) {
        guard let propagation, propagation != .rslave, propagation != .rshared,
            touches(source, dataRoot: dataRoot)
        else { return }
        throw .invalid(
            "invalid mount config: must use either propagation mode \"rslave\" or \"rshared\" when mount source is "
                + "within the daemon root, daemon root: \"\(dataRoot)\", bind mount source: \"\(source)\", "
                + "propagation: \"\(propagation.rawValue)\""
        )
    }
}
