import JSON
import OCISpec
import ShimProtocol

/// What happens to a task, in order. The last one is `exited` or `lost`, unless the task is let go before.
package enum TaskEvent: Hashable, Sendable {
    /// The program has begun.
    case started
    /// A shim that did not answer at the recovery does so now; what it says is true.
    case answered(TaskPresence)
    /// The kernel has killed a process of the task for want of memory.
    case outOfMemory(at: Timestamp)
    /// `RunningTask.isPaused` is not what its user was told: a request that was not answered in time has been carried
    /// out after all.
    case pauseChanged
    /// The program of an exec has begun.
    case execStarted(id: String, pid: Int32)
    /// An exec has ended, and all its output has been passed on.
    case execExited(id: String, code: Int32, at: Timestamp)
    /// A client has ended its attachment by the detach keys.
    case detached(execID: String?)
    /// The first process has ended, all output is logged and passed on, the control group is removed.
    case exited(TaskExit)
    /// The shim was killed. What it had started has been killed too; how it would have ended nobody knows.
    case lost(TaskExit)
}

/// A living task as its shim sees it.
package struct TaskPresence: Hashable, Sendable {
    /// The first process, as the host numbers it.
    package var pid: Int32
    /// When its program began.
    package var startedAt: Timestamp
    /// Whether its user's pause holds.
    package var isPaused: Bool
    /// The execs that an earlier process has started: those that run or are about to, and those whose end nobody has
    /// been told of.
    package var execs: [TaskExec] = []
}

/// An exec that is found at a recovery.
package struct TaskExec: Hashable, Sendable {
    /// Whether it runs, or how it has ended.
    package enum State: Hashable, Sendable {
        /// It is about to begin: `TaskEvent.execStarted` follows, or `execExited` if it cannot be started.
        case starting
        /// It runs; its pid on the host.
        case running(pid: Int32)
        /// It has ended. This is told once more by `TaskEvent.execExited`.
        case exited(code: Int32, at: Timestamp)
    }

    /// Its id.
    package var id: String
    /// What has become of it.
    package var state: State
    /// `ExecDescription.note`.
    package var note: JSONValue?

    init?(_ exec: ShimExec) {
        switch exec.state {
        case .created:
            guard exec.isStarting == true else { return nil }
            state = .starting
        case .running(let pid): state = .running(pid: pid)
        case .exited(let code, let at): state = .exited(code: code, at: at)
        }
        id = exec.id
        note = exec.note
    }
}

/// How a task ended.
package struct TaskExit: Hashable, Sendable {
    /// What the first process exited with; 128 and the signal if one ended it. 137 for a task that was lost.
    package var code: Int32
    /// When its program began; `nil` if it never did.
    package var startedAt: Timestamp?
    /// When its first process was reaped.
    package var finishedAt: Timestamp
    /// Whether the kernel killed a process of the task for want of memory.
    package var isOOMKilled: Bool
    /// The pid it had.
    package var pid: Int32
    /// What is unknown about this end, or could not be cleaned up, for people.
    package var warning: String?
    /// The execs that an earlier process has started and whose end nobody has been told of. Those that are not said to
    /// have ended ended with the task.
    package var execs: [TaskExec] = []

    /// An end.
    package init(
        code: Int32, startedAt: Timestamp? = nil, finishedAt: Timestamp, isOOMKilled: Bool = false, pid: Int32,
        warning: String? = nil
    ) {
        self.code = code
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.isOOMKilled = isOOMKilled
        self.pid = pid
        self.warning = warning
    }

    /// - Parameter execs: what the shim has said of execs before it told the end.
    init(_ record: ExitRecord, _ execs: [ShimExec] = []) {
        self.init(
            code: record.exitCode, startedAt: record.startedAt, finishedAt: record.exitedAt,
            isOOMKilled: record.oomKilled, pid: record.pid, warning: record.warning)
        self.execs = (record.execs ?? execs).compactMap { TaskExec($0) }
    }
}

/// What is found of a task when its user comes back.
package enum RecoveredTask: Sendable {
    /// It runs.
    case running(RunningTask, TaskPresence)
    /// There is a shim that does not answer now: it is stopped, or waits for a disk. It is waited for in the
    /// background: `TaskEvent.answered` or its end comes when it answers.
    case silent(RunningTask)
    /// It ended while nobody was there.
    case ended(TaskExit)
    /// It had been made and not been started; it is gone now, because nobody was told that it would be.
    case neverStarted
    /// There is neither a shim nor a word of an end. If it ran, `Tasks.bury` says what became of it.
    case gone
}
