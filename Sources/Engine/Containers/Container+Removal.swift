import LinuxKernel
import OCISpec
import SystemPackage

extension Container {
    /// Removes it; `name` is how the user called it, for the messages.
    func remove(force: Bool, name: String) async throws {
        if isRemoving {
            throw EngineError.conflict("removal of container \(name) is already in progress")
        }
        if !force { try refuseRemovalOfRunning(name) }
        isRemoving = true
        cancelRestart()
        await gate.enter()
        // A start may have been under way and is over by now.
        while record.state.isRunning {
            gate.leave()
            do {
                if !force { try refuseRemovalOfRunning(name) }
                try await killAndWait()
            } catch {
                isRemoving = false
                if !force { throw error }
                throw EngineError.system("cannot remove container \"\(name)\": could not kill container: \(error)")
            }
            await gate.enter()
        }
        defer { gate.leave() }
        await removeNow()
    }

    private func refuseRemovalOfRunning(_ name: String) throws(EngineError) {
        guard record.state.isRunning else { return }
        let reason =
            record.state.isPaused
            ? "container is paused and must be unpaused first"
            : "container is \(record.state.status.rawValue): stop the container before removing or force remove"
        throw .conflict("cannot remove container \"\(name)\": \(reason)")
    }

    /// Deletes everything there is of it; behind the gate.
    ///
    /// The row goes first: from then on it does not exist. What a crash or an error leaves of its files belongs to no row
    /// and is removed at the daemon's next start.
    func removeNow() async {
        if case .removing = record.state { return }
        isRemoving = true
        cancelRestart()
        let exit = record.state.exit
        record.state = .removing(exit)
        let id = id
        do {
            try await services.database.write { try ContainerRecord.delete(id: id, in: $0) }
        } catch {
            logger.error("cannot delete the container's row: \(error)")
            record.state = .dead(exit)
            isRemoving = false
            notifyRemoved()
            return
        }
        // Nobody knows whether one whose row cannot be read runs.
        if record.damage != nil { await services.tasks.end(id) }
        for exec in execs.keys { services.registry.remove(exec: exec) }
        do {
            try await services.images.removeSnapshot(key: id)
        } catch {
            logger.error("cannot remove the container's root: \(error)")
        }
        await removeBundle()
        let path = files
        do {
            try await services.pool.run { try TreeRemoval.remove(path) }
        } catch {
            logger.error("cannot remove the container's files: \(error)")
        }
        services.registry.remove(id)
        dropPendingAttachments()
        notifyRemoved()
        emit("destroy")
    }
}
