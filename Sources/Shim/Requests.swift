import Cgroups
import Glibc
import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage

extension Shim {
    /// Does what a client asks.
    func answer(_ request: ShimRequest, from client: ControlClient) -> ControlClient.Reply {
        scheduleTrim()
        if case .subscribe = request { client.isSubscribed = true }
        do throws(ShimError) {
            if case .attach(let execID, let stdin, let stdout, let stderr, let detachKeys) = request {
                let interest = AttachedClient.Interest(input: stdin, output: stdout, error: stderr)
                return .attach(.done, try openStreams(of: execID), interest, detachKeys: detachKeys)
            }
            guard let response = try perform(request) else {
                return .later { [unowned self] respond in
                    begin(request) { result in
                        switch result {
                        case .success(let response): respond(response)
                        case .failure(let error): respond(.failure(error))
                        }
                    }
                }
            }
            if case .state(.exited) = response {
                client.knowsExit = true
                endIfPossibleSoon()
            }
            return .response(response)
        } catch {
            return .response(.failure(error))
        }
    }

    /// Does what needs no runtime; `nil` for all that does.
    private func perform(_ request: ShimRequest) throws(ShimError) -> ShimResponse? {
        switch request {
        case .subscribe, .state:
            return .state(state)
        case .start, .kill, .pause, .resume, .update, .processes, .statistics, .execStart:
            return nil
        case .resize(let execID, let columns, let rows):
            try resize(execID, columns: columns, rows: rows)
        case .exec(let id, let process, let openStdin):
            try addExec(id, process, openStdin: openStdin)
        case .execState(let id):
            return .execState(try exec(id).state)
        case .execDelete(let id):
            let exec = try exec(id)
            guard exec.pid == nil, !exec.isStarting else { throw ShimError(.conflict, "exec \(id) is running") }
            execs.removeValue(forKey: id)?.streams.close()
        case .closeStdin(let execID):
            try openStreams(of: execID).closeInput()
        case .attach:
            throw ShimError(.invalid, "attach was already handled")
        case .shutdown:
            guard case .exited = phase else { throw ShimError(.conflict, "the container has not ended") }
            endWhenAsked()
        }
        return .done
    }

    /// Has the runtime do what it is needed for.
    private func begin(_ request: ShimRequest, _ completion: @escaping Completion<ShimResponse>) {
        let done: Completion<Void> = { completion($0.map { .done }) }
        do throws(ShimError) {
            switch request {
            case .start:
                try start(done)
            case .kill(let signal, let all):
                try kill(signal.rawValue, all: all, done)
            case .pause:
                try setPaused(true, done)
            case .resume:
                try setPaused(false, done)
            case .update(let resources):
                try requireAlive()
                runtime.update(resources, done)
            case .processes:
                try requireAlive()
                runtime.processes { completion($0.map { .processes($0) }) }
            case .statistics:
                try requireAlive()
                runtime.statistics { [unowned self] result in
                    completion(
                        result.map {
                            .statistics(ShimStatistics(cgroup: $0, droppedLogLines: log?.droppedLines ?? 0))
                        })
                }
            case .execStart(let id):
                try startExec(id) { completion($0.map { .started(pid: $0) }) }
            default:
                throw ShimError(.invalid, "this request needs no runtime")
            }
        } catch {
            completion(.failure(error))
        }
    }

    private var state: ShimState {
        switch phase {
        case .created(let pid): .created(pid: pid)
        case .running(let pid, let startedAt, let isPaused): .running(pid: pid, startedAt: startedAt, paused: isPaused)
        case .ending(let record):
            // Its output is still being read, and its end will be an event of its own.
            if let startedAt = record.startedAt {
                .running(pid: record.pid, startedAt: startedAt, paused: false)
            } else {
                .created(pid: record.pid)
            }
        case .exited(let record): .exited(record)
        }
    }

    private func requireAlive() throws(ShimError) {
        switch phase {
        case .created, .running: return
        case .ending, .exited: throw ShimError(.conflict, "the container has ended")
        }
    }

    // MARK: The container

    private func start(_ completion: @escaping Completion<Void>) throws(ShimError) {
        guard case .created(let pid) = phase, !isStarting, startFailure == nil else {
            throw ShimError(.conflict, "the container is already started")
        }
        isStarting = true
        let startedAt = Timestamp.now()
        runtime.start { [unowned self] result in
            isStarting = false
            switch result {
            case .success:
                phase = .running(pid: pid, startedAt: startedAt, isPaused: false)
            case .failure(let failure):
                startFailure = failure
                // It has ended already, or is of no use; either way its end comes next.
                if heldEnd == nil { try? Signals.send(SIGKILL, to: pid) }
            }
            completion(result)
            if let code = heldEnd {
                heldEnd = nil
                firstProcessEnded(pid, code)
            }
        }
    }

