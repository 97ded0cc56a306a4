import OCISpec

/// Where a container is in its life. A state carries exactly what is known in it.
package enum ContainerState: Hashable, Sendable {
    /// Never ran; `failure` is why the last attempt to start it did not work.
    case created(failure: StartFailure?)
    /// Its process lives.
    case running(Running)
    /// Ended, and will be started again after a pause by its restart policy.
    case restarting(Exit)
    /// Its process has ended.
    case exited(Exit)
    /// Being deleted.
    case removing(Exit?)
    /// Could not be deleted completely; only another removal is possible.
    case dead(Exit?)

    /// A living process.
    package struct Running: Hashable, Sendable {
        /// On the host.
        package var pid: Int32
        /// The shim's.
        package var shimPID: Int32
        /// When the process was started.
        package var startedAt: Timestamp
        /// Whether its processes stand still.
        package var isPaused: Bool
        /// When it ended before, if it ran before.
        package var previouslyFinishedAt: Timestamp?

        /// A state of these facts.
        package init(
            pid: Int32, shimPID: Int32, startedAt: Timestamp, isPaused: Bool = false,
            previouslyFinishedAt: Timestamp? = nil
        ) {
            self.pid = pid
            self.shimPID = shimPID
            self.startedAt = startedAt
            self.isPaused = isPaused
            self.previouslyFinishedAt = previouslyFinishedAt
        }
    }

    /// An ended process.
    package struct Exit: Hashable, Sendable {
        /// 128 + signal for a signalled process.
        package var code: Int32
        /// When the process was started.
        package var startedAt: Timestamp
        /// When the process ended.
        package var finishedAt: Timestamp
        /// Whether a process of it was killed for want of memory.
        package var isOOMKilled: Bool
        /// Why a later attempt to start it did not work, or what is unknown about this end.
        package var error: String?

        /// A state of these facts.
        package init(
            code: Int32, startedAt: Timestamp, finishedAt: Timestamp, isOOMKilled: Bool = false, error: String? = nil
        ) {
            self.code = code
            self.startedAt = startedAt
            self.finishedAt = finishedAt
            self.isOOMKilled = isOOMKilled
            self.error = error
        }
    }

    /// A start that did not work.
    package struct StartFailure: Hashable, Sendable {
        /// 127 (not found), 126 (not executable) or 128.
        package var exitCode: Int32
        /// What went wrong, for people.
        package var message: String

        /// A state of these facts.
        package init(exitCode: Int32, message: String) {
            self.exitCode = exitCode
            self.message = message
        }
    }
}

extension ContainerState {
    /// The API's words for a container's state.
    package enum Status: String, Hashable, Sendable, CaseIterable {
        case created, running, paused, restarting, removing, exited, dead
    }

    /// The word that the API has for it.
    package var status: Status {
        switch self {
        case .created: .created
        case .running(let running): running.isPaused ? .paused : .running
        case .restarting: .restarting
        case .exited: .exited
        case .removing: .removing
        case .dead: .dead
        }
    }

    /// What Docker calls running: a restarting or paused container is, too.
    package var isRunning: Bool {
        switch self {
        case .running, .restarting: true
        default: false
        }
    }

    /// Whether its processes stand still.
    package var isPaused: Bool { status == .paused }
    /// Whether it waits to be started again.
    package var isRestarting: Bool { status == .restarting }

    /// The payload while a process lives.
    package var running: Running? {
        if case .running(let running) = self { return running }
        return nil
    }

    /// How it ended last, unless it runs or never ran.
    package var exit: Exit? {
        switch self {
        case .restarting(let exit), .exited(let exit): exit
        case .removing(let exit), .dead(let exit): exit
        case .created, .running: nil
        }
    }

    /// The main process on the host; 0 when none lives.
    package var pid: Int32 { running?.pid ?? 0 }

    /// The last end's exit code; 0 before there was one.
    package var exitCode: Int32 {
        if case .created(let failure?) = self { return failure.exitCode }
        return exit?.code ?? 0
    }

    /// The API's `State.Error`.
    package var error: String {
        if case .created(let failure?) = self { return failure.message }
        return exit?.error ?? ""
    }

    /// Whether a process of it was killed for want of memory.
    package var isOOMKilled: Bool { exit?.isOOMKilled ?? false }
    /// `Timestamp.zero` if it never ran.
    package var startedAt: Timestamp { running?.startedAt ?? exit?.startedAt ?? .zero }
    /// `Timestamp.zero` if it never ended.
    package var finishedAt: Timestamp { running?.previouslyFinishedAt ?? exit?.finishedAt ?? .zero }
}
