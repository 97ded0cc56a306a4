import COpenSSL

/// What OpenSSL's last function on this thread has failed with.
struct OpenSSLFailure: Error {
    /// `ERR_LIB_SSL` and the like: the part that failed.
    let library: Int32
    let reason: Int32
    /// OpenSSL's words: `wrong version number`.
    let words: String

    /// Takes the errors of this thread. The newest says best what failed; those below only say in which function.
    static func taken() -> OpenSSLFailure {
        let code = ERR_peek_last_error()
        ERR_clear_error()
        guard code != 0 else { return OpenSSLFailure(library: 0, reason: 0, words: "OpenSSL does not say why") }
        let words = ERR_reason_error_string(code).map { String(cString: $0) }
        return OpenSSLFailure(
            library: ERR_GET_LIB(code), reason: ERR_GET_REASON(code), words: words ?? "OpenSSL's error \(code)")
    }
}
