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
        // Docker says it of the two in different words.
        let kind = what == "container" ? "container type network" : "\(what) type networking"
        return .invalid(
            "conflicting options: \(kind) can't be used with links. This would result in undefined behavior")
    }

    private func validateMounts(dataRoot: String) throws(EngineError) {
        var destinations: Set<String> = []
        func claim(_ target: MountTarget, as words: String) throws(EngineError) {
            if !destinations.insert(target.path).inserted { throw .invalid("Duplicate mount point: \(words)") }
        }
        for bind in binds {
            try bind.validate()
            if !bind.isVolume { try DaemonRoot.check(bind.source, bind.propagation, dataRoot: dataRoot) }
            try claim(bind.target, as: bind.target.path)
        }
        for mount in mounts {
            try mount.validate()
            if mount.kind == .bind {
                try DaemonRoot.check(mount.source, mount.bind?.propagation, dataRoot: dataRoot)
            }
            try claim(mount.target, as: mount.target.description)
        }
        for mount in tmpfs { try claim(mount.target, as: mount.target.path) }
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

extension BindSpecification {
    /// Throws, in Docker's words, for options of the other kind of source.
    fileprivate func validate() throws(EngineError) {
        func fail(_ type: String, _ field: String) -> EngineError {
            .invalid(
                "invalid volume specification: '\(self)': invalid mount config for type \"\(type)\": "
                    + "field \(field) must not be specified"
            )
        }
        if isVolume, propagation != nil { throw fail("volume", "BindOptions") }
        if !isVolume, options.contains(.nocopy) { throw fail("bind", "VolumeOptions") }
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
            try refuse(("VolumeOptions", volume != nil), ("TmpfsOptions", tmpfs != nil), ("ImageOptions", image != nil))
            guard source.hasPrefix("/") else {
                throw fail("invalid mount path: '\(source)' mount path must be absolute")
            }
            if bind?.createMountpoint != true, access(source, F_OK) != 0 {
                throw fail("bind source path does not exist: \(source)")
            }
        case .tmpfs:
            try refuse(("BindOptions", bind != nil), ("VolumeOptions", volume != nil), ("ImageOptions", image != nil))
            if !source.isEmpty { throw fail("field Source must not be specified") }
        case .volume:
            try refuse(("BindOptions", bind != nil), ("TmpfsOptions", tmpfs != nil), ("ImageOptions", image != nil))
            if source.isEmpty, volume?.subpath != nil {
                throw fail("must not set Subpath when using anonymous volumes")
            }
            if source.isEmpty, readOnly { throw fail("must not set ReadOnly mode when using anonymous volumes") }
        case .image:
            try refuse(("BindOptions", bind != nil), ("VolumeOptions", volume != nil), ("TmpfsOptions", tmpfs != nil))
            if source.isEmpty { throw fail("field Source must not be empty") }
        case .cluster, .npipe: throw fail("mount type unknown")
        }
    }

    /// Throws for options that belong to another kind of mount.
    private func refuse(_ options: (name: String, isGiven: Bool)...) throws(EngineError) {
        guard let option = options.first(where: \.isGiven) else { return }
        throw .invalid(
            "invalid mount config for type \"\(kind.rawValue)\": field \(option.name) must not be specified")
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
