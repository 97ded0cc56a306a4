import NIOCore
import NIOHTTP1
import OCISpec

/// One repository of a registry, at one address.
package final class Repository: Sendable {
    let registries: Registries
    let endpoint: RegistryEndpoint
    /// The name within the registry: `library/debian`.
    package let path: String
    private let client: HTTPClient
    private let tokens: TokenSource

    var settings: RegistrySettings { registries.settings }

    init(
        _ registries: Registries, _ endpoint: RegistryEndpoint, path: String, credentials: RegistryCredentials,
        scopes: [String]
    ) {
        self.registries = registries
        self.endpoint = endpoint
        self.path = path
        client = HTTPClient(
            registries.group, server: endpoint.address, trust: endpoint.trust, settings: registries.settings)
        tokens = TokenSource(
            client, credentials: credentials, scopes: scopes, userAgent: registries.settings.userAgent)
    }

    /// The address of something of this repository.
    func address(_ rest: String) -> WebAddress {
        var address = endpoint.address
        address.target = "/v2/\(path)/\(rest)"
        return address
    }

    /// Asks whether there is a registry, and what it wants to see.
    func greet(isPatient: Bool) async throws {
        var address = endpoint.address
        address.target = "/v2/"
        let request = HTTPClientRequest(method: .GET, address: address, headers: ["User-Agent": settings.userAgent])
        var failures = 0
        while true {
            do {
                let answer = try await client.send(request)
                await answer.drop()
                if answer.status == 401 {
                    // Failing to get a token is not failing to find the registry; it is tried again when one is needed.
                    _ = try await tokens.answer(Self.challenges(of: answer), refused: nil)
                }
                return
            } catch let error as DistributionError {
                failures += 1
                let isWorthWaiting = isPatient && error.isTransient && !error.message.contains("connection refused")
                guard isWorthWaiting, failures < settings.retries.attempts else {
                    throw error.located(.GET, address)
                }
                try await Task.sleep(for: settings.retries.delay(after: failures, of: error))
            }
        }
    }

    /// Shows the credentials.
    func logIn() async throws {
        var address = endpoint.address
        address.target = "/v2/"
        let answer = try await send(HTTPClientRequest(method: .GET, address: address))
        await answer.drop()
    }

    private static func challenges(of answer: HTTPAnswer) -> [AuthenticationChallenge] {
        answer.headers["WWW-Authenticate"].flatMap { AuthenticationChallenge.parse($0) }
    }

    /// Sends a request with what the registry wants to see, follows where it is sent, and tries again what is worth it.
    ///
    /// - Parameters:
    /// - retries: whether failures of the connection and of the server are tried again; not for bodies that can be read
    ///     only once.
    ///   - accepting: statuses of 300 and above that are an answer and no error.
    func send(
        _ request: HTTPClientRequest, retries: Bool = true, accepting: Set<Int> = []
    ) async throws -> HTTPAnswer {
        var failures = 0
        while true {
            let error: DistributionError
            do {
                let answer = try await sendAuthorized(request)
                if answer.status < 300 || accepting.contains(answer.status) { return answer }
                // What the answer to HEAD says of its body is of a body that does not come.
                let body = request.method == .HEAD ? [] : try await answer.collect(limit: 1 << 20)
                var refusal = DistributionError.answer(
                    answer.status, body, of: "\(request.method.rawValue) \(request.address)")
                refusal.requestedDelay = RetryAfter.delay(in: answer.headers)
                error = refusal
            } catch let failure as DistributionError {
                error = failure.located(request.method, request.address)
            }
            failures += 1
            guard retries, error.isTransient, failures < settings.retries.attempts else { throw error }
            try await Task.sleep(for: settings.retries.delay(after: failures, of: error))
        }
    }

    private func sendAuthorized(_ request: HTTPClientRequest) async throws -> HTTPAnswer {
        var tries = 0
        while true {
            var request = request
            request.headers.replaceOrAdd(name: "User-Agent", value: settings.userAgent)
            let header = try await tokens.current()
            let isOwn = request.address.isSameServer(as: endpoint.address)
            if let header, isOwn { request.headers.replaceOrAdd(name: "Authorization", value: header) }
            let answer = try await following(request)
            guard answer.status == 401, isOwn else { return answer }
            tries += 1
            // A token that was just fetched and is refused as well will not get better.
            guard tries < 3, try await tokens.answer(Self.challenges(of: answer), refused: header) else {
                return answer
            }
            await answer.drop()
        }
    }

    /// Goes where the registry sends us: blobs often lie elsewhere, and there our credentials are nobody's business.
    private func following(_ request: HTTPClientRequest) async throws -> HTTPAnswer {
        var request = request
        for _ in 0..<10 {
            let answer = try await client.send(request)
            let isRedirect = [301, 302, 303, 307, 308].contains(answer.status)
            guard isRedirect, request.method == .GET || request.method == .HEAD,
                let location = answer.headers.first(name: "Location"),
                let next = request.address.resolving(location)
            else { return answer }
            if request.address.scheme == .https, next.scheme == .http {
                answer.close()
                throw DistributionError(.tls, "the registry redirects from https to \(next)")
            }
            if !next.isSameServer(as: request.address) { request.headers.remove(name: "Authorization") }
            request.address = next
            await answer.drop()
        }
        throw DistributionError(.wrongContent, "stopped after 10 redirects: \(request.address)")
    }
}
