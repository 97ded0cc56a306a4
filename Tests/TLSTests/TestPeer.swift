import BlockingCalls
import COpenSSL
import Glibc
import LinuxKernel
import Synchronization
import SystemPackage
import TLS

/// The other side of a connection: OpenSSL by itself on a socket that blocks, in the hands of one test.
final class TestPeer: @unchecked Sendable {
    private static let pool = BlockingPool(threads: 16, name: "tls-test-peer")

    let socket: FileDescriptor
    private let context: OpaquePointer?
    private let ssl: OpaquePointer?
    private let isClosed = Mutex(false)

    /// - Parameters:
    ///   - pair: certificate and key of a server; without, this is a client.
    ///   - version: the only one that it speaks; 0 for those that OpenSSL chooses.
    ///   - longTickets: whether the tickets of a server are messages of many records.
    init(
        _ socket: FileDescriptor, server pair: (chain: [UInt8], key: [UInt8])? = nil, version: Int32 = 0,
        longTickets: Bool = false
    ) {
        self.socket = socket
        context = SSL_CTX_new(pair == nil ? TLS_client_method() : TLS_server_method())
        if version != 0 {
            // Old versions are below the level of security that distributions ask for.
            SSL_CTX_set_security_level(context, 0)
            SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(version), nil)
            SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(version), nil)
        }
        if let pair {
            let (certificate, key) = (Self.source(pair.chain), Self.source(pair.key))
            let (x509, pkey) = (
                PEM_read_bio_X509(certificate, nil, nil, nil), PEM_read_bio_PrivateKey(key, nil, nil, nil)
            )
            SSL_CTX_use_certificate(context, x509)
            SSL_CTX_use_PrivateKey(context, pkey)
            X509_free(x509)
            EVP_PKEY_free(pkey)
            BIO_free(certificate)
            BIO_free(key)
        }
        if longTickets {
            SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_SEND_FRAGMENT, 512, nil)
            SSL_CTX_set_session_ticket_cb(
                context,
                { ssl, _ in
                    let data = [UInt8](repeating: 7, count: 2000)
                    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), data, data.count)
                }, nil, nil)
        }
        ssl = SSL_new(context)
        SSL_set_fd(ssl, socket.rawValue)
        if pair == nil { SSL_set_connect_state(ssl) } else { SSL_set_accept_state(ssl) }
    }

    deinit {
        SSL_free(ssl)
        SSL_CTX_free(context)
        close()
    }

    private static func source(_ bytes: [UInt8]) -> OpaquePointer? {
        let bio = BIO_new(BIO_s_mem())
        BIO_write(bio, bytes, Int32(bytes.count))
        return bio
    }

    /// Closes the socket, whatever TLS has to say about that.
    func close() {
        let first = isClosed.withLock { closed in
            defer { closed = true }
            return !closed
        }
        if first { socket.discard() }
    }

    /// Whether both sides have agreed on keys.
    func shakeHands() async -> Bool {
        await run { SSL_do_handshake(self.ssl) == 1 }
    }

    /// Whether the other side agrees to agree on keys anew.
    func renegotiate() async -> Bool {
        await run { SSL_renegotiate(self.ssl) == 1 && SSL_do_handshake(self.ssl) == 1 }
    }

    func write(_ bytes: [UInt8]) async -> Bool {
        await run { SSL_write(self.ssl, bytes, Int32(bytes.count)) == Int32(bytes.count) }
    }

    /// Sends `close_notify`.
    func endOutput() async { await run { SSL_shutdown(self.ssl) } }

    enum End: Equatable {
        /// The other side has said that this was all.
        case announced
        case unannounced
    }

    /// Reads until `count` bytes are there or no more come.
    func read(_ count: Int = .max, piece: Int = 1 << 16) async -> (bytes: [UInt8], end: End?) {
        await run {
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: piece)
            while bytes.count < count {
                ERR_clear_error()
                let got = SSL_read(self.ssl, &buffer, Int32(min(piece, count - bytes.count)))
                guard got > 0 else {
                    let isAnnounced = SSL_get_error(self.ssl, got) == SSL_ERROR_ZERO_RETURN
                    return (bytes, isAnnounced ? .announced : .unannounced)
                }
                bytes += buffer[..<Int(got)]
            }
            return (bytes, nil)
        }
    }

    /// The name that the client has asked for.
    var requestedName: String? {
        SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).map { String(cString: $0) }
    }

    @discardableResult
    private func run<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
        await Self.blocking(body)
    }

    /// Does something that blocks on a thread for that.
    @discardableResult
    static func blocking<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
        do {
            return try await pool.run { body() }
        } catch {
            fatalError("the pool of threads has ended: \(error)")
        }
    }
}
