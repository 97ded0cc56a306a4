import Cgroups
import Failure
import LinuxKernel
import OCISpec
import Resctrl
import Seccomp
import SystemPackage

/// The making of one container: the runtime's side of what `InitProcess` does.
///
/// Both work at the same time. While the container's process builds its file tree, this side makes the control group,
/// sets its limits, compiles the system call filter and writes the state.
struct Creation {
    let plan: CreationPlan
    /// `<root>/<id>`.
    let directory: FilePath
    /// Whether the container is to wait for `start`.
    let waitsForStart: Bool
    /// Where compiled system call filters are kept.
    let filters: SeccompCache?

    /// Makes the container. After an error nothing of it is left.
    func run() throws(RuntimeError) -> StartedProcess {
        try StateDirectory.make(directory, id: plan.id)
        var made = Made()
        made.undo.add("state directory \(directory)") { [directory] in try StateDirectory.remove(directory) }
        do throws(RuntimeError) {
            plan.rootTrees = try RootFilesystem.openTrees(plan.options.rootfsMounts)
            // The container's process has copies.
            defer { for tree in plan.rootTrees { tree?.discard() } }
            guard plan.mayLackCgroup else { return try fork(&made) }
            // Before the process is made, which has to know whether there is one.
            plan.cgroup = try withCgroupErrors { () throws(CgroupError) in
                try Cgroup.makeWherePermitted(plan.id, for: plan.linux.resources)
            }
            if let cgroup = plan.cgroup { made.add(cgroup) }
            if plan.cgroup == nil, !plan.newNamespaces.contains(.pid) {
                plan.options.log?.warn(
                    "Creating a rootless container with no cgroup and no private pid namespace. Such configuration is "
                        + "strongly discouraged, as it is impossible to properly kill all container's processes"
                )
            }
            return try fork(&made)
        } catch {
            made.revert()
            throw error.at(.process)
        }
    }

    /// What has been made.
    private struct Made {
        /// The container's process.
        var process: Int32?
        /// The master side of its terminal.
        var console: FileDescriptor?
        /// All else, which can be taken back only once nobody is in it.
        var undo = Undo<Undoing>()

        mutating func add(_ cgroup: Cgroup) {
            undo.add("control group \(cgroup.path)") { try cgroup.remove() }
        }

        mutating func revert() {
            if let process {
                // It may have ended by itself.
                try? Signals.send(Signal.kill.rawValue, to: process)
                _ = try? ProcessControl.wait(for: process)
            }
            console?.discard()
            // The error that is reported is the one that led here.
            undo.run()
        }
    }

    private func fork(_ made: inout Made) throws(RuntimeError) -> StartedProcess {
        let gate = waitsForStart ? try StartGate(in: directory) : nil
        defer { gate?.close() }
        var (channel, childChannel) = try InitChannel.pair()
        channel.log = plan.options.log
        defer { channel.close() }
        let group: FileDescriptor?
        do throws(RuntimeError) {
            if plan.mayNeedSources {
                (channel.sources, childChannel.sources) = try attempt("socketpair") { () throws(Errno) in
                    try UnixSocket.pair(.messages)
                }
            }
            if let cgroup = plan.cgroup, plan.unit == nil {
                try attempt("cannot write to \(directory)") { () throws(Errno) in
                    try StateDirectory.note(cgroup, in: directory)
                }
            }
            // On version 2 a process can start inside its group, if there is one by then.
            group = try makeUnifiedGroup(&made)
        } catch {
            childChannel.close()
            throw error
        }
        defer { group?.discard() }
        let fork: ProcessControl.Fork
        do throws(RuntimeError) {
            if plan.joinsUserNamespace {
                fork = try attempt("cannot make the container's process") { () throws(Errno) in
                    try self.fork(into: group)
                }
            } else {
                fork = try PIDNamespace.forked(into: plan.joinedNamespaces.first { $0.kind == .pid }?.path) {
                    () throws(Errno) in try self.fork(namespaces: namespacesOfFork, into: group)
                }
            }
        } catch {
            childChannel.close()
            throw error
        }
        guard case .parent(var pid, _) = fork else {
            InitProcess(plan: plan, channel: childChannel, gate: gate).run(makingNamespaces: namespacesOfFork)
        }
        made.process = pid
        childChannel.close()
        if plan.joinsUserNamespace {
            pid = try JoinedUserNamespace.replacement(of: pid, channel)
            made.process = pid
        }
        plan.options.log?.debug("nsexec[\(pid)]: nsexec container setup")
        let record = try prepare(pid, channel, &made)
        try follow(pid, channel, &made)
        try StoredContainer.complete(in: directory)
        var process = StartedProcess(pid: pid, console: made.console)
        process.container = FoundContainer(record: record, directory: directory)
        return process
    }

