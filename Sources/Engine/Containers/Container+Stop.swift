import LinuxKernel
import OCISpec
import Tasks

extension Container {
    /// The signal that asks it to end.
    private var stopSignal: Signal {
        record.configuration.stopSignal?.value ?? .terminate
    }

    /// Ends it: signal, patience, SIGKILL. Returns false if it does not run.
    @discardableResult
    func stop(timeout: Int?, signal: Signal?) async throws -> Bool {
        guard record.state.isRunning else { return false }
        let first = signal ?? stopSignal
        let patience = timeout ?? record.configuration.stopTimeout ?? services.configuration.stopTimeout
        // Also for the next daemon, if this one does not see the end.
        record.isManuallyStopped = true
        await saveOrLog()
        if await endRestarting() {
            emit("stop")
            return true
        }
        let end = wait(.notRunning)
        do {
            // Who does not want to wait for the container does not want to wait for its shim either.
            try await send(first, within: patience < 0 ? nil : .seconds(max(1, patience)))
        } catch let error as EngineError where error.kind == .conflict {
            // It has ended in the meantime.
        } catch let error as EngineError where patience >= 0 {
            logger.warning("cannot send signal \(first), killing it: \(error)")
            try await killAndWait()
            return emitStop()
        }
        if patience < 0 {
            _ = try await end.result()
        } else if try await !end.isMet(within: .seconds(patience)) {
            logger.info("the container did not end within \(patience) s of signal \(first); killing it")
            try await killAndWait()
        }
        return emitStop()
    }

    private func emitStop() -> Bool {
        emit("stop")
        return true
    }

    /// Sends a signal; SIGKILL also waits for the end.
    func kill(signal: Signal) async throws {
        guard record.state.running != nil else { throw EngineError.notRunning(id) }
        if signal == Signal.kill || signal == stopSignal {
            // A stop by hand: the restart policy then leaves it alone. Any other signal may mean anything to the
            // program ("read your configuration again"), and an end that follows it is the program's own.
            record.isManuallyStopped = true
            await saveOrLog()
        }
        if signal == Signal.kill {
            try await killAndWait()
        } else {
            try await send(signal)
        }
    }

    /// Kills it and waits for the end, as `remove --force` and the end of patience do.
    func killAndWait() async throws {
        record.isManuallyStopped = true
        if await endRestarting() { return }
        let end = wait(.notRunning)
        do {
            try await send(Signal.kill)
        } catch let error as EngineError where error.kind == .conflict {
            // It ended a moment ago, which is about to be recorded.
        }
        if try await end.isMet(within: .seconds(10)) { return }
        // A shim that was stopped right after it had sent the signal does not tell of the end either.
        await task?.endByForce(after: .seconds(1))
        // The first wait is over. This one is met at once if the end has come meanwhile.
        if try await !wait(.notRunning).isMet(within: .seconds(10)) {
            throw EngineError.system("tried to kill container \(id), but did not receive an exit event")
        }
    }

    private func send(_ signal: Signal, within limit: Duration? = nil) async throws {
        let task = try requireTask()
        do {
            try await task.signal(signal, within: limit)
        } catch let error as TaskError {
            throw EngineError.task(error, of: id)
        }
        emit("kill", ["signal": "\(signal.rawValue)"])
        guard signal == Signal.kill || signal == stopSignal else { return }
        // A frozen process takes no signal.
        if record.state.isPaused || task.isHeld { await task.thaw() }
        if record.state.isPaused { await setPaused(false) }
    }

    /// If it waits for its next start: it does not any more. Whether that was so.
    private func endRestarting() async -> Bool {
        guard case .restarting(let exit) = record.state else { return false }
        cancelRestart()
        await gate.enter()
        defer { gate.leave() }
        // It may have been started while we came to the gate.
        guard case .restarting = record.state else { return false }
        record.state = .exited(exit)
        await saveOrLog()
        notifyStopped()
        return true
    }

    // MARK: Pause

    func pause() async throws {
        await gate.enter()
        defer { gate.leave() }
        if record.state.isPaused { throw EngineError.conflict("container \(id) is already paused") }
        if record.state.isRestarting { throw EngineError.restarting(id) }
        do {
            try await requireTask().pause()
        } catch let error as TaskError {
            throw EngineError.system("cannot pause container \(id): \(error.message)")
        }
        await setPaused(true)
    }

    func unpause() async throws {
        guard record.state.running != nil else { throw EngineError.notRunning(id) }
        guard record.state.isPaused else { throw EngineError.conflict("Container \(id) is not paused") }
        await gate.enter()
        defer { gate.leave() }
        guard record.state.isPaused else { return }
        do {
            try await requireTask().resume()
        } catch let error as TaskError {
            throw EngineError.system("Cannot unpause container \(id): \(error.message)")
        }
        await setPaused(false)
    }

    func setPaused(_ isPaused: Bool) async {
        guard case .running(var running) = record.state, running.isPaused != isPaused else { return }
        running.isPaused = isPaused
        record.state = .running(running)
        if isPaused { endMonitoring() } else { monitorHealth() }
        await saveOrLog()
        emit(isPaused ? "pause" : "unpause")
    }
}

extension ContainerWait {
    /// Whether the condition is met before the time is over.
    func isMet(within duration: Duration) async throws -> Bool {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                _ = try await result()
                return true
            }
            group.addTask {
                try await Task.sleep(for: duration)
                return false
            }
            let first = try await group.next() ?? false
            group.cancelAll()
            return first
        }
    }
}

extension Container {
    /// Stops it if it runs, and starts it again.
    func restart(timeout: Int?, signal: Signal?) async throws {
        restartsByHand += 1
        do {
            defer { restartsByHand -= 1 }
            try await stop(timeout: timeout, signal: signal)
        }
        // If it runs by then, somebody else was faster.
        _ = try await start()
        emit("restart")
    }

    func top(arguments: String) async throws -> ProcessTable {
        let listing = try ProcessListing(arguments: arguments)
        if record.state.isRestarting { throw EngineError.restarting(id) }
        let pids: [Int32]
        do { pids = try await requireTask().processes() } catch { throw EngineError.task(error, of: id) }
        emit("top")
        return try await services.pool.run { listing.table(of: pids) }
    }
}
