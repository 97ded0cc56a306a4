import Tasks

extension Engine {
    /// Lets go of everything before the daemon ends. Containers live on unless the configuration says otherwise.
    package func shutdown() async {
        if configuration.stopsContainersOnShutdown {
            await withTaskGroup(of: Void.self) { tasks in
                for container in services.registry.all where container.current.state.isRunning {
                    tasks.addTask { await container.stopForShutdown() }
                }
            }
        }
        for container in services.registry.all { await container.detach() }
        services.events.close()
        await services.events.settle()
    }
}

extension Container {
    fileprivate func stopForShutdown() async {
        // What somebody is about to stop stays stopped.
        let wasManuallyStopped = record.isManuallyStopped
        do {
            try await stop(timeout: nil, signal: nil)
            // Stopped by the daemon, not by hand: `RestartDecision.startsWithDaemon` says what the next one does.
            record.isManuallyStopped = wasManuallyStopped
            await saveOrLog()
        } catch {
            logger.warning("cannot stop the container: \(error)")
        }
    }

    /// The daemon ends; the shim goes on alone.
    fileprivate func detach() {
        cancelRestart()
        task?.letGo()
        task = nil
        dropPendingAttachments()
        for follower in followers { follower.change?.end() }
        followers = []
    }
}