    private func fork(
        namespaces: Namespaces = [], into group: FileDescriptor?
    ) throws(Errno) -> ProcessControl.Fork {
        do throws(Errno) {
            return try ProcessControl.fork(namespaces: namespaces, cgroup: group)
        } catch  where group != nil && plan.cgroup?.isUnified == false {
            // On a hybrid machine nothing depends on it.
            return try ProcessControl.fork(namespaces: namespaces)
        }
    }

    /// The cgroup namespace comes later, when the process is in its group; offsets of clocks can be set only as long
    /// as nobody is in a time namespace; and making a network namespace takes the kernel so long that the process does
    /// it itself, while this side goes on.
    private var namespacesOfFork: Namespaces {
        plan.newNamespaces.subtracting(plan.makesOwnNetwork ? [.cgroup, .time, .network] : [.cgroup, .time])
    }

    private func makeUnifiedGroup(_ made: inout Made) throws(RuntimeError) -> FileDescriptor? {
        guard let cgroup = plan.cgroup, plan.unit == nil else { return nil }
        guard cgroup.isUnified else {
            made.undo.add("control group \(cgroup.path) beside") { cgroup.removeBeside() }
            return cgroup.createBeside()
        }
        try create(cgroup)
        made.add(cgroup)
        return try withCgroupErrors { () throws(CgroupError) in try cgroup.openForClone() }
    }

    private func create(_ cgroup: Cgroup) throws(RuntimeError) {
        do throws(CgroupError) {
            try cgroup.create(for: plan.linux.resources)
        } catch {
            throw RuntimeError(.system, "unable to apply cgroup configuration: \(error.message)")
        }
    }

    /// Does this side's share of the work while the process does its own.
    private func prepare(
        _ pid: Int32, _ channel: InitChannel, _ made: inout Made
    ) throws(RuntimeError) -> StoredContainer {
        let record = try writeState(pid)
        if plan.newNamespaces.contains(.user) {
            try UserNamespaceMaps.write(
                uids: plan.linux.uidMappings, gids: plan.linux.gidMappings, process: pid)
        }
        if plan.hasUserNamespace { try OutsideAttributes.apply(plan.process, to: pid) }
        var resources = plan.linux.resources ?? LinuxResources()
        if let unit = plan.unit {
            // Before systemd has anything to do with it: taking that back would remove a group that is somebody else's.
            if let cgroup = plan.cgroup {
                try withCgroupErrors { () throws(CgroupError) in try cgroup.refuseIfInUse() }
            }
            let started = try unit.start(process: pid, resources.withDefaultDevices)
            made.undo.add("unit \(unit.unit.name)") { try started.stop() }
            resources = started.resources
        } else if !resources.isEmpty {
            resources = resources.withDefaultDevices
        }
        if let cgroup = plan.cgroup, !cgroup.isUnified || plan.unit != nil {
            if plan.unit == nil {
                try create(cgroup)
            } else {
                try withCgroupErrors { () throws(CgroupError) in try cgroup.create(isAdopted: true) }
            }
            made.add(cgroup)
            if plan.hasUserNamespace, !cgroup.isUnified {
                try withCgroupErrors { () throws(CgroupError) in try cgroup.add(pid: pid) }
            }
        }
        if !resources.isEmpty { try ResourceSetup(plan).apply(resources) }
        // A user other than root already owns the group and cannot give it away.
        if !plan.isUnprivileged, let cgroup = plan.cgroup, let owner = plan.cgroupOwner {
            try withCgroupErrors { () throws(CgroupError) in try cgroup.delegate(to: owner) }
        }
        if let serviceClass = plan.serviceClass, let wanted = plan.linux.intelRdt {
            try withResctrlErrors { () throws(ResctrlError) in try serviceClass.make(wanted, pid: pid) }
            made.undo.add("class of service") { try serviceClass.remove() }
        }
        if let devices = plan.linux.netDevices, !devices.isEmpty {
            let joined = plan.joinedNamespaces.first { $0.kind == .network }?.path
            try NetworkDevices(devices: devices).move(to: joined ?? FilePath("/proc/\(pid)/ns/net"))
        }
        // Only now: between the rule that denies all devices and those that allow some, the process could make none.
        try channel.send(.enterCgroup)
        let filter = try SeccompFilters.compiled(plan.linux.seccomp, filters)
        if !filter.isEmpty {
            plan.options.log?.debug("seccomp filter flags: \(SeccompProgram(message: filter).flags)")
        }
        if let file = plan.options.pidFile {
            try attempt("cannot write the pid file \(file)") { () throws(Errno) in
                try Files.replace(file, with: Array("\(pid)".utf8), mode: 0o644)
            }
            made.undo.add("pid file \(file)") { try Files.remove(file) }
        }
        if hasRuntimeHooks { try runHooks(pid, channel, &made) }
        try channel.send(.goOn(filter: filter))
        return record
    }

