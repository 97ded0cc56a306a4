import ContainerRuntime
import Glibc
import JSON
import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage

extension SupervisedContainer {
    /// How long an exec that nobody starts is known, in seconds.
    private static let patience = 300.0
    /// How many ends of execs are kept for an engine that is away.
    private static let endsLimit = 1000

    func exec(_ id: String) throws(ShimError) -> ExecProcess {
        guard let exec = execs[id] else { throw ShimError(.notFound, "no such exec: \(id)") }
        return exec
    }

    /// How many bytes all notes together have in one answer, which has to fit into a message.
    private static let notesLimit = 1 << 20

    /// Those that have begun, or are about to, for a client that has come anew. A note for which there is no room is
    /// left out.
    var begunExecs: [ShimExec] {
        var room = Self.notesLimit
        return execs.values.compactMap { exec in
            if case .created = exec.state { return nil }
            // What cannot be written cannot be sent either.
            let size = exec.note.map { (try? JSON.encode($0).count) ?? .max } ?? 0
            let hasRoom = size <= room
            if hasRoom { room -= size }
            return ShimExec(
                id: exec.id, state: exec.wireState, note: hasRoom ? exec.note : nil,
                isStarting: exec.wireState == .created ? true : nil)
        }
    }

    func addExec(_ id: String, _ process: Process, openStdin: Bool, note: JSONValue?) throws(ShimError) {
        try requireAlive()
        forgetUnstarted()
        guard execs[id] == nil else { throw ShimError(.conflict, "exec \(id) already exists") }
        // What a client that goes away leaves behind is of no use to anybody: nobody can attach to a running exec
        // again.
        let streams = ProcessStreams(
            containerID: self.id, execID: id, isTerminal: process.terminal ?? false, stdinOnce: true, log: nil,
            spill: spill, context: shim.context)
        let exec = ExecProcess(id: id, process: process, openStdin: openStdin, note: note, streams: streams)
        execs[id] = exec
    }

    /// Forgets execs whose client has gone away before it could start them.
    private func forgetUnstarted() {
        let now = Timestamp.now()
        for exec in execs.values {
            if case .created = exec.state, now.since(exec.knownSince) > Self.patience { forget(exec) }
        }
    }

    func deleteExec(_ id: String) throws(ShimError) {
        let exec = try exec(id)
        switch exec.state {
        case .created, .exited: forget(exec)
        case .starting, .running, .draining: throw ShimError(.conflict, "exec \(id) is running")
        }
    }

    func startExec(
        _ id: String, for client: ControlClient, _ completion: @escaping Completion<Int32>
    ) throws(ShimError) {
        let exec = try exec(id)
        guard case .created(let process, let openStdin) = exec.state else {
            throw ShimError(.conflict, "exec \(id) is already started")
        }
        guard case .running = phase else { throw ShimError(.conflict, "the container is not running") }
        exec.state = .starting
        run(exec, process, openStdin: openStdin) { [weak self] result in
            guard let self else { return }
            switch result {
            case .success(let pid):
                exec.state = .running(pid: pid)
                tell(.execStarted(execID: id, pid: pid))
            case .failure(let error):
                let time = Timestamp.now()
                exec.state = .exited(exitCode: error.exitCode, at: time)
                // The client that asked for it gets this error. Another one, that came later, has found it starting.
                if !client.isGone || tell(.execExited(execID: id, exitCode: error.exitCode, at: time)) {
                    forget(exec)
                } else {
                    boundEnds()
                }
            }
            completion(result)
            if let pid = exec.pid, let code = shim.takeOrphan(pid) { ended(exec, code) }
        }
    }

    private func run(
        _ exec: ExecProcess, _ process: Process, openStdin: Bool, _ completion: @escaping Completion<Int32>
    ) {
        var process = process
        if process.oomScoreAdj == nil { process.oomScoreAdj = shim.exemption.usual }
        let pipes: StandardPipes?
        do throws(Errno) {
            // Without a client nobody will ever see the output.
            pipes =
                exec.streams.isTerminal
                ? nil
                : try StandardPipes(
                    hasInput: openStdin, hasOutput: exec.streams.hasClients, withoutDevices: runtime.changesStreams)
        } catch {
            return completion(.failure(ShimError(.system, "pipe: \(error)")))
        }
        runtime.exec(process, streams: pipes) { result in
            completion(
                result.flatMap { started in
                    pipes?.closeTheirs()
                    do throws(Errno) {
                        if let pipes { try exec.streams.open(pipes) }
                        if let console = started.console {
                            try exec.streams.open(console: console, wantsInput: openStdin)
                        }
                        return .success(started.pid)
                    } catch {
                        Self.killChild(started.pid)
                        return .failure(ShimError(.system, "cannot open the streams of exec \(exec.id): \(error)"))
                    }
                })
        }
    }

    /// Ends a process that a runtime has made. One that has ended may have been reaped already.
    static func killChild(_ pid: Int32) {
        guard let process = try? PIDFD.open(child: pid) else { return }  // Fails for one that has been reaped.
        defer { process.close() }
        try? process.send(signal: SIGKILL)  // Fails for none of our children.
    }

    // MARK: Untold ends

    /// Tells `client`, which wants the container's events from now on, of execs that have ended while nobody did.
    func tellEnds(to client: ControlClient) {
        for exec in execs.values {
            guard case .exited(let exitCode, let time) = exec.state else { continue }
            shim.send(.execExited(execID: exec.id, exitCode: exitCode, at: time), of: self, to: client)
            forget(exec)
        }
    }

    /// Forgets the oldest ends of those that nobody has been told of.
    func boundEnds() {
        var ends: [(time: Timestamp, exec: ExecProcess)] = []
        for exec in execs.values {
            if case .exited(_, let time) = exec.state { ends.append((time, exec)) }
        }
        guard ends.count > Self.endsLimit, let oldest = ends.min(by: { $0.time < $1.time }) else { return }
        forget(oldest.exec)
    }
}
