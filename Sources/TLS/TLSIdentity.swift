import COpenSSL
import LinuxKernel
import SystemPackage

/// What proves who somebody is: a certificate, those of the authorities between it and one that is trusted, and the
/// private key. Both in PEM.
package struct TLSIdentity: Sendable {
    private let chain: [UInt8]
    private let key: [UInt8]

    /// - Parameters:
    ///   - chain: the own certificate first.
    ///   - key: not protected by a passphrase.
    package init(chain: [UInt8], key: [UInt8]) {
        self.chain = chain
        self.key = key
    }

    /// Reads files. Blocks.
    ///
    /// - Throws: `TLSError.unusable`.
    package init(chainFile: FilePath, keyFile: FilePath) throws(TLSError) {
        chain = try PEM.read(chainFile)
        key = try PEM.read(keyFile)
    }

    /// Gives a context this identity.
    func use(in context: OpaquePointer) throws(TLSError) {
        var isFirst = true
        let count = try PEM.forEachCertificate(in: chain) { certificate in
            defer { isFirst = false }
            return isFirst
                ? SSL_CTX_use_certificate(context, certificate) == 1
                : masu_tls_add_chain_certificate(context, certificate) == 1
        }
        guard count > 0 else { throw .unusable("there is no certificate in PEM form") }
        let key = PEM.privateKey(in: key)
        defer { EVP_PKEY_free(key) }
        guard let key else {
            throw .unusable(
                "there is no private key in PEM form, or a passphrase protects it: \(OpenSSLFailure.taken().words)")
        }
        guard SSL_CTX_use_PrivateKey(context, key) == 1, SSL_CTX_check_private_key(context) == 1 else {
            throw .unusable("the private key is not that of the certificate: \(OpenSSLFailure.taken().words)")
        }
    }
}

/// The texts that certificates and keys are kept in (RFC 7468).
enum PEM {
    static func read(_ path: FilePath) throws(TLSError) -> [UInt8] {
        do {
            return try Files.read(path)
        } catch {
            throw .unusable("open \(path): \(error.words)")
        }
    }

    /// Calls `use` with each certificate, which is valid during the call; it returns whether OpenSSL took it.
    ///
    /// - Returns: how many there are.
    static func forEachCertificate(
        in text: [UInt8], _ use: (OpaquePointer) -> Bool
    ) throws(TLSError) -> Int {
        let source = source(text)
        defer { BIO_free(source) }
        var count = 0
        while let certificate = PEM_read_bio_X509(source, nil, noPassphrase, nil) {
            defer { X509_free(certificate) }
            guard use(certificate) else { throw .unusable(OpenSSLFailure.taken().words) }
            count += 1
        }
        // The end of the text is an error, too; any other means a certificate that is broken.
        let failure = OpenSSLFailure.taken()
        guard failure.library == ERR_LIB_PEM, failure.reason == PEM_R_NO_START_LINE else {
            throw .unusable("a certificate in PEM form is broken: \(failure.words)")
        }
        return count
    }

    /// The key, which the caller frees.
    static func privateKey(in text: [UInt8]) -> OpaquePointer? {
        let source = source(text)
        defer { BIO_free(source) }
        return PEM_read_bio_PrivateKey(source, nil, noPassphrase, nil)
    }

    /// A copy that OpenSSL reads from.
    private static func source(_ text: [UInt8]) -> OpaquePointer? {
        ERR_clear_error()
        let source = BIO_new(BIO_s_mem())
        BIO_write(source, text, Int32(clamping: text.count))
        return source
    }
}

/// OpenSSL would ask for a passphrase at the terminal.
private func noPassphrase(
    _: UnsafeMutablePointer<CChar>?, _: Int32, _: Int32, _: UnsafeMutableRawPointer?
) -> Int32 { -1 }
