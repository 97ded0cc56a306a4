import JSON
import NIOHTTP1
import Text

/// What to write into the `Authorization` header of one repository's requests (distribution's token specification; RFC
/// 7617).
///
/// Nothing is shown before it is asked for. A token is replaced shortly before it expires, or when the registry does
/// not take it any more.
actor TokenSource {
    private let client: HTTPClient
    private let credentials: RegistryCredentials
    private let scopes: [String]
    private let userAgent: String

    private var header: String?
    private var expiry: ContinuousClock.Instant?
    private var challenge: AuthenticationChallenge?
    private var renewal: Task<Void, any Error>?

    /// Shown as `client_id` to token servers.
    private static let name = "masu"

    init(_ client: HTTPClient, credentials: RegistryCredentials, scopes: [String], userAgent: String) {
        self.client = client
        self.credentials = credentials
        self.scopes = scopes
        self.userAgent = userAgent
    }

    /// The header's value for the next request; `nil` as long as the registry has not asked.
    func current() async throws -> String? {
        if let expiry, expiry < .now, let challenge { try await renew(challenge) }
        return header
    }

    /// Takes the registry's challenges in; `refused` is the header it did not take.
    ///
    /// - Returns: whether there is something else to show now.
    func answer(_ challenges: [AuthenticationChallenge], refused: String?) async throws -> Bool {
        // Somebody else was refused with the same and has it changed already.
        if header != refused { return true }
        if let bearer = challenges.first(where: { $0.scheme == "bearer" }), bearer.parameters["realm"] != nil {
            challenge = bearer
            try await renew(bearer)
            return true
        }
        if challenges.contains(where: { $0.scheme == "basic" }), let basic = credentials.basic, basic != refused {
            header = basic
            return true
        }
        return false
    }

    private func renew(_ challenge: AuthenticationChallenge) async throws {
        if let renewal { return try await renewal.value }
        let task = Task { try await fetch(challenge) }
        renewal = task
        defer { renewal = nil }
        try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    private func fetch(_ challenge: AuthenticationChallenge) async throws {
        if case .registryToken(let token) = credentials {
            header = "Bearer " + token
            return
        }
        guard let realm = challenge.parameters["realm"], let address = WebAddress(realm) else {
            throw DistributionError(
                .wrongContent, "the registry names no server for tokens: \(challenge.parameters["realm"] ?? "")")
        }
        let request = request(address, service: challenge.parameters["service"])
        let answer: HTTPAnswer
        do {
            answer = try await client.send(request)
        } catch let error as DistributionError {
            throw error.located(request.method, request.address)
        }
        let body = try await answer.collect(limit: 1 << 20)
        guard answer.status < 300 else {
            let verb = request.method == .GET ? "Get" : "Post"
            let error = DistributionError.answer(answer.status, body, of: "\(verb) \"\(request.address)\"")
            var refusal = DistributionError(
                error.reason,
                error.reason == .unauthorized || error.reason == .denied
                    ? "\(verb) \"\(request.address)\": \(error.message)" : error.message, status: error.status)
            refusal.requestedDelay = RetryAfter.delay(in: answer.headers)
            throw refusal
        }
        let document: JSONValue
        do {
            document = try JSON.parse(body)
        } catch {
            throw DistributionError(.wrongContent, "\(realm): unable to decode token response: \(error)")
        }
        guard let token = document["token"]?.string ?? document["access_token"]?.string, !token.isEmpty else {
            throw DistributionError(
                .wrongContent, "\(realm): authorization server did not include a token in the response")
        }
        header = "Bearer " + token
        // The specification's minimum is 60 seconds, also where nothing is said; a bit earlier is safer than a bit
        // late.
        let seconds = max(document["expires_in"]?.int ?? 60, 10)
        expiry = .now + .seconds(Double(seconds) * 0.9)
    }

    private func request(_ address: WebAddress, service: String?) -> HTTPClientRequest {
        var address = address
        var headers: HTTPHeaders = ["User-Agent": userAgent, "Accept": "application/json"]
        if case .identityToken(let token) = credentials {
            let fields = [
                ("grant_type", "refresh_token"), ("service", service ?? ""), ("client_id", Self.name),
                ("scope", scopes.joined(separator: " ")), ("refresh_token", token),
            ]
            headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
            let form = fields.map { "\($0)=\(PercentEncoding.encode($1))" }.joined(separator: "&")
            return HTTPClientRequest(
                method: .POST, address: address, headers: headers, body: .bytes(Array(form.utf8)))
        }
        if case .password(let user, _) = credentials { address = address.adding("account", user) }
        if let service { address = address.adding("service", service) }
        for scope in scopes { address = address.adding("scope", scope) }
        if let basic = credentials.basic { headers.add(name: "Authorization", value: basic) }
        return HTTPClientRequest(method: .GET, address: address, headers: headers)
    }
}
