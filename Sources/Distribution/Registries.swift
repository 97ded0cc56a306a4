import NIOCore
import NIOHTTP1
import NIOPosix
import OCISpec
import Synchronization

/// The way to all registries (OCI distribution-spec 1.1): finds out where one is and how it wants to be asked, and
/// hands out a `Repository`.
///
/// It knows nothing of where blobs are kept: what comes is given to a closure, what goes is taken from one.
package final class Registries: Sendable {
    private let current: Mutex<RegistrySettings>
    let group: any EventLoopGroup
    /// Whether some blob is being fetched over several connections; one at a time is enough to fill a line, and bounds
    /// the memory.
    let usesRanges = Atomic<Bool>(false)

    /// A way to registries with these settings.
    package init(_ settings: RegistrySettings = RegistrySettings(), group: any EventLoopGroup) {
        current = Mutex(settings)
        self.group = group
    }

    /// What holds for whatever begins now.
    package var settings: RegistrySettings { current.withLock { $0 } }

    /// Replaces the settings for what begins from now on.
    package func reload(_ settings: RegistrySettings) { current.withLock { $0 = settings } }

    /// On event loops of its own, which are started when they are first needed.
    package convenience init(_ settings: RegistrySettings = RegistrySettings()) {
        self.init(settings, group: MultiThreadedEventLoopGroup.singleton)
    }

    /// Does something with the repository of a name, at the first address where that succeeds: a mirror that has not
    /// got it, or a port that speaks no TLS, is passed over.
    ///
    /// - Parameter sources: other repositories of the same registry, to mount blobs from.
    /// - Throws: `DistributionError`, worded as Docker does; or what `body` throws.
    package func with<T: Sendable>(
        _ name: ImageReference, _ access: RepositoryAccess, credentials: RegistryCredentials = .anonymous,
        sources: [String] = [], _ body: @Sendable (Repository) async throws -> T
    ) async throws -> T {
        let endpoints = try settings.endpoints(for: name.domain, isPull: access == .pull)
        for (index, endpoint) in endpoints.enumerated() {
            let scopes =
                ["repository:\(name.path):\(access.actions)"] + sources.map { "repository:\($0):pull" }
            let repository = Repository(
                self, endpoint, path: name.path, credentials: endpoint.isMirror ? .anonymous : credentials,
                scopes: scopes)
            do {
                // With another address to go to, one that is not there is not worth waiting for.
                try await repository.greet(isPatient: index == endpoints.count - 1)
                return try await body(repository)
            } catch let error as DistributionError where index < endpoints.count - 1 {
                try Task.checkCancellation()
                guard endpoint.isMirror || error.reason == .tls || error.reason == .unreachable else { throw error }
            }
        }
        throw DistributionError(.notFound, "no endpoints found for \(name.domain)")
    }

    /// Checks credentials as `docker login` has them checked: the registry has to accept them.
    package func check(_ credentials: RegistryCredentials, for domain: String) async throws {
        let endpoints = try settings.endpoints(for: domain, isPull: false)
        for (index, endpoint) in endpoints.enumerated() {
            let repository = Repository(self, endpoint, path: "", credentials: credentials, scopes: [])
            do {
                return try await repository.logIn()
            } catch let error as DistributionError where index < endpoints.count - 1 {
                try Task.checkCancellation()
                guard error.reason == .tls || error.reason == .unreachable else { throw error }
            }
        }
    }
}

/// What is to be done with a repository.
package enum RepositoryAccess: Hashable, Sendable {
    case pull
    case push

    var actions: String { self == .pull ? "pull" : "pull,push" }
}
