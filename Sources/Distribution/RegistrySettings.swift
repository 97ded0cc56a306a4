import SystemPackage

/// Which registries are where, and how far they are trusted.
package struct RegistrySettings: Sendable {
    /// `host`, `host:port` or `network/bits`: TLS without a check of the certificate is good enough for them, and so is
    /// no TLS at all. What is on loopback is always among them.
    package var insecureRegistries: [String] = []
    /// Asked before Docker Hub, in this order.
    package var mirrors: [WebAddress] = []
    /// Folders with one folder of certificates for each registry.
    package var certificateFolders: [FilePath] = ["/etc/masu/certs.d", "/etc/docker/certs.d"]
    /// The program's name and version.
    package var userAgent = "masu"
    /// When a request is tried again.
    package var retries = RetryPolicy()
    /// When a blob is fetched over several connections.
    package var ranges = RangePolicy()
    /// The most bytes of a blob that are sent in one request.
    package var uploadChunk: Int64 = 64 << 20
    /// What is between us and registries.
    package var proxies = ProxySettings()

    /// Docker's defaults.
    package init() {}

    /// Reads `host`, `host:port` or `network/bits`, and throws with Docker's words what is none.
    package static func check(insecureRegistry text: String) throws(DistributionError) {
        if text.contains("://") {
            throw DistributionError(
                .wrongContent,
                "insecure registry \(text) should not contain '\(text.hasPrefix("https") ? "https" : "http")://'")
        }
        if let slash = text.firstIndex(of: "/") {
            guard AddressRange(text) != nil else {
                throw DistributionError(
                    .wrongContent, "insecure registry \(text) is not valid: invalid host \"\(text[..<slash])\"")
            }
            return
        }
        guard WebAddress.split(text) != nil, !text.contains(" "), !text.hasPrefix("-") else {
            throw DistributionError(.wrongContent, "insecure registry \(text) is not valid: invalid host \"\(text)\"")
        }
    }

    /// Reads the address of a mirror, and throws with Docker's words what is none.
    package static func mirror(_ text: String) throws(DistributionError) -> WebAddress {
        guard let address = WebAddress(text) else {
            throw DistributionError(
                .wrongContent, "invalid mirror: \"\(text)\" is not a valid URI: must be http(s)://host[:port]")
        }
        guard address.target == "/" else {
            throw DistributionError(
                .wrongContent, "invalid mirror: path, query, or fragment at end of the URI \"\(text)\"")
        }
        return address
    }

    /// Where to look for a registry, best first.
    func endpoints(for domain: String, isPull: Bool) throws(DistributionError) -> [RegistryEndpoint] {
        if domain == "docker.io" {
            let mirrors = (isPull ? mirrors : []).map { mirror in
                RegistryEndpoint(
                    address: mirror, trust: trust(mirror.authority), isMirror: true)
            }
            let hub = WebAddress(scheme: .https, host: "registry-1.docker.io", port: 443)
            return mirrors + [RegistryEndpoint(address: hub, trust: trust("docker.io"))]
        }
        guard let secure = WebAddress(scheme: .https, authority: domain),
            let plain = WebAddress(scheme: .http, authority: domain)
        else { throw DistributionError(.wrongContent, "invalid registry \"\(domain)\"") }
        let own = trust(domain)
        let endpoint = RegistryEndpoint(address: secure, trust: own)
        return own.verifies ? [endpoint] : [endpoint, RegistryEndpoint(address: plain, trust: own)]
    }

    private func trust(_ domain: String) -> RegistryTrust {
        RegistryTrust(
            folder: RegistryTrust.folder(for: domain, in: certificateFolders), verifies: !isInsecure(domain))
    }

    /// Whether a registry may be spoken to without proof of who it is.
    package func isInsecure(_ domain: String) -> Bool {
        guard let (host, _) = WebAddress.split(domain) else { return false }
        if host == "localhost" || AddressRange("127.0.0.0/8")?.contains(host) == true || host == "::1" { return true }
        return insecureRegistries.contains { entry in
            entry == domain || entry == host || AddressRange(entry)?.contains(host) == true
        }
    }
}

/// One address at which a registry answers.
struct RegistryEndpoint: Hashable, Sendable {
    var address: WebAddress
    var trust: RegistryTrust
    var isMirror = false
}

/// How often and how soon what failed is tried again.
package struct RetryPolicy: Sendable {
    /// Tries in a row that bring nothing; any byte of progress begins anew.
    package var attempts = 6
    /// Before the second try; doubled for each further one.
    package var firstDelay = Duration.milliseconds(250)
    /// The longest pause between two tries.
    package var longestDelay = Duration.seconds(10)
    /// What a registry may ask for with `Retry-After`.
    package var longestRequestedDelay = Duration.seconds(60)
    /// How long a registry may be silent within an answer.
    package var patience = Duration.seconds(60)

    /// The usual patience.
    package init() {}

    /// Before the try after `failures` failed ones, the last of them by `error`: what the registry asks for, within
    /// bounds.
    func delay(after failures: Int, of error: DistributionError) -> Duration {
        if let asked = error.requestedDelay { return min(asked, longestRequestedDelay) }
        return min(firstDelay * (1 << min(failures - 1, 10)), longestDelay)
    }
}

/// When one blob is fetched over several connections.
package struct RangePolicy: Sendable {
    /// Bytes that have to be left for it.
    package var threshold: Int64 = 32 << 20
    /// Bytes a request asks for. As many as there are connections are in memory at once.
    package var chunk: Int64 = 4 << 20
    /// How many connections fetch one blob.
    package var connections = 3

    package init() {}
}

/// IPv4 addresses with a common beginning: `10.0.0.0/8`.
struct AddressRange: Hashable, Sendable {
    private let bits: UInt32
    private let mask: UInt32

    init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let length = Int(parts[1]), (0...32).contains(length),
            let address = Self.address(parts[0])
        else { return nil }
        mask = length == 0 ? 0 : ~UInt32(0) << UInt32(32 - length)
        bits = address & mask
    }

    func contains(_ host: String) -> Bool { Self.address(host[...]).map { $0 & mask == bits } ?? false }

    private static func address(_ text: Substring) -> UInt32? {
        let bytes = text.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        guard bytes.count == 4 else { return nil }
        var address: UInt32 = 0
        for byte in bytes {
            guard let byte else { return nil }
            address = address << 8 | UInt32(byte)
        }
        return address
    }
}
