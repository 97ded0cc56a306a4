import Cgroups
import LinuxKernel
import OCISpec
import Seccomp
import SystemPackage

extension Execution {
    /// The way of a new process into a running container, from the fork to the program.
    ///
    /// In the container's pid namespace there may be processes that can look into others whatever those do
    /// (CAP_SYS_PTRACE). What they see must not be the host (CVE-2016-9962): a first process joins everything else,
    /// closes what is not the container's business, and only its child, which takes its place, appears in that
    /// namespace.
    struct Entry {
        let execution: Execution
        /// The container's first process.
        let pidfd: PIDFD
        let namespaces: Namespaces
        let cgroup: Cgroup?
        /// The directory of `cgroup`, if that is of version 2.
        let group: FileDescriptor?
        let channel: InitChannel
        /// The part of the container's configuration that counts for all its processes, if there is one.
        let linux: Linux?

        /// Never returns: the process executes the program, or reports why not and ends.
        func run(_ filter: [UInt8]) -> Never {
            do throws(RuntimeError) {
                try leave()
                let affinity = execution.process.execCPUAffinity
                if let initial = affinity?.initial, !initial.isEmpty { try AffinitySetup.set(initial) }
                let counting = try joinGroup()
                try ProcessFiles.apply(execution.process)
                if namespaces.contains(.user) { try OutsideAttributes.raiseLimits(execution.process, of: 0) }
                if !namespaces.isEmpty {
                    try attempt("cannot join the container's namespaces") { () throws(Errno) in
                        try namespaces.enter(pidfd.descriptor)
                        if namespaces.contains(.user) {
                            try Credentials.setGroup(0)
                            try Credentials.setUser(0)
                        }
                    }
                }
                pidfd.close()
                if namespaces.contains(.pid) { try takePlace(counting) }
                group?.discard()
                if let final = affinity?.final, !final.isEmpty { try AffinitySetup.set(final) }
                if affinity == nil { AffinitySetup.reset() }
                try startSession()
                let setup = ProcessSetup(
                    process: execution.process, streams: execution.options.streams,
                    preservedDescriptors: execution.options.preservedDescriptors, console: try console(),
                    sessionKeyring: "_ses.\(execution.record.id)",
                    personality: linux?.personality, memoryPolicy: linux?.memoryPolicy,
                    isBoundToCPUs: linux?.resources?.cpu?.cpus?.isEmpty == false)
                let program = try setup.prepare(channel)
                try setup.confine(filter.isEmpty ? nil : SeccompProgram(message: filter), channel: channel)
                channel.fail(setup.execute(program))
            } catch {
                channel.fail(error)
            }
            ProcessControl.exit(1)
        }

        /// Leaves behind what came over the fork.
        private func leave() throws(RuntimeError) {
            try attempt("cannot leave the runtime's process") { () throws(Errno) in
                // Nobody without that capability may look into this process.
                if !namespaces.contains(.user) { try ProcessAttributes.setDumpable(false) }
                try Descriptors.close(from: 3, except: keptDescriptors)
                Signals.resetAll()
                SignalSet().block()
            }
        }

        private var keptDescriptors: [FileDescriptor] {
            let streams = execution.options.streams
            let kept = [channel.socket, pidfd.descriptor, group, streams.input, streams.output, streams.error]
            return kept.compactMap { $0 }
                + (0..<execution.options.preservedDescriptors).map { FileDescriptor(rawValue: Int32(3 + $0)) }
        }

        /// Joins control groups of version 1, of which that for counting is left to the child where there is one.
        private func joinGroup() throws(RuntimeError) -> FileDescriptor? {
            guard let cgroup, !cgroup.isUnified else { return nil }
            do throws(CgroupError) {
                if namespaces.contains(.pid) { return try cgroup.joinBeforeFork() }
                try cgroup.join()
                return nil
            } catch {
                throw RuntimeError(
                    .system, "error adding pid \(ProcessAttributes.pid) to cgroups: \(error.message)")
            }
        }

        /// Goes on as a child of the same parent, in the pid namespace.
        private func takePlace(_ counting: FileDescriptor?) throws(RuntimeError) {
            var needsGroup = false
            let fork: ProcessControl.Fork
            do throws(Errno) {
                do throws(Errno) {
                    // In a user namespace the right to do so may be gone.
                    fork = try ProcessControl.fork(cgroup: group, asSibling: true)
                } catch  where group != nil {
                    // A limit of processes stops a fork, but not a process that joins.
                    fork = try ProcessControl.fork(asSibling: true)
                    needsGroup = true
                }
            } catch {
                throw RuntimeError(.system, "cannot make a process in the container: \(error.words)")
            }
            if case .parent(let pid, _) = fork {
                try channel.report(.replaced(by: pid, needsGroup: needsGroup))
                ProcessControl.exit(0)
            }
            guard case .enterCgroup = try channel.nextOrder() else {
                throw RuntimeError(.system, "the runtime sent orders in the wrong order")
            }
            guard let counting else { return }
            defer { counting.discard() }
            try attempt("cannot join the control group \(cgroup?.path ?? "")") { () throws(Errno) in
                try counting.writeEntire([UInt8(ascii: "0")])
            }
        }

        private func startSession() throws(RuntimeError) {
            try attempt("cannot start a session") { () throws(Errno) in try ProcessAttributes.startSession() }
        }

        private func console() throws(RuntimeError) -> ContainerTerminal? {
            guard execution.process.terminal == true else { return nil }
            let root = try attempt("cannot open the container's root") { () throws(Errno) in
                try Files.open("/", [.path, .directory])
            }
            defer { root.discard() }
            let terminal = try ContainerTerminal(
                root: root, size: execution.process.consoleSize, owner: execution.process.user.uid,
                keepsLineEnds: execution.options.keepsLineEnds)
            try channel.report(.console(terminal.master))
            return terminal
        }
    }
}
