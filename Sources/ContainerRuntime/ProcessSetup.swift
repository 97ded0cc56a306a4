import LinuxKernel
import OCISpec
import Seccomp
import SystemPackage

/// The last steps on the way to a container's program, the same for its first process and for those that `exec` adds:
/// the caller is in all namespaces, its root is the container's, and it still has all privileges.
struct ProcessSetup {
    let process: Process
    let streams: StandardStreams
    let preservedDescriptors: Int
    let console: ContainerTerminal?
    let sessionKeyring: String?
    let personality: LinuxPersonality?
    let memoryPolicy: LinuxMemoryPolicy?
    /// Whether the container may use some of the CPUs only.
    let isBoundToCPUs: Bool

    /// Everything that can be done before the start; what is left to `execute` cannot fail for reasons of the
    /// configuration, save what only execve itself can tell.
    ///
    /// - Parameter channel: where warnings go.
    /// - Returns: The program to be executed.
    func prepare(_ channel: InitChannel) throws(RuntimeError) -> Program {
        if let console { try console.use() } else { try useStreams() }
        if let sessionKeyring {
            do throws(Errno) {
                try ProcessAttributes.joinSessionKeyring(sessionKeyring)
            } catch  where error == .noFunction || error == .diskQuotaExceeded {
                // A kernel without keys; or no room for more keyrings, which is no reason to fail.
            } catch {
                throw RuntimeError(.system, "cannot make a session keyring: \(error.words)")
            }
        }
        try setLimits()
        WorkingDirectory.setCreationMask(process.user.umask ?? 0o022)
        // Before the user changes, as root can reach directories that the user cannot; and again after it, as with a
        // network file system it is the other way round.
        let reached = try changeDirectory(isLast: false)
        try becomeUser()
        if !reached { _ = try changeDirectory(isLast: true) }
        // A descriptor of the host's as working directory would be a way out (CVE-2024-21626).
        let current = try attempt("getcwd") { () throws(Errno) in try WorkingDirectory.current() }
        guard current.hasPrefix("/") else {
            throw RuntimeError(.invalid, "the working directory \"\(process.cwd)\" is outside the container")
        }
        for warning in try capabilities().warnings { channel.warn(warning) }
        let environment = try ProcessEnvironment(process.env ?? [], uid: process.user.uid)
        return try Program.find(
            process.args?.first ?? "", path: environment["PATH"], environment: environment.entries)
    }

    /// Gives up all privileges that are not the program's, and sets the filter. What is left is to execute the program.
    ///
    /// - Parameter channel: where the filter's listener goes, if it has one.
    func confine(_ filter: SeccompProgram?, channel: InitChannel) throws(RuntimeError) {
        let sets = try capabilities()
        let isWithoutNewPrivileges = process.noNewPrivileges == true
        if isWithoutNewPrivileges {
            try attempt("cannot set no_new_privs") { () throws(Errno) in try ProcessAttributes.setNoNewPrivileges() }
        }
        try attempt("cannot mark descriptors close-on-exec") { () throws(Errno) in
            try Descriptors.closeOnExec(from: Int32(3 + preservedDescriptors))
        }
        // Without no_new_privs a filter needs CAP_SYS_ADMIN, so the capabilities go after it, and it has to let capset
        // and prctl pass. With it nothing is left to be let pass but execve.
        if let filter, !isWithoutNewPrivileges { try load(filter, channel) }
        try attempt("cannot set capabilities") { () throws(Errno) in
            try Credentials.setCapabilities(
                effective: sets.effective, permitted: sets.permitted, inheritable: sets.inheritable)
            if !sets.ambient.isEmpty { try Credentials.setAmbient(sets.ambient) }
        }
        if let filter, isWithoutNewPrivileges { try load(filter, channel) }
    }

    private func load(_ filter: SeccompProgram, _ channel: InitChannel) throws(RuntimeError) {
        let listener = try attempt("cannot set the seccomp filter") { () throws(Errno) in try filter.load() }
        // It stays open until the execve: closing it is a system call like any other, and may be asked about.
        if let listener { try channel.hand(over: listener) }
    }

    /// Executes the program. Returns why it could not be.
    func execute(_ program: Program) -> RuntimeError {
        program.execute(arguments: process.args ?? [])
    }

    // MARK: Steps

    private func useStreams() throws(RuntimeError) {
        let wanted = [streams.input, streams.output, streams.error]
        try attempt("cannot set up standard streams") { () throws(Errno) in
            // Out of the way first, or putting one in its place could close another one.
            var moved: [FileDescriptor?] = []
            for (number, stream) in wanted.enumerated() {
                if let stream, stream.rawValue < 3, stream.rawValue != Int32(number) {
                    moved.append(try stream.duplicate(from: 3))
                } else {
                    moved.append(stream)
                }
            }
            for (number, stream) in moved.enumerated() {
                if let stream { try stream.duplicate(onto: Int32(number)) }
            }
            for number in 0..<3 { try adopt(FileDescriptor(rawValue: Int32(number))) }
        }
    }

