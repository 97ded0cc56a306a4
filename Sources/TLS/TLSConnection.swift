import COpenSSL
import NIOCore

/// The state of one connection, an `SSL`, between two pieces of memory: what has come from the other side, and what is
/// to go there. Used on one event loop only.
final class TLSConnection {
    private let ssl: OpaquePointer
    /// Bytes for `ssl` to take apart, and bytes that it has made.
    private let (input, output): (OpaquePointer, OpaquePointer)
    private let host: String
    /// What is wrong with the other side's certificate.
    private var problem: CertificateProblem?
    /// Whether the client speaks HTTP without TLS.
    private(set) var isPlainHTTP = false

    /// What TLS puts into one record, and what goes into and out of `ssl` at once: memory of the connection does not
    /// grow with what is sent.
    static let record = 16 << 10

    /// - Parameters:
    ///   - server: the name or address that the server has to prove to have; `nil` on the server itself.
    init(_ context: TLSContext, server: String?) throws(TLSError) {
        ERR_clear_error()
        guard let ssl = SSL_new(context.pointer) else { throw .unusable(OpenSSLFailure.taken().words) }
        let (made, other) = (masu_tls_make_bio(), masu_tls_make_bio())
        guard let input = made, let output = other else {
            BIO_free(made)
            BIO_free(other)
            SSL_free(ssl)
            throw .unusable(OpenSSLFailure.taken().words)
        }
        SSL_set_bio(ssl, input, output)
        self.ssl = ssl
        (self.input, self.output) = (input, output)
        host = server.map(Self.canonical) ?? "the client"
        SSL_set_ex_data(ssl, 0, Unmanaged.passUnretained(self).toOpaque())
        if server == nil { SSL_set_accept_state(ssl) } else { try prepare(for: host) }
    }

    deinit { SSL_free(ssl) }

    /// A name without the dot that may end it, an address without its zone.
    private static func canonical(_ host: String) -> String {
        let host = host.prefix { $0 != "%" }
        return String(host.hasSuffix(".") ? host.dropLast() : host)
    }

    private func prepare(for host: String) throws(TLSError) {
        SSL_set_connect_state(ssl)
        let parameters = SSL_get0_param(ssl)
        if X509_VERIFY_PARAM_set1_ip_asc(parameters, host) == 1 { return }
        ERR_clear_error()
        // The common name of a certificate is none: RFC 9525, section 2.
        let flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT
        X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(flags))
        guard !host.isEmpty, X509_VERIFY_PARAM_set1_host(parameters, host, host.utf8.count) == 1,
            masu_tls_set_server_name(ssl, host) == 1
        else { throw .unusable("invalid host name \"\(host)\"") }
    }

    /// Called by OpenSSL for each certificate: takes down what is wrong, and does not change the verdict.
    static func noteProblem(_ accepted: Int32, _ store: OpaquePointer?) -> Int32 {
        guard accepted == 0,
            let ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()),
            let pointer = SSL_get_ex_data(OpaquePointer(ssl), 0)
        else { return accepted }
        let connection = Unmanaged<TLSConnection>.fromOpaque(pointer).takeUnretainedValue()
        connection.problem = CertificateProblem(
            X509_STORE_CTX_get_error(store), of: X509_STORE_CTX_get_current_cert(store), host: connection.host)
        return accepted
    }

    // MARK: Bytes of the other side

    /// Takes the next bytes that have come, not all of many.
    func take(_ bytes: inout ByteBuffer) throws(TLSError) {
        let count = Int32(min(bytes.readableBytes, 2 * Self.record))
        let taken = bytes.withUnsafeReadableBytes { BIO_write(input, $0.baseAddress, count) }
        guard taken == count else { throw failure() }
        bytes.moveReaderIndex(forwardBy: Int(taken))
    }

    /// How many bytes are to go to the other side.
    var outputCount: Int { BIO_ctrl_pending(output) }

    /// Moves the bytes that are to go to the other side.
    func moveOutput(to buffer: inout ByteBuffer) {
        let count = outputCount
        guard count > 0 else { return }
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) {
            max(0, Int(BIO_read(output, $0.baseAddress, Int32(count))))
        }
    }

    // MARK: What TLS does

    /// Goes on with the handshake.
    ///
    /// - Returns: whether it is complete; otherwise the other side has to say something.
    func shakeHands() throws(TLSError) -> Bool {
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        if result == 1 { return true }
        guard SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ else { throw failure() }
        return false
    }

    /// Adds the data in what has been taken to `data`.
    ///
    /// - Returns: whether the other side has said that it will send no more.
    func decrypt(into data: inout ByteBuffer) throws(TLSError) -> Bool {
        while true {
            ERR_clear_error()
            var result: Int32 = 0
            data.writeWithUnsafeMutableBytes(minimumWritableBytes: 1) { space in
                var count = 0
                result = SSL_read_ex(ssl, space.baseAddress, space.count, &count)
                return result == 1 ? count : 0
            }
            if result == 1 { continue }
            switch SSL_get_error(ssl, result) {
            case SSL_ERROR_WANT_READ: return false
            case SSL_ERROR_ZERO_RETURN: return true
            default: throw failure()
            }
        }
    }

    /// Encrypts `data`, and moves it to `buffer`.
    ///
    /// - Returns: how many bytes. These are not all where a message of the other side, as one with a new ticket, has
    ///   come
    ///   in part: nothing can be sent before the rest of it has been decrypted.
    func encrypt(_ data: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) throws(TLSError) -> Int {
        var rest = data[...]
        while !rest.isEmpty {
            ERR_clear_error()
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.record))
            var count = 0
            let result = SSL_write_ex(ssl, piece.baseAddress, piece.count, &count)
            moveOutput(to: &buffer)
            if result != 1 {
                guard SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ else { throw failure() }
                break
            }
            rest = rest.dropFirst(count)
        }
        return data.count - rest.count
    }

    /// Whether a message of the other side that is no data has come in part.
    var isInMessage: Bool { SSL_in_init(ssl) == 1 }

    /// Tells the other side that no more data follows; not while `isInMessage`.
    func endOutput() {
        // Nothing depends on the answer, which may come later or not at all.
        SSL_shutdown(ssl)
        ERR_clear_error()
    }

    private func failure() -> TLSError {
        let failure = OpenSSLFailure.taken()
        let isRequest = failure.library == ERR_LIB_SSL && failure.reason == SSL_R_HTTP_REQUEST
        isPlainHTTP = isRequest && SSL_is_server(ssl) == 1
        if let problem, failure.reason == SSL_R_CERTIFICATE_VERIFY_FAILED { return .certificate(problem) }
        return TLSError(failure)
    }
}
