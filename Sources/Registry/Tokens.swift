import Base64
import Hashing
import JSON
import OCISpec

/// One thing that a token lets its holder do: `repository:library/debian:pull,push` (distribution's token
/// specification, "scope").
struct TokenScope: Hashable, Sendable {
    let type: String
    let name: String
    var actions: [String]

    /// nil for a text that is no scope: unknown ones grant nothing.
    init?(_ text: some StringProtocol) {
        guard let first = text.firstIndex(of: ":"), let last = text.lastIndex(of: ":"), first != last else {
            return nil
        }
        type = String(text[..<first])
        name = String(text[text.index(after: first)..<last])
        actions = text[text.index(after: last)...].split(separator: "," as Character).map { String($0) }
    }

    init(type: String, name: String, actions: [String]) {
        self.type = type
        self.name = name
        self.actions = actions
    }

    /// The granted part: everything for users, at most reading for other clients.
    func restricted(toReading: Bool, anonymousPull: Bool) -> TokenScope? {
        guard toReading else { return self }
        guard anonymousPull else { return nil }
        var scope = self
        if type == "repository" {
            scope.actions = actions.filter { $0 == "pull" }
        } else if type != "registry" {
            scope.actions = []
        }
        return scope.actions.isEmpty ? nil : scope
    }
}

/// Makes and reads the tokens of one registry: JSON web tokens, signed with a secret that never leaves it (RFC 7519,
/// HS256).
struct TokenIssuer: Sendable {
    /// What a valid token says.
    struct Claims: Sendable {
        let scopes: [TokenScope]

        func permits(_ permission: Permission) -> Bool {
            let wanted = permission.scope
            return scopes.contains { scope in
                scope.type == wanted.type && scope.name == wanted.name
                    && (scope.actions.contains("*") || wanted.actions.allSatisfy(scope.actions.contains))
            }
        }
    }

    /// In seconds.
    static let lifetime: Int64 = 300
    private static let issuer = "masu-registry"

    private let authentication: MessageAuthentication

    init(key: String) { authentication = MessageAuthentication(key: Array(key.utf8)) }

    /// A token that lets its holder do these things for five minutes.
    func token(for user: String, _ scopes: [TokenScope]) -> String {
        let access: [JSONValue] = scopes.map { scope in
            [
                "type": .string(scope.type), "name": .string(scope.name),
                "actions": .array(scope.actions.map { .string($0) }),
            ] as JSONValue
        }
        return sign(payload(user, kind: "access", lifetime: Self.lifetime, ["access": .array(access)]))
    }

    /// What a client keeps in the place of the password.
    func refreshToken(for user: String) -> String {
        sign(payload(user, kind: "refresh", lifetime: 90 * 86400, [:]))
    }

    private func payload(
        _ user: String, kind: String, lifetime: Int64, _ more: [String: JSONValue]
    ) -> JSONValue {
        let now = RegistryStore.now()
        var object = JSONObject()
        object["iss"] = .string(Self.issuer)
        object["aud"] = .string(Self.issuer)
        object["sub"] = .string(user)
        object["kind"] = .string(kind)
        object["iat"] = .int(now)
        object["nbf"] = .int(now)
        object["exp"] = .int(now + lifetime)
        for (name, value) in more { object[name] = value }
        return .object(object)
    }

    /// nil for a token that is not ours, or too old.
    func claims(of token: String) -> Claims? {
        guard let payload = verified(token, kind: "access") else { return nil }
        let scopes = (payload["access"]?.array ?? []).map { entry in
            TokenScope(
                type: entry["type"]?.string ?? "", name: entry["name"]?.string ?? "",
                actions: (entry["actions"]?.array ?? []).compactMap(\.string))
        }
        return Claims(scopes: scopes)
    }

    /// The user to whom the refresh token belongs; nil as above.
    func user(ofRefreshToken token: String) -> String? { verified(token, kind: "refresh")?["sub"]?.string }

    private func sign(_ payload: JSONValue) -> String {
        let text =
            Base64.encodeForURL(Array(#"{"alg":"HS256","typ":"JWT"}"#.utf8), isPadded: false) + "."
            + Base64.encodeForURL(Array(payload.text().utf8), isPadded: false)
        return text + "." + Base64.encodeForURL(authentication.code(for: Array(text.utf8)), isPadded: false)
    }

    private func verified(_ token: String, kind: String) -> JSONValue? {
        let parts = token.split(separator: "." as Character, omittingEmptySubsequences: false)
        guard parts.count == 3, let signature = Base64.decode(parts[2]), let bytes = Base64.decode(parts[1])
        else {
            return nil
        }
        let signed = Array("\(parts[0]).\(parts[1])".utf8)
        guard authentication.isValid(signature, for: signed),
            let payload = try? JSON.parse(bytes),  // signed by us: it is JSON
            payload["kind"]?.string == kind, let end = payload["exp"]?.int, end > RegistryStore.now()
        else { return nil }
        return payload
    }
}
