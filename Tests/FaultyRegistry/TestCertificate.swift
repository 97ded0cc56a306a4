import TLS

/// A certificate for `registry.test` that nobody has reason to trust, for a hundred years.
enum TestCertificate {
    /// TLS of a server that has it.
    static func context() throws -> TLSContext {
        try TLSContext(server: TLSIdentity(chain: Array(certificate.utf8), key: Array(privateKey.utf8)))
    }

    static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBrDCCAVKgAwIBAgIUFksRV+wE0BmMZwIb/w3EoMM+X/gwCgYIKoZIzj0EAwIw
        GDEWMBQGA1UEAwwNcmVnaXN0cnkudGVzdDAgFw0yNjExMzAxNjI1NDNaGA8yMTI2
        MTEwNjE2MjU0M1owGDEWMBQGA1UEAwwNcmVnaXN0cnkudGVzdDBZMBMGByqGSM49
        AgEGCCqGSM49AwEHA0IABC1JfkF837I1HbsbFS4RW1a3zsVhigswoY2H/mEZx/pZ
        YGzlOHQovVLwR89SJYCCKdKkORGBkcYJ/JUiTzYK66CjeDB2MB0GA1UdDgQWBBQM
        hhvpAj+VJGQEpYg2mCDHcdEkFDAfBgNVHSMEGDAWgBQMhhvpAj+VJGQEpYg2mCDH
        cdEkFDAPBgNVHRMBAf8EBTADAQH/MCMGA1UdEQQcMBqCDXJlZ2lzdHJ5LnRlc3SC
        CWxvY2FsaG9zdDAKBggqhkjOPQQDAgNIADBFAiEA/xH6hpYNx5PO5v15eF/JcIVd
        IlEKajiQDKTmltwiau4CIHtNY4eq2lsyddxVRivrIQ7DjftPhslLqWGxAwcNczMV
        -----END CERTIFICATE-----
        """

    private static let privateKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgmBMfPNaKZeLavoC9
        bZwKLzEzIp277U8WrCDfjrZ3HlqhRANCAAQtSX5BfN+yNR27GxUuEVtWt87FYYoL
        MKGNh/5hGcf6WWBs5Th0KL1S8EfPUiWAginSpDkRgZHGCfyVIk82Cuug
        -----END PRIVATE KEY-----
        """
}