    private func kill(_ signal: Int32, all: Bool, _ completion: @escaping Completion<Void>) throws(ShimError) {
        try requireAlive()
        runtime.kill(signal, all: all) { [unowned self] result in
            if case .success = result, signal == SIGKILL, case .running(let pid, let startedAt, true) = phase {
                // The runtime has thawed it.
                phase = .running(pid: pid, startedAt: startedAt, isPaused: false)
            }
            completion(result)
        }
    }

    private func setPaused(_ isPaused: Bool, _ completion: @escaping Completion<Void>) throws(ShimError) {
        guard case .running(_, _, let wasPaused) = phase else {
            throw ShimError(.conflict, "the container is not running")
        }
        if isChanging { throw ShimError(.conflict, "the container is being paused or resumed") }
        if wasPaused == isPaused {
            throw ShimError(.conflict, "the container is \(isPaused ? "already" : "not") paused")
        }
        isChanging = true
        runtime.setPaused(isPaused) { [unowned self] result in
            isChanging = false
            // It may have ended meanwhile.
            if case .success = result, case .running(let pid, let startedAt, _) = phase {
                phase = .running(pid: pid, startedAt: startedAt, isPaused: isPaused)
            }
            completion(result)
        }
    }

    private func resize(_ execID: String?, columns: UInt16, rows: UInt16) throws(ShimError) {
        let streams = try openStreams(of: execID)
        guard streams.isTerminal else { throw ShimError(.conflict, "the process has no terminal") }
        do throws(Errno) {
            try streams.resize(columns: columns, rows: rows)
        } catch {
            throw ShimError(.conflict, "cannot resize the terminal: \(error)")
        }
    }

    /// The streams of a process that has not ended.
    private func openStreams(of execID: String?) throws(ShimError) -> ProcessStreams {
        guard let execID else {
            try requireAlive()
            return streams
        }
        let exec = try exec(execID)
        if case .exited = exec.state { throw ShimError(.conflict, "exec \(execID) has ended") }
        return exec.streams
    }

    // MARK: Execs

    private func exec(_ id: String) throws(ShimError) -> ExecProcess {
        guard let exec = execs[id] else { throw ShimError(.notFound, "no such exec: \(id)") }
        return exec
    }

    private func addExec(_ id: String, _ process: Process, openStdin: Bool) throws(ShimError) {
        try requireAlive()
        guard execs[id] == nil else { throw ShimError(.conflict, "exec \(id) already exists") }
        // What a client that goes away leaves behind is of no use to anybody: nobody can attach to a running exec again.
        let streams = ProcessStreams(
            execID: id, isTerminal: process.terminal ?? false, stdinOnce: true, log: nil, context: context)
        execs[id] = ExecProcess(id: id, process: process, openStdin: openStdin, streams: streams)
    }

    private func startExec(_ id: String, _ completion: @escaping Completion<Int32>) throws(ShimError) {
        let exec = try exec(id)
        guard case .created = exec.state, !exec.isStarting else {
            throw ShimError(.conflict, "exec \(id) is already started")
        }
        guard case .running = phase else { throw ShimError(.conflict, "the container is not running") }
        exec.isStarting = true
        run(exec) { [unowned self] result in
            exec.isStarting = false
            switch result {
            case .success(let pid):
                exec.state = .running(pid: pid)
                tell(.execStarted(execID: id, pid: pid))
            case .failure(let error):
                exec.state = .exited(exitCode: error.exitCode, at: .now())
                exec.streams.close()
            }
            completion(result)
            if let pid = exec.pid, let code = orphans.removeValue(forKey: pid) { ended(exec, code) }
        }
    }

    private func run(_ exec: ExecProcess, _ completion: @escaping Completion<Int32>) {
        var process = exec.process
        if process.oomScoreAdj == nil { process.oomScoreAdj = runtime.scoreBefore }
        let pipes: StandardPipes?
        do throws(Errno) {
            // Without a client nobody will ever see the output.
            pipes =
                exec.streams.isTerminal
                ? nil
                : try StandardPipes(
                    hasInput: exec.openStdin, hasOutput: exec.streams.hasClients,
                    withoutDevices: runtime.changesStreams)
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
                            try exec.streams.open(console: console, wantsInput: exec.openStdin)
                        }
                        return .success(started.pid)
                    } catch {
                        try? Signals.send(SIGKILL, to: started.pid)  // If that fails it has ended.
                        return .failure(ShimError(.system, "cannot open the streams of exec \(exec.id): \(error)"))
                    }
                })
        }
    }
}
