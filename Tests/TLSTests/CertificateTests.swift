import Glibc
import LinuxKernel
import NIOCore
import SystemPackage
import TLS
import Testing

@Suite("Certificates", .timeLimit(.minutes(5)))
struct CertificateTests {
    /// What a client says of a server's certificate; `nil` if it takes it.
    private static func verdict(
        _ authority: TestAuthority, _ identity: TLSIdentity, host: String = "registry.test", trusting: Bool = true,
        verifies: Bool = true
    ) async throws -> TLSError? {
        let client = try TLSContext(authorities: trusting ? [authority.file] : [], verifies: verifies)
        let (near, far) = try await TestConnection.pair(
            client: client, to: host, server: TLSContext(server: identity))
        // Fails with the handshake.
        near.write(Array("hello".utf8)).whenFailure { _ in }
        let error = try await withThrowingTaskGroup(of: TLSError?.self) { group in
            group.addTask { try await near.error }
            group.addTask {
                try await far.seen { $0.bytes.count == 5 }
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
        await near.close()
        await far.close()
        return error
    }

    @Test(
        "the name that was asked for has to be in the certificate",
        arguments: [
            ("registry.test", ["DNS:registry.test"]), ("registry.test.", ["DNS:a.test", "DNS:registry.test"]),
            ("REGISTRY.test", ["DNS:registry.test"]), ("a.registry.test", ["DNS:*.registry.test"]),
            ("127.0.0.1", ["IP:127.0.0.1"]), ("::1", ["DNS:x.test", "IP:0:0:0:0:0:0:0:1"]),
            ("fe80::1%eth0", ["IP:fe80::1"]),
        ])
    func rightName(host: String, names: [String]) async throws {
        let authority = try TestAuthority()
        #expect(try await Self.verdict(authority, authority.identity(names), host: host) == nil)
    }

    @Test(
        "a certificate of other names is refused, and its names are told",
        arguments: [
            ("registry.test", ["DNS:a.test", "DNS:b.test"], "valid for a.test, b.test, not registry.test"),
            ("registry.test", [], "not valid for any names, but wanted to match registry.test"),
            ("a.b.registry.test", ["DNS:*.registry.test"], "valid for *.registry.test, not a.b.registry.test"),
            ("registry.test", ["DNS:reg*.test"], "valid for reg*.test, not registry.test"),
            ("127.0.0.2", ["IP:127.0.0.1", "IP:::1"], "valid for 127.0.0.1, ::1, not 127.0.0.2"),
            ("127.0.0.1", ["DNS:127.0.0.1"], "valid for 127.0.0.1, not 127.0.0.1"),
        ])
    func wrongName(host: String, names: [String], reason: String) async throws {
        let authority = try TestAuthority()
        let identity = authority.identity(names, commonName: "registry.test")
        #expect(
            try await Self.verdict(authority, identity, host: host)?.description
                == "tls: failed to verify certificate: x509: certificate is \(reason)")
    }

    @Test("a certificate whose time is over, or has not come, is refused", arguments: [(-7200, -3600), (3600, 7200)])
    func time(from: Int, until: Int) async throws {
        let authority = try TestAuthority()
        let error = try await Self.verdict(authority, authority.identity(from: from, until: until))
        guard case .certificate(.outOfDate(let text)) = error else {
            Issue.record("the certificate is taken, or refused for another reason: \(String(describing: error))")
            return
        }
        let order =
            until < 0
            ? /current time \d{4}-\d\d-\d\dT[\d:]{8}Z is after \d{4}-\d\d-\d\dT[\d:]{8}Z/
            : /current time .* is before .*/
        #expect(text.wholeMatch(of: order) != nil)
    }

    @Test("a certificate of nobody whom we trust is refused")
    func unknownAuthority() async throws {
        let authority = try TestAuthority()
        #expect(
            try await Self.verdict(authority, authority.identity(), trusting: false)?.description
                == "tls: failed to verify certificate: x509: certificate signed by unknown authority")
        #expect(
            try await Self.verdict(authority, authority.identity(isSelfSigned: true))?.description
                == "tls: failed to verify certificate: x509: certificate signed by unknown authority "
                + "(it is self-signed)")
    }

    @Test("a client that does not verify takes any certificate")
    func insecure() async throws {
        let authority = try TestAuthority()
        let identity = authority.identity(["DNS:other.test"], from: -7200, until: -3600, isSelfSigned: true)
        #expect(try await Self.verdict(authority, identity, trusting: false, verifies: false) == nil)
    }

    @Test("a certificate that is trusted by itself needs no authority")
    func trustedByItself() async throws {
        let authority = try TestAuthority()
        let (chain, key) = authority.pair()
        let file = authority.folder.appending("leaf.crt")
        try Files.replace(file, with: chain)
        let (near, far) = try await TestConnection.pair(
            client: TLSContext(authorities: [file]), server: TLSContext(server: TLSIdentity(chain: chain, key: key)))
        near.write([1]).whenFailure { _ in }
        #expect(try await far.seen { $0.bytes.count == 1 }.errors == [])
        await near.close()
        await far.close()
    }

    @Test("a server that wants a certificate gets one or refuses", arguments: [false, true], [false, true])
    func clientCertificate(isRequired: Bool, isShown: Bool) async throws {
        let authority = try TestAuthority()
        let file = try authority.file
        let server = try TLSContext(
            server: authority.identity(),
            clients: isRequired ? .required(authorities: [file]) : .optional(authorities: [file]))
        let client = try TLSContext(authorities: [file], identity: isShown ? authority.identity(["DNS:me"]) : nil)
        let (near, far) = try await TestConnection.pair(client: client, server: server)
        near.write([1]).whenFailure { _ in }
        if isRequired, !isShown {
            #expect(try await far.error == .violation("peer did not return a certificate"))
            #expect(try await near.error?.description == "remote error: tls: certificate required")
        } else {
            #expect(try await far.seen { $0.bytes.count == 1 }.errors == [])
        }
        await near.close()
        await far.close()
    }

    @Test("a client's certificate of another authority is refused, also where none is required")
    func foreignClient() async throws {
        let (authority, other) = (try TestAuthority(), try TestAuthority())
        let server = try TLSContext(server: authority.identity(), clients: .optional(authorities: [authority.file]))
        let client = try TLSContext(authorities: [authority.file], identity: other.identity(isSelfSigned: true))
        let (near, far) = try await TestConnection.pair(client: client, server: server)
        #expect(try await far.error == .certificate(.unknownAuthority(isSelfSigned: true)))
        await near.close()
        await far.close()
    }

    @Test("what cannot be used is named")
    func unusable() throws {
        let authority = try TestAuthority()
        let (chain, key) = authority.pair()
        func reason(_ body: () throws(TLSError) -> Void) -> String? {
            do throws(TLSError) {
                try body()
                return nil
            } catch {
                return "\(error)"
            }
        }
        let missing = authority.folder.appending("missing.crt")
        #expect(
            reason { () throws(TLSError) in _ = try TLSContext(authorities: [missing]) }
                == "open \(missing): no such file or directory")
        let empty = authority.folder.appending("empty.crt")
        try Files.replace(empty, with: Array("nothing\n".utf8))
        #expect(
            reason { () throws(TLSError) in _ = try TLSContext(authorities: [empty]) }
                == "\(empty): there is no certificate in PEM form")
        let cut = Array(chain.prefix(200)) + Array("\n-----END CERTIFICATE-----\n".utf8)
        let broken = reason { () throws(TLSError) in _ = try TLSContext(server: TLSIdentity(chain: cut, key: key)) }
        #expect(broken?.hasPrefix("a certificate in PEM form is broken: ") == true)
        let other = authority.pair().key
        let foreign = reason { () throws(TLSError) in
            _ = try TLSContext(server: TLSIdentity(chain: chain, key: other))
        }
        #expect(foreign?.hasPrefix("the private key is not that of the certificate: ") == true)
        let none = reason { () throws(TLSError) in _ = try TLSContext(server: TLSIdentity(chain: chain, key: chain)) }
        #expect(none?.hasPrefix("there is no private key in PEM form, or a passphrase protects it: ") == true)
    }
}
