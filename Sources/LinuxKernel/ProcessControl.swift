import CLinux
import Glibc
import SystemPackage

/// Making, executing and waiting for processes.
package enum ProcessControl {
    /// Which side of a fork the caller is on.
    package enum Fork: Hashable, Sendable {
        /// In the new process.
        case child
        /// In the calling process: the child's pid and, if asked for, its pidfd.
        case parent(pid: Int32, pidfd: FileDescriptor?)
    }

    /// clone3(2) in the manner of fork(2). The calling process must have a single thread.
    ///
    /// - Parameters:
    ///   - namespaces: New namespaces for the child.
    ///   - cgroup: A cgroup v2 directory the child starts in (`CLONE_INTO_CGROUP`, Linux 5.7).
    ///   - asSibling: The child's parent is the caller's parent (`CLONE_PARENT`).
    ///   - wantsPIDFD: Whether a pidfd is made.
    package static func fork(
        namespaces: Namespaces = [], cgroup: FileDescriptor? = nil, asSibling: Bool = false, wantsPIDFD: Bool = false
    ) throws(Errno) -> Fork {
        var flags = namespaces.rawValue
        if cgroup != nil { flags |= UInt64(MASU_CLONE_INTO_CGROUP) }
        if asSibling { flags |= UInt64(MASU_CLONE_PARENT) }
        if wantsPIDFD { flags |= UInt64(MASU_CLONE_PIDFD) }
        var pidfd: CInt = -1
        let pid = try checked(masu_clone3(flags, &pidfd, cgroup?.rawValue ?? -1))
        if pid == 0 { return .child }
        return .parent(pid: Int32(pid), pidfd: wantsPIDFD ? FileDescriptor(rawValue: pidfd) : nil)
    }

    /// How a process ended.
    package enum ExitStatus: Hashable, Sendable {
        /// It called exit.
        case exited(Int32)
        /// A signal ended it.
        case signaled(Int32)

        /// The number shells give: the exit code, or 128 and the signal.
        package var code: Int32 {
            switch self {
            case .exited(let code): code
            case .signaled(let signal): 128 + signal
            }
        }
    }

    /// waitpid(2): reaps `pid` (-1: any child). `nil` if `blocking` is false and none has ended.
    package static func wait(
        for pid: Int32 = -1, blocking: Bool = true
    ) throws(Errno) -> (pid: Int32, status: ExitStatus)? {
        var status: CInt = 0
        let reaped = try retried { masu_waitpid(pid, &status, blocking ? 0 : WNOHANG) }
        if reaped == 0 { return nil }
        if masu_signaled(status) != 0 { return (Int32(reaped), .signaled(masu_term_signal(status))) }
        return (Int32(reaped), .exited(masu_exit_status(status)))
    }

    /// execve(2). Returns only with an error.
    package static func execute(_ path: String, arguments: [String], environment: [String]) -> Errno {
        let error = withCStringArray(arguments) { argv in
            withCStringArray(environment) { envp in path.withCString { masu_execve($0, argv, envp) } }
        }
        return Errno(rawValue: CInt(truncatingIfNeeded: -error))
    }

    /// execveat(2) of the program `descriptor` refers to (`AT_EMPTY_PATH`). Returns only with an error.
    package static func execute(_ descriptor: FileDescriptor, arguments: [String], environment: [String]) -> Errno {
        let error = withCStringArray(arguments) { argv in
            withCStringArray(environment) { envp in masu_execveat(descriptor.rawValue, "", argv, envp, AT_EMPTY_PATH) }
        }
        return Errno(rawValue: CInt(truncatingIfNeeded: -error))
    }

    /// Ends this process at once, without running what is registered for its end.
    package static func exit(_ code: Int32) -> Never {
        _exit(code)
    }

    private static func withCStringArray<Result>(
        _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var size = 0
        for string in strings { size += string.utf8.count + 1 }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: max(size, 1)) { storage in
            withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<CChar>?.self, capacity: strings.count + 1) {
                pointers in
                var offset = 0
                for (index, string) in strings.enumerated() {
                    pointers.initializeElement(at: index, to: storage.baseAddress.map { $0 + offset })
                    for byte in string.utf8 {
                        storage.initializeElement(at: offset, to: CChar(bitPattern: byte))
                        offset += 1
                    }
                    storage.initializeElement(at: offset, to: 0)
                    offset += 1
                }
                pointers.initializeElement(at: strings.count, to: nil)
                // The allocation holds at least the terminating null pointer, so it has an address.
                guard let base = pointers.baseAddress else { preconditionFailure("no temporary storage") }
                return body(UnsafePointer(base))
            }
        }
    }
}

