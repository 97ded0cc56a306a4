import OCISpec
import ShimProtocol

/// Where a container is in its life, from its creation on.
enum Phase {
    /// Set up; waits for `start`.
    case created(pid: Int32)
    /// The runtime is executing its program. `ended` is what the first process has exited with meanwhile: that it began
    /// is said before that it ended.
    case starting(pid: Int32, at: Timestamp, ended: Int32?)
    /// Its program runs, or is frozen.
    case running(Running)
    /// Its program could not be executed. The first process is of no use and about to end.
    case failed(pid: Int32, ShimError)
    /// The first process has ended; what it has written is being read.
    case draining(ExitRecord)
    /// All its output has been read; that of execs, which have been killed with it, has not.
    case endingExecs(ExitRecord)
    /// The exit record is being written, which a full disk may hold up.
    case recording(ExitRecord)
    /// The runtime is removing what is left of it.
    case removing(ExitRecord)
    /// Nothing is left of it.
    case exited(ExitRecord)

    /// A container whose program has begun.
    struct Running {
        /// Its first process.
        var pid: Int32
        /// When it began.
        var startedAt: Timestamp
        var freezer = Freezer.thawed
    }

    /// Whether its processes are frozen.
    enum Freezer {
        case thawed, freezing, frozen, thawing

        /// Whether the runtime is freezing or thawing them.
        var isChanging: Bool { self == .freezing || self == .thawing }
    }

    /// The first process until it has been reaped.
    var pid: Int32? {
        switch self {
        case .created(let pid), .starting(let pid, _, nil), .failed(let pid, _): pid
        case .running(let running): running.pid
        case .starting, .draining, .endingExecs, .recording, .removing, .exited: nil
        }
    }

    /// Whether the container has not ended.
    var isAlive: Bool {
        switch self {
        case .created, .starting, .running, .failed: true
        case .draining, .endingExecs, .recording, .removing, .exited: false
        }
    }

    /// Whether everybody can be told of the end.
    var isOver: Bool {
        if case .exited = self { true } else { false }
    }

    /// The same as clients see it: an end is an event, and told when everything is done that belongs to it.
    var state: ShimState {
        switch self {
        case .created(let pid), .starting(let pid, _, _), .failed(let pid, _):
            .created(pid: pid)
        case .running(let running):
            .running(
                pid: running.pid, startedAt: running.startedAt,
                paused: running.freezer == .frozen || running.freezer == .thawing)
        case .draining(let record), .endingExecs(let record), .recording(let record), .removing(let record):
            if let startedAt = record.startedAt {
                .running(pid: record.pid, startedAt: startedAt, paused: false)
            } else {
                .created(pid: record.pid)
            }
        case .exited(let record):
            .exited(record)
        }
    }
}
