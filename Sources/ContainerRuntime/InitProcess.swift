import Cgroups
import LinuxKernel
import OCISpec
import Seccomp
import SystemPackage

/// What a container's first process does from the fork until it executes the container's program.
struct InitProcess {
    let plan: CreationPlan
    let channel: InitChannel
    /// `nil` to go on without waiting for `start`.
    let gate: StartGate?

    /// Never returns: the process executes the container's program, or reports why not and ends.
    ///
    /// - Parameter namespaces: Those that the fork has made, unless a user namespace is to be joined first.
    func run(makingNamespaces namespaces: Namespaces) -> Never {
        do throws(RuntimeError) {
            if plan.joinsUserNamespace {
                try JoinedUserNamespace(plan: plan, channel: channel, newNamespaces: namespaces).enter()
            }
            try begin()
            var membership = Membership(process: self)
            let console = try buildRoot(&membership)
            try membership.enter()
            AffinitySetup.reset()
            try setAttributes()
            let root = console.root
            try root.mask(plan.linux.maskedPaths ?? [])
            try root.protect(plan.linux.readonlyPaths ?? [])
            try root.restrictNew()
            try root.enter()
            try setUpNamespaces()
            let setup = ProcessSetup(
                process: plan.process, streams: plan.options.streams,
                preservedDescriptors: plan.options.preservedDescriptors, console: console.console,
                sessionKeyring: plan.options.noNewKeyring ? nil : "_ses.\(plan.id)",
                personality: plan.linux.personality, memoryPolicy: plan.linux.memoryPolicy,
                isBoundToCPUs: plan.linux.resources?.cpu?.cpus?.isEmpty == false)
            let program = try setup.prepare(channel)
            guard case .goOn(let instructions) = try channel.nextOrder() else {
                throw RuntimeError(.system, "the runtime sent orders in the wrong order")
            }
            let filter = instructions.isEmpty ? nil : SeccompProgram(message: instructions)
            // A listener can be handed over only as long as there is a runtime to take it. Any other filter comes as
            // late as it can.
            let isConfinedEarly = filter?.notifies == true
            if isConfinedEarly { try setup.confine(filter, channel: channel) }
            try channel.report(.ready)
            if let gate {
                channel.socket.discard()
                if plan.isUnprivileged && plan.newNamespaces.contains(.pid) {
                    // As long as this process is another one's copy, the caller could not look into it, and `exec`
                    // must. There is no other process in the pid namespace that could.
                    try attempt("cannot wait for start") { () throws(Errno) in try ProcessAttributes.setDumpable(true) }
                }
                try gate.wait()
            }
            do throws(RuntimeError) {
                if !isConfinedEarly { try setup.confine(filter, channel: channel) }
                try runStartHooks(program)
            } catch {
                if let gate { gate.report(error) } else { channel.fail(error) }
                ProcessControl.exit(1)
            }
            let failure = setup.execute(program)
            if let gate { gate.report(failure) } else { channel.fail(failure) }
        } catch {
            channel.fail(error)
        }
        ProcessControl.exit(1)
    }

    /// Under the filter and without privileges, as the program will be.
    private func runStartHooks(_ program: Program) throws(RuntimeError) {
        guard plan.spec.hooks?.startContainer?.isEmpty == false else { return }
        try HookRunner(point: "startContainer", environment: program.environment).run(
            plan.spec.hooks?.startContainer, state: state(.created))
    }

    private func state(_ status: ContainerStatus) -> State {
        // Hooks inside see the container's own pid namespace, in which this process is the first.
        let pid: Int32 = plan.newNamespaces.contains(.pid) ? 1 : ProcessAttributes.pid
        return State(
            id: plan.id, status: status, pid: pid, bundle: plan.bundle.string, annotations: plan.spec.annotations)
    }

    /// The descriptors from 3 on that are this process's business. All others are the runtime's, and the container's
    /// program could reach the host through them (CVE-2024-21626).
    private var keptDescriptors: [FileDescriptor] {
        let streams = plan.options.streams
        var kept = [channel.socket]
        if let sources = channel.sources { kept.append(sources) }
        if let input = streams.input { kept.append(input) }
        if let output = streams.output { kept.append(output) }
        if let error = streams.error { kept.append(error) }
        if let gate {
            kept.append(gate.order)
            kept.append(gate.answer)
        }
        for case let tree? in plan.rootTrees { kept.append(tree) }
        var number: Int32 = 3
        while number < 3 + Int32(plan.options.preservedDescriptors) {
            kept.append(FileDescriptor(rawValue: number))
            number += 1
        }
        return kept
    }

