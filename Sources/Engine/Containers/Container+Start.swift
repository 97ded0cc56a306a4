import LinuxKernel
import Networks
import OCISpec
import ShimProtocol
import SystemPackage
import Tasks

extension Container {
    /// Starts it on somebody's behalf, from a checkpoint if one is named. Returns false if it runs already.
    func start(from checkpoint: CheckpointChoice? = nil) async throws -> Bool {
        await gate.enter()
        defer { gate.leave() }
        guard try requireStartable() else { return false }
        var place: CheckpointPlace?
        if let checkpoint { place = try await self.place(of: checkpoint) }
        record.restartCount = 0
        record.isManuallyStopped = false
        restartDelay = .zero
        do {
            try await launch(from: place)
        } catch {
            let failure = (error as? RefusedStart)?.error ?? EngineError(error)
            await recordStartFailure(failure, exitCode: (error as? RefusedStart)?.exitCode ?? 128)
            throw failure
        }
        return true
    }

    /// Returns false if it runs.
    private func requireStartable() throws(EngineError) -> Bool {
        if isRemoving { throw .conflict("container is marked for removal and cannot be started") }
        switch record.state {
        case .created, .exited: return true
        case .running(let running) where running.isPaused:
            throw .conflict("cannot start a paused container, try unpause instead")
        case .running, .restarting: return false
        case .removing, .dead: throw .conflict("container is marked for removal and cannot be started")
        }
    }

    /// A refusal of what runs containers, with the exit code it stands for.
    struct RefusedStart: Error {
        var error: EngineError
        var exitCode: Int32

        init(_ refusal: TaskError) {
            error = .start(refusal)
            exitCode = refusal.exitCode
        }
    }

    /// Makes the process and lets it run; behind the gate. After an error nothing is left of the attempt.
    func launch(from checkpoint: CheckpointPlace? = nil) async throws {
        let sandbox = try await joinNetworks()
        let task: RunningTask
        let startedAt: Timestamp
        do {
            let plan = try await plan(sandbox, checkpoint)
            task = try await services.tasks.create(id) { try plan.describe() }
            starting = task
            defer { starting = nil }
            // The container's processes keep the namespace from here on.
            withExtendedLifetime(sandbox) {}
            if isRemoving {
                await task.discard()
                throw EngineError.conflict("container is marked for removal and cannot be started")
            }
            if let publication = plan.network.ports {
                try await services.networks.publish(
                    task.publishedPorts, publication.requests, to: publication.target)
            }
            // Before the program begins, so that they miss nothing.
            await connectPendingAttachments(to: task)
            startedAt = try await task.start()
        } catch {
            await removeBundle()
            await releaseVolumes()
            let failure = portFailure(error)
            await leaveNetworks(tells: false)
            if let failure { throw failure }
            if let error = error as? TaskError { throw RefusedStart(error) }
            throw error
        }
        self.task = task
        networkPresence.map { setNetworkPresence($0.with(task.publishedPorts)) }
        record.hasRun = true
        record.state = .running(
            ContainerState.Running(
                pid: task.pid, shimPID: task.shimPID, startedAt: startedAt,
                previouslyFinishedAt: record.state.exit?.finishedAt))
        resetHealth()
        await connectPendingAttachments(to: task)
        await saveOrLog()
        await tellLinkingContainers()
        emitConnections()
        emitMounts()
        emit("start")
        follow(task)
        monitorHealth()
    }

    private func plan(_ sandbox: Sandbox?, _ checkpoint: CheckpointPlace?) async throws -> LaunchPlan {
        let targets = try namespaceTargets()
        var hostname = record.configuration.hostname
        if case .container(let name) = record.configuration.host.networkMode {
            hostname = try services.registry.find(name).current.configuration.hostname
        }
        let shared: FilePath? =
            switch targets.ipcMode {
            case .shareable: sharedMemory
            case .container(let name): try services.registry.find(name).sharedMemory
            default: nil
            }
        var network = try launchNetwork(sandbox?.endpoints ?? [], namespace: sandbox?.namespacePath)
        let links = try bridgeLinks()
        network.links = links.flatMap(\.hosts)
        if services.configuration.hasLinkEnvironment { network.linkEnvironment = links.flatMap(\.environment) }
        let preparation = try await prepareMounts()
        let root = try await services.images.root(key: id, isDisposable: record.configuration.host.autoRemove)
        return LaunchPlan(
            record: record, configuration: services.configuration, mounts: root.mounts, view: root.view,
            bundle: bundle, files: files, logPath: logPath, sharedMemory: shared, preparation: preparation,
            targets: targets, hostname: hostname, network: network, checkpoint: checkpoint)
    }

    /// Finds the processes whose name spaces are joined; throws with Docker's texts when they do not live.
    private func namespaceTargets() throws(EngineError) -> NamespaceTargets {
        let host = record.configuration.host
        var targets = NamespaceTargets(ipcMode: host.ipcMode)
        if case .container(let name) = host.networkMode {
            let container = try services.registry.find(name)
            if container.current.state.isRestarting { throw .restarting(container.id) }
            guard let running = container.current.state.running else {
                throw .conflict("cannot join network namespace of a non running container: \(container.id)")
            }
            targets.network = running.pid
            targets.networkFiles = container.files
        }
        // The request to start the container is right; what is wrong is the state of another one. Docker therefore
        // makes errors of the system out of all that goes wrong here.
        func living(_ name: String, _ what: String) throws(EngineError) -> (Container, ContainerState.Running) {
            do throws(EngineError) {
                let container = try services.registry.find(name)
                if container.current.state.isRestarting { throw .restarting(container.id) }
                guard let running = container.current.state.running else { throw .notRunning(container.id) }
                return (container, running)
            } catch {
                throw .system("failed to join \(what): \(error.message)")
            }
        }
        if case .container(let name) = host.pidMode { targets.pid = try living(name, "PID namespace").1.pid }
        if case .container(let name) = host.ipcMode {
            let (container, running) = try living(name, "IPC namespace")
            targets.ipc = running.pid
            switch container.current.configuration.host.ipcMode {
            case .host: targets.ipcMode = .host
            case .shareable: break
            default:
                throw .invalid(
                    "cannot join IPC namespace: non-shareable IPC (hint: use IpcMode:shareable for the donor container)"
                )
            }
        }
        return targets
    }

    /// Removes what a run leaves in the exec root; what cannot be removed is logged and tried again at the next start.
    func removeBundle() async {
        await services.tasks.remove(id)
        guard record.configuration.host.ipcMode == .shareable else { return }
        let path = sharedMemory
        do {
            try await services.pool.run { try TreeRemoval.remove(path) }
        } catch {
            logger.error("cannot remove \(path): \(error)")
        }
    }

    private func recordStartFailure(_ error: EngineError, exitCode: Int32) async {
        dropPendingAttachments()
        if case .removing = record.state { return }
        if record.configuration.host.autoRemove {
            await removeNow()
            return
        }
        if let exit = record.state.exit {
            record.state = .exited(
                ContainerState.Exit(
                    code: exitCode, startedAt: exit.startedAt, finishedAt: exit.finishedAt, error: error.message))
        } else {
            record.state = .created(failure: ContainerState.StartFailure(exitCode: exitCode, message: error.message))
        }
        await saveOrLog()
    }
}