    private var hasRuntimeHooks: Bool {
        plan.spec.hooks?.prestart?.isEmpty == false || plan.spec.hooks?.createRuntime?.isEmpty == false
    }

    private func runHooks(_ pid: Int32, _ channel: InitChannel, _ made: inout Made) throws(RuntimeError) {
        reports: while true {
            switch try channel.nextReport() {
            case .readyForHooks: break reports
            case .failure(let error): throw error
            case .sourceRequest(let index): try answer(index, pid, channel)
            case .console(let console): made.console = console
            case .warning, .ready, .replaced, .listening, nil:
                throw RuntimeError(.system, "the container's process ended before its hooks ran")
            }
        }
        do throws(RuntimeError) {
            try plan.runRuntimeHooks(pid)
        } catch {
            // The process waits for them on its way.
            throw error.at(.initialization)
        }
        try channel.send(.hooksDone)
    }

    private func answer(_ index: Int, _ pid: Int32, _ channel: InitChannel) throws(RuntimeError) {
        guard let socket = channel.sources else {
            throw RuntimeError(.system, "the container's process asked for a mount's source out of turn")
        }
        try MountSources(plan: plan, process: pid, socket: socket).answer(index)
    }

    private func writeState(_ pid: Int32) throws(RuntimeError) -> StoredContainer {
        guard let times = ProcessTimes.of(pid) else {
            throw RuntimeError(.system, "the container's process ended while it was being set up")
        }
        let record = StoredContainer(plan, pid: pid, startTime: times.startTime)
        try record.write(to: directory)
        StateDirectory.removeNote(in: directory)
        return record
    }

    /// Waits until the process is ready (or has executed its program).
    private func follow(_ pid: Int32, _ channel: InitChannel, _ made: inout Made) throws(RuntimeError) {
        var isReady = false
        while true {
            let report = try channel.nextReport()
            if case .ready = report {
                plan.options.log?.debug("child process in init()")
                plan.options.log?.debug("init: closing the pipe to signal completion")
            }
            switch report {
            case .failure(let error): throw error
            case .sourceRequest(let index): try answer(index, pid, channel)
            case .console(let console): made.console = console
            case .listening(let number):
                let listener = try SeccompAgent.listener(number, of: pid)
                defer { listener.discard() }
                // First, as the process may not even be able to read this without the agent.
                try channel.send(.listenerTaken)
                let state = State(
                    id: plan.id, status: .creating, pid: pid, bundle: plan.bundle.string,
                    annotations: plan.spec.annotations)
                try SeccompAgent(plan.linux.seccomp)?.send(listener, process: pid, state: state)
            case .ready where waitsForStart: return
            case .ready: isReady = true
            case nil where isReady: return
            case .warning, .readyForHooks, .replaced, nil:
                throw RuntimeError(.system, "the container's process ended unexpectedly while it was being set up")
            }
        }
    }
}
