import LinuxKernel
import OCISpec
import SystemPackage

extension Volumes {
    /// Runs a step and puts Docker's words for it in front of an error.
    func reporting<Value>(
        _ operation: String, _ name: String, _ body: () throws(VolumesError) -> Value
    ) throws(VolumesError) -> Value {
        do throws(VolumesError) { return try body() } catch { throw error.during(operation, name) }
    }

    func driver(_ name: String) throws(VolumesError) -> any VolumeDriver {
        name == Volume.localDriver ? local : try plugins.driver(name)
    }

    // MARK: Creation

    /// With the lock of the name.
    func createNow(_ request: VolumeRequest, _ user: String?) throws(VolumesError) -> (volume: Volume, isNew: Bool) {
        // Its turn has not come yet.
        finishRemoval(of: request.name)
        if let present = try present(request) { return (try take(present, user), false) }
        if request.driver.isEmpty, let found = try probe(request.name) { return (try take(found.volume, user), false) }
        let driver = try driver(request.driver.isEmpty ? Volume.localDriver : request.driver)
        let definition = try driver.define(request.name, options: request.options ?? [:])
        var volume = Volume(
            name: request.name, driver: driver.name, createdAt: .now(), labels: request.labels,
            options: request.options, definition: definition)
        // One that the plugin has already stays as it is: then only its name is written down.
        var isThere = false
        if definition == .plugin { isThere = try driver.look(request.name) != nil }
        if !isThere { volume = try driver.create(volume) }
        do throws(VolumesError) {
            try table.add(volume)
        } catch {
            if !isThere {
                do throws(VolumesError) { try driver.remove(volume) } catch {
                    logger.error(
                        "cannot take back the creation of a volume",
                        metadata: ["name": "\(volume.name)", "error": "\(error)"])
                }
            }
            throw error
        }
        add(volume, user)
        return (volume, true)
    }

    private func add(_ volume: Volume, _ user: String? = nil) {
        state.withLock { state in
            state.entries[volume.name] = VolumeEntry(volume)
            if let user { state.references[volume.name, default: []].insert(user) }
        }
    }

    private func take(_ volume: Volume, _ user: String?) throws(VolumesError) -> Volume {
        if let user { try addReference(to: volume.name, by: user) }
        return volume
    }

    /// The volume of a name that was asked for, if there is one; one that its plugin has lost is forgotten.
    private func present(_ request: VolumeRequest) throws(VolumesError) -> Volume? {
        guard let volume = volume(request.name) else { return nil }
        let isOther = request.driver.isEmpty ? false : try driver(request.driver).name != volume.driver
        if volume.definition == .plugin {
            do throws(VolumesError) {
                if try look(at: volume) == nil {
                    try forgetLost(volume)
                    return nil
                }
            } catch {
                guard error.kind != .conflict else { throw error }
                throw VolumesError(
                    .conflict,
                    "found reference to volume '\(volume.name)' in driver '\(volume.driver)', but got an error while "
                        + "checking the driver: \(error.message): volume name must be unique")
            }
        }
        if isOther { throw .taken(volume.name, by: volume.driver) }
        return volume
    }

    /// Forgets a volume that its plugin does not have any more.
    private func forgetLost(_ volume: Volume) throws(VolumesError) {
        guard references(to: volume.name).isEmpty else {
            throw VolumesError(
                .conflict,
                "found references to volume '\(volume.name)' in driver '\(volume.driver)' but the volume was not found "
                    + "in the driver -- you may need to remove containers referencing this volume or force remove the "
                    + "volume to re-create it: volume name must be unique")
        }
        try forget(volume.name)
    }

    private func forget(_ name: String) throws(VolumesError) {
        try table.remove(name)
        state.withLock { $0.entries[name] = nil }
    }

    // MARK: Looking

