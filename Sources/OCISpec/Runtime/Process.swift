/// A process in a container: its first one, or one that `exec` adds (`config.md`, "Process").
package struct Process: Codable, Hashable, Sendable {
    /// Whether the process gets a pseudo terminal.
    package var terminal: Bool?
    /// The terminal's size at the start.
    package var consoleSize: Box?
    /// The user and groups it runs as.
    package var user: User
    /// The program and its arguments. A name without `/` is looked up in the `PATH` of `env`.
    package var args: [String]?
    /// The whole environment, as `NAME=value`.
    package var env: [String]?
    /// The working directory, an absolute path in the container.
    package var cwd: String
    /// Its capability sets; `nil` leaves a process without any.
    package var capabilities: LinuxCapabilities?
    /// Its resource limits (getrlimit(2)).
    package var rlimits: [POSIXRlimit]?
    /// Whether programs it executes can gain no privileges (`PR_SET_NO_NEW_PRIVS`).
    package var noNewPrivileges: Bool?
    /// The AppArmor profile it is put under.
    package var apparmorProfile: String?
    /// The value for `/proc/self/oom_score_adj` (-1000 to 1000).
    package var oomScoreAdj: Int?
    /// The SELinux label it runs under.
    package var selinuxLabel: String?
    /// Its I/O priority (ioprio_set(2)).
    package var ioPriority: LinuxIOPriority?
    /// Its scheduling policy (sched_setattr(2)).
    package var scheduler: Scheduler?
    /// The CPUs it may run on before and after it is in its cgroup.
    package var execCPUAffinity: CPUAffinity?

    /// A process that runs `args` in `cwd`.
    package init(args: [String]? = nil, cwd: String = "/", env: [String]? = nil, user: User = User(uid: 0, gid: 0)) {
        self.args = args
        self.cwd = cwd
        self.env = env
        self.user = user
    }
}

/// The width and height of a terminal in characters.
package struct Box: Codable, Hashable, Sendable {
    /// Rows.
    package var height: Int
    /// Columns.
    package var width: Int

    /// A terminal of `width` columns and `height` rows.
    package init(height: Int, width: Int) {
        self.height = height
        self.width = width
    }
}

/// The user and groups a process runs as, in the container's user namespace.
package struct User: Codable, Hashable, Sendable {
    /// The user id.
    package var uid: UInt32
    /// The group id.
    package var gid: UInt32
    /// The file mode creation mask; `nil` leaves 0o022.
    package var umask: UInt32?
    /// Supplementary groups.
    package var additionalGids: [UInt32]?
    /// Not used on Linux.
    package var username: String?

    /// The user `uid` with the group `gid`.
    package init(uid: UInt32, gid: UInt32, additionalGids: [UInt32]? = nil, umask: UInt32? = nil) {
        self.uid = uid
        self.gid = gid
        self.additionalGids = additionalGids
        self.umask = umask
    }
}

/// The five capability sets of a process, with names as in capabilities(7), such as `CAP_CHOWN`.
package struct LinuxCapabilities: Codable, Hashable, Sendable {
    /// What no later `execve` can go beyond.
    package var bounding: [String]?
    /// What the kernel checks.
    package var effective: [String]?
    /// What an `execve` carries over for programs with inheritable file capabilities.
    package var inheritable: [String]?
    /// What may be made effective.
    package var permitted: [String]?
    /// What an `execve` of an ordinary program carries over.
    package var ambient: [String]?

    /// Empty sets.
    package init() {}

    /// `names` in the bounding, effective and permitted sets, as Docker and containerd give them.
    package init(_ names: [String]) {
        bounding = names
        effective = names
        permitted = names
    }
}

/// One resource limit (getrlimit(2)).
package struct POSIXRlimit: Codable, Hashable, Sendable {
    /// Its name, such as `RLIMIT_NOFILE`.
    package var type: String
    /// The ceiling for `soft`; `UInt64.max` is no limit.
    package var hard: UInt64
    /// The limit in force.
    package var soft: UInt64

    /// A limit of kind `type`.
    package init(type: String, soft: UInt64, hard: UInt64) {
        self.type = type
        self.soft = soft
        self.hard = hard
    }
}

/// An I/O priority (ioprio_set(2)).
package struct LinuxIOPriority: Codable, Hashable, Sendable {
    /// `IOPRIO_CLASS_RT`, `IOPRIO_CLASS_BE` or `IOPRIO_CLASS_IDLE`.
    package var `class`: String
    /// 0 (first) to 7.
    package var priority: Int?

    /// A priority in `class`.
    package init(class: String, priority: Int? = nil) {
        self.class = `class`
        self.priority = priority
    }
}

/// A scheduling policy (sched_setattr(2)).
package struct Scheduler: Codable, Hashable, Sendable {
    /// `SCHED_OTHER`, `SCHED_BATCH`, `SCHED_IDLE`, `SCHED_FIFO`, `SCHED_RR`, `SCHED_ISO` or `SCHED_DEADLINE`.
    package var policy: String
    /// Nice value for `SCHED_OTHER` and `SCHED_BATCH`.
    package var nice: Int32?
    /// Static priority for `SCHED_FIFO` and `SCHED_RR`.
    package var priority: Int32?
    /// `SCHED_FLAG_RESET_ON_FORK` and its sisters.
    package var flags: [String]?
    /// Nanoseconds, for `SCHED_DEADLINE`.
    package var runtime: UInt64?
    /// Nanoseconds, for `SCHED_DEADLINE`.
    package var deadline: UInt64?
    /// Nanoseconds, for `SCHED_DEADLINE`.
    package var period: UInt64?

    /// The policy alone.
    package init(policy: String) {
        self.policy = policy
    }
}

/// CPU lists such as `0-3,7` for a process that `exec` adds.
package struct CPUAffinity: Codable, Hashable, Sendable {
    /// Before it enters the container's cgroup.
    package var initial: String?
    /// After it has.
    package var final: String?

    /// No affinity.
    package init() {}
}
