import COpenSSL
import SystemPackage

/// What all connections to a server, or of a server, have in common: whom they trust and who they are. OpenSSL shares
/// it between threads.
///
/// TLS 1.2 is the oldest version; ciphers, curves and the strength of keys are those that the distribution has chosen
/// for OpenSSL.
package final class TLSContext: Sendable {
    /// An `SSL_CTX`, which is not changed any more.
    nonisolated(unsafe) let pointer: OpaquePointer

    /// Which certificates a server wants from its clients.
    package enum ClientCertificates: Sendable {
        case none
        /// One that is shown has to be signed by one of these authorities.
        case optional(authorities: [FilePath])
        /// One has to be shown.
        case required(authorities: [FilePath])
    }

    /// For connections to servers.
    ///
    /// - Parameters:
    ///   - authorities: files of certificates (PEM) that are trusted.
    ///   - trustsSystem: whether the system's are trusted as well. `SSL_CERT_FILE` and `SSL_CERT_DIR` of the
    ///     environment name others in the place of the system's.
    ///   - verifies: whether the server's certificate, and whether it is that of the host, matters.
    ///   - identity: what is shown to a server that asks for it.
    /// - Throws: `TLSError.unusable`.
    package convenience init(
        authorities: [FilePath] = [], trustsSystem: Bool = true, verifies: Bool = true, identity: TLSIdentity? = nil
    ) throws(TLSError) {
        try self.init(TLS_client_method())
        // What is not there is not trusted: the function does not look.
        if trustsSystem { SSL_CTX_set_default_verify_paths(pointer) }
        for authority in authorities { try trust(authority) }
        verify(verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE)
        try identity?.use(in: pointer)
    }

    /// For connections of a server.
    ///
    /// - Throws: `TLSError.unusable`.
    package convenience init(server identity: TLSIdentity, clients: ClientCertificates = .none) throws(TLSError) {
        try self.init(TLS_server_method())
        try identity.use(in: pointer)
        // A session that a client takes up again has to be one of ours.
        let name = Array("masu".utf8)
        SSL_CTX_set_session_id_context(pointer, name, UInt32(name.count))
        switch clients {
        case .none: break
        case .optional(let authorities):
            for authority in authorities { try trust(authority, announced: true) }
            verify(SSL_VERIFY_PEER)
        case .required(let authorities):
            for authority in authorities { try trust(authority, announced: true) }
            verify(SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT)
        }
    }

    private init(_ method: OpaquePointer?) throws(TLSError) {
        ERR_clear_error()
        guard let made = SSL_CTX_new(method) else { throw .unusable(OpenSSLFailure.taken().words) }
        pointer = made
        guard masu_tls_configure(made) == 1 else { throw .unusable(OpenSSLFailure.taken().words) }
        // Who trusts a certificate does not ask who has signed it.
        X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(made), UInt(X509_V_FLAG_PARTIAL_CHAIN))
    }

    deinit { SSL_CTX_free(pointer) }

    private func verify(_ mode: Int32) {
        SSL_CTX_set_verify(pointer, mode) { TLSConnection.noteProblem($0, $1) }
    }

    /// - Parameter announced: whether clients are told that certificates of this authority are welcome.
    private func trust(_ authority: FilePath, announced: Bool = false) throws(TLSError) {
        let store = SSL_CTX_get_cert_store(pointer)
        let count: Int
        do {
            count = try PEM.forEachCertificate(in: try PEM.read(authority)) { certificate in
                X509_STORE_add_cert(store, certificate) == 1
                    && (!announced || SSL_CTX_add_client_CA(pointer, certificate) == 1)
            }
        } catch .unusable(let reason) where !reason.hasPrefix("open ") {
            throw .unusable("\(authority): \(reason)")
        }
        guard count > 0 else { throw .unusable("\(authority): there is no certificate in PEM form") }
    }
}
