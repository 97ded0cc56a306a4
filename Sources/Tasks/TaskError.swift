import Failure
import ShimProtocol

/// Why a task could not be made, reached, or could not do what it was asked.
package struct TaskError: Failure, Hashable, Sendable {
    /// What a caller decides by.
    package var kind: FailureKind
    /// What was asked, what failed, what to do.
    package var message: String
    /// What the shim, or the runtime behind it, said itself, if the error is its refusal. Its `reason` tells more than
    /// `kind`: whether the program of the task was not found (exit code 127) or cannot be executed (126).
    package var refusal: ShimError?

    /// An error of this module itself.
    package init(_ kind: FailureKind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    /// A shim's refusal, in its own words.
    package init(_ refusal: ShimError) {
        kind = refusal.kind
        message = refusal.message
        self.refusal = refusal
    }
}

extension TaskError {
    static func invalid(_ message: String) -> TaskError { TaskError(.invalid, message) }
    static func system(_ message: String) -> TaskError { TaskError(.system, message) }

    /// The shim of a task did not answer in time.
    static func silent(_ id: String, _ request: ShimRequest, _ limit: Duration) -> TaskError {
        TaskError(
            .unavailable,
            "the shim of \(id) has not answered \"\(request.name)\" within \(limit); if it does not recover, kill the "
                + "container"
        )
    }

    /// Whether the task has ended, or ends right now: the answer to whatever it was asked is its end.
    package var saysEnded: Bool { refusal?.reason == .unavailable || refusal?.reason == .notFound }

    /// The exit code that stands for a start that failed like this: 127, 126, or 128 for all that is not about the
    /// program.
    package var exitCode: Int32 {
        switch refusal?.reason {
        case .commandNotFound: 127
        case .notExecutable: 126
        default: 128
        }
    }
}

extension ShimRequest {
    /// What it is called in messages.
    var name: String {
        switch self {
        case .subscribe: "subscribe"
        case .state: "state"
        case .start: "start"
        case .kill: "kill"
        case .pause: "pause"
        case .resume: "resume"
        case .update: "update"
        case .processes: "processes"
        case .statistics: "statistics"
        case .resize: "resize"
        case .exec: "exec"
        case .execStart: "start of exec"
        case .execState: "state of exec"
        case .execs: "list of execs"
        case .execDelete: "removal of exec"
        case .closeStdin: "end of input"
        case .attach: "attach"
        case .shutdown: "shutdown"
        case .create: "create"
        case .containers: "list of containers"
        case .publishedPorts: "list of ports"
        case .publish: "publication of ports"
        case .openPorts: "opening of ports"
        case .unpublish: "withdrawal of ports"
        case .checkpoint: "checkpoint"
        case .retarget: "change of addresses"
        case .resolve: "change of the resolver"
        }
    }
}