    /// Makes a standard stream that came from the host as much the container's as can be.
    private func adopt(_ stream: FileDescriptor) throws(Errno) {
        // Closed, it needs nothing.
        guard let status = try? FileStatus.of(stream) else { return }
        if status.kind == .characterDevice, status.deviceNumbers == (1, 3) {
            // The container's own file: a descriptor of one that is not on its mounts could not be saved by
            // `checkpoint`. Without such a file the host's is as good.
            guard let null = try? Files.open("/dev/null", .readWrite) else { return }
            defer { null.discard() }
            if try FileStatus.of(null).deviceNumbers == (1, 3) { try null.duplicate(onto: stream.rawValue) }
        } else if process.user.uid != 0, status.uid != process.user.uid {
            // So that the program can open /dev/stdout and its sisters again. Where owners cannot be changed it can
            // still use the descriptor it has.
            try? stream.changeOwner(uid: process.user.uid, gid: .max)
        }
    }

    private func setLimits() throws(RuntimeError) {
        for limit in process.rlimits ?? [] {
            guard let kind = ResourceLimit(name: limit.type) else { continue }
            try attempt("cannot set \(limit.type) to \(limit.soft):\(limit.hard)") { () throws(Errno) in
                try kind.set(soft: limit.soft, hard: limit.hard)
            }
        }
        if let priority = process.ioPriority { try setIOPriority(priority) }
        if let scheduler = process.scheduler { try SchedulerSetup.apply(scheduler, isBound: isBoundToCPUs) }
        if let personality {
            let domains: [String: UInt] = ["LINUX": 0, "LINUX32": 8]
            guard let domain = domains[personality.domain] else {
                throw RuntimeError(.invalid, "unknown personality \"\(personality.domain)\"")
            }
            try attempt("cannot set the personality") { () throws(Errno) in try ProcessAttributes.setPersonality(domain)
            }
        }
        if let memoryPolicy { try SchedulerSetup.apply(memoryPolicy) }
    }

    private func setIOPriority(_ priority: LinuxIOPriority) throws(RuntimeError) {
        let classes: [String: Int32] = ["IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3]
        guard let number = classes[priority.class] else {
            throw RuntimeError(.invalid, "unknown I/O priority class \"\(priority.class)\"")
        }
        try attempt("cannot set the I/O priority") { () throws(Errno) in
            try ProcessAttributes.setIOPriority(class: number, priority: Int32(clamping: priority.priority ?? 0))
        }
    }

    private func changeDirectory(isLast: Bool) throws(RuntimeError) -> Bool {
        do throws(Errno) {
            try WorkingDirectory.change(to: FilePath(process.cwd))
            return true
        } catch .permissionDenied where !isLast {
            return false
        } catch {
            throw RuntimeError(.invalid, "chdir to cwd (\"\(process.cwd)\") set in config.json failed: \(error.words)")
        }
    }

    private func becomeUser() throws(RuntimeError) {
        let user = process.user
        try attempt("cannot change to user \(user.uid):\(user.gid)") { () throws(Errno) in
            let bounding = ProcessCapabilities.bounding(process.capabilities)
            try Credentials.limitBoundingSet(to: bounding)
            try setSupplementaryGroups(user.additionalGids ?? [])
            try Credentials.setGroup(user.gid)
            guard user.uid != 0 else { return try Credentials.setUser(0) }
            // Capabilities live on over the change, to be cut down to the program's own by `execute`.
            let before = try Credentials.capabilities()
            try Credentials.setKeepCapabilities(true)
            try Credentials.setUser(user.uid)
            try Credentials.setKeepCapabilities(false)
            try Credentials.setCapabilities(
                effective: before.permitted, permitted: before.permitted, inheritable: before.inheritable)
        }
    }

    /// In a user namespace whose maker had no rights over groups, those of the maker stay: there is no way to give them
    /// up.
    private func setSupplementaryGroups(_ groups: [UInt32]) throws(Errno) {
        do throws(Errno) {
            try Credentials.setSupplementaryGroups(groups)
        } catch .notPermitted {
            // Where it cannot be read, the error stays one.
            guard (try? Files.readText("/proc/self/setgroups")) == "deny" else { throw .notPermitted }
        }
    }

    private func capabilities() throws(RuntimeError) -> ProcessCapabilities {
        let own = try attempt("cannot ask for capabilities") { () throws(Errno) in try Credentials.capabilities() }
        return ProcessCapabilities(process.capabilities, own: own.permitted)
    }
}
