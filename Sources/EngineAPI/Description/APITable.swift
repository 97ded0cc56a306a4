import HTTPServing
import NIOHTTP1

/// What the API is: every operation of Docker's, served or refused, and Masu's own.
///
/// Routes, the parameters and fields of each version, `docs/api.md` and the OpenAPI description come from here and
/// from `VersionedField.all`. A route without a line here, or a line without a route, fails a test.
package enum APITable {
    /// All operations, in the order in which they are described.
    package static let endpoints = groups.flatMap(\.endpoints)

    /// The operations under headings.
    package static let groups: [(title: String, endpoints: [APIEndpoint])] = [
        ("Containers", containers), ("Streams and processes of containers", streams), ("Files of containers", files),
        ("Images", images), ("Registries", registries), ("Networks", networks), ("Volumes", volumes),
        ("The daemon", system), ("Builds", builds), ("Plugins", plugins), ("Swarm", swarm), ("Masu's own", own),
    ]

    private static let byName: [String: APIEndpoint] = Dictionary(
        endpoints.map { (name($0.method, $0.path), $0) }, uniquingKeysWith: { first, _ in first })

    private static func name(_ method: HTTPMethod, _ path: String) -> String { "\(method.rawValue) \(path)" }

    /// The operation of a route; `nil` for one that is not Docker's nor ours to describe (`OPTIONS`).
    package static func endpoint(_ method: HTTPMethod, _ path: String) -> APIEndpoint? { byName[name(method, path)] }
}

extension APIEndpoint {
    /// Refuses versions that do not have the operation.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words.
    func check(_ version: APIVersion) throws {
        guard let first = versions.first, version.minor < first else { return }
        throw APIError.invalid("\(method.rawValue) \(dockerPath) requires minimum API version 1.\(first)")
    }

    /// The path as Docker's router spells it.
    private var dockerPath: String {
        let isSecret = path.hasPrefix("/secrets") || path.hasPrefix("/configs")
        return path.split(separator: "/").map { "/" + ($0 == "{name}" ? isSecret ? "{id}" : "{name:.*}" : $0) }.joined()
    }

    /// The parameters that exist in a version; what is not known stays.
    func parameters(of query: Query, _ version: APIVersion) -> Query {
        let absent = parameters.filter { !$0.versions.contains(version) }.map(\.name)
        return absent.isEmpty ? query : query.without(absent)
    }
}
