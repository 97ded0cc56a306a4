import Glibc
import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage

extension SupervisedContainer {
    /// Does what a client asks.
    func answer(_ request: ShimRequest, from client: ControlClient) throws(ShimError) -> ControlClient.Reply {
        if case .attach(let execID, let stdin, let stdout, let stderr, let detachKeys, let framing) = request {
            let streams = try openStreams(of: execID)
            let interest = AttachedClient.Interest(
                input: stdin, output: stdout, error: stderr,
                framing: framing ?? (streams.isTerminal ? .raw : .multiplexed))
            return .attach(.done, streams, interest, detachKeys: detachKeys)
        }
        if case .running(let running) = phase, running.freezer.isChanging, request == .state || request == .subscribe {
            return .later { [unowned self] respond in
                afterFreezing.append { [unowned self] in
                    if request == .subscribe { subscribe(client) }
                    respond(.state(phase.state))
                }
            }
        }
        if let response = try perform(request, for: client) { return .response(response) }
        return .later { [unowned self] respond in
            begin(request, for: client) { result in
                switch result {
                case .success(let response): respond(response)
                case .failure(let error): respond(.failure(error))
                }
            }
        }
    }

    /// Does what needs no runtime; `nil` for all that does.
    private func perform(_ request: ShimRequest, for client: ControlClient) throws(ShimError) -> ShimResponse? {
        if let response = try answerAboutPorts(request) { return response }
        switch request {
        case .subscribe:
            subscribe(client)
            return .state(phase.state)
        case .state:
            return .state(phase.state)
        case .start, .kill, .pause, .resume, .checkpoint, .update, .processes, .statistics, .execStart:
            return nil
        case .resize(let execID, let columns, let rows):
            try resize(execID, columns: columns, rows: rows)
        case .exec(let id, let process, let openStdin, let note):
            try addExec(id, process, openStdin: openStdin, note: note)
        case .execs:
            return .execs(begunExecs)
        case .execState(let id):
            return .execState(try exec(id).wireState)
        case .execDelete(let id):
            try deleteExec(id)
        case .closeStdin(let execID):
            try openStreams(of: execID).closeInput()
        case .resolve(let configuration):
            try resolve(configuration)
        case .shutdown:
            guard phase.isOver else { throw ShimError(.conflict, "the container has not ended") }
            shim.dismiss(self)
        case .attach, .create, .containers, .publishedPorts, .publish, .openPorts, .unpublish, .retarget:
            throw ShimError(.invalid, "this is not about one container")
        }
        return .done
    }

    private func subscribe(_ client: ControlClient) {
        if client.isGone { return }
        client.subscribe(to: id)
        tellEnds(to: client)
    }

    /// Has the runtime do what it is needed for.
    private func begin(
        _ request: ShimRequest, for client: ControlClient, _ completion: @escaping Completion<ShimResponse>
    ) {
        let done: Completion<Void> = { completion($0.map { .done }) }
        do throws(ShimError) {
            switch request {
            case .start:
                // As of now, not of the time when the answer's turn comes: a short program has ended by then.
                try start { [unowned self] result in completion(result.map { .state(phase.state) }) }
            case .kill(let signal, let all):
                try kill(signal, all: all, done)
            case .pause:
                try setFrozen(true, done)
            case .resume:
                try setFrozen(false, done)
            case .checkpoint(let place, let leavesRunning):
                try save(to: place, leavesRunning: leavesRunning, done)
            case .update(let resources):
                try requireAlive()
                runtime.update(resources, done)
            case .processes:
                try requireAlive()
                runtime.processes { completion($0.map { .processes($0) }) }
            case .statistics:
                try requireAlive()
                runtime.statistics { [log] result in
                    completion(
                        result.map {
                            .statistics(ShimStatistics(cgroup: $0, droppedLogLines: log?.droppedLines ?? 0))
                        })
                }
            case .execStart(let id):
                try startExec(id, for: client) { completion($0.map { .started(pid: $0) }) }
            default:
                throw ShimError(.invalid, "this request needs no runtime")
            }
        } catch {
            completion(.failure(error))
        }
    }

