import Base64
import Distribution
import JSON
import Testing

@Suite("who to ask, and how")
struct AddressTests {
    @Test(
        "URLs are read",
        arguments: [
            ("https://host/a?b=c", "https", "host", 443, "/a?b=c"), ("http://host:5000", "http", "host", 5000, "/"),
            ("HTTP://[::1]:80/x#y", "http", "::1", 80, "/x"), ("https://user@host?q", "https", "host", 443, "/?q"),
        ])
    func addresses(_ text: String, _ scheme: String, _ host: String, _ port: Int, _ target: String) throws {
        let address = try #require(WebAddress(text))
        #expect((address.scheme.rawValue, address.host, address.port, address.target) == (scheme, host, port, target))
    }

    @Test("what is no URL is refused", arguments: ["", "host", "ftp://host", "http://", "http://host:99999/"])
    func noAddresses(_ text: String) { #expect(WebAddress(text) == nil) }

    @Test(
        "what is on loopback or in the list may be spoken to without TLS",
        arguments: [
            ("localhost:5000", true), ("127.3.2.1", true), ("[::1]:5000", true), ("10.1.2.3:5000", true),
            ("11.1.2.3", false),
            ("registry.test:5000", true), ("registry.test", false), ("other.test:77", true), ("docker.io", false),
        ])
    func insecure(_ domain: String, _ isInsecure: Bool) {
        var settings = RegistrySettings()
        settings.insecureRegistries = ["10.0.0.0/8", "registry.test:5000", "other.test"]
        #expect(settings.isInsecure(domain) == isInsecure)
    }

    @Test("settings that make no sense are refused", arguments: ["http://host", "host/1", "a b", "-host"])
    func badSettings(_ text: String) {
        #expect(throws: DistributionError.self) { try RegistrySettings.check(insecureRegistry: text) }
    }

    @Test("several challenges of one header are told apart")
    func challenges() {
        let found = AuthenticationChallenge.parse(
            #"Basic realm="a, b", Bearer realm="https://x/token",service="r \"1\"", scope=pull"#)
        #expect(found.map(\.scheme) == ["basic", "bearer"])
        #expect(found[0].parameters == ["realm": "a, b"])
        #expect(found[1].parameters == ["realm": "https://x/token", "service": #"r "1""#, "scope": "pull"])
    }

    @Test(
        "credentials of Docker's header",
        arguments: [
            (#"{"username":"me","password":"p:w"}"#, RegistryCredentials.password(user: "me", password: "p:w")),
            (#"{"auth":"bWU6cDp3"}"#, .password(user: "me", password: "p:w")),
            (#"{"identitytoken":"t"}"#, .identityToken("t")),
            (#"{"registrytoken":"t","username":"x"}"#, .registryToken("t")), ("{}", .anonymous),
            ("garbage", .anonymous),
        ])
    func credentials(_ document: String, _ expected: RegistryCredentials) {
        #expect(RegistryCredentials(header: Base64.encodeForURL(Array(document.utf8))) == expected)
    }

    @Test("base64 of every length and in both forms is what it was")
    func base64() {
        for count in 0..<70 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 89 &+ 251) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
            #expect(Base64.decode(Base64.encodeForURL(bytes)) == bytes)
        }
        #expect(Base64.encode(Array("ab".utf8)) == "YWI=")
        #expect(Base64.decode("YWI") == Array("ab".utf8))
        for text in ["Y", "Y===", "a b=", "YWI=="] + ["=YWI"] { #expect(Base64.decode(text) == nil || text == "YWI==") }
    }
}
