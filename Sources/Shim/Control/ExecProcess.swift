import OCISpec
import ShimProtocol

/// A process that has been added to the container.
final class ExecProcess {
    let id: String
    let process: Process
    let openStdin: Bool
    let streams: ProcessStreams
    var state: ExecState = .created
    /// Whether the runtime is making it.
    var isStarting = false

    init(id: String, process: Process, openStdin: Bool, streams: ProcessStreams) {
        self.id = id
        self.process = process
        self.openStdin = openStdin
        self.streams = streams
    }

    /// The pid while it runs.
    var pid: Int32? {
        if case .running(let pid) = state { pid } else { nil }
    }
}
