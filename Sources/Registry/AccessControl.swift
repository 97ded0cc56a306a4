import Base64
import HTTPServing
import JSON
import LinuxKernel
import NIOHTTP1
import OCISpec

/// Something that a request has to be allowed to do.
enum Permission: Hashable, Sendable {
    case pull(RepositoryName)
    case push(RepositoryName)
    case delete(RepositoryName)
    case catalog

    /// As tokens and challenges write it: type, name, actions (distribution's token specification, "scope").
    var scope: (type: String, name: String, actions: [String]) {
        switch self {
        case .pull(let name): ("repository", name.description, ["pull"])
        case .push(let name): ("repository", name.description, ["pull", "push"])
        case .delete(let name): ("repository", name.description, ["delete"])
        case .catalog: ("registry", "catalog", ["*"])
        }
    }

    var isReading: Bool {
        switch self {
        case .pull, .catalog: true
        case .push, .delete: false
        }
    }
}

/// The rights of users in a registry.
package struct AccessControl: Sendable {
    /// How clients authenticate.
    package enum Method: String, Sendable, CaseIterable {
        /// Name and password with each request.
        case basic
        /// Name and password once, for a token that says what may be done (distribution's token specification).
        case token
    }

    private let passwords: PasswordFile?
    private let method: Method
    private let anonymousPull: Bool
    private let tokens: TokenIssuer?

    /// Everybody may do everything.
    package static let open = AccessControl(passwords: nil, method: .basic, anonymousPull: true, tokens: nil)

    private init(passwords: PasswordFile?, method: Method, anonymousPull: Bool, tokens: TokenIssuer?) {
        self.passwords = passwords
        self.method = method
        self.anonymousPull = anonymousPull
        self.tokens = tokens
    }

    /// Every user in the password file may do everything.
    ///
    /// - Parameters:
    ///   - anonymousPull: whether everybody else may read.
    ///   - key: what tokens are signed with.
    package init(passwords: PasswordFile, method: Method, anonymousPull: Bool, key: String) {
        self.init(
            passwords: passwords, method: method, anonymousPull: anonymousPull,
            tokens: method == .token ? TokenIssuer(key: key) : nil)
    }

    private static let realm = "masu-registry"
    /// Where tokens are to be had.
    static let tokenPath = "/auth/token"

    /// Lets a request pass that may do what it needs.
    ///
    /// - Throws: `RegistryError` (UNAUTHORIZED with a challenge, DENIED).
    func authorize(_ http: HTTPRequest, _ needs: [Permission], publicURL: String?) async throws {
        guard let passwords else { return }
        let credentials = AuthorizationHeader(http.headers.first(name: "Authorization"))
        switch credentials {
        case .basic(let name, let password)?:
            guard try await passwords.accepts(name: name, password: password) else {
                throw challenge(http, needs, publicURL, "authentication required: wrong user name or password")
            }
        case .bearer(let token)?:
            guard let tokens, let claims = tokens.claims(of: token) else {
                throw challenge(http, needs, publicURL, "authentication required: the token is invalid or has expired")
            }
            guard needs.allSatisfy(claims.permits) else {
                throw challenge(http, needs, publicURL, "requested access to the resource is denied", .denied)
            }
        case nil:
            // Clients ask for `/v2/` to learn how to authenticate.
            if anonymousPull, !needs.isEmpty, needs.allSatisfy(\.isReading), method == .basic { return }
            throw challenge(http, needs, publicURL, "authentication required")
        }
    }

    private func challenge(
        _ http: HTTPRequest, _ needs: [Permission], _ publicURL: String?, _ message: String,
        _ code: RegistryError.Code = .unauthorized
    ) -> RegistryError {
        var value = "Basic realm=\"\(Self.realm)\""
        if method == .token {
            value = "Bearer realm=\"\(Self.base(http, publicURL))\(Self.tokenPath)\",service=\"\(Self.realm)\""
            let scopes = needs.map { "\($0.scope.type):\($0.scope.name):\($0.scope.actions.joined(separator: ","))" }
            if !scopes.isEmpty { value += ",scope=\"\(scopes.joined(separator: " "))\"" }
            if code == .denied { value += ",error=\"insufficient_scope\"" }
        }
        return RegistryError(.unauthorized, code, message, headers: ["WWW-Authenticate": value])
    }

    /// Scheme and host by which the client has come.
    private static func base(_ http: HTTPRequest, _ publicURL: String?) -> String {
        if let publicURL { return publicURL }
        let scheme = http.headers.first(name: "X-Forwarded-Proto") ?? (http.isEncrypted ? "https" : "http")
        return "\(scheme)://\(http.headers.first(name: "Host") ?? "localhost")"
    }

    // MARK: Tokens

    /// Answers `GET /auth/token` and, as OAuth 2 clients do, `POST`.
    func answerTokenRequest(
        _ http: HTTPRequest, _ query: Query, publicURL: String?
    ) async throws -> HTTPResponse {
        guard let tokens, let passwords else {
            throw RegistryError(.notFound, .unsupported, "this registry issues no tokens")
        }
        var parameters = query
        var credentials = AuthorizationHeader(http.headers.first(name: "Authorization"))
        if http.method == .POST {
            let body = try await http.body.collect(limit: 64 << 10)
            parameters = try Query(String(decoding: body, as: UTF8.self))
            switch parameters["grant_type"] {
            case "password": credentials = .basic(parameters["username"] ?? "", parameters["password"] ?? "")
            case "refresh_token": credentials = parameters["refresh_token"].map { .bearer($0) }
            default: throw RegistryError(.invalid, .unsupported, "grant_type must be password or refresh_token")
            }
        }
        var user: String?
        switch credentials {
        case .basic(let name, let password)?:
            guard try await passwords.accepts(name: name, password: password) else {
                throw RegistryError(
                    .unauthorized, .unauthorized, "authentication required: wrong user name or password",
                    headers: ["WWW-Authenticate": "Basic realm=\"\(Self.realm)\""])
            }
            user = name
        case .bearer(let token)?:
            guard let name = tokens.user(ofRefreshToken: token), passwords.contains(name) else {
                throw RegistryError(.unauthorized, .unauthorized, "the refresh token is invalid")
            }
            user = name
        case nil: break
        }
        let asked = parameters.all("scope").flatMap { $0.split(separator: " ") }.compactMap { TokenScope($0) }
        let granted = asked.compactMap { $0.restricted(toReading: user == nil, anonymousPull: anonymousPull) }
        var document = JSONObject()
        let token = tokens.token(for: user ?? "", granted)
        document["token"] = .string(token)
        document["access_token"] = .string(token)
        document["expires_in"] = .int(TokenIssuer.lifetime)
        document["issued_at"] = .string(Timestamp.now().description)
        let wantsRefresh = parameters["offline_token"] == "true" || parameters["access_type"] == "offline"
        if let user, wantsRefresh { document["refresh_token"] = .string(tokens.refreshToken(for: user)) }
        return .json(.object(document))
    }
}

/// What an `Authorization` header says.
enum AuthorizationHeader: Hashable, Sendable {
    case basic(String, String)
    case bearer(String)

    /// nil where there is no header, or none that can be read.
    init?(_ header: String?) {
        guard let header, let space = header.firstIndex(of: " ") else { return nil }
        let rest = header[header.index(after: space)...].drop { $0 == " " }
        switch header[..<space].lowercased() {
        case "basic":
            guard let bytes = Base64.decode(String(rest)), let text = String(validating: bytes, as: UTF8.self),
                let colon = text.firstIndex(of: ":")
            else { return nil }
            self = .basic(String(text[..<colon]), String(text[text.index(after: colon)...]))
        case "bearer": self = .bearer(String(rest))
        default: return nil
        }
    }
}
