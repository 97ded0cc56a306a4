import Cgroups
import LinuxKernel
import Logging
import OCISpec
import ShimProtocol
import SystemPackage

// What happens if a shim dies: the daemon sees the end of the connection, or finds nobody at its start
// (`Tasks.recover`). Without a file `exit` nobody knows how the task would have ended: what is left of it is killed,
// and it is `lost`, which to the engine is an exit with code 137. Without a daemon the container runs on until one
// comes.

extension RunningTask {
    /// How a task has ended whose shim is gone without a word: as the shim has written down, or nobody knows how.
    func endWithoutShim() async -> TaskEvent {
        // What cannot be read is as good as not written.
        if let exit = try? await home.pool.run({ [home, id] in try home.bundle(id).exit() }) { return .exited(exit) }
        return .lost(await home.bury(id, cgroup: cgroup, pid: pid))
    }
}

extension Tasks {
    /// Ends whatever is left of a task that has no shim, and says that nobody knows how it would have ended.
    ///
    /// Its processes are killed by their control group, and a runtime's program removes what it knows of. What fails is
    /// logged: it would not become better by not recording the end.
    ///
    /// - Parameters:
    ///   - cgroup: the control group, for a task whose bundle is gone; otherwise the bundle says it.
    ///   - pid: the first process as it was known; nobody sends anything to it, as the pid may be another's by now.
    package func bury(
        _ id: String, cgroup: TaskCgroup? = nil, pid: Int32 = 0, startedAt: Timestamp? = nil
    ) async -> TaskExit {
        await pool.complete { [self] in
            deleteRuntimeState(id)
            let known = (try? bundle(id).configuration())?.cgroup  // The caller's is as good.
            guard let cgroup = known ?? cgroup else { return }
            removeCgroup(cgroup, of: id)
        }
        return TaskExit(
            code: 137, startedAt: startedAt, finishedAt: .now(), pid: pid,
            warning: "the container's shim was killed; the exit code of the container is unknown")
    }

    /// Has a runtime's program remove what it knows of a task whose shim was killed: nobody else knows what there is.
    /// Nothing is done where the built-in runtime made the task, or where nothing is left. Blocks.
    func deleteRuntimeState(_ id: String) {
        let bundle = bundle(id)
        do {
            guard bundle.hasRuntimeState, try bundle.configuration()?.runtime != nil else { return }
            try ShimLaunch.delete(program: configuration.shimProgram, bundle: bundle.path)
        } catch {
            logger.warning("cannot clean up after a killed shim: \(error)", metadata: ["container": "\(id)"])
        }
    }

    /// Kills all processes in a control group and removes it. Blocks.
    func removeCgroup(_ cgroup: TaskCgroup, of id: String) {
        do {
            let group = try cgroup.group(of: id)
            try group.signalAll(Signal.kill.rawValue)
            try group.remove()
        } catch {
            logger.warning("cannot clean up after a killed shim: \(error)", metadata: ["container": "\(id)"])
        }
    }
}

extension ShimConfiguration {
    /// The control group that the shim uses.
    var cgroup: TaskCgroup { TaskCgroup(path: cgroupPath ?? "/" + id, isSystemd: usesSystemdCgroup ?? false) }
}
