import Cgroups
import LinuxKernel
import OCISpec
import SystemPackage

// Containers that stop here and go on elsewhere, or later.
extension ContainerRuntime {
    /// Saves the processes of a running or paused container to files with CRIU, and removes the container unless it is
    /// to go on.
    ///
    /// - Parameter warn: Is told what CRIU's log says of an error, and of poststop hooks that fail.
    /// - Throws: `conflict` if it does not run. It goes on after an error.
    package func checkpoint(
        _ id: String, options: CheckpointOptions, warn: (String) -> Void = { _ in }
    ) throws(RuntimeError) {
        let status = try state(id).status
        guard status == .running || status == .paused else {
            throw RuntimeError(.conflict, "Container cannot be checkpointed in \(status.rawValue) state")
        }
        let record = try record(id)
        let spec = try Self.configuration(of: FilePath(record.bundle))
        guard let process = try record.openProcess() else {
            throw RuntimeError(.conflict, "Container cannot be checkpointed in stopped state")
        }
        defer { process.close() }
        try Checkpoint(record: record, spec: spec, options: options).run(warn: warn)
        if options.leavesRunning || options.isPreDump { return }
        // CRIU has killed it. A frozen process would not notice; where there is no group any more, nobody is frozen.
        try? record.cgroup()?.thaw()
        try attempt("cannot wait for the end of container \(id)") { () throws(Errno) in
            let ended = try Poll.wait(for: [(process.descriptor, .readable)], milliseconds: 10_000)
            if ended[0].isEmpty { throw Errno.timedOut }
        }
        try delete(id, spec: spec, warn: warn)
    }

    /// Makes a container from what `checkpoint` has saved. It runs afterwards.
    ///
    /// - Parameter warn: Is told what CRIU's log says of an error.
    /// - Throws: After an error nothing of the container is left.
    package func restore(
        id: String, bundle: FilePath, spec: Spec, options: CreateOptions, checkpoint: CheckpointOptions,
        warn: (String) -> Void = { _ in }
    ) throws(RuntimeError) -> StartedProcess {
        let plan = try CreationPlan(id: id, bundle: bundle, spec: spec, options: options)
        return try Restoration(plan: plan, directory: directory(id), options: checkpoint).run(warn: warn)
    }
}
