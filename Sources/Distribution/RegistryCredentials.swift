import Base64
import JSON

/// What a user has to show to a registry.
package enum RegistryCredentials: Hashable, Sendable {
    case anonymous
    case password(user: String, password: String)
    /// A refresh token, for which the token server gives access tokens (Docker's `identitytoken`).
    case identityToken(String)
    /// An access token to be shown as it is (Docker's `registrytoken`).
    case registryToken(String)

    /// Reads an authentication document of Docker's API (`X-Registry-Auth` and the body of `/auth`): `username`,
    /// `password`, `auth`, `identitytoken`, `registrytoken`.
    package init(_ document: JSONValue) {
        func text(_ name: String) -> String { document[name]?.string ?? "" }
        if !text("registrytoken").isEmpty {
            self = .registryToken(text("registrytoken"))
        } else if !text("identitytoken").isEmpty {
            self = .identityToken(text("identitytoken"))
        } else if !text("username").isEmpty || !text("password").isEmpty {
            self = .password(user: text("username"), password: text("password"))
        } else if let bytes = Base64.decode(text("auth")), let colon = bytes.firstIndex(of: UInt8(ascii: ":")) {
            self = .password(
                user: String(decoding: bytes[..<colon], as: UTF8.self),
                password: String(decoding: bytes[(colon + 1)...], as: UTF8.self))
        } else {
            self = .anonymous
        }
    }

    /// Reads the header `X-Registry-Auth`: such a document in base64. Docker's daemon takes what it cannot read for
    /// nobody's credentials.
    package init(header: String?) {
        guard let header, !header.isEmpty, let bytes = Base64.decode(header),
            let document = try? JSON.parse(bytes)  // see above
        else {
            self = .anonymous
            return
        }
        self.init(document)
    }

    /// The value of an `Authorization` header with user and password.
    var basic: String? {
        guard case .password(let user, let password) = self else { return nil }
        return "Basic " + Base64.encode(Array("\(user):\(password)".utf8))
    }
}
