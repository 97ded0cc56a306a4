import COpenSSL

/// Why a connection ended, or why certificates are of no use. The words are those of Go's `crypto/tls`, which users of
/// registries know.
package enum TLSError: Error, Hashable, CustomStringConvertible {
    /// The other side's certificate is not accepted.
    case certificate(CertificateProblem)
    /// What the other side sent first is not TLS.
    case notTLS
    /// The other side refused the connection: OpenSSL's words for its alert.
    case alert(String)
    /// Both sides have no version or cipher in common, or what came is not what TLS allows: OpenSSL's words.
    case violation(String)
    /// The other side took too long to agree on keys.
    case handshakeTimeout
    /// The other side closed the connection before it had agreed on keys.
    case endOfHandshake
    /// The connection ended without the end that TLS has for its data: something may be missing.
    case truncated
    /// A certificate or key of our own cannot be used: what it is, and why.
    case unusable(String)

    /// What has failed, for a person.
    package var description: String {
        switch self {
        case .certificate(let problem): "tls: failed to verify certificate: \(problem)"
        case .notTLS: "tls: first record does not look like a TLS handshake"
        case .alert(let words): "remote error: tls: \(words)"
        case .violation(let words): "tls: \(words)"
        case .handshakeTimeout: "net/http: TLS handshake timeout"
        case .endOfHandshake: "tls: the connection was closed during the handshake: EOF"
        case .truncated: "unexpected EOF"
        case .unusable(let reason): reason
        }
    }
}

extension TLSError {
    /// Alerts are numbered from here on among the reasons of OpenSSL (`SSL_AD_REASON_OFFSET`).
    private static let alerts: Int32 = 1000

    /// What a failed connection died of.
    init(_ failure: OpenSSLFailure) {
        guard failure.library == ERR_LIB_SSL else {
            self = .violation(failure.words)
            return
        }
        switch failure.reason {
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST: self = .notTLS
        case Self.alerts...: self = .alert(Self.words(ofAlert: failure.words))
        default: self = .violation(failure.words)
        }
    }

    /// `tlsv13 alert certificate required` without its first two words.
    private static func words(ofAlert text: String) -> String {
        let words = text.split(separator: " ")
        guard let mark = words.firstIndex(of: "alert"), mark + 1 < words.count else { return text }
        return words[(mark + 1)...].joined(separator: " ")
    }
}
