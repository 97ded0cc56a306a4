import Cgroups
import JSON
import LinuxKernel
import OCISpec
import Seccomp
import SystemPackage

/// The adding of one process to a running container.
struct Execution {
    let record: ContainerRecord
    let process: Process
    let options: ExecOptions

    /// Makes the process. Returns when it has executed its program.
    func run() throws(RuntimeError) -> StartedProcess {
        try CreationPlan.check(process)
        guard let pidfd = try record.openProcess() else {
            throw RuntimeError(.conflict, "cannot exec in a stopped container: \(record.id)")
        }
        defer { pidfd.close() }
        let cgroup = try record.cgroup()
        if let cgroup, try withCgroupErrors({ () throws(CgroupError) in try cgroup.isFrozen() }) {
            throw RuntimeError(.conflict, "cannot exec in a paused container: \(record.id)")
        }
        let spec = try configuration()
        let filter = try SeccompFilters.compiled(spec?.linux?.seccomp)
        let (channel, childChannel) = try InitChannel.pair()
        defer { channel.socket.discard() }
        let group = try withCgroupErrors { () throws(CgroupError) in try cgroup?.openForClone() }
        defer { group?.discard() }
        let fork: ProcessControl.Fork
        let namespaces = Namespaces(record.namespaces.map(\.kernelFlag))
        do throws(RuntimeError) {
            let makeProcess = { () throws(Errno) in try ProcessControl.fork(cgroup: group) }
            fork =
                namespaces.contains(.pid)
                ? try PIDNamespace.forked(into: pidfd.descriptor, makeProcess)
                : try attempt("making a process", makeProcess)
        } catch {
            childChannel.socket.discard()
            throw error
        }
        guard case .parent(let pid, _) = fork else {
            enter(pidfd, namespaces, cgroup, childChannel, filter)
        }
        childChannel.socket.discard()
        return try follow(pid, channel)
    }

    private func configuration() throws(RuntimeError) -> Spec? {
        guard record.hasSeccomp else { return nil }
        if let spec = options.spec { return spec }
        return try ContainerRuntime.configuration(of: FilePath(record.bundle))
    }

    private func follow(_ pid: Int32, _ channel: InitChannel) throws(RuntimeError) -> StartedProcess {
        var console: FileDescriptor?
        do throws(RuntimeError) {
            if let file = options.pidFile {
                try attempt("writing the pid file \(file)") { () throws(Errno) in
                    try Files.replace(file, with: Array("\(pid)".utf8), mode: 0o644)
                }
            }
            while true {
                switch try channel.nextReport() {
                case .failure(let error): throw error
                case .console(let descriptor): console = descriptor
                case .closed: return StartedProcess(pid: pid, console: console)
                case .ready, .readyForHooks:
                    throw RuntimeError(.system, "the new process sent reports in the wrong order")
                }
            }
        } catch {
            console?.discard()
            // The error says what went wrong; the process is of no use any more.
            try? Signals.send(9, to: pid)
            _ = try? ProcessControl.wait(for: pid)
            throw error
        }
    }

    // MARK: In the new process

    private func enter(
        _ pidfd: PIDFD, _ namespaces: Namespaces, _ cgroup: Cgroup?, _ channel: InitChannel, _ filter: [UInt8]
    ) -> Never {
        do throws(RuntimeError) {
            try attempt("leaving the runtime's session") { () throws(Errno) in
                // Before any of the container's processes can see this one (CVE-2016-9962).
                if !namespaces.contains(.user) { try ProcessAttributes.setDumpable(false) }
                try Descriptors.close(from: 3, except: keptDescriptors(pidfd, channel))
                Signals.resetAll()
                SignalSet().block()
                try ProcessAttributes.startSession()
            }
            if let cgroup, !cgroup.isUnified { try withCgroupErrors { () throws(CgroupError) in try cgroup.join() } }
            try ProcessFiles.apply(process)
            let others = namespaces.subtracting(.pid)
            if !others.isEmpty {
                try attempt("joining the container's namespaces") { () throws(Errno) in
                    try others.enter(pidfd.descriptor)
                    if namespaces.contains(.user) {
                        try Credentials.setGroup(0)
                        try Credentials.setUser(0)
                    }
                }
            }
            pidfd.close()
            var console: Console?
            if process.terminal == true {
                let root = try attempt("opening the container's root") { () throws(Errno) in
                    try Files.open("/", [.path, .directory])
                }
                defer { root.discard() }
                let terminal = try Console(root: root, size: process.consoleSize, owner: process.user.uid)
                try channel.report("C", descriptors: [terminal.master])
                console = terminal
            }
            let setup = ProcessSetup(
                process: process, streams: options.streams, preservedDescriptors: options.preservedDescriptors,
                console: console, sessionKeyring: "_ses.\(record.id)", personality: nil, memoryPolicy: nil)
            let program = try setup.prepare()
            channel.report(
                setup.execute(program, filter: filter.isEmpty ? nil : SeccompProgram(message: filter)))
        } catch {
            channel.report(error)
        }
        ProcessControl.exit(1)
    }

    private func keptDescriptors(_ pidfd: PIDFD, _ channel: InitChannel) -> [FileDescriptor] {
        let streams = options.streams
        let kept =
            [channel.socket, pidfd.descriptor] + [streams.input, streams.output, streams.error].compactMap { $0 }
        return kept + (0..<options.preservedDescriptors).map { FileDescriptor(rawValue: Int32(3 + $0)) }
    }
}
