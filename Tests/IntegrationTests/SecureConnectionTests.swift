import Foundation
import Testing

/// An authority, certificates that it has signed, and their keys, in files that go with the test.
private final class Certificates {
    let directory: String

    init() throws {
        var template = Array("/tmp/masu-certificates.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Command.Failure(description: "mkdtemp failed") }
        directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        let script = #"""
            set -e
            cd "$1"
            new() { openssl ecparam -genkey -name prime256v1 -noout -out "$1-key.pem"; }
            sign() { # name, subject alternative name, authority
                new "$1"
                openssl req -new -key "$1-key.pem" -subj "/CN=$1" -out "$1.csr"
                printf 'subjectAltName=%s\n' "$2" >"$1.ext"
                openssl x509 -req -in "$1.csr" -CA "$3.pem" -CAkey "$3-key.pem" -CAcreateserial -days 2 \
                    -extfile "$1.ext" -out "$1.pem"
            }
            for authority in ca stranger; do
                new "$authority"
                openssl req -x509 -new -key "$authority-key.pem" -subj "/CN=$authority" -days 2 -out "$authority.pem"
            done
            sign server 'DNS:localhost,IP:127.0.0.1' ca
            sign client 'DNS:client' ca
            sign other 'DNS:other' stranger
            """#
        let made = try Command("/bin/sh", "-c", script, "sh", directory).runToEnd()
        guard made.code == 0 else { throw Command.Failure(description: "\(made)") }
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    func path(_ name: String) -> String { "\(directory)/\(name).pem" }

    /// The flags of client and daemon for one of the certificates.
    func flags(_ name: String?, authority: String = "ca") -> [String] {
        ["--tlscacert", path(authority)]
            + (name.map { ["--tlscert", path($0), "--tlskey", path($0 + "-key")] } ?? [])
    }
}

extension Integration {
    @Suite("TLS to a daemon", .enabled(if: Programs.find("openssl") != nil, "needs openssl"))
    struct SecureConnectionTests {
        private let certificates: Certificates

        init() throws { certificates = try Certificates() }

        /// A command of a client that only its flags and `variables` lead to a daemon.
        private func command(
            _ daemon: TestDaemon, _ client: Client, _ arguments: [String], _ variables: [String: String] = [:]
        ) -> Command {
            var command = daemon.command(client, arguments)
            command.environment["MASU_HOST"] = nil
            command.environment["DOCKER_HOST"] = nil
            command.environment.merge(variables) { $1 }
            return command
        }

        private func withSecureDaemon(_ more: [String], _ body: (TestDaemon, _ address: String) throws -> Void) throws {
            let port = try LocalPort.free()
            let options = ["-H", "tcp://127.0.0.1:\(port)"] + more + certificates.flags("server")
            try withDaemon(options: options) { try body($0, "tcp://127.0.0.1:\(port)") }
        }

        @Test("a client with a certificate of the authority is served, with streams", arguments: Client.available)
        func verified(_ client: Client) throws {
            try withSecureDaemon(["--tlsverify"]) { daemon, address in
                let flags = ["--tlsverify", "-H", address] + certificates.flags("client")
                var run = command(
                    daemon, client, flags + ["run", "-i", "--rm", "busybox", "sh", "-c", "cat; echo end >&2; exit 4"])
                run.input = [UInt8](repeating: 65, count: 3 << 20)
                let result = try run.runToEnd()
                #expect(result.code == 4 && result.output.utf8.count == 3 << 20, "\(result.errors)")
                #expect(result.errors == "end\n")
                // Standard input stays open: the container's end is what ends the command.
                let still = try command(daemon, client, flags + ["run", "--rm", "busybox", "echo", "hello"]).runToEnd()
                #expect(still.code == 0 && still.output == "hello\n", "\(still)")
                let terminal = try Terminal(command(daemon, client, flags + ["run", "-it", "--rm", "busybox", "cat"]))
                terminal.type("typed\n")
                #expect(terminal.waits(for: "typed\r\ntyped"))
                terminal.type("\u{4}")
                #expect(try terminal.waitForEnd() == 0)
            }
        }

        @Test("the environment and contexts lead to a daemon with TLS as flags do", arguments: Client.available)
        func otherWays(_ client: Client) throws {
            try withSecureDaemon(["--tlsverify"]) { daemon, address in
                let folder = daemon.root + "/certificates"
                mkdir(folder, 0o700)
                for (name, file) in [("ca", "ca"), ("cert", "client"), ("key", "client-key")] {
                    symlink(certificates.path(file), "\(folder)/\(name).pem")
                }
                let variables = ["DOCKER_HOST": address, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": folder]
                let one = try command(daemon, client, ["images", "-q"], variables).runToEnd()
                #expect(one.code == 0 && !one.output.isEmpty, "\(one)")
                let endpoint =
                    "host=\(address),ca=\(folder)/ca.pem,cert=\(folder)/cert.pem,key=\(folder)/key.pem"
                for name in ["secure", "copy"] {
                    let words = name == "copy" ? ["--from", "secure"] : ["--docker", endpoint]
                    let made = try command(daemon, client, ["context", "create", name] + words).runToEnd()
                    #expect(made.code == 0, "\(made)")
                    let two = try command(daemon, client, ["-c", name, "images", "-q"]).runToEnd()
                    #expect(two.code == 0 && !two.output.isEmpty, "\(two)")
                }
                let standard = try command(daemon, client, ["context", "inspect", "default"], variables).runToEnd()
                #expect(standard.output.contains(#""SkipTLSVerify": false"#), "\(standard)")
                #expect(standard.output.contains("key.pem"), "\(standard)")
            }
        }

        @Test("a client without the authority's certificate is turned away", arguments: Client.available)
        func unverified(_ client: Client) throws {
            try withSecureDaemon(["--tlsverify"]) { daemon, address in
                let none = try command(
                    daemon, client, ["--tlsverify", "-H", address] + certificates.flags(nil) + ["ps"]
                ).runToEnd()
                #expect(none.code == 1, "\(none)")
                #expect(none.errors.contains("remote error: tls: certificate required"), "\(none)")
                let other = try command(
                    daemon, client, ["--tlsverify", "-H", address] + certificates.flags("other") + ["ps"]
                ).runToEnd()
                #expect(other.code == 1, "\(other)")
                // OpenSSL's name of the alert, and what Go gets, which shows no certificate that would not do.
                let names = ["unknown ca", "certificate required"]
                #expect(names.contains { other.errors.contains("remote error: tls: " + $0) }, "\(other)")
                let plain = try command(daemon, client, ["-H", address, "ps"]).runToEnd()
                #expect(plain.code == 1, "\(plain)")
                let answer = "Error response from daemon: Client sent an HTTP request to an HTTPS server."
                #expect(plain.errors.contains(answer), "\(plain)")
            }
        }

        @Test("a daemon is trusted only with a certificate of the authority, for its host", arguments: Client.available)
        func authority(_ client: Client) throws {
            try withSecureDaemon(["--tls", "--tlsverify=false"]) { daemon, address in
                func ps(_ flags: [String], _ host: String? = nil) throws -> Command.Result {
                    try command(daemon, client, ["-H", host ?? address] + flags + ["ps", "-q"]).runToEnd()
                }
                let good = try ps(["--tlsverify"] + certificates.flags(nil))
                #expect(good.code == 0, "\(good)")
                let stranger = try ps(["--tlsverify"] + certificates.flags(nil, authority: "stranger"))
                #expect(stranger.code == 1, "\(stranger)")
                let reason = "tls: failed to verify certificate: x509: certificate signed by unknown authority"
                #expect(stranger.errors.contains(reason), "\(stranger)")
                let trusting = try ps(["--tls"] + certificates.flags(nil, authority: "stranger"))
                #expect(trusting.code == 0, "\(trusting)")
                let named = try ps(
                    ["--tlsverify"] + certificates.flags(nil),
                    address.replacingOccurrences(of: "127.0.0.1", with: "localhost"))
                #expect(named.code == 0, "\(named)")
            }
        }
    }
}
