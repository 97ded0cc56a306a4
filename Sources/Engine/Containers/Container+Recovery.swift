import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage

extension Container {
    /// Takes up what the row says and the world shows: a living shim, an end that nobody saw, a pause before a restart.
    ///
    /// The shim and its exit file are right where the row says otherwise: the daemon may have died between an event and its
    /// record.
    func recover() async {
        if let damage = record.damage {
            logger.error(
                "\(damage); the container is dead, nothing but its removal is possible",
                metadata: ["name": "\(record.name)"])
            return
        }
        await gate.enter()
        let mayRun = record.state.isRunning || Files.exists(bundle)
        var exit: ExitRecord?
        if mayRun {
            switch await reconnect() {
            case .alive:
                gate.leave()
                return
            case .ended(let found): exit = found
            case .gone:
                exit = await exitOnDisk()
                if exit == nil, record.state.running != nil { exit = await lost() }
            }
            adoptEnded(exit)
        }
        gate.leave()
        if let exit, record.state.running != nil {
            await ended(exit, client: nil)
        } else {
            // A shim may have been killed before anybody knew of its container.
            await services.deleteRuntimeState(in: bundle, logger: logger)
            await removeBundle()
            await resumePolicy()
        }
    }

    private enum Found {
        case alive
        case ended(ExitRecord)
        case gone
    }

    /// Connects to the shim, if there is one.
    private func reconnect() async -> Found {
        guard Files.exists(bundle.appending(ShimBundle.socket)) else { return .gone }
        do {
            let client = try ShimClient(bundle: bundle)
            let answer = Task { try await client.call(.subscribe) }
            guard let response = try await answer.value(within: .seconds(3)) else {
                return adoptUnresponsive(client, answer)
            }
            guard case .state(let state) = response else { return .gone }
            switch state {
            case .running(let pid, let startedAt, let isPaused):
                adopt(client, pid: pid, startedAt: startedAt, isPaused: isPaused)
                await saveOrLog()
                return .alive
            case .exited(let exit):
                client.close()
                return .ended(exit)
            case .created:
                // The daemon died before the program began, and nobody was told that it would.
                try await client.call(.kill(signal: .kill, all: true))
                for await event in client.events {
                    if case .exited = event { break }
                }
                client.close()
                if record.state.running != nil { record.state = .created(failure: nil) }
                return .gone
            }
        } catch {
            logger.warning("cannot reconnect to the container's shim: \(error)")
            return .gone
        }
    }

    /// A shim that is stopped, or waits for a disk, shall not keep the daemon from serving the other containers. Until it answers, what
    /// the row says is taken for true.
    private func adoptUnresponsive(_ client: ShimClient, _ answer: Task<ShimResponse, any Error>) -> Found {
        logger.warning("the container's shim does not answer; waiting for it in the background")
        guard let running = record.state.running else {
            client.killShim()
            return .gone
        }
        adopt(client, pid: running.pid, startedAt: running.startedAt, isPaused: running.isPaused)
        Task { [weak self] in
            // That the connection ends is noticed by whoever follows it.
            guard case .state(.exited(let exit)) = try? await answer.value else { return }
            await self?.ended(exit, client: client)
        }
        return .alive
    }

    private func adopt(_ client: ShimClient, pid: Int32, startedAt: Timestamp, isPaused: Bool) {
        // The shim's own pid only serves people who look at the row.
        let shimPID = record.state.running?.shimPID ?? 0
        let previous = record.state.running?.previouslyFinishedAt ?? record.state.exit?.finishedAt
        record.state = .running(
            ContainerState.Running(
                pid: pid, shimPID: shimPID, startedAt: startedAt, isPaused: isPaused, previouslyFinishedAt: previous))
        record.hasRun = true
        shim = client
        follow(client)
    }

    /// If the row knows nothing of the run whose end was found: it ran all the same.
    private func adoptEnded(_ exit: ExitRecord?) {
        guard let exit, record.state.running == nil, let startedAt = exit.startedAt else { return }
        if let known = record.state.exit, known.finishedAt >= exit.exitedAt { return }
        record.hasRun = true
        record.state = .running(ContainerState.Running(pid: exit.pid, shimPID: 0, startedAt: startedAt))
    }

    /// What the restart policy and `--rm` owe a container that does not run when the daemon comes up.
    private func resumePolicy() async {
        switch record.state {
        case .restarting:
            scheduleRestart(after: .zero)
        case .exited, .created:
            if record.configuration.host.autoRemove {
                await gate.enter()
                await removeNow()
                gate.leave()
                return
            }
            guard record.hasRun else { return }
            switch record.configuration.host.restartPolicy {
            case .always: break
            case .unlessStopped where !record.isManuallyStopped: break
            default: return
            }
            do {
                _ = try await start()
            } catch {
                logger.error("cannot restart after the daemon's start: \(error)")
            }
        case .removing, .dead:
            await gate.enter()
            record.state = .dead(record.state.exit)
            await removeNow()
            gate.leave()
        case .running: break
        }
    }
}

extension Task where Failure == any Error {
    /// The result if there is one by then, else nil; the task goes on.
    func value(within limit: Duration) async throws -> Success? {
        let (results, continuation) = AsyncStream.makeStream(of: Result<Success, any Error>?.self)
        let waiting = Task<Void, Never> { continuation.yield(await result) }
        let timer = Task<Void, Never> {
            // Cancelled when the result has come.
            try? await Task<Never, Never>.sleep(for: limit)
            continuation.yield(nil)
        }
        defer {
            waiting.cancel()
            timer.cancel()
        }
        for await first in results { return try first?.get() }
        return nil
    }
}
