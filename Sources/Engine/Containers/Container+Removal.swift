import LinuxKernel
import OCISpec
import SystemPackage

extension Container {
    /// Removes it; `name` is how the user called it, for the messages.
    ///
    /// - Parameter volumes: whether anonymous volumes that nobody else has go as well.
    func remove(force: Bool, volumes: Bool, name: String) async throws {
        if isRemoving {
            throw EngineError.conflict("removal of container \(name) is already in progress")
        }
        if !force { try refuseRemovalOfRunning(name) }
        isRemoving = true
        cancelRestart()
        var isInside = true
        if force {
            isInside = try await endForRemoval(name)
        } else {
            await gate.enter()
        }
        // A start may have been under way and is over by now.
        while record.state.running != nil || !force && record.state.isRestarting {
            if isInside { gate.leave() }
            do {
                if !force { try refuseRemovalOfRunning(name) }
            } catch {
                isRemoving = false
                throw error
            }
            isInside = try await endForRemoval(name)
        }
        defer { if isInside { gate.leave() } }
        await removeNow(volumes: volumes)
    }

    /// How long somebody who is in the way of a removal has to leave after everything has been done to make him: the
    /// time that SIGKILL takes with all its deadlines.
    private static let courtesy: Duration = .seconds(15)

    /// Ends whatever the container does, without waiting at the gate: an operation inside may wait for a shim that does
    /// not answer, and ends with that shim. Returns whether this is inside the gate: a start that the kernel does not
    /// let go, because of a disk or a server that does not answer, finds the container gone when it comes back.
    private func endForRemoval(_ name: String) async throws -> Bool {
        services.tasks.callOff(id)
        await starting?.discard()
        // What waits for its next start has nothing to be killed, and the gate may be taken by that start.
        if record.state.running != nil {
            do {
                try await killAndWait()
            } catch {
                isRemoving = false
                throw EngineError.system("cannot remove container \"\(name)\": could not kill container: \(error)")
            }
        }
        if await gate.enter(within: Self.courtesy) { return true }
        logger.warning("another operation on the container has not ended; it is removed all the same")
        return false
    }

    private func refuseRemovalOfRunning(_ name: String) throws(EngineError) {
        guard record.state.isRunning else { return }
        let reason =
            record.state.isPaused
            ? "container is paused and must be unpaused first"
            : "container is \(record.state.status.rawValue): stop the container before removing or force remove"
        throw .conflict("cannot remove container \"\(name)\": \(reason)")
    }

    /// Deletes everything there is of it; behind the gate. Anonymous volumes that nobody else has go as well if
    /// `volumes` says so, or the container was run with `--rm`.
    ///
    /// The row goes first: from then on it does not exist. What a crash or an error leaves of its files belongs to no
    /// row, and has a name that says that it is to be deleted: the daemon's next start does that.
    func removeNow(volumes: Bool = false) async {
        if case .removing = record.state { return }
        isRemoving = true
        transfers.cancelAll()
        cancelRestart()
        let exit = record.state.exit
        record.state = .removing(exit)
        let id = id
        let removed = services.files.appending(id + Self.removedSuffix)
        let hasMoved = moveFiles(from: files, to: removed)
        do {
            try await services.database.write { try ContainerRecord.delete(id: id, in: $0) }
        } catch {
            logger.error("cannot delete the container's row: \(error)")
            if hasMoved { _ = moveFiles(from: removed, to: files) }
            record.state = .dead(exit)
            isRemoving = false
            notifyRemoved()
            return
        }
        services.dropVolumeReferences(of: record)
        // Nobody knows whether one whose row cannot be read runs.
        if record.damage != nil { await services.tasks.end(id) }
        // What is still to be done then is nobody else's business: only files that have this container's id. Of its
        // mounts others may see that they are there.
        let isEarly =
            record.damage == nil && record.configuration.mountPoints.isEmpty && services.registry.removeEarly(id)
        if isEarly { endWaits() }
        do {
            try await services.images.removeSnapshot(key: id)
        } catch {
            logger.error("cannot remove the container's root: \(error)")
        }
        await removeBundle()
        await releaseVolumes()
        await dropMounts(isThorough: volumes || record.configuration.host.autoRemove)
        let path = hasMoved ? removed : files
        do {
            try await services.pool.run { try TreeRemoval.remove(path) }
        } catch {
            logger.error("cannot remove the container's files: \(error)")
        }
        if isEarly {
            services.registry.hasLeft(id)
        } else {
            services.registry.remove(id)
            endWaits()
        }
        emit("destroy")
    }

    /// Nobody finds it any more, and its name is free: tells those who wait for its removal.
    private func endWaits() {
        dropPendingAttachments()
        services.statistics.end(id)
        isGone = true
        notifyRemoved()
    }

    /// What the name of a container's directory ends with when its files are to be deleted.
    static let removedSuffix = ".removed"

    private func moveFiles(from old: FilePath, to new: FilePath) -> Bool {
        do throws(Errno) {
            try Files.rename(old, to: new)
            return true
        } catch {
            // There may be none, after an earlier attempt.
            logger.debug("cannot rename \(old): \(error)")
            return false
        }
    }
}
