extension Engine {
    /// What a container uses now. One that does not run uses nothing.
    package func statistics(_ name: String) async throws -> ContainerStatistics {
        let container = try services.registry.find(name)
        return await services.statistics.statistics(of: container)
    }

    /// Tells the same once a second, until the container is removed or the task is cancelled.
    ///
    /// - Parameters:
    ///   - tell: Called on the thread that reads the numbers of all containers, which it must not hold up.
    ///   - flush: Called there after all containers that somebody looks at have been told of.
    package func followStatistics(
        _ name: String, tell: @escaping @Sendable (ContainerStatistics) -> Void, flush: @escaping @Sendable () -> Void
    ) async throws {
        let container = try services.registry.find(name)
        await services.statistics.follow(container, tell: tell, flush: flush)
    }

    /// Throws if there is no such container.
    package func checkPresence(of name: String) throws { _ = try services.registry.find(name) }
}