/// prctl(2) and its like: what a process can set about itself.
package enum ProcessAttributes {
    /// This process's pid in its own pid namespace.
    package static var pid: Int32 { getpid() }

    /// This process's environment, `NAME=value`.
    package static var environment: [String] {
        var result: [String] = []
        var next = masu_environment()
        while let place = next, let entry = place.pointee {
            result.append(String(cString: entry))
            next = place + 1
        }
        return result
    }

    /// Whether this program runs from a copy of its file that nobody can write to (`Sealing.c`).
    package static var isSealed: Bool { masu_is_sealed() != 0 }

    /// This process's effective user.
    package static var uid: UInt32 { geteuid() }

    /// This process's effective group.
    package static var gid: UInt32 { getegid() }

    /// Whether others may trace this process, read its memory and open what `/proc/<pid>/fd` and `exe` lead to.
    package static func setDumpable(_ dumpable: Bool) throws(Errno) {
        try checked(masu_prctl(PR_SET_DUMPABLE, dumpable ? 1 : 0, 0, 0, 0))
    }

    /// From now on no `execve` gains privileges.
    package static func setNoNewPrivileges() throws(Errno) {
        try checked(masu_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    }

    /// Orphaned descendants become children of this process instead of the pid namespace's init.
    package static func setChildSubreaper(_ enabled: Bool) throws(Errno) {
        try checked(masu_prctl(PR_SET_CHILD_SUBREAPER, enabled ? 1 : 0, 0, 0, 0))
    }

    /// The signal this process gets when its parent ends; 0 is none.
    package static func setParentDeathSignal(_ signal: Int32) throws(Errno) {
        try checked(masu_prctl(PR_SET_PDEATHSIG, UInt(signal), 0, 0, 0))
    }

    /// The name that `ps` shows, at most 15 bytes.
    package static func setName(_ name: String) throws(Errno) {
        try checked(name.withCString { masu_prctl_pointer(PR_SET_NAME, UInt(bitPattern: $0), nil) })
    }

    /// setsid(2): a new session with this process as its leader.
    package static func startSession() throws(Errno) {
        if setsid() < 0 { throw Errno(rawValue: errno) }
    }

    /// A new anonymous session keyring, so that the caller's keys are out of reach; keyctl(2).
    package static func joinSessionKeyring(_ name: String) throws(Errno) {
        try checked(name.withCString { masu_keyctl_join_session($0) })
    }

    /// personality(2).
    package static func setPersonality(_ domain: UInt) throws(Errno) {
        try checked(masu_personality(domain))
    }

    /// ioprio_set(2) of this process: a class (1 real-time, 2 best effort, 3 idle) and a priority 0 to 7.
    package static func setIOPriority(class: Int32, priority: Int32) throws(Errno) {
        try checked(masu_ioprio_set(IOPRIO_WHO_PROCESS, 0, `class` << IOPRIO_CLASS_SHIFT | priority))
    }

    /// sched_setattr(2) of this process.
    package static func setScheduler(
        policy: UInt32, flags: UInt64, nice: Int32, priority: UInt32, runtime: UInt64, deadline: UInt64, period: UInt64
    ) throws(Errno) {
        var attributes = masu_sched_attr()
        attributes.policy = policy
        attributes.flags = flags
        attributes.nice = nice
        attributes.priority = priority
        attributes.runtime = runtime
        attributes.deadline = deadline
        attributes.period = period
        try checked(masu_sched_setattr(0, &attributes))
    }

    /// sched_setaffinity(2) of this process: the CPUs it may run on.
    package static func setAffinity(_ cpus: [Int]) throws(Errno) {
        var mask = [UInt64](repeating: 0, count: (cpus.max() ?? 0) / 64 + 1)
        for cpu in cpus where cpu >= 0 { mask[cpu / 64] |= 1 << UInt64(cpu % 64) }
        try checked(mask.withUnsafeBytes { masu_sched_setaffinity(0, $0.count, $0.baseAddress) })
    }

    /// sched_setaffinity(2) of this process: every CPU, of which the kernel leaves those it may use.
    package static func setAffinityToAll() throws(Errno) {
        // As many as a kernel can be built for.
        let mask = [UInt64](repeating: .max, count: 8192 / 64)
        try checked(mask.withUnsafeBytes { masu_sched_setaffinity(0, $0.count, $0.baseAddress) })
    }

    /// set_mempolicy(2) of this process.
    package static func setMemoryPolicy(mode: Int32, nodes: [Int]) throws(Errno) {
        var mask = [UInt](repeating: 0, count: (nodes.max() ?? 0) / 64 + 1)
        for node in nodes where node >= 0 { mask[node / 64] |= 1 << UInt(node % 64) }
        try checked(
            mask.withUnsafeBufferPointer {
                masu_set_mempolicy(
                    mode, nodes.isEmpty ? nil : $0.baseAddress, nodes.isEmpty ? 0 : UInt($0.count * 64 + 1))
            })
    }
}
