import Addresses
import DNS
import MasuCommand
import Testing

@Suite("Addresses of daemons")
struct DaemonAddressTests {
    @Test("an address over ssh becomes ssh's command line")
    func ssh() throws {
        let remote =
            "sh -c 'if command -v masu >/dev/null; then exec masu system dial-stdio; "
            + "else exec docker system dial-stdio; fi'"
        let start = ["ssh", "-o", "ConnectTimeout=30", "-T"]
        #expect(try SSHHost(parsing: "box").arguments == start + ["--", "box", remote])
        #expect(
            try SSHHost(parsing: "me@box:2222/").arguments
                == start + ["-l", "me", "-p", "2222", "--", "box", remote])
        #expect(try SSHHost(parsing: "[fe80::1]:22").host == "fe80::1")
        #expect(try DaemonAddress(parsing: "ssh://me@box:22/run/x.sock").description == "ssh://me@box:22/run/x.sock")
    }

    @Test("the path of an address is the socket there, and no word for a shell to take apart")
    func sshPath() throws {
        let last = try SSHHost(parsing: "box/run/a b';id.sock").arguments.last ?? ""
        #expect(last.contains(#"--host '\''unix:///run/a b'\''\'\'''\'';id.sock'\'' system dial-stdio"#), "\(last)")
    }

    @Test(
        "addresses that docker refuses are refused",
        arguments: [
            ("a:b@h", "plain-text password is not supported"), ("", "hostname is empty"), ("me@", "hostname is empty"),
            ("h/x?y", "query parameters are not allowed: \"y\""), ("h#f", "fragments are not allowed: \"f\""),
            ("h:x", "invalid port \":x\" after host"),
        ])
    func badSSH(_ text: String, _ reason: String) {
        let message = "Failed to initialize: ssh host connection is not valid: invalid SSH URL: \(reason)"
        #expect(throws: CommandError(message)) { try SSHHost(parsing: text) }
    }

    private let resolution = NameResolution(
        hosts: "127.0.0.1 localhost\n10.0.0.7\tdb.example.org DB # comment other\n::1 ip6-localhost\nfd00::7 db\n",
        configuration: """
            # a comment
            nameserver 10.0.0.53
            nameserver 10.0.0.54
            nameserver fd00::53
            nameserver 10.0.0.56
            search example.org example.com
            options edns0 ndots:2
            """)

    @Test("names of /etc/hosts are found in any case, with all their addresses")
    func hosts() throws {
        #expect(try resolution.addresses(of: "db").map(\.description) == ["10.0.0.7", "fd00::7"])
        #expect(resolution.listed("DB.EXAMPLE.ORG").map(\.description) == ["10.0.0.7"])
        #expect(resolution.listed("other").isEmpty)
        #expect(try resolution.addresses(of: "fd00::1").map(\.description) == ["fd00::1"])
        let empty = NameResolution(hosts: "", configuration: "")
        #expect(try empty.addresses(of: "localhost").map(\.description) == ["127.0.0.1", "::1"])
        #expect(throws: CommandError.self) { try empty.addresses(of: "nowhere") }
    }

    @Test("three servers are asked, and names with few dots are looked for in the search domains first")
    func configuration() {
        #expect(resolution.servers.map(\.description) == ["10.0.0.53", "10.0.0.54", "fd00::53"])
        func names(_ host: String) -> [String] { resolution.candidates(host).map(\.description) }
        #expect(names("a.b") == ["a.b.example.org.", "a.b.example.com.", "a.b."])
        #expect(names("a.b.c") == ["a.b.c.", "a.b.c.example.org.", "a.b.c.example.com."])
        #expect(names("a.") == ["a."])
    }
}