    /// Leaves behind what came over the fork, and enters namespaces that exist already.
    private func begin() throws(RuntimeError) {
        try attempt("cannot leave the runtime's session") { () throws(Errno) in
            // Nobody in a namespace we join may look into this process (CVE-2016-9962).
            if !plan.hasUserNamespace { try ProcessAttributes.setDumpable(false) }
            try Descriptors.close(from: 3, except: keptDescriptors)
            Signals.resetAll()
            SignalSet().block()
            try ProcessAttributes.startSession()
        }
        if plan.makesOwnNetwork {
            try attempt("cannot make a network namespace") { () throws(Errno) in try Namespaces.network.unshare() }
        }
        for (kind, path) in plan.joinedNamespaces where kind != .pid && !plan.joinsUserNamespace {
            try attempt("cannot join the namespace \(path)", kind: .invalid) { () throws(Errno) in
                let file = try Files.open(path, .readOnly)
                defer { file.discard() }
                try kind.enter(file)
            }
        }
        if plan.hasUserNamespace {
            // Ids mean nothing before the runtime has written the maps; Membership takes the order that says so.
            guard case .enterCgroup = try channel.nextOrder() else {
                throw RuntimeError(.system, "the runtime sent orders in the wrong order")
            }
            try attempt("cannot become root of the user namespace") { () throws(Errno) in
                try Credentials.setGroup(0)
                try Credentials.setUser(0)
            }
        }
        WorkingDirectory.setCreationMask(0)
    }

    /// Builds the file tree, and opens the terminal in it.
    private func buildRoot(
        _ membership: inout Membership
    ) throws(RuntimeError) -> (root: RootFilesystem, console: ContainerTerminal?) {
        let root = try RootFilesystem(plan)
        for (index, mount) in (plan.spec.mounts ?? []).enumerated() {
            // The group's own view can be mounted only from inside the group.
            if mount.type == "cgroup" || mount.type == "cgroup2" { try membership.enter() }
            try root.add(mount, cgroup: plan.cgroup) { () throws(RuntimeError) in try channel.source(ofMount: index) }
        }
        channel.sources?.discard()
        try root.addDevices()
        var console: ContainerTerminal?
        if plan.process.terminal == true {
            let terminal = try ContainerTerminal(
                root: root.handle, size: plan.process.consoleSize, owner: plan.process.user.uid,
                keepsLineEnds: plan.options.keepsLineEnds)
            try terminal.attachToDevConsole(root: root.handle)
            try channel.report(.console(terminal.master))
            console = terminal
        }
        if plan.process.cwd != "/" {
            // An image may name a working directory that it does not have.
            try root.directory(plan.process.cwd).discard()
        }
        let hooks = plan.spec.hooks
        if hooks?.prestart?.isEmpty == false || hooks?.createRuntime?.isEmpty == false {
            try membership.enter()
            try channel.report(.readyForHooks)
            guard case .hooksDone = try channel.nextOrder() else {
                throw RuntimeError(.system, "the runtime sent orders in the wrong order")
            }
        }
        if hooks?.createContainer?.isEmpty == false {
            try HookRunner(point: "createContainer", directory: root.handle.procPath, environment: []).run(
                hooks?.createContainer, state: state(.creating))
        }
        return (root, console)
    }

    /// What is written to the host's procfs about this process, while it can still be reached: what is mounted in the
    /// container need not be procfs.
    private func setAttributes() throws(RuntimeError) {
        try Sysctl.apply(plan.linux.sysctl ?? [:])
        try enterTimeNamespace()
        try ProcessFiles.apply(plan.process, exceptScore: plan.hasUserNamespace)
    }

    private func enterTimeNamespace() throws(RuntimeError) {
        guard plan.newNamespaces.contains(.time) else { return }
        try attempt("cannot make a time namespace") { () throws(Errno) in
            // By becoming root of a user namespace, this process has made its files those of the host's root. In a new
            // pid namespace there is no other process yet that could misuse it if they were not.
            let isInvisible = plan.hasUserNamespace && plan.newNamespaces.contains(.pid)
            if isInvisible { try ProcessAttributes.setDumpable(true) }
            // That of this process's children, until it enters it itself.
            try Namespaces.time.unshare()
            for (clock, offset) in (plan.linux.timeOffsets ?? [:]).sorted(by: { $0.key < $1.key }) {
                let text = "\(clock) \(offset.secs ?? 0) \(offset.nanosecs ?? 0)\n"
                try ProcFile.write(text, to: "self/timens_offsets")
            }
            let namespace = try Files.open("/proc/self/ns/time_for_children", .readOnly)
            defer { namespace.discard() }
            try Namespaces.time.enter(namespace)
            if isInvisible { try ProcessAttributes.setDumpable(false) }
        }
    }

