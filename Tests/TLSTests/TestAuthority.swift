import COpenSSL
import Glibc
import LinuxKernel
import SystemPackage
import TLS

/// An authority that signs certificates for a test, and the files that they are in.
final class TestAuthority {
    let folder: FilePath
    private let key: OpaquePointer?
    private let certificate: OpaquePointer?
    private var serial = 1

    init() throws {
        folder = try Files.temporaryDirectory()
        key = Self.newKey()
        certificate = Self.make(
            "Test Authority", for: key, extensions: [(NID_basic_constraints, "critical,CA:TRUE")], serial: 1, from: -60,
            until: 3600)
        Self.sign(certificate, by: certificate, with: key)
    }

    deinit {
        X509_free(certificate)
        EVP_PKEY_free(key)
        // What cannot be removed stays in /tmp; the test has already said what it had to say.
        try? TreeRemoval.remove(folder)
    }

    /// The authority's certificate, in a file.
    var file: FilePath {
        get throws {
            let path = folder.appending("ca.crt")
            try Files.replace(path, with: Self.text { PEM_write_bio_X509($0, certificate) })
            return path
        }
    }

    /// A certificate and its key.
    ///
    /// - Parameters:
    ///   - names: as OpenSSL writes them: `DNS:registry.test`, `IP:127.0.0.1`.
    ///   - from: seconds from now; so is `until`.
    ///   - isSelfSigned: whether the authority has nothing to do with it.
    func identity(
        _ names: [String] = ["DNS:registry.test"], commonName: String = "test", from: Int = -60, until: Int = 3600,
        isSelfSigned: Bool = false
    ) -> TLSIdentity {
        let (chain, key) = pair(names, commonName: commonName, from: from, until: until, isSelfSigned: isSelfSigned)
        return TLSIdentity(chain: chain, key: key)
    }

    /// The same in PEM.
    func pair(
        _ names: [String] = ["DNS:registry.test"], commonName: String = "test", from: Int = -60, until: Int = 3600,
        isSelfSigned: Bool = false
    ) -> (chain: [UInt8], key: [UInt8]) {
        serial += 1
        let own = Self.newKey()
        defer { EVP_PKEY_free(own) }
        let made = Self.make(
            commonName, for: own,
            extensions: names.isEmpty ? [] : [(NID_subject_alt_name, names.joined(separator: ","))],
            serial: serial, from: from, until: until)
        defer { X509_free(made) }
        Self.sign(made, by: isSelfSigned ? made : certificate, with: isSelfSigned ? own : key)
        return (
            Self.text { PEM_write_bio_X509($0, made) },
            Self.text { PEM_write_bio_PrivateKey($0, own, nil, nil, 0, nil, nil) }
        )
    }

    private static func newKey() -> OpaquePointer? {
        let context = EVP_PKEY_CTX_new_id(NID_ED25519, nil)
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        EVP_PKEY_keygen_init(context)
        EVP_PKEY_keygen(context, &key)
        return key
    }

    private static func make(
        _ name: String, for key: OpaquePointer?, extensions: [(Int32, String)], serial: Int, from: Int, until: Int
    ) -> OpaquePointer? {
        let certificate = X509_new()
        X509_set_version(certificate, 2)
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial)
        X509_gmtime_adj(X509_getm_notBefore(certificate), from)
        X509_gmtime_adj(X509_getm_notAfter(certificate), until)
        X509_set_pubkey(certificate, key)
        // UTF-8
        X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", 0x1000, name, -1, -1, 0)
        for (kind, value) in extensions {
            let made = X509V3_EXT_conf_nid(nil, nil, kind, value)
            X509_add_ext(certificate, made, -1)
            X509_EXTENSION_free(made)
        }
        return certificate
    }

    private static func sign(_ certificate: OpaquePointer?, by issuer: OpaquePointer?, with key: OpaquePointer?) {
        X509_set_issuer_name(certificate, X509_get_subject_name(issuer))
        X509_sign(certificate, key, nil)
    }

    private static func text(_ write: (OpaquePointer?) -> Int32) -> [UInt8] {
        let bio = BIO_new(BIO_s_mem())
        defer { BIO_free(bio) }
        _ = write(bio)
        var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(bio))
        BIO_read(bio, &bytes, Int32(bytes.count))
        return bytes
    }
}

extension Files {
    fileprivate static func temporaryDirectory() throws -> FilePath {
        var template = Array("/tmp/masu-tls-test-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw Errno(rawValue: errno) }
        return FilePath(String(cString: made))
    }
}
