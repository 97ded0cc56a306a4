import Cgroups
import JSON
import LinuxKernel
import OCISpec
import Resctrl
import Seccomp
import SystemPackage

/// The adding of one process to a running container.
struct Execution {
    let record: StoredContainer
    let process: Process
    let options: ExecOptions
    /// Where compiled system call filters are kept.
    let filters: SeccompCache?

    /// Makes the process. Returns when it has executed its program.
    func run() throws(RuntimeError) -> StartedProcess {
        try CreationPlan.check(process)
        if ProcessAttributes.uid != 0 { try Rootless.check(process) }
        guard let pidfd = try record.openProcess() else {
            throw RuntimeError(.conflict, "cannot exec in a stopped container: \(record.id)")
        }
        defer { pidfd.close() }
        var cgroup = try record.cgroup()
        if !options.ignoresPause, let cgroup,
            try withCgroupErrors({ () throws(CgroupError) in try cgroup.isFrozen() })
        {
            throw RuntimeError(
                .conflict, "cannot exec in a paused container (use --ignore-paused to override): \(record.id)")
        }
        if !options.subgroups.isEmpty {
            guard cgroup != nil else { throw RuntimeError(.conflict, "the container has no control group") }
            try withCgroupErrors { () throws(CgroupError) in try cgroup?.setSubgroups(options.subgroups) }
        }
        let spec = try configuration()
        let agent = try SeccompAgent(spec?.linux?.seccomp)
        let filter = try SeccompFilters.compiled(spec?.linux?.seccomp, filters)
        do throws(RuntimeError) {
            return try makeProcess(pidfd, cgroup, linux: spec?.linux, filter, agent)
        } catch {
            throw error.at(.process)
        }
    }

    private func makeProcess(
        _ pidfd: PIDFD, _ cgroup: Cgroup?, linux: Linux?, _ filter: [UInt8], _ agent: SeccompAgent?
    ) throws(RuntimeError) -> StartedProcess {
        var cgroup = cgroup
        var (channel, childChannel) = try InitChannel.pair()
        channel.log = options.log
        defer { channel.socket.discard() }
        let namespaces = Namespaces(record.namespaces.map(\.kernelFlag))
        var group = try openGroup(&cgroup)
        defer { group?.discard() }
        let fork: ProcessControl.Fork
        do throws(RuntimeError) {
            fork = try self.fork(namespaces, &cgroup, &group)
        } catch {
            childChannel.socket.discard()
            throw error
        }
        guard case .parent(let pid, _) = fork else {
            Entry(
                execution: self, pidfd: pidfd, namespaces: namespaces, cgroup: cgroup, group: group,
                channel: childChannel, linux: linux
            )
            .run(filter)
        }
        childChannel.socket.discard()
        noteBeginning(pid, filter)
        return try follow(pid, channel, cgroup, agent)
    }

    private func noteBeginning(_ pid: Int32, _ filter: [UInt8]) {
        guard let log = options.log else { return }
        log.debug("nsexec[\(pid)]: nsexec container setup")
        if let initial = process.execCPUAffinity?.initial, let cpus = NumberList.parse(initial) {
            // What is shown has room for 64.
            let mask = cpus.filter { $0 < 64 }.reduce(into: UInt64(0)) { $0 |= 1 << UInt64($1) }
            log.debug("nsexec-0[\(pid)]: affinity: 0x\(String(mask, radix: 16))")
        }
        log.debug("child process in init()")
        if !filter.isEmpty { log.debug("seccomp filter flags: \(SeccompProgram(message: filter).flags)") }
    }

    private func openGroup(_ cgroup: inout Cgroup?) throws(RuntimeError) -> FileDescriptor? {
        do throws(CgroupError) {
            do throws(CgroupError) {
                return try cgroup?.openForClone()
            } catch  where error.errno == .noSuchFileOrDirectory && cgroup?.subgroups.isEmpty == true {
                // A container that sees the whole hierarchy may have moved and removed its group.
                guard let present = cgroup?.present(of: record.pid) else { throw error }
                cgroup = present
                return try present.openForClone()
            }
        } catch {
            throw RuntimeError(.system, "error adding pid to cgroups: \(error.message)")
        }
    }