    private func setUpNamespaces() throws(RuntimeError) {
        if let name = plan.spec.hostname, !name.isEmpty {
            try attempt("cannot set the host name \"\(name)\"", kind: .invalid) { () throws(Errno) in
                try HostNames.setHostName(name)
            }
        }
        if let name = plan.spec.domainname, !name.isEmpty {
            try attempt("cannot set the domain name \"\(name)\"", kind: .invalid) { () throws(Errno) in
                try HostNames.setDomainName(name)
            }
        }
        if plan.newNamespaces.contains(.network) {
            try attempt("cannot bring the loopback interface up") { () throws(Errno) in
                try NetworkInterface.bringUp("lo")
            }
        }
    }

    /// The way into the container's control group, taken once and as late as possible, because the runtime makes the
    /// group while this process mounts.
    struct Membership {
        let process: InitProcess
        private var isInside = false

        init(process: InitProcess) {
            self.process = process
        }

        mutating func enter() throws(RuntimeError) {
            if isInside { return }
            isInside = true
            let plan = process.plan
            if !plan.hasUserNamespace {
                guard case .enterCgroup = try process.channel.nextOrder() else {
                    throw RuntimeError(.system, "the runtime sent orders in the wrong order")
                }
                if let cgroup = plan.cgroup, !cgroup.isUnified {
                    try withCgroupErrors { () throws(CgroupError) in try cgroup.join() }
                }
            }
            if plan.newNamespaces.contains(.cgroup) {
                // Made only now: its root is the group this process is in.
                try attempt("cannot make a cgroup namespace") { () throws(Errno) in try Namespaces.cgroup.unshare() }
            }
        }
    }
}

/// Files of the host's procfs by which a process sets things about itself.
enum ProcessFiles {
    /// - Parameter exceptScore: `oom_score_adj` has been written from outside (`OutsideAttributes`).
    static func apply(_ process: Process, exceptScore: Bool = false) throws(RuntimeError) {
        if let value = process.oomScoreAdj, !exceptScore {
            try attempt("cannot set oom_score_adj to \(value)") { () throws(Errno) in
                try ProcFile.write("\(value)", to: "self/oom_score_adj")
            }
        }
        // A container that is to be confined does not run unconfined because the machine cannot do it.
        if let profile = process.apparmorProfile, !profile.isEmpty {
            // Engines look for this text.
            let failure = "unable to apply apparmor profile: apparmor failed to apply profile"
            guard isAppArmorEnabled else {
                throw RuntimeError(.invalid, "\(failure): \(profile): AppArmor is not available on this machine")
            }
            // Takes effect at the execve.
            try attempt("\(failure): \(profile)") { () throws(Errno) in
                do throws(Errno) {
                    try ProcFile.write("exec \(profile)", to: "self/attr/apparmor/exec")
                } catch .noSuchFileOrDirectory {
                    // As it was before several security modules could be there at once (Linux 5.8).
                    try ProcFile.write("exec \(profile)", to: "self/attr/exec")
                }
            }
        }
        if let label = process.selinuxLabel, !label.isEmpty {
            guard MountLabel.isSupported else {
                throw RuntimeError(
                    .invalid,
                    "selinux label \"\(label)\" is specified in config, but selinux is disabled or not supported")
            }
            try attempt("cannot set the SELinux label \(label)") { () throws(Errno) in
                try ProcFile.write(label, to: "self/attr/exec")
            }
        }
    }

    private static var isAppArmorEnabled: Bool {
        // Without the module there is no such file.
        (try? Files.readText("/sys/module/apparmor/parameters/enabled")) == "Y"
    }
}

extension SeccompProgram {
    /// A program as it comes over an `InitChannel`: flags, then instructions.
    init(message: [UInt8]) {
        var flags: UInt32 = 0
        for (index, byte) in message.prefix(4).enumerated() { flags |= UInt32(byte) << UInt32(index * 8) }
        self.init(instructions: Array(message.dropFirst(4)), flags: flags)
    }

    var message: [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: flags >> UInt32($0 * 8)) } + instructions
    }
}
