import Distribution
import FaultyRegistry
import Glibc
import LinuxKernel
import OCISpec
import SystemPackage
import Testing

@Suite("whom registries prove to be")
struct TrustTests {
    /// Asks a registry that has a name, by way of a proxy that knows where it is.
    private static func tags(
        _ registry: FaultyRegistry, host: String = "registry.test", folders: [FilePath] = [], isInsecure: Bool = false
    ) async throws -> [String] {
        let proxy = try TestProxy(to: registry.port)
        defer { proxy.stop() }
        var settings = RegistrySettings()
        settings.certificateFolders = folders
        settings.insecureRegistries = isInsecure ? [host] : []
        settings.proxies = ProxySettings(
            http: "", https: "http://127.0.0.1:\(proxy.port)", exceptions: "")
        let name = try ImageReference(parsing: "\(host):5000/app:1")
        return try await Registries(settings).with(name, .pull) { try await $0.tags() }
    }

    /// A folder of certificates with the registry's own for some hosts.
    private static func withFolder(for hosts: [String], _ body: (FilePath) async throws -> Void) async throws {
        var template = Array("/tmp/masu-trust-test-XXXXXX".utf8CString)
        let folder = FilePath(String(cString: mkdtemp(&template)))
        // What cannot be removed stays in /tmp; the test has already said what it had to say.
        defer { try? TreeRemoval.remove(folder) }
        for host in hosts {
            try Files.makeDirectory(folder.appending("\(host):5000"))
            let file = folder.appending("\(host):5000").appending("ca.crt")
            try Files.replace(file, with: Array((FaultyRegistry.certificate + "\n").utf8))
        }
        try await body(folder)
    }

    @Test("a certificate that nobody trusts is refused, unless the registry may be insecure")
    func unknown() async throws {
        try await FaultyRegistry.run(usesTLS: true) { registry in
            try registry.add(image: [[1]], to: "app", as: "1")
            let error = await #expect(throws: DistributionError.self) { try await Self.tags(registry) }
            #expect(error?.reason == .tls)
            #expect(
                error?.message == "Get \"https://registry.test:5000/v2/\": tls: failed to verify certificate: "
                    + "x509: certificate signed by unknown authority (it is self-signed)")
            let tags = try await Self.tags(registry, isInsecure: true)
            #expect(tags == ["1"])
        }
    }

    @Test("a certificate in the registry's folder is trusted, for the names that are in it")
    func folder() async throws {
        try await FaultyRegistry.run(usesTLS: true) { registry in
            try registry.add(image: [[1]], to: "app", as: "1")
            try await Self.withFolder(for: ["registry.test", "other.test"]) { folder in
                let tags = try await Self.tags(registry, folders: [folder])
                #expect(tags == ["1"])
                let error = await #expect(throws: DistributionError.self) {
                    try await Self.tags(registry, host: "other.test", folders: [folder])
                }
                #expect(
                    error?.message.hasSuffix("x509: certificate is valid for registry.test, localhost, not other.test")
                        == true)
            }
        }
    }

    @Test("a file that is no certificate is named")
    func unusable() async throws {
        try await FaultyRegistry.run(usesTLS: true) { registry in
            try registry.add(image: [[1]], to: "app", as: "1")
            try await Self.withFolder(for: ["registry.test"]) { folder in
                let own = folder.appending("registry.test:5000")
                try Files.replace(own.appending("bad.crt"), with: Array("none\n".utf8))
                let error = await #expect(throws: DistributionError.self) {
                    try await Self.tags(registry, folders: [folder])
                }
                #expect(
                    error?.message.hasSuffix(
                        "cannot use the certificates in \(own): \(own)/bad.crt: there is no certificate in PEM form")
                        == true)
                try Files.remove(own.appending("bad.crt"))
                try Files.replace(own.appending("client.key"), with: Array("none\n".utf8))
                let half = await #expect(throws: DistributionError.self) {
                    try await Self.tags(registry, folders: [folder])
                }
                #expect(half?.message.hasSuffix("missing client certificate client.cert for key client.key") == true)
            }
        }
    }

    @Test("a registry that speaks no TLS is told apart from one whose certificate is bad")
    func plain() async throws {
        try await FaultyRegistry.run { registry in
            let error = await #expect(throws: DistributionError.self) { try await Self.tags(registry) }
            #expect(error?.message.hasSuffix("http: server gave HTTP response to HTTPS client") == true)
        }
    }
}
