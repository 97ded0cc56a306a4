import Distribution
import FaultyRegistry
import OCISpec
import Testing

@Suite("registries behind proxies")
struct ProxyTests {
    private static func settings(_ proxy: String, exceptions: String = "") -> RegistrySettings {
        var settings = RegistrySettings()
        settings.retries.firstDelay = .milliseconds(1)
        settings.insecureRegistries = ["registry.test"]
        settings.proxies = ProxySettings(http: proxy, https: proxy, exceptions: exceptions)
        return settings
    }

    private static func tags(_ settings: RegistrySettings) async throws -> [String] {
        // Nobody can look this name up: only the proxy knows where it is.
        let name = try ImageReference(parsing: "registry.test:5000/app:1")
        return try await Registries(settings).with(name, .pull) { try await $0.tags() }
    }

    @Test("what speaks TLS is reached through a tunnel, and the proxy is shown its password")
    func tunnel() async throws {
        try await FaultyRegistry.run(usesTLS: true) { registry in
            try registry.add(image: [[1]], to: "app", as: "1")
            let proxy = try TestProxy(to: registry.port, password: "me@home:a:b")
            defer { proxy.stop() }
            let settings = Self.settings("http://me%40home:a:b@127.0.0.1:\(proxy.port)/ignored")
            #expect(try await Self.tags(settings) == ["1"])
            #expect(proxy.asked.allSatisfy { $0.hasPrefix("CONNECT registry.test:5000 HTTP/1.1\r\n") })
            #expect(registry.asked.allSatisfy { !$0.headers.contains(name: "Proxy-Authorization") })
        }
    }

    @Test("what speaks no TLS is asked for by its whole address")
    func absoluteForm() async throws {
        try await FaultyRegistry.run { registry in
            try registry.add(image: [[1]], to: "app", as: "1")
            let proxy = try TestProxy(to: registry.port, password: "me:secret")
            defer { proxy.stop() }
            #expect(try await Self.tags(Self.settings("me:secret@127.0.0.1:\(proxy.port)")) == ["1"])
            let plain = proxy.asked.filter { !$0.hasPrefix("CONNECT") }
            #expect(plain.first?.hasPrefix("GET http://registry.test:5000/v2/ HTTP/1.1\r\n") == true)
            #expect(plain.allSatisfy { $0.contains("\r\nHost: registry.test:5000\r\n") })
        }
    }

    @Test("a proxy that refuses, or that is not there, is named")
    func refusal() async throws {
        let proxy = try TestProxy(to: 9, password: "me:secret")
        let settings = Self.settings("http://you:wrong@127.0.0.1:\(proxy.port)")
        let name = try ImageReference(parsing: "docker.io/library/app:1")
        let refused = await #expect(throws: DistributionError.self) {
            try await Registries(settings).with(name, .pull) { try await $0.tags() }
        }
        let place = "Get \"https://registry-1.docker.io/v2/\": "
        #expect(
            refused?.message
                == place + "the proxy 127.0.0.1:\(proxy.port) gives no connection to registry-1.docker.io:443: "
                + "it answered 407 Proxy Authentication Required")
        #expect(proxy.asked.count == 1, "a password that is wrong does not get better")
        proxy.stop()
        let gone = await #expect(throws: DistributionError.self) {
            try await Registries(settings).with(name, .pull) { try await $0.tags() }
        }
        #expect(
            gone?.message
                == place + "proxyconnect tcp: dial tcp 127.0.0.1:\(proxy.port): connect: connection refused")
    }

    @Test("a proxy that cannot be used is an error and is not gone around")
    func unusable() async throws {
        let error = await #expect(throws: DistributionError.self) {
            try await Self.tags(Self.settings("socks5://me:secret@proxy.test:1080"))
        }
        #expect(error?.message.contains("invalid proxy address \"socks5://xxxxx:xxxxx@proxy.test:1080\"") == true)
    }

    @Test("the loopback is always reached without a proxy")
    func loopback() async throws {
        try await FaultyRegistry.run { registry in
            try registry.add(image: [[1]], to: "app", as: "1")
            let name = try ImageReference(parsing: "\(registry.domain)/app:1")
            let tags = try await Registries(Self.settings("http://127.0.0.1:9")).with(name, .pull) {
                try await $0.tags()
            }
            #expect(tags == ["1"])
        }
    }

    @Test(
        "exceptions follow the rules of Go's programs",
        arguments: [
            ("", "https://example.com", false), ("*", "https://example.com", true),
            ("a.test,*", "https://example.com", true), ("", "http://localhost:5000", true),
            ("", "http://127.8.9.1", true), ("", "http://[::1]:5000", true), ("", "http://localhost.test", false),
            ("example.com", "https://example.com", true), ("example.com", "https://a.b.Example.com:444", true),
            ("example.com", "https://badexample.com", false), (".example.com", "https://example.com", false),
            (".example.com", "https://a.example.com", true), ("*.example.com", "https://a.example.com", true),
            ("*.example.com", "https://example.com", false), ("x, EXAMPLE.com:443 ", "https://example.com", true),
            ("example.com:80", "https://example.com", false), ("10.0.0.1", "http://10.0.0.1:77", true),
            ("10.0.0.1:77", "http://10.0.0.1:77", true), ("10.0.0.1:78", "http://10.0.0.1:77", false),
            ("10.0.0.0/15", "http://10.1.2.3", true), ("10.0.0.0/15", "http://10.2.2.3", false),
            ("10.0.0.0/33", "http://10.0.0.0", false), ("0.0.0.0/0", "http://[fd00::1]", false),
            ("fd00::/8", "http://[fd12::1]", true), ("[fd00::1]:80", "http://[fd00::1]", true),
            ("fd00::1", "http://[fd00:0::1]:81", true), (":80,,", "http://example.com", false),
        ])
    func exceptions(_ list: String, _ text: String, _ isDirect: Bool) throws {
        let proxies = ProxySettings(http: "p.test", https: "p.test", exceptions: list)
        #expect(proxies.goesDirectly(to: try #require(WebAddress(text))) == isDirect)
    }

    @Test("flags win over the environment, and there capital letters do")
    func sources() {
        let variables = ["HTTP_PROXY": "a", "http_proxy": "b", "https_proxy": "c", "NO_PROXY": "", "no_proxy": "d"]
        let found = ProxySettings { variables[$0] }
        #expect((found.http, found.https, found.exceptions) == ("a", "c", "d"))
        let overridden = ProxySettings(overrides: ("x", "", "z")) { variables[$0] }
        #expect((overridden.http, overridden.https, overridden.exceptions) == ("x", "c", "z"))
    }

    @Test(
        "what is shown of a proxy has no password",
        arguments: [
            ("", ""), ("http://p:3128", "http://p:3128"), ("http://me:p/w@p:3128", "http://xxxxx:xxxxx@p:3128"),
            ("http://me:pw@p:3128/x@y", "http://xxxxx:xxxxx@p:3128/x@y"),
            ("me:p@w@host", "xxxxx:xxxxx@host"), ("https://me@host", "https://xxxxx:xxxxx@host"),
        ])
    func masked(_ text: String, _ shown: String) { #expect(ProxySettings.masked(text) == shown) }

    @Test(
        "addresses of proxies that make no sense are refused", arguments: ["ftp://p", "http://", "http://a%x@p", "p:x"])
    func badAddresses(_ text: String) {
        #expect(throws: DistributionError.self) { try ProxySettings.check(text) }
    }
}