    /// What a volume's plugin says of it; `nil` if it does not have it.
    private func look(at volume: Volume) throws(VolumesError) -> VolumeSighting? {
        do throws(VolumesError) {
            return try driver(volume.driver).look(volume.name)
        } catch {
            throw VolumesError(
                error.kind,
                "error while checking if volume \"\(volume.name)\" exists in driver \"\(volume.driver)\": "
                    + error.message)
        }
    }

    /// A volume by its name, wherever it is; with the lock of the name.
    func find(_ name: String) throws(VolumesError) -> VolumeDetails {
        guard let volume = volume(name) else {
            guard let found = try probe(name) else { throw .noSuchVolume }
            return found
        }
        guard volume.definition == .plugin else { return localDetails(volume) }
        guard let sighting = try look(at: volume) else {
            // As long as somebody refers to it, its removal has to be asked for.
            if references(to: name).isEmpty { try forget(name) }
            throw .noSuchVolume
        }
        return VolumeDetails(volume, sighting, scope: try driver(volume.driver).scope)
    }

    /// Asks all plugins for a volume that none of ours is, and writes down who has it.
    private func probe(_ name: String) throws(VolumesError) -> VolumeDetails? {
        guard plugins.mayHavePlugins else { return nil }
        for driver in plugins.all().drivers {
            // One that does not answer has none that anybody could use.
            guard let sighting = try? driver.look(name) else { continue }
            let volume = Volume(
                name: name, driver: driver.name, createdAt: Timestamp(sighting.createdAt), definition: .plugin)
            try table.add(volume)
            add(volume)
            return VolumeDetails(volume, sighting, scope: driver.scope)
        }
        return nil
    }

    /// All volumes; what plugins cannot tell is told from what was written down.
    func listNow() -> (volumes: [VolumeDetails], warnings: [String]) {
        var found: [String: VolumeDetails] = [:]
        let own = all
        for volume in own where volume.driver == Volume.localDriver { found[volume.name] = localDetails(volume) }
        var (drivers, warnings) = plugins.all()
        for volume in own where volume.definition == .plugin && !drivers.contains(where: { $0.name == volume.driver }) {
            do throws(VolumesError) {
                drivers.append(try plugins.driver(volume.driver))
            } catch {
                warnings.append(error.message)
                found[volume.name] = VolumeDetails(volume: volume, mountpoint: "")
            }
        }
        for driver in drivers {
            do throws(VolumesError) {
                for sighting in try driver.list() {
                    let known = own.first { $0.name == sighting.name }
                    // The first to have a name keeps it.
                    guard found[sighting.name] == nil, known.map({ $0.driver == driver.name }) ?? true else { continue }
                    let volume =
                        known
                        ?? Volume(
                            name: sighting.name, driver: driver.name, createdAt: Timestamp(sighting.createdAt),
                            definition: .plugin)
                    found[sighting.name] = VolumeDetails(volume, sighting, scope: driver.scope)
                }
            } catch {
                warnings.append(error.during("list", driver.name).message)
                for volume in own where volume.driver == driver.name {
                    found[volume.name] = VolumeDetails(volume: volume, scope: driver.scope, mountpoint: "")
                }
            }
        }
        return (found.values.sorted { $0.volume.name < $1.volume.name }, warnings)
    }

    // MARK: Removal

    /// With the lock of the name.
    func removeNow(_ name: String, force: Bool) throws(VolumesError) -> Volume {
        if volume(name) == nil {
            _ = try reporting("get", name) { () throws(VolumesError) in try find(name) }
        }
        return try reporting("remove", name) { () throws(VolumesError) in
            let volume = try beginRemoval(name)
            do throws(VolumesError) {
                try table.setRemoving(name, true)
                do throws(VolumesError) {
                    try driver(volume.driver).remove(volume)
                } catch {
                    guard force, volume.definition == .plugin else { throw error }
                    logger.warning(
                        "a volume is forgotten that its plugin did not remove",
                        metadata: ["name": "\(name)", "driver": "\(volume.driver)", "error": "\(error)"])
                }
                try forget(name)
            } catch {
                takeBackRemoval(of: name)
                throw error
            }
            return volume
        }
    }

