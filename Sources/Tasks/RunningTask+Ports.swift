import PublishedPorts
import ShimProtocol

extension RunningTask {
    /// The ports of the host that the shim has bound for the task. None if the shim is of a version that does not know
    /// any.
    package func currentPorts() async throws -> [PublishedPort] {
        do {
            return try await ports(.publishedPorts)
        } catch let error as TaskError where error.refusal?.reason == .invalid {
            return []
        }
    }

    /// Binds more ports, and says which; they are closed to the network until `openPorts`. A conflict is an error whose
    /// `refusal` names it.
    ///
    /// - Parameter leaving: ports of the task that are given up afterwards. Their places on the host can be asked for.
    package func publish(
        _ publication: PortPublication, replacing leaving: [PublishedPort] = []
    ) async throws -> [PublishedPort] {
        try await ports(.publish(publication, replacing: leaving.isEmpty ? nil : leaving))
    }

    /// Opens the ports that `publish` has bound.
    package func openPorts() async throws { try await call(.openPorts) }

    /// Gives up ports of the host.
    package func unpublish(_ ports: [PublishedPort]) async throws { try await call(.unpublish(ports: ports)) }

    /// Has the shim send what comes to its ports to other addresses.
    package func retarget(_ target: PortTarget) async throws { try await call(.retarget(target)) }

    private func ports(_ request: ShimRequest) async throws -> [PublishedPort] {
        guard case .published(let ports) = try await call(request) else { throw nonsense("ports") }
        return ports
    }
}
