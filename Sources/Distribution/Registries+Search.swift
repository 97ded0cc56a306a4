import JSON
import NIOHTTP1
import Text

/// A repository that a search has found.
package struct SearchResult: Hashable, Sendable {
    /// The name of the image.
    package let name: String
    package let description: String
    /// How many users have marked the image.
    package let stars: Int
    /// Whether Docker itself publishes the image.
    package let isOfficial: Bool
    /// Whether Docker Hub has built the image.
    package let isAutomated: Bool
}

extension Registries {
    /// Searches Docker Hub, or with `host/term` another registry, by the interface of the first registries
    /// (`/v1/search`): there is no newer one.
    ///
    /// - Parameter limit: at most so many; 1 to 100.
    package func search(
        _ term: String, limit: Int, credentials: RegistryCredentials = .anonymous
    ) async throws -> [SearchResult] {
        var domain = "docker.io"
        var word = term
        if let slash = term.firstIndex(of: "/") {
            let first = term[..<slash]
            if first.contains(".") || first.contains(":") || first == "localhost" {
                domain = String(first)
                word = String(term[term.index(after: slash)...])
            }
        }
        var endpoints = try settings.endpoints(for: domain, isPull: false)
        if domain == "docker.io" {
            for index in endpoints.indices { endpoints[index].address.host = "index.docker.io" }
            if word.hasPrefix("library/") { word = String(word.dropFirst("library/".count)) }
        }
        for (index, endpoint) in endpoints.enumerated() {
            var address = endpoint.address
            address.target = "/v1/search"
            address = address.adding("q", word).adding("n", String(limit))
            let repository = Repository(self, endpoint, path: "", credentials: credentials, scopes: [])
            do {
                let answer = try await repository.send(
                    HTTPClientRequest(method: .GET, address: address), retries: false)
                return Self.results(try JSON.parse(try await answer.collect(limit: 4 << 20)), limit)
            } catch let error as JSONError {
                throw DistributionError(.wrongContent, "\(address): \(error)")
            } catch let error as DistributionError where index < endpoints.count - 1 {
                try Task.checkCancellation()
                guard error.reason == .tls || error.reason == .unreachable else { throw error }
            }
        }
        return []
    }

    private static func results(_ document: JSONValue, _ limit: Int) -> [SearchResult] {
        (document["results"]?.array ?? []).prefix(limit).map { entry in
            SearchResult(
                name: (entry["name"]?.string ?? "").showingControls(),
                description: (entry["description"]?.string ?? "").showingControls(),
                stars: entry["star_count"]?.int.map { Int($0) } ?? 0, isOfficial: entry["is_official"] == .bool(true),
                isAutomated: entry["is_automated"] == .bool(true))
        }
    }
}
