extension Engine {
    /// What a container uses now. One that does not run uses nothing.
    package func statistics(_ name: String) async throws -> ContainerStatistics {
        let container = try services.registry.find(name)
        return await services.statistics.statistics(of: container)
    }

    /// The same once a second, until the container is removed.
    package func statisticsStream(_ name: String) async throws -> AsyncStream<ContainerStatistics> {
        services.statistics.stream(of: try services.registry.find(name))
    }
}
