import Cgroups
import JSON
import LinuxKernel
import OCISpec
import Resctrl
import Seccomp
import SystemPackage

/// Makes and drives OCI containers on this machine (runtime-spec 1.3, `runtime.md`).
///
/// All calls are synchronous and meant for a process with a single thread: a container's first process is a fork of
/// the caller. What there is to know of a container is kept in `<root>/<id>/state.json` and in the kernel, so that any
/// process with the same `root` can go on where another stopped.
package struct ContainerRuntime: Hashable, Sendable {
    /// The directory with one directory for each container.
    package let root: FilePath
    private let filters: SeccompCache?

    /// The containers under `root`, which is made when it is needed.
    ///
    /// - Parameter filterCache: A directory for compiled system call filters, in one that exists once a container does;
    ///   what has been compiled before need not be again.
    package init(root: FilePath, filterCache: FilePath? = nil) {
        self.root = root
        filters = filterCache.map { SeccompCache(directory: $0) }
    }

    /// The configuration in the bundle `directory`.
    package static func configuration(of directory: FilePath) throws(RuntimeError) -> Spec {
        let file = directory.appending("config.json")
        let bytes = try attempt("cannot read \(file)", kind: .invalid) { () throws(Errno) in try Files.read(file) }
        do throws(JSONError) {
            return try Spec(json: bytes)
        } catch {
            throw RuntimeError(.invalid, "cannot read \(file): \(error)")
        }
    }

    private func configuration(of record: StoredContainer, known: Spec?) throws(RuntimeError) -> Spec {
        if let known { return known }
        return try Self.configuration(of: FilePath(record.bundle))
    }

    func directory(_ id: String) throws(RuntimeError) -> FilePath {
        try CreationPlan.check(id: id)
        return root.appending(id)
    }

    func record(_ id: String) throws(RuntimeError) -> StoredContainer {
        try StoredContainer.read(from: directory(id), id: id)
    }

    /// The same, also of a container that is still being created.
    private func anyRecord(_ id: String) throws(RuntimeError) -> (record: StoredContainer, isComplete: Bool) {
        try StoredContainer.readAny(from: directory(id), id: id)
    }

    // MARK: Life cycle

    /// Sets up a container up to the point where its program would be executed; `start` does that.
    ///
    /// The program is looked up already (so `commandNotFound` and `notExecutable` come from here).
    /// After an error nothing is left behind.
    package func create(
        id: String, bundle: FilePath, spec: Spec, options: CreateOptions = CreateOptions()
    ) throws(RuntimeError) -> StartedProcess {
        let plan = try CreationPlan(id: id, bundle: bundle, spec: spec, options: options)
        return try Creation(plan: plan, directory: directory(id), waitsForStart: true, filters: filters).run()
    }

    /// `create` and `start` in one step, which is faster than both.
    ///
    /// - Parameter warn: Is told of poststop hooks that fail, should the container have to be removed again.
    /// - Throws: also what a poststart hook that fails says; nothing of the container is left then.
    package func run(
        id: String, bundle: FilePath, spec: Spec, options: CreateOptions = CreateOptions(),
        warn: (String) -> Void = { _ in }
    ) throws(RuntimeError) -> StartedProcess {
        let plan = try CreationPlan(id: id, bundle: bundle, spec: spec, options: options)
        let process = try Creation(plan: plan, directory: directory(id), waitsForStart: false, filters: filters).run()
        let state = State(
            id: id, status: .running, pid: process.pid, bundle: bundle.string, annotations: spec.annotations)
        do throws(RuntimeError) {
            try HookRunner(point: "poststart", directory: bundle).run(spec.hooks?.poststart, state: state)
        } catch {
            // The error says what went wrong; what cannot be killed or removed is still listed.
            try? kill(id, signal: 9)
            _ = try? ProcessControl.wait(for: process.pid)  // As above.
            try? delete(id, force: true, spec: spec, warn: warn)  // As above.
            if let file = options.pidFile { try? Files.remove(file) }  // As above.
            throw error
        }
        return process
    }

    /// Executes the program of a created container.
    ///
    /// - Parameter spec: The container's configuration, if the caller has it at hand.
    /// - Throws: what a poststart hook that fails says; the container is then killed. `conflict` if it is not in the
    ///   state `created`; `commandNotFound`, `notExecutable` or `system` if the kernel refuses to execute the program;
    ///   the container is then stopped.
    package func start(
        _ id: String, spec: Spec? = nil
    ) throws(RuntimeError) {
        let record = try record(id)
        guard let pidfd = try record.openProcess() else {
            throw RuntimeError(.conflict, "cannot start a container that has stopped: \(id)")
        }
        defer { pidfd.close() }
        try StartGate.open(in: directory(id), process: pidfd)
        guard record.hasPoststartHooks else { return }
        let spec = try configuration(of: record, known: spec)
        let state = State(
            id: id, status: .running, pid: record.pid, bundle: record.bundle, annotations: record.annotations)
        do throws(RuntimeError) {
            try HookRunner(point: "poststart", directory: FilePath(record.bundle)).run(
                spec.hooks?.poststart, state: state)
        } catch {
            // It may have ended by itself.
            try? pidfd.send(signal: 9)
            throw error
        }
    }

    /// Runs another process in a running container. Returns when its program has been executed.
    ///
    /// The process is a child of the caller, which has to wait for it.
    package func exec(
        _ id: String, process: Process, options: ExecOptions = ExecOptions()
    ) throws(RuntimeError) -> StartedProcess {
        try exec(in: find(id), process: process, options: options)
    }

    /// The container `id`, for a caller that has to know its bundle first, or will do several things with it.
    package func find(_ id: String) throws(RuntimeError) -> FoundContainer {
        FoundContainer(record: try record(id), directory: try directory(id))
    }

    /// The same, also of a container that is still being created.
    private func findAny(_ id: String) throws(RuntimeError) -> FoundContainer {
        FoundContainer(record: try anyRecord(id).record, directory: try directory(id))
    }

    /// `exec` in a container that has been found before. If it has ended since, that is an error as it ever is.
    package func exec(
        in container: FoundContainer, process: Process, options: ExecOptions = ExecOptions()
    ) throws(RuntimeError) -> StartedProcess {
        try Execution(record: container.record, process: process, options: options, filters: filters).run()
    }

    /// Sends `signal` to the first process, or with `all` to every process of the container. Without a pid namespace of
    /// its own SIGKILL goes to all of them too, also when the first one has ended.
    ///
    /// - Throws: `conflict` if the first process has ended (with `all`, only if none is left).
    package func kill(_ id: String, signal: Int32, all: Bool = false) throws(RuntimeError) {
        try findAny(id).kill(signal: signal, all: all)
    }

    /// Looks up what `delete` will need, for a caller that has time now and none later. `nil` if it cannot be found
    /// out; `delete` says why.
    package func prepareRemoval(of id: String) -> PreparedRemoval? {
        PreparedRemoval(directory: root.appending(id), id: id)
    }

    /// Removes a stopped container's cgroup and state, and runs its poststop hooks. With `force` it is killed first,
    /// and it is no error if there is no such container.
    ///
    /// - Parameter prepared: What has been looked up before. If the container is another one by now, it is left alone:
    ///   the one that was meant is gone.
    /// - Throws: `conflict` if it has not stopped.
    package func delete(
        _ id: String, force: Bool = false, spec: Spec? = nil, prepared: PreparedRemoval? = nil,
        warn: (String) -> Void = { _ in }
    ) throws(RuntimeError) {
        let directory = try directory(id)
        if let prepared, prepared.isGone { return }
        let record: StoredContainer
        do throws(RuntimeError) {
            if let prepared { record = prepared.record } else { record = try anyRecord(id).record }
        } catch  where error.kind == .notFound && (force || Files.exists(directory)) {
            // Left by a creation that was interrupted before it had written anything.
            // Nobody is in it but, for a moment, a process that ends without its maker; or it is another container's.
            StateDirectory.notedCgroup(in: directory)?.removeUnpopulated()
            return try attempt("removing \(directory)") { () throws(Errno) in try StateDirectory.remove(directory) }
        }
        let cgroup: Cgroup?
        if let prepared { cgroup = prepared.cgroup } else { cgroup = try record.cgroup() }
        try remove(FoundContainer(record: record, directory: directory), cgroup, force: force, spec: spec, warn: warn)
    }

    /// `delete` with `force` of a container that has been found before, also if its files are gone.
    package func delete(_ container: FoundContainer, warn: (String) -> Void = { _ in }) throws(RuntimeError) {
        try remove(container, container.record.cgroup(), force: true, spec: nil, warn: warn)
    }

    private func remove(
        _ container: FoundContainer, _ cgroup: Cgroup?, force: Bool, spec: Spec?, warn: (String) -> Void
    ) throws(RuntimeError) {
        let (record, directory, id) = (container.record, container.directory, container.record.id)
        if let pidfd = try record.openProcess() {
            defer { pidfd.close() }
            guard force || StartGate.exists(in: directory) else {
                throw RuntimeError(.conflict, "cannot delete container \(id) that is not stopped: running")
            }
            // One that has been created and not started has no program that could notice.
            try endProcess(pidfd, cgroup: cgroup, id: id)
        }
        if let unit = record.unit { stop(unit, cgroup, warn: warn) }
        if let cgroup { try withCgroupErrors { () throws(CgroupError) in try cgroup.remove() } }
        if let serviceClass = record.serviceClass {
            try withResctrlErrors { () throws(ResctrlError) in try serviceClass.remove() }
        }
        try attempt("removing \(directory)") { () throws(Errno) in try StateDirectory.remove(directory) }
        if record.hasPoststopHooks {
            let spec = try configuration(of: record, known: spec)
            let state = State(id: id, status: .stopped, bundle: record.bundle, annotations: record.annotations)
            HookRunner(point: "poststop", directory: FilePath(record.bundle)).runAll(
                spec.hooks?.poststop, state: state, warn: warn)
        }
    }

    /// Where systemd cannot be reached its unit goes all the same, namely with its last process.
    private func stop(_ unit: SystemdUnit, _ cgroup: Cgroup?, warn: (String) -> Void) {
        // systemd would give them time to end by themselves. What cannot be killed here `Cgroup.remove` finds.
        if (try? cgroup?.processes().isEmpty) == false { try? cgroup?.signalAll(9) }
        do throws(RuntimeError) {
            try Systemd(isUser: unit.isUser).stop(unit)
        } catch {
            warn(error.message)
        }
    }

    private func endProcess(_ pidfd: PIDFD, cgroup: Cgroup?, id: String) throws(RuntimeError) {
        try attempt("cannot kill container \(id)") { () throws(Errno) in
            do throws(Errno) { try pidfd.send(signal: 9) } catch .noSuchProcess {}
            // If it stays frozen, the wait below says so.
            try? cgroup?.thawIfFrozen()
            let ended = try Poll.wait(for: [(pidfd.descriptor, .readable)], milliseconds: 10_000)
            if ended[0].isEmpty { throw Errno.timedOut }
        }
    }

    // MARK: Asking

    /// The container's state as the specification wants it.
    package func state(_ id: String) throws(RuntimeError) -> State {
        try details(id).state
    }

    /// The state, and what else `list` shows.
    package func details(_ id: String) throws(RuntimeError) -> ExtendedState {
        let (record, isComplete) = try anyRecord(id)
        var status = try FoundContainer(record: record, directory: directory(id)).status()
        if !isComplete, status != .stopped { status = .creating }
        let state = State(
            ociVersion: record.ociVersion, id: id, status: status, pid: status == .stopped ? nil : record.pid,
            bundle: record.bundle, annotations: record.annotations)
        return ExtendedState(
            state: state, rootfs: record.rootfs, created: record.created, owner: record.owner,
            cgroupPath: record.cgroupPath)
    }

    /// The ids of all containers under `root`, in alphabetical order.
    package func list() throws(RuntimeError) -> [String] {
        do throws(Errno) {
            return try Files.names(in: root).filter {
                let directory = root.appending($0)
                return Files.exists(directory.appending(StoredContainer.fileName))
                    || Files.exists(directory.appending(StoredContainer.provisionalFileName))
            }.sorted()
        } catch .noSuchFileOrDirectory {
            return []
        } catch {
            throw RuntimeError(.system, "cannot read \(root): \(error.words)")
        }
    }

    /// The container's control group, for statistics and for watching its memory; `nil` for one without.
    package func cgroup(_ id: String) throws(RuntimeError) -> Cgroup? {
        try record(id).cgroup()
    }

    /// The container's share of caches and memory bandwidth, for statistics; `nil` for one that has everybody's.
    package func serviceClass(_ id: String) throws(RuntimeError) -> ServiceClass? {
        try record(id).serviceClass
    }

    /// The pids of all processes in the container, as the caller's pid namespace numbers them.
    package func processes(_ id: String) throws(RuntimeError) -> [Int32] { try find(id).processes() }

    // MARK: Changing

    /// Freezes every process of the container.
    package func pause(_ id: String) throws(RuntimeError) { try find(id).pause() }

    /// Thaws a paused container.
    package func resume(_ id: String) throws(RuntimeError) { try find(id).resume() }

    /// Changes the limits of a container; only those in `resources` change.
    ///
    /// - Parameters:
    ///   - share: The new share of caches and memory bandwidth, for a container that has one.
    ///   - warn: Is told what cannot be had together.
    package func update(
        _ id: String, resources: LinuxResources, share: LinuxIntelRdt = LinuxIntelRdt(),
        warn: (String) -> Void = { _ in }
    ) throws(RuntimeError) {
        try find(id).update(resources: resources, share: share, warn: warn)
    }
}

/// A container's state, and what is known of it beyond the specification's `State`.
package struct ExtendedState: Hashable, Sendable {
    /// The specification's part.
    package var state: State
    /// The root file system's place on the host.
    package var rootfs: String
    /// When it was created.
    package var created: Timestamp
    /// The user who created it.
    package var owner: UInt32
    /// The control group's path in every hierarchy.
    package var cgroupPath: String?
}
