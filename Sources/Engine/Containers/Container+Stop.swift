import LinuxKernel
import OCISpec
import ShimProtocol

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
        record.isManuallyStopped = true
        if await endRestarting() {
            emit("stop")
            return true
        }
        let end = wait(.notRunning)
        do {
            try await send(first)
        } catch let error as EngineError where error.kind == .conflict {
            // It has ended in the meantime.
        }
        if patience < 0 {
            _ = try await end.result()
        } else if try await !end.isMet(within: .seconds(patience)) {
            logger.info("the container did not end within \(patience) s of signal \(first); killing it")
            try await killAndWait()
        }
        emit("stop")
        return true
    }

    /// Sends a signal; SIGKILL also waits for the end.
    func kill(signal: Signal) async throws {
        guard record.state.running != nil else { throw EngineError.notRunning(id) }
        if signal == Signal.kill || signal == stopSignal {
            // A stop by hand: the restart policy then leaves it alone. Any other signal may mean anything to the program ("read
            // your configuration again"), and an end that follows it is the program's own.
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
        if try await !end.isMet(within: .seconds(10)) {
            throw EngineError.system("tried to kill container \(id), but did not receive an exit event")
        }
    }

    private func send(_ signal: Signal) async throws {
        let shim = try requireShim()
        do {
            if signal == Signal.kill {
                try await shim.call(.kill(signal: signal), orKillWithin: .seconds(5))
            } else {
                try await shim.call(.kill(signal: signal))
            }
        } catch let error as ShimError {
            // The process ended a moment ago: what Docker says about one that ended long ago.
            if error.reason == .notFound || error.reason == .unavailable { throw EngineError.notRunning(id) }
            throw EngineError.shim(error)
        }
        emit("kill", ["signal": "\(signal.rawValue)"])
        if record.state.isPaused, signal == Signal.kill || signal == stopSignal {
            // A frozen process takes no signal.
            try await unpause(sending: false)
        }
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
        let shim = try requireShim()
        do {
            try await shim.call(.pause)
        } catch {
            throw EngineError.system("cannot pause container \(id): \(EngineError.shim(error))")
        }
        await setPaused(true)
    }

    func unpause() async throws {
        guard record.state.running != nil else { throw EngineError.notRunning(id) }
        guard record.state.isPaused else { throw EngineError.conflict("Container \(id) is not paused") }
        try await unpause(sending: true)
    }

    private func unpause(sending isRequired: Bool) async throws {
        await gate.enter()
        defer { gate.leave() }
        guard record.state.isPaused else { return }
        do {
            try await requireShim().call(.resume)
        } catch  where isRequired {
            throw EngineError.system("Cannot unpause container \(id): \(EngineError.shim(error))")
        } catch {
            // It was killed while it was paused: the end is reported by itself.
            return
        }
        await setPaused(false)
    }

    private func setPaused(_ isPaused: Bool) async {
        guard case .running(var running) = record.state else { return }
        running.isPaused = isPaused
        record.state = .running(running)
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
        let shim = try requireShim()
        let response: ShimResponse
        do { response = try await shim.call(.processes) } catch { throw EngineError.shim(error) }
        guard case .processes(let pids) = response else { throw EngineError.system("the shim did not answer") }
        emit("top")
        return try await services.pool.run { listing.table(of: pids) }
    }
}
