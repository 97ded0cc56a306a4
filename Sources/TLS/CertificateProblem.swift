import COpenSSL
import Glibc

/// What is wrong with the certificate of the other side.
package enum CertificateProblem: Hashable, Sendable, CustomStringConvertible {
    /// Nobody whom we trust has signed it.
    case unknownAuthority(isSelfSigned: Bool)
    /// It is good until before now, or from after now on: the text says which.
    case outOfDate(String)
    /// It is that of other names or addresses.
    case otherName(wanted: String, names: [String])
    /// Something else, in OpenSSL's words.
    case other(String)

    /// What is wrong, as Go's `crypto/x509` words it.
    package var description: String {
        switch self {
        case .unknownAuthority(let isSelfSigned):
            "x509: certificate signed by unknown authority" + (isSelfSigned ? " (it is self-signed)" : "")
        case .outOfDate(let when): "x509: certificate has expired or is not yet valid: \(when)"
        case .otherName(let wanted, let names) where names.isEmpty:
            "x509: certificate is not valid for any names, but wanted to match \(wanted)"
        case .otherName(let wanted, let names):
            "x509: certificate is valid for \(names.joined(separator: ", ")), not \(wanted)"
        case .other(let words): "x509: \(words)"
        }
    }
}

extension CertificateProblem {
    /// What OpenSSL has found: `code` is one of `X509_V_ERR_…`.
    ///
    /// - Parameter host: whom the certificate should belong to.
    init(_ code: Int32, of certificate: OpaquePointer?, host: String) {
        switch code {
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: self = .unknownAuthority(isSelfSigned: true)
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
            X509_V_ERR_CERT_UNTRUSTED:
            self = .unknownAuthority(isSelfSigned: false)
        case X509_V_ERR_CERT_HAS_EXPIRED:
            self = .outOfDate("\(Self.now) is after \(Self.text(of: X509_get0_notAfter(certificate)))")
        case X509_V_ERR_CERT_NOT_YET_VALID:
            self = .outOfDate("\(Self.now) is before \(Self.text(of: X509_get0_notBefore(certificate)))")
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            self = .otherName(wanted: host, names: Self.names(in: certificate))
        default:
            self = .other(String(cString: X509_verify_cert_error_string(Int(code))))
        }
    }

    private static var now: String {
        var (seconds, parts) = (time(nil), tm())
        gmtime_r(&seconds, &parts)
        return "current time \(text(of: parts))"
    }

    private static func text(of moment: UnsafePointer<ASN1_TIME>?) -> String {
        var parts = tm()
        guard let moment, ASN1_TIME_to_tm(moment, &parts) == 1 else { return "an invalid time" }
        return text(of: parts)
    }

    /// `2024-01-31T12:00:00Z`
    private static func text(of parts: tm) -> String {
        var parts = parts
        var buffer = [CChar](repeating: 0, count: 64)
        let count = strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Names and addresses that a certificate is for. Its common name is none: RFC 9525, section 2.
    static func names(in certificate: OpaquePointer?) -> [String] {
        guard let certificate, let found = X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else {
            return []
        }
        let names = OpaquePointer(found)
        defer { GENERAL_NAMES_free(names) }
        return (0..<masu_general_names_count(names)).compactMap { index in
            var kind: Int32 = 0
            guard let value = GENERAL_NAME_get0_value(masu_general_name(names, index), &kind),
                kind == GEN_DNS || kind == GEN_IPADD
            else { return nil }
            let text = value.assumingMemoryBound(to: ASN1_STRING.self)
            let bytes = Array(
                UnsafeBufferPointer(start: ASN1_STRING_get0_data(text), count: Int(ASN1_STRING_length(text))))
            return kind == GEN_DNS ? String(decoding: bytes, as: UTF8.self) : address(bytes)
        }
    }

    private static func address(_ bytes: [UInt8]) -> String? {
        let family = [4: AF_INET, 16: AF_INET6][bytes.count]
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard let family, inet_ntop(family, bytes, &text, socklen_t(text.count)) != nil else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
