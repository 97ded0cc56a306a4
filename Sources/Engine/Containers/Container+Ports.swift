import Failure
import Networks
import PublishedPorts
import Tasks

/// A step that is taken back by asking others.
private typealias AsynchronousUndoing = @Sendable () async throws -> Void

extension Container {
    // MARK: Changes

    /// Publishes ports and gives up others: at once if it runs, and at all starts to come; behind the gate. After an
    /// error all is as it was.
    func apply(_ change: PortChange) async throws {
        try refuseChangeOfPorts(change)
        let configuration = record.configuration
        let isRunning = record.state.running != nil
        let presence = networkPresence ?? NetworkPresence()
        let plan = try PortPlan(
            change, of: configuration, bound: isRunning ? presence.ports : [], name: record.name)
        if let port = plan.collision {
            throw EngineError.conflict(
                "cannot publish ports of container \(record.name): Bind for \(port) failed: port is already "
                    + "allocated (by container \(record.name))")
        }
        let save: @Sendable () async throws -> Void = { [self] in
            try await saveConfiguration("ports") { $0 = plan.configuration }
        }
        if isRunning, !configuration.networkNames.isEmpty {
            try await exchange(plan, presence, save) { [self] in
                try await saveConfiguration("ports") { $0 = configuration }
            }
        } else {
            try await save()
        }
    }

    private func refuseChangeOfPorts(_ change: PortChange) throws(EngineError) {
        if record.state.running != nil, networkPresence?.endpoints.contains(where: { $0.plugins != nil }) == true {
            throw .invalid(
                "cannot change the ports of container \(record.name) while it runs: the plugins of its CNI network "
                    + "publish them when it starts")
        }
        if change.added.isEmpty { return }
        switch record.configuration.host.networkMode {
        case .container:
            throw .invalid("conflicting options: port publishing and the container type network mode")
        case .host:
            throw .invalid(
                "cannot publish ports of container \(record.name): it is on the host's network, where its ports are "
                    + "the host's")
        case .none:
            throw .invalid("cannot publish ports of container \(record.name): it is on no network")
        case .default, .network: break
        }
        guard record.state.running != nil else { return }
        let target = services.networks.portTarget(of: id, networkPresence?.endpoints ?? [])
        if target.ipv4 == nil, target.ipv6 == nil {
            throw .invalid(
                "cannot publish ports of container \(record.name): none of its networks has ports of the host")
        }
    }

    /// Has shim and kernel do what a plan says, and the row written in between; takes all back if one of them fails.
    ///
    /// New ports come first, so that the old ones are given up only when all others are there. A port that only leads
    /// to another one of the container's is handed over by the shim, and never free.
    private func exchange(
        _ plan: PortPlan, _ presence: NetworkPresence, _ save: @escaping @Sendable () async throws -> Void,
        restore: @escaping @Sendable () async throws -> Void
    ) async throws {
        let task = try requireTask()
        let networks = services.networks
        let binding = networks.hostBinding(of: presence.endpoints)
        let requests = plan.added.map { $0.defaulting(to: binding) }
        let target = networks.portTarget(of: id, presence.endpoints)
        let opened = PortRequest.openings(of: requests, besides: plan.kept)
        let closed = PortRequest.openings(of: plan.removed, besides: plan.kept + requests)
        var bound: [PublishedPort] = []
        var undo = Undo<AsynchronousUndoing>()
        do {
            if !requests.isEmpty {
                undo.add("ports of the host") {
                    // Also those of an answer that did not come in time.
                    let strays = try await task.currentPorts().filter { !presence.ports.contains($0) }
                    if !strays.isEmpty { try await task.unpublish(strays) }
                }
                let new = try await task.publish(
                    PortPublication(requests, to: target, mode: networks.firewallMode, isTransparent: true),
                    replacing: plan.leaving)
                bound = new
                undo.add("elements of ports") {
                    try await networks.unpublish(new, opened, of: target)
                    try await networks.publish(plan.leaving.filter { $0.isPlace(among: new) }, [], to: target)
                }
                try await networks.publish(new, opened, to: target)
                try await task.openPorts()
            }
            undo.add("the container's row", restore)
            try await save()
            if !plan.leaving.isEmpty || !closed.isEmpty {
                // What was handed over leads to the new port by now.
                let free = plan.leaving.filter { [bound] in !$0.isPlace(among: bound) }
                undo.add("elements of ports that were given up") {
                    try await networks.publish(free, closed, to: target)
                }
                try await networks.unpublish(free, closed, of: target)
                if !plan.leaving.isEmpty { try await giveUp(plan.leaving, task) }
            }
        } catch {
            for step in undo.takeAll() {
                do {
                    try await step.action()
                } catch {
                    logger.error("cannot take back \(step.name): \(error)")
                }
            }
            throw conflict(error, target) ?? error
        }
        let gone = Set(plan.leaving)
        setNetworkPresence(presence.with(presence.ports.filter { !gone.contains($0) } + bound))
    }

    /// Has the shim give up ports. One that does not answer in time does it when it goes on.
    private func giveUp(_ ports: [PublishedPort], _ task: RunningTask) async throws {
        do {
            try await task.unpublish(ports)
        } catch let error as TaskError where error.refusal == nil && error.kind == .unavailable {
            logger.warning("the shim has not said yet that it has given up \(ports): \(error.message)")
        }
    }

    /// What to tell of a port that the host does not give; nil for other errors.
    private func conflict(_ error: any Error, _ target: PortTarget) -> EngineError? {
        guard let refusal = (error as? TaskError)?.refusal, let conflict = refusal.portConflict else { return nil }
        let text = conflict.text(for: target) { [services] in services.registry.container($0)?.current.name }
        return EngineError(refusal.kind, "cannot publish ports of container \(record.name): \(text)")
    }

    // MARK: Recovery

    /// The container's ports as its shim has them, without those that nobody asked for: a daemon that died while it
    /// changed them has left them. These are given up.
    func recoverPorts(_ task: RunningTask, asked requests: [PortRequest], of target: PortTarget) async throws
        -> [PublishedPort]
    {
        let bound = try await task.currentPorts()
        let wanted = Set(PortRequest.shares(of: requests, in: bound).flatMap(\.self))
        let strays = bound.filter { !wanted.contains($0) }
        if strays.isEmpty { return bound }
        logger.notice("giving up ports of a change that was not completed: \(strays)")
        try await task.unpublish(strays)
        let openings = strays.map { PortRequest($0.containerPort, $0.transport) }
        try await services.networks.unpublish(
            strays, PortRequest.openings(of: openings, besides: requests), of: target)
        return bound.filter(wanted.contains)
    }
}

extension PublishedPort {
    fileprivate func isPlace(among others: [PublishedPort]) -> Bool { others.contains(where: hasPlace) }
}
