import JSON
import OCISpec
import ShimProtocol

/// A process that has been added to the container.
final class ExecProcess {
    /// Where it is in its life. What is to be executed is kept only until it is: an environment may be large, and a
    /// container have thousands of execs.
    enum State {
        case created(Process, openStdin: Bool)
        /// The runtime is making it.
        case starting
        case running(pid: Int32)
        /// It has ended; what it has written is being read.
        case draining(exitCode: Int32, at: Timestamp)
        /// It has ended, and nobody has been told.
        case exited(exitCode: Int32, at: Timestamp)
    }

    let id: String
    /// What the client wants to read of it later.
    let note: JSONValue?
    let streams: ProcessStreams
    let knownSince = Timestamp.now()
    var state: State

    init(id: String, process: Process, openStdin: Bool, note: JSONValue?, streams: ProcessStreams) {
        self.id = id
        self.note = note
        self.streams = streams
        state = .created(process, openStdin: openStdin)
    }

    /// The pid while it runs.
    var pid: Int32? {
        if case .running(let pid) = state { pid } else { nil }
    }

    /// Whether its end is still to come.
    var isActive: Bool {
        switch state {
        case .running, .draining: true
        case .created, .starting, .exited: false
        }
    }

    /// The same as clients see it.
    var wireState: ExecState {
        switch state {
        case .created, .starting: .created
        case .running(let pid): .running(pid: pid)
        case .draining(let exitCode, let time), .exited(let exitCode, let time): .exited(exitCode: exitCode, at: time)
        }
    }
}