    /// Refuses what needs the first process. Like that of a process the kernel does not know, the answer means: there
    /// is nobody any more, the end is about to be told.
    func requireAlive() throws(ShimError) {
        guard phase.isAlive else { throw ShimError(.notFound, "the container has ended") }
    }

    private func start(_ completion: @escaping Completion<Void>) throws(ShimError) {
        guard case .created(let pid) = phase else {
            throw ShimError(.conflict, "the container is already started")
        }
        // Before the program begins, so that whoever it tells finds them open.
        try ports?.open()
        phase = .starting(pid: pid, at: .now(), ended: nil)
        runtime.start { [unowned self] result in
            guard case .starting(let pid, let time, let ended) = phase else { return completion(result) }
            switch result {
            case .success:
                phase = .running(Phase.Running(pid: pid, startedAt: time))
            case .failure(let failure):
                phase = .failed(pid: pid, failure)
                // It has ended already, or is of no use; either way its end comes next.
                if ended == nil { Self.killChild(pid) }
            }
            completion(result)
            if let ended { firstProcessEnded(ended) }
        }
    }

    private func kill(_ signal: Signal, all: Bool, _ completion: @escaping Completion<Void>) throws(ShimError) {
        try requireAlive()
        runtime.kill(signal.rawValue, all: all) { [unowned self] result in
            if case .success = result, signal == .kill, case .running(var running) = phase,
                running.freezer == .frozen
            {
                // The runtime has thawed it.
                running.freezer = .thawed
                phase = .running(running)
            }
            completion(result)
        }
    }

    private func setFrozen(_ isFrozen: Bool, _ completion: @escaping Completion<Void>) throws(ShimError) {
        guard case .running(var running) = phase else {
            throw ShimError(.conflict, "the container is not running")
        }
        if isBeingSaved { throw Self.isSaved }
        let before = running.freezer
        switch before {
        case .freezing, .thawing: throw ShimError(.conflict, "the container is being paused or resumed")
        case .frozen where isFrozen: throw ShimError(.conflict, "the container is already paused")
        case .thawed where !isFrozen: throw ShimError(.conflict, "the container is not paused")
        case .frozen, .thawed: break
        }
        running.freezer = isFrozen ? .freezing : .thawing
        phase = .running(running)
        runtime.setPaused(isFrozen) { [unowned self] result in
            // It may have ended meanwhile.
            if case .running(var running) = phase {
                running.freezer = before
                if case .success = result { running.freezer = isFrozen ? .frozen : .thawed }
                phase = .running(running)
            }
            completion(result)
            let waiting = afterFreezing
            afterFreezing = []
            for respond in waiting { respond() }
        }
    }

    private static let isSaved = ShimError(.conflict, "a checkpoint of the container is being made")

    private func save(
        to place: CheckpointPlace, leavesRunning: Bool, _ completion: @escaping Completion<Void>
    ) throws(ShimError) {
        guard case .running(let running) = phase else {
            throw ShimError(.conflict, "the container is not running")
        }
        if isBeingSaved { throw Self.isSaved }
        if running.freezer.isChanging {
            throw ShimError(.conflict, "the container is being paused or resumed")
        }
        isBeingSaved = true
        runtime.checkpoint(to: place, leavesRunning: leavesRunning) { [unowned self] result in
            isBeingSaved = false
            // CRIU thaws what it has frozen, unless it was killed itself.
            if case .failure = result, case .running(let running) = phase, running.freezer == .thawed {
                try? runtime.cgroup?.thawIfFrozen()  // If it stays frozen, the user sees it.
            }
            completion(result)
        }
    }

    /// The streams of a process that has not ended.
    func openStreams(of execID: String?) throws(ShimError) -> ProcessStreams {
        guard let execID else {
            try requireAlive()
            return streams
        }
        let exec = try exec(execID)
        switch exec.state {
        case .created, .starting, .running: return exec.streams
        case .draining, .exited: throw ShimError(.conflict, "exec \(execID) has ended")
        }
    }
}
