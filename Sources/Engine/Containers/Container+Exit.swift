import OCISpec
import Tasks

extension Container {
    /// Receives what happens to a task until it ends.
    func follow(_ task: RunningTask) {
        Task {
            for await event in task.events { await handle(event, from: task) }
        }
    }

    private func handle(_ event: TaskEvent, from task: RunningTask) async {
        switch event {
        case .started: break
        case .answered(let presence):
            await gate.enter()
            defer { gate.leave() }
            guard self.task === task, record.state.running != nil else { return }
            adopt(task, presence)
            isSilent = false
            await saveOrLog()
            await recoverNetworks()
        case .pauseChanged:
            await gate.enter()
            defer { gate.leave() }
            // As it is by now: what went through the gate meanwhile has recorded itself.
            if self.task === task { await setPaused(task.isPaused) }
        case .exited(let exit), .lost(let exit): await ended(exit, task: task)
        case .execStarted(let execID, let pid): execStarted(execID, pid: pid)
        case .execExited(let execID, let exitCode, let at): execEnded(execID, exitCode: exitCode, at: at)
        case .outOfMemory: emit("oom")
        case .detached(let execID):
            guard let execID else { return emit("detach") }
            execs[execID]?.endWaits()
            emit("exec_detach", ["execID": execID])
        }
    }

    /// The control group of the container's task, also where nothing of the task is left.
    var cgroup: TaskCgroup {
        let own = record.configuration.host.cgroupParent
        let parent = own.isEmpty ? services.configuration.cgroupParent : own
        let isSystemd = services.configuration.usesSystemdCgroups
        return TaskCgroup(
            path: SpecificationBuilder.cgroupsPath(parent: parent, id: id, systemd: isSystemd), isSystemd: isSystemd)
    }

    /// Takes note of the end of a run and does what follows from it. `task` is the run's, nil at recovery.
    func ended(_ exit: TaskExit, task: RunningTask?) async {
        await gate.enter()
        defer { gate.leave() }
        // The end of a run that has been dealt with already, by another way.
        guard record.state.running != nil, self.task === task else { return }
        if let warning = exit.warning { logger.warning("\(warning)") }
        self.task = nil
        endMonitoring()
        adoptExecs(exit.execs)
        endExecs(at: exit.finishedAt)

        let startedAt = exit.startedAt ?? record.state.startedAt
        let end = ContainerState.Exit(
            code: exit.code, startedAt: startedAt, finishedAt: exit.finishedAt, isOOMKilled: exit.isOOMKilled)
        let duration = exit.finishedAt.since(startedAt)
        let delay = delayBeforeRestart(exitCode: exit.code, duration: duration)
        let attributes = ["exitCode": "\(exit.code)", "execDuration": "\(max(0, Int(duration)))"]
        if let delay {
            record.restartCount += 1
            record.state = .restarting(end)
            await saveOrLog()
            await removeBundle()
            emit("die", attributes)
            await leaveNetworks(tells: true)
            await releaseVolumes()
            emitUnmounts()
            notifyStopped()
            scheduleRestart(after: delay)
        } else if record.configuration.host.autoRemove, restartsByHand == 0 {
            record.state = .exited(end)
            emit("die", attributes)
            await leaveNetworks(tells: true)
            await releaseVolumes()
            emitUnmounts()
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
            await leaveNetworks(tells: true)
            await releaseVolumes()
            emitUnmounts()
            notifyStopped()
        }
    }

    // MARK: Restart policy

    /// How long to wait before the next start; nil for no further start.
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
            let failure = (error as? RefusedStart)?.error ?? EngineError(error)
            logger.error("cannot restart: \(failure)")
            // A forced removal does not wait for a start that does not come to its end.
            if case .removing = record.state { return }
            var end = exit
            end.error = failure.message
            record.state = .exited(end)
            await saveOrLog()
            notifyStopped()
        }
    }
}
