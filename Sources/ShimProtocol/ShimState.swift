import OCISpec

/// Where a container is in its life, as its shim sees it.
package enum ShimState: Codable, Hashable, Sendable {
    /// Set up; its program has not begun.
    case created(pid: Int32)
    /// Its program runs, or is frozen.
    case running(pid: Int32, startedAt: Timestamp, paused: Bool)
    /// Its first process has ended and been reaped.
    case exited(ExitRecord)

    /// When its program began; `nil` before.
    package var startedAt: Timestamp? {
        switch self {
        case .created: nil
        case .running(_, let startedAt, _): startedAt
        case .exited(let record): record.startedAt
        }
    }
}

/// How a container ended: the content of the file `exit`.
package struct ExitRecord: Codable, Hashable, Sendable {
    /// What the first process exited with; 128 and the signal if one ended it.
    package var exitCode: Int32
    /// When it was reaped.
    package var exitedAt: Timestamp
    /// Whether the kernel killed a process of the container for want of memory.
    package var oomKilled: Bool
    /// The pid it had.
    package var pid: Int32
    /// When its program began; `nil` if it never did.
    package var startedAt: Timestamp?
    /// What could not be cleaned up, for people; `nil` if everything could.
    package var warning: String?
    /// The execs whose end nobody has been told of; `nil` for none. Those that are not said to have ended ended with
    /// the container.
    package var execs: [ShimExec]?

    /// A record.
    package init(
        exitCode: Int32, exitedAt: Timestamp, oomKilled: Bool = false, pid: Int32, startedAt: Timestamp? = nil,
        warning: String? = nil, execs: [ShimExec]? = nil
    ) {
        self.exitCode = exitCode
        self.exitedAt = exitedAt
        self.oomKilled = oomKilled
        self.pid = pid
        self.startedAt = startedAt
        self.warning = warning
        self.execs = execs
    }
}

/// Where an additional process is in its life.
package enum ExecState: Codable, Hashable, Sendable {
    /// Known, not begun.
    case created
    /// It runs.
    case running(pid: Int32)
    /// It has ended, or could not be started (126 and 127 as shells give them).
    case exited(exitCode: Int32, at: Timestamp)
}