    /// From now on nobody can refer to the volume.
    private func beginRemoval(_ name: String) throws(VolumesError) -> Volume {
        try state.withLock { state throws(VolumesError) in
            guard let entry = state.entries[name] else { throw .noSuchVolume }
            let users = (state.references[name] ?? []).union(entry.uses.keys)
            guard users.isEmpty else { throw .inUse(users.sorted()) }
            state.entries[name]?.isRemoving = true
            return entry.volume
        }
    }

    // MARK: Uses

    /// With the lock of the name.
    func acquireNow(_ name: String, _ user: String) throws(VolumesError) -> VolumeMount {
        let volume = try reporting("get", name) { () throws(VolumesError) in try find(name) }.volume
        let driver = try driver(volume.driver)
        guard volume.definition == .plugin else { return try driver.mount(volume, id: user) }
        if let mountpoint = state.withLock({ $0.entries[name]?.uses[user] }), !mountpoint.isEmpty {
            return .directory(FilePath(mountpoint))
        }
        // Before the plugin is asked: whenever the daemon dies, the next one knows what to give back.
        try table.save(VolumeTable.Use(volume: name, user: user))
        state.withLock { $0.entries[name]?.uses[user] = "" }
        do throws(VolumesError) {
            let mount = try driver.mount(volume, id: user)
            guard case .directory(let path) = mount else { return mount }
            state.withLock { $0.entries[name]?.uses[user] = path.string }
            try table.save(VolumeTable.Use(volume: name, user: user, mountpoint: path.string))
            return mount
        } catch {
            // It may have mounted what it could not tell of any more. If it cannot be told, it has to find out itself.
            if error.kind == .unavailable { try? driver.unmount(volume, id: user) }
            do throws(VolumesError) { try forgetUse(of: name, by: user) } catch let second {
                logger.error("cannot take back a use of volume \(name): \(second)")
            }
            throw error
        }
    }

    func releaseNow(_ name: String, _ user: String) throws(VolumesError) {
        guard let volume = volume(name) else { return }
        try giveBack(volume, user, try driver(volume.driver))
    }

    private func giveBack(_ volume: Volume, _ user: String, _ driver: any VolumeDriver) throws(VolumesError) {
        do throws(VolumesError) {
            try driver.unmount(volume, id: user)
        } catch {
            guard error.kind != .unavailable else {
                // Whoever starts again asks for the mount again: the place may be another by then, or none.
                state.withLock { state in
                    if state.entries[volume.name]?.uses[user] != nil { state.entries[volume.name]?.uses[user] = "" }
                }
                try table.save(VolumeTable.Use(volume: volume.name, user: user))
                throw error
            }
            // It answers that it has nothing to unmount, as after a reboot of the machine.
            logger.warning(
                "a plugin did not unmount a volume",
                metadata: ["name": "\(volume.name)", "user": "\(user)", "error": "\(error)"])
        }
        try forgetUse(of: volume.name, by: user)
    }

    private func forgetUse(of name: String, by user: String) throws(VolumesError) {
        try table.removeUse(of: name, by: user)
        state.withLock { _ = $0.entries[name]?.uses.removeValue(forKey: user) }
    }
}

extension VolumeDetails {
    /// A volume as its driver sees it.
    init(_ volume: Volume, _ sighting: VolumeSighting, scope: VolumeScope) {
        // What the plugin says of its age counts, as it may be older than its name here.
        let seen = Volume(
            name: volume.name, driver: volume.driver, createdAt: Timestamp(sighting.createdAt), labels: volume.labels,
            options: volume.options, definition: volume.definition)
        self.init(volume: seen, scope: scope, mountpoint: sighting.mountpoint, status: sighting.status)
    }
}