    /// The first process: in a pid namespace its child is the one that is put into the group.
    private func fork(
        _ namespaces: Namespaces, _ cgroup: inout Cgroup?, _ group: inout FileDescriptor?
    ) throws(RuntimeError) -> ProcessControl.Fork {
        do throws(Errno) {
            if let beside = group, cgroup?.isUnified == false {
                // On a hybrid machine it is a mere place, with no limit to stop the fork that is still to be done.
                group = nil
                defer { beside.discard() }
                do throws(Errno) { return try ProcessControl.fork(cgroup: beside) } catch {}
            }
            do throws(Errno) {
                return try ProcessControl.fork(cgroup: namespaces.contains(.pid) ? nil : group)
            } catch .resourceBusy {
                // A group with controllers in groups below it has no processes (cgroups(7), "no internal processes").
                // The program that enabled them in the container has moved its first process to another group before.
                guard cgroup?.subgroups.isEmpty == true, let present = cgroup?.present(of: record.pid) else {
                    throw .resourceBusy
                }
                group?.discard()
                group = nil
                cgroup = present
                do throws(CgroupError) { group = try present.openForClone() } catch { throw .resourceBusy }
                return try ProcessControl.fork(cgroup: group)
            }
        } catch {
            throw RuntimeError(.system, "cannot make a process: \(error.words)")
        }
    }

    /// Puts a process into the group, or where the container's first process is if the kernel refuses (see `fork`).
    private func add(_ pid: Int32, to cgroup: Cgroup) throws(RuntimeError) {
        do throws(CgroupError) {
            do throws(CgroupError) {
                try cgroup.add(pid: pid)
            } catch {
                guard cgroup.subgroups.isEmpty, let present = cgroup.present(of: record.pid) else { throw error }
                try present.add(pid: pid)
            }
        } catch {
            if let unit = record.unit, error.errno == .permissionDenied {
                // A user may not move processes out of another part of the tree; their systemd may.
                let subgroup = options.subgroups[""].map { $0.hasPrefix("/") ? $0 : "/\($0)" } ?? "/"
                return try Systemd(isUser: unit.isUser).attach(pid, to: unit, subgroup: subgroup)
            }
            throw RuntimeError(.system, "error adding pid \(pid) to cgroups: \(error.message)")
        }
    }

    private func configuration() throws(RuntimeError) -> Spec? {
        guard record.execNeedsConfiguration else { return nil }
        if let spec = options.spec { return spec }
        return try ContainerRuntime.configuration(of: FilePath(record.bundle))
    }

    /// Waits until the process has executed its program.
    private func follow(
        _ first: Int32, _ channel: InitChannel, _ cgroup: Cgroup?, _ agent: SeccompAgent?
    ) throws(RuntimeError) -> StartedProcess {
        var process = first
        var console: FileDescriptor?
        do throws(RuntimeError) {
            if !record.namespaces.contains(.pid) {
                try writePIDFile(process)
                try joinServiceClass(process)
            }
            while true {
                switch try channel.nextReport() {
                case .failure(let error): throw error
                case .console(let descriptor): console = descriptor
                case .replaced(let pid, let needsGroup):
                    // It has nothing more to do than to end. That it cannot be waited for would mean that it is gone.
                    _ = try? ProcessControl.wait(for: process)
                    process = pid
                    try writePIDFile(pid)
                    try joinServiceClass(pid)
                    if needsGroup, let cgroup { try add(pid, to: cgroup) }
                    try channel.send(.enterCgroup)
                case .listening(let number):
                    let listener = try SeccompAgent.listener(number, of: process)
                    defer { listener.discard() }
                    try channel.send(.listenerTaken)
                    let state = State(
                        id: record.id, status: .running, pid: record.pid, bundle: record.bundle,
                        annotations: record.annotations)
                    try agent?.send(listener, process: process, state: state)
                case nil:
                    options.log?.debug("setns_init: about to exec")
                    return StartedProcess(pid: process, console: console)
                case .warning, .ready, .readyForHooks, .sourceRequest:
                    throw RuntimeError(.system, "the new process sent reports in the wrong order")
                }
            }
        } catch {
            console?.discard()
            // The error says what went wrong; the process is of no use any more.
            try? Signals.send(9, to: process)
            _ = try? ProcessControl.wait(for: process)
            throw error
        }
    }

    private func joinServiceClass(_ pid: Int32) throws(RuntimeError) {
        guard let serviceClass = record.serviceClass else { return }
        try withResctrlErrors { () throws(ResctrlError) in try serviceClass.add(pid: pid) }
    }

    private func writePIDFile(_ pid: Int32) throws(RuntimeError) {
        guard let file = options.pidFile else { return }
        try attempt("cannot write the pid file \(file)") { () throws(Errno) in
            try Files.replace(file, with: Array("\(pid)".utf8), mode: 0o644)
        }
    }
}
