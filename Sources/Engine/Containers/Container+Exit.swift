import Cgroups
import JSON
import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage

extension Container {
    func handle(_ event: ShimEvent, from client: ShimClient) async {
        switch event {
        case .exited(let exit): await ended(exit, client: client)
        case .execStarted(let execID, let pid): execStarted(execID, pid: pid)
        case .execExited(let execID, let exitCode, let at): execEnded(execID, exitCode: exitCode, at: at)
        case .outOfMemory: emit("oom")
        case .detached(let execID):
            guard let execID else { return emit("detach") }
            execs[execID]?.endWaits()
            emit("exec_detach", ["execID": execID])
        }
    }

    /// The shim closed the connection. If it did not say how the container ended, its file does; if there is none, the shim was
    /// killed.
    func shimEnded(_ client: ShimClient) async {
        guard shim === client else { return }
        let exit: ExitRecord
        if let found = await exitOnDisk() { exit = found } else { exit = await lost() }
        await ended(exit, client: client)
    }

    /// The end a shim recorded when nobody listened.
    func exitOnDisk() async -> ExitRecord? {
        let path = bundle.appending(ShimBundle.exit)
        do {
            return try await services.pool.run {
                guard Files.exists(path) else { return nil }
                return try JSON.decode(ExitRecord.self, from: try Files.read(path, limit: 1 << 20))
            }
        } catch {
            logger.error("cannot read \(path): \(error)")
            return nil
        }
    }

    /// A run whose shim was killed: nobody owns its processes any more. They are killed, and what is recorded says so.
    func lost() async -> ExitRecord {
        let isSystemd = services.configuration.usesSystemdCgroups
        let path = SpecificationBuilder.cgroupsPath(parent: cgroupParent, id: id, systemd: isSystemd)
        await services.deleteRuntimeState(in: bundle, logger: logger)
        do {
            try await services.pool.run { [id] in
                // systemd lets go of a scope whose last process has ended.
                let path = try isSystemd ? SystemdUnit(cgroupsPath: path, id: id, isUser: false).path() : path
                let cgroup = try Cgroup(path: path, hierarchies: try CgroupHierarchies.mounted())
                try cgroup.signalAll(Signal.kill.rawValue)
                try cgroup.remove()
            }
        } catch {
            logger.warning("cannot clean up after a killed shim: \(error)")
        }
        return ExitRecord(
            exitCode: 137, exitedAt: .now(), pid: record.state.pid, startedAt: record.state.running?.startedAt,
            warning: "the container's shim was killed; the exit code of the container is unknown")
    }

    private var cgroupParent: String {
        let own = record.configuration.host.cgroupParent
        return own.isEmpty ? services.configuration.cgroupParent : own
    }

    /// Takes note of the end of a run and does what follows from it. `client` is the run's, nil at recovery.
    func ended(_ exit: ExitRecord, client: ShimClient?) async {
        await gate.enter()
        defer { gate.leave() }
        // The end of a run that has been dealt with already, by another way.
        guard record.state.running != nil, shim === client else { return }
        if let warning = exit.warning { logger.warning("\(warning)") }
        shim = nil
        client?.close()
        endExecs(at: exit.exitedAt)

        let startedAt = exit.startedAt ?? record.state.startedAt
        let end = ContainerState.Exit(
            code: exit.exitCode, startedAt: startedAt, finishedAt: exit.exitedAt, isOOMKilled: exit.oomKilled)
        let duration = exit.exitedAt.since(startedAt)
        let delay = delayBeforeRestart(exitCode: exit.exitCode, duration: duration)
        let attributes = ["exitCode": "\(exit.exitCode)", "execDuration": "\(max(0, Int(duration)))"]
        if let delay {
            record.restartCount += 1
            record.state = .restarting(end)
            await saveOrLog()
            await removeBundle()
            emit("die", attributes)
            notifyStopped()
            scheduleRestart(after: delay)
        } else if record.configuration.host.autoRemove, restartsByHand == 0 {
            record.state = .exited(end)
            emit("die", attributes)
            notifyStopped()
            await removeNow()
        } else {
            record.state = .exited(end)
            // What is about to be removed needs no record.
            if !isRemoving {
                await saveOrLog()
                await removeBundle()
            }
            emit("die", attributes)
            notifyStopped()
        }
    }

    // MARK: Restart policy

    /// How long to wait before the next start, or nil if there shall be none.
    private func delayBeforeRestart(exitCode: Int32, duration: Double) -> Duration? {
        if isRemoving { return nil }
        let policy = record.configuration.host.restartPolicy
        guard
            RestartDecision.restarts(
                policy, exitCode: exitCode, restartCount: record.restartCount,
                isManuallyStopped: record.isManuallyStopped)
        else { return nil }
        restartDelay = RestartDecision.delay(after: restartDelay, runSeconds: duration)
        return restartDelay
    }

    func scheduleRestart(after delay: Duration) {
        restartTask = Task { [weak self] in
            do {
                try await Task.sleep(for: delay)
            } catch {
                return  // Cancelled: somebody stopped or removed it.
            }
            await self?.restartByPolicy()
        }
    }

    func cancelRestart() {
        restartTask?.cancel()
        restartTask = nil
    }

    /// Starts it again after its pause, unless it has been stopped meanwhile.
    private func restartByPolicy() async {
        await gate.enter()
        defer { gate.leave() }
        guard case .restarting(let exit) = record.state, !isRemoving else { return }
        restartTask = nil
        do {
            try await launch()
        } catch {
            let failure = (error as? StartFailure)?.error ?? EngineError(error)
            logger.error("cannot restart: \(failure)")
            var end = exit
            end.error = failure.message
            record.state = .exited(end)
            await saveOrLog()
            notifyStopped()
        }
    }
}
