import Cgroups
import ContainerRuntime
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
            let response = try perform(request)
            if case .state(.exited) = response {
                client.knowsExit = true
                endIfPossibleSoon()
            }
            return .response(response)
        } catch {
            return .response(.failure(error))
        }
    }

    private func perform(_ request: ShimRequest) throws(ShimError) -> ShimResponse {
        switch request {
        case .subscribe, .state:
            return .state(state)
        case .start:
            try start()
        case .kill(let signal, let all):
            try kill(signal, all: all)
        case .pause:
            try setPaused(true)
        case .resume:
            try setPaused(false)
        case .update(let resources):
            try requireAlive()
            try runtimeCall { () throws(RuntimeError) in try runtime.update(configuration.id, resources: resources) }
        case .processes:
            try requireAlive()
            return .processes(
                try runtimeCall { () throws(RuntimeError) in try runtime.processes(configuration.id) })
        case .statistics:
            try requireAlive()
            return .statistics(
                ShimStatistics(
                    cgroup: cgroup?.statistics() ?? CgroupStatistics(), droppedLogLines: log?.droppedLines ?? 0))
        case .resize(let execID, let columns, let rows):
            try resize(execID, columns: columns, rows: rows)
        case .exec(let id, let process, let openStdin):
            try addExec(id, process, openStdin: openStdin)
        case .execStart(let id):
            return .started(pid: try startExec(id))
        case .execState(let id):
            return .execState(try exec(id).state)
        case .execDelete(let id):
            guard try exec(id).pid == nil else { throw ShimError(.conflict, "exec \(id) is running") }
            execs.removeValue(forKey: id)?.streams.close()
        case .closeStdin(let execID):
            try openStreams(of: execID).closeInput()
        case .attach:
            throw ShimError(.invalid, "attach has been handled already")
        case .shutdown:
            guard case .exited = phase else { throw ShimError(.conflict, "the container has not ended") }
            endWhenAsked()
        }
        return .done
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

    private func start() throws(ShimError) {
        guard case .created(let pid) = phase else {
            throw ShimError(.conflict, "the container has been started already")
        }
        let startedAt = Timestamp.now()
        do throws(RuntimeError) {
            try runtime.start(configuration.id)
        } catch {
            let failure = ShimError(error)
            startFailure = failure
            // It has ended already, or is of no use; either way its end comes next.
            try? Signals.send(SIGKILL, to: pid)
            throw failure
        }
        phase = .running(pid: pid, startedAt: startedAt, isPaused: false)
    }

    private func kill(_ signal: Int32, all: Bool) throws(ShimError) {
        try requireAlive()
        try runtimeCall { () throws(RuntimeError) in try runtime.kill(configuration.id, signal: signal, all: all) }
        if signal == SIGKILL, case .running(let pid, let startedAt, true) = phase {
            // The runtime has thawed it: in a frozen cgroup of version 1 even SIGKILL waits for that.
            phase = .running(pid: pid, startedAt: startedAt, isPaused: false)
        }
    }

    private func setPaused(_ isPaused: Bool) throws(ShimError) {
        guard case .running(let pid, let startedAt, let wasPaused) = phase else {
            throw ShimError(.conflict, "the container is not running")
        }
        if wasPaused == isPaused {
            throw ShimError(.conflict, "the container is \(isPaused ? "already" : "not") paused")
        }
        try runtimeCall { () throws(RuntimeError) in
            if isPaused { try runtime.pause(configuration.id) } else { try runtime.resume(configuration.id) }
        }
        phase = .running(pid: pid, startedAt: startedAt, isPaused: isPaused)
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
        guard execs[id] == nil else { throw ShimError(.conflict, "exec \(id) exists already") }
        // What a client that goes away leaves behind is of no use to anybody: nobody can attach to a running exec again.
        let streams = ProcessStreams(
            execID: id, isTerminal: process.terminal ?? false, stdinOnce: true, log: nil, context: context)
        execs[id] = ExecProcess(id: id, process: process, openStdin: openStdin, streams: streams)
    }

    private func startExec(_ id: String) throws(ShimError) -> Int32 {
        let exec = try exec(id)
        guard case .created = exec.state else { throw ShimError(.conflict, "exec \(id) has been started already") }
        guard case .running = phase else { throw ShimError(.conflict, "the container is not running") }
        do throws(ShimError) {
            let pid = try run(exec)
            exec.state = .running(pid: pid)
            tell(.execStarted(execID: id, pid: pid))
            return pid
        } catch {
            exec.state = .exited(exitCode: error.exitCode, at: .now())
            exec.streams.close()
            throw error
        }
    }

    private func run(_ exec: ExecProcess) throws(ShimError) -> Int32 {
        var process = exec.process
        if process.oomScoreAdj == nil { process.oomScoreAdj = scoreBefore }
        var options = ExecOptions()
        let isTerminal = exec.streams.isTerminal
        let pipes: StandardPipes? =
            isTerminal
            ? nil
            : try attempt("pipe") { () throws(Errno) in
                // Without a client nobody will ever see the output.
                try StandardPipes(hasInput: exec.openStdin, hasOutput: exec.streams.hasClients)
            }
        if let pipes { options.streams = pipes.streams }
        let started = try runtimeCall { () throws(RuntimeError) in
            try runtime.exec(configuration.id, process: process, options: options)
        }
        pipes?.closeTheirs()
        do throws(Errno) {
            if let pipes { try exec.streams.open(pipes) }
            if let console = started.console {
                try exec.streams.open(console: console, wantsInput: exec.openStdin)
            }
        } catch {
            try? Signals.send(SIGKILL, to: started.pid)  // If that fails it has ended.
            throw ShimError(.system, "opening the streams of exec \(exec.id): \(error)")
        }
        return started.pid
    }
}
