import Logging
import ShimProtocol

// After a crash.
extension Tasks {
    /// Finds out what has become of a task that an earlier process made, and takes it over if it runs.
    ///
    /// - Parameter isPaused: whether its user had paused it. If not, and it is frozen, it is thawed: then the process
    ///   that has died held it for work of its own.
    package func recover(_ id: String, isPaused: Bool = false) async -> RecoveredTask {
        let bundle = bundle(id)
        guard bundle.hasSocket else { return await endOnDisk(id) }
        let task: RunningTask
        do {
            let known = try? bundle.configuration()  // Gone, or damaged: then the control group is not known.
            task = RunningTask(
                id, of: self, client: try ShimClient(bundle: bundle.path), pid: 0, shimPID: 0, cgroup: known?.cgroup,
                program: known?.runtime)
        } catch {
            // The socket of a shim that was killed.
            logger.warning("cannot reconnect to a shim: \(error)", metadata: ["container": "\(id)"])
            return await endOnDisk(id)
        }
        task.freezing.isToBeFound()
        let answer = Task { try await task.subscribeAgain() }
        let found: RunningTask.Found
        do {
            guard let answered = try await answer.value(within: configuration.patience.recovery) else {
                logger.warning(
                    "a shim does not answer; waiting for it in the background", metadata: ["container": "\(id)"])
                task.begin(after: answer, staysPaused: isPaused)
                return .silent(task)
            }
            found = answered
        } catch {
            task.letGo()
            logger.warning("cannot reconnect to a shim: \(error)", metadata: ["container": "\(id)"])
            return await endOnDisk(id)
        }
        switch found.state {
        case .running(let pid, let startedAt, let isFrozen):
            task.begin()
            return .running(
                task,
                await task.adopt(
                    pid: pid, startedAt: startedAt, isFrozen: isFrozen, found.execs, staysPaused: isPaused))
        case .exited(let record):
            task.letGo()
            return .ended(TaskExit(record, found.execs))
        case .created:
            await task.discard()
            return .neverStarted
        }
    }

    private func endOnDisk(_ id: String) async -> RecoveredTask {
        do {
            guard let exit = try await pool.run({ [self] in try bundle(id).exit() }) else { return .gone }
            return .ended(exit)
        } catch {
            logger.error("cannot read how \(bundle(of: id)) ended: \(error)")
            return .gone
        }
    }
}
