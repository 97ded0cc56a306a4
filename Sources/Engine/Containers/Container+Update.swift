import Failure
import OCISpec
import Tasks

/// A step that is taken back by asking others.
private typealias AsynchronousUndoing = @Sendable () async throws -> Void

extension Container {
    /// Changes limits, restart policy and ports: at once if it runs, and at all starts to come. After an error all is
    /// as it was.
    func update(_ change: ContainerChange) async throws {
        await gate.enter()
        defer { gate.leave() }
        try refuseUpdate()
        let old = record.configuration.host
        var new = old
        do throws(EngineError) {
            new.resources = try change.limits.applied(to: old.resources)
            if let policy = change.restartPolicy {
                if old.autoRemove, policy != .no {
                    throw .conflict(
                        "Restart policy cannot be updated because AutoRemove is enabled for the container")
                }
                new.restartPolicy = policy
            }
        } catch {
            throw cannotUpdate(error)
        }
        var undo = Undo<AsynchronousUndoing>()
        do {
            try await set(change.limits, from: old.resources, to: new.resources, &undo)
            if new != old {
                try await saveHost(new)
                undo.add("the container's row") { [self] in try await saveHost(old) }
            }
            if change.ports != PortChange() { try await apply(change.ports) }
        } catch {
            for step in undo.takeAll() {
                do {
                    try await step.action()
                } catch {
                    logger.error("cannot take back \(step.name): \(error)")
                }
            }
            throw error
        }
        emit("update")
    }

    /// Has the kernel apply other limits to a container that runs.
    private func set(
        _ change: ResourceChange, from old: ResourceLimits, to new: ResourceLimits,
        _ undo: inout Undo<AsynchronousUndoing>
    ) async throws {
        guard record.state.running != nil, change != ResourceChange() else { return }
        let update = ResourceUpdate(change, from: old, to: new)
        let (there, back): (LinuxResources, LinuxResources)
        do throws(EngineError) {
            (there, back) = (try update.resources(), try update.restoration())
        } catch {
            throw cannotUpdate(error)
        }
        if there == LinuxResources() { return }
        let task = try requireTask()
        // Before it is done: an error may leave some of the limits changed.
        undo.add("limits") {
            do {
                try await task.update(back)
            } catch let error as TaskError where error.saysEnded {
                // Its control group is gone, and all limits with it.
            }
        }
        do {
            try await task.update(there)
        } catch let error as TaskError where !error.saysEnded {
            throw cannotUpdate(EngineError(.system, error.message))
        } catch is TaskError {
            // It has ended just now: the next start has the limits.
        }
    }

    private func saveHost(_ host: HostConfiguration) async throws {
        try await saveConfiguration("limits") {
            $0.host.resources = host.resources
            $0.host.restartPolicy = host.restartPolicy
        }
    }

    /// Throws for a container that is being removed.
    func refuseUpdate() throws(EngineError) {
        switch record.state {
        case .removing, .dead: break
        default: if !isRemoving { return }
        }
        throw cannotUpdate(.conflict("container is marked for removal and cannot be \"update\""))
    }

    /// Docker's words in front of a reason.
    private func cannotUpdate(_ error: EngineError) -> EngineError {
        EngineError(error.kind, "Cannot update container \(id): \(error.message)")
    }
}

extension Engine {
    /// Changes a container that exists, all that is asked for or nothing; returns warnings.
    package func update(_ name: String, _ change: ContainerChange) async throws -> [String] {
        let context = validationContext(runtime: "")
        let warnings = try await reporting { try change.limits.validate(in: context) }
        let container = try services.registry.find(name)
        try await finishing { try await container.update(change) }
        return warnings
    }
}
