import LinuxKernel
import OCISpec
import SystemPackage
import Tasks

extension Container {
    /// Takes up what the row says and the world shows: a living shim, or an end that nobody saw. What follows from an
    /// end is `settle`'s, so that the networks can be put in order before anything is started.
    ///
    /// The shim and its exit file are right where the row says otherwise: the daemon may have died between an event and
    /// its record.
    func recover() async {
        if let damage = record.damage {
            logger.error(
                "\(damage); the container is dead, nothing but its removal is possible",
                metadata: ["name": "\(record.name)"])
            return
        }
        await gate.enter()
        var exit: TaskExit?
        if record.state.isRunning || Files.exists(bundle) {
            switch await services.tasks.recover(id, isPaused: record.state.isPaused) {
            case .running(let task, let presence):
                adopt(task, presence)
                follow(task)
                await saveOrLog()
                gate.leave()
                return
            case .silent(let task):
                // It must not keep the daemon from serving the other containers. Until it answers, the row counts as
                // the truth: a container that does not run by its row was about to be started, and no client has an
                // answer yet.
                if record.state.running != nil {
                    self.task = task
                    isSilent = true
                    follow(task)
                    gate.leave()
                    return
                }
                await task.discard()
            case .ended(let found): exit = found
            case .neverStarted:
                if record.state.running != nil { record.state = .created(failure: nil) }
            case .gone:
                if let running = record.state.running {
                    exit = await services.tasks.bury(
                        id, cgroup: cgroup, pid: running.pid, startedAt: running.startedAt)
                } else {
                    // A shim may have been killed before anybody knew of its container.
                    _ = await services.tasks.bury(id)
                }
            }
            adoptEnded(exit)
        }
        unseenEnd = exit
        gate.leave()
    }

    /// Does what an end that nobody saw, the restart policy and `--rm` ask for when the daemon comes up.
    func settle() async {
        let exit = unseenEnd
        unseenEnd = nil
        if record.damage != nil || task != nil { return }
        if let exit, record.state.running != nil {
            await ended(exit, task: nil)
        } else {
            // Plugins have just been asked, as long as the daemon's start may wait for them.
            if !services.networks.endpoints(of: id).contains(where: { $0.plugins != nil }) {
                await services.networks.leave(id)
            }
            await removeBundle()
            await settleAfterRecovery()
        }
    }

    /// Takes up its places on networks, which the networks have put in order.
    func recoverNetworks() async {
        var endpoints = services.networks.endpoints(of: id)
        if endpoints.isEmpty { return }
        if let pid = record.state.running?.pid { await services.networks.hold(id, process: pid) }
        setNetworkPresence(NetworkPresence(endpoints: endpoints))
        // This is done once more when it answers.
        if isSilent { return }
        await dropHalfConnections()
        endpoints = networkPresence?.endpoints ?? []
        do {
            guard let task else { return }
            let publication = try launchNetwork(endpoints).ports
            let target = services.networks.portTarget(of: id, endpoints)
            // What the user has asked for: another address may be the default by now.
            let asked = try endpoints.lazy.compactMap(\.plugins).first?.ports ?? record.configuration.portRequests()
            let ports = try await recoverPorts(task, asked: asked, of: target)
            networkPresence.map { setNetworkPresence($0.with(ports)) }
            if let publication {
                try await services.networks.publish(ports, publication.requests, to: publication.target)
            }
        } catch {
            logger.warning("cannot tell which ports of the host are the container's: \(error)")
        }
    }

    /// Gives up places on networks that the container's row does not know: the daemon died in the middle of a
    /// `connect`, and nobody was told that it had been done.
    private func dropHalfConnections() async {
        var known: Set<String> = []
        for name in record.configuration.networkNames {
            // Any endpoint may be that of a network that is not found by the row's name for it.
            guard let network = try? services.networks.network(name) else { return }
            known.insert(network.id)
        }
        for endpoint in networkPresence?.endpoints ?? [] where !known.contains(endpoint.networkID) {
            guard let network = services.networks.all.first(where: { $0.id == endpoint.networkID }) else { continue }
            logger.notice("leaving the network \(network.name): the container was about to be connected to it")
            do {
                try await leave(network)
            } catch {
                logger.error("cannot leave the network \(network.name): \(error)")
            }
        }
    }

    func adopt(_ task: RunningTask, _ presence: TaskPresence) {
        let previous = record.state.running?.previouslyFinishedAt ?? record.state.exit?.finishedAt
        let isKnown = record.state.running?.startedAt == presence.startedAt && record.health != nil
        record.state = .running(
            ContainerState.Running(
                pid: presence.pid, shimPID: task.shimPID, startedAt: presence.startedAt, isPaused: task.isPaused,
                previouslyFinishedAt: previous))
        record.hasRun = true
        self.task = task
        adoptExecs(presence.execs)
        // A run that the row does not know, or one of a daemon that checked nothing.
        if !isKnown { resetHealth() }
        monitorHealth(isRecovered: true)
    }

    /// If the row knows nothing of the run whose end was found: it ran all the same.
    private func adoptEnded(_ exit: TaskExit?) {
        guard let exit, record.state.running == nil, let startedAt = exit.startedAt else { return }
        if let known = record.state.exit, known.finishedAt >= exit.finishedAt { return }
        record.hasRun = true
        record.state = .running(ContainerState.Running(pid: exit.pid, shimPID: 0, startedAt: startedAt))
    }

    /// What the restart policy and `--rm` owe a container that does not run when the daemon comes up.
    private func settleAfterRecovery() async {
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
            guard
                RestartDecision.startsWithDaemon(
                    record.configuration.host.restartPolicy, isManuallyStopped: record.isManuallyStopped,
                    hasRun: record.hasRun)
            else { return }
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
