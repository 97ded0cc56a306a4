import Foundation
import Testing

@Suite("Options of Docker's daemon")
struct OptionTests {
    private func validate(_ configuration: String, _ flags: [String] = []) throws -> (status: Int32, errors: String) {
        let masud = try Masud()
        defer { try? masud.remove() }
        try masud.write(configuration)
        return try masud.run(["--validate", "--config-file", masud.path("daemon.json")] + flags)
    }

    @Test(
        "what distributions and test suites pass is taken",
        arguments: [
            ["--iptables=false", "--ip6tables=false", "--bridge=none", "--userland-proxy=false", "--ip-masq=false"],
            ["--iptables", "--userland-proxy-path", "/usr/libexec/docker/docker-proxy", "-b", "docker0", "--mtu=1400"],
            ["--containerd=/run/containerd/containerd.sock", "--containerd-namespace", "a"],
            ["--experimental", "--tls=false", "--tlsverify=false", "--selinux-enabled=false", "--userns-remap="],
            ["--init-path=/usr/bin/docker-init", "--cdi-spec-dir=/etc/cdi", "--feature", "buildkit=true"],
            ["--bip", "10.1.0.1/16", "--default-address-pool", "base=10.0.0.0/8,size=24", "--icc=false"],
            ["--tlsverify", "--tlscacert=a", "--tlscert=b", "--tlskey=c", "-H", "tcp://0.0.0.0:2376", "-H", "[::]:1"],
            ["--tls", "-H", "tcp://10.1.2.3:2376"], ["--tls", "--tlsverify=false"],
            ["--cni-conf-dir=/etc/cni", "--cni-bin-dir=/usr/lib/cni", "--cni-bin-dir", "/opt/cni/bin"],
            ["--max-download-attempts=3", "--oom-score-adjust=-500", "--min-api-version=1.41", "--metrics-addr=:1"],
        ])
    func flags(_ flags: [String]) throws {
        let result = try validate("{}", flags)
        #expect(result.errors == "configuration OK\n")
        #expect(result.status == 0)
    }

    @Test(
        "the same by the keys of its file, whatever they hold",
        arguments: [
            #"{"iptables":false,"ip6tables":true,"bridge":"none","userland-proxy":false,"experimental":true}"#,
            #"{"default-address-pools":[{"base":"172.30.0.0/16","size":24}],"features":{"buildkit":true},"mtu":1450}"#,
            #"{"builder":{"gc":{"enabled":true,"policy":[{"keepStorage":"1GB","all":true}]}},"containerd":"/a.sock"}"#,
            #"{"cdi-spec-dirs":["/etc/cdi"],"default-network-opts":{"bridge":{"a":"b"}},"ipv6":false,"tls":false}"#,
            #"{"tlsverify":true,"tlscacert":"a","tlscert":"b","tlskey":"c","hosts":["tcp://0.0.0.0:2376"]}"#,
            #"{"cni-conf-dir":"/etc/cni","cni-bin-dirs":["/usr/lib/cni","/opt/cni/bin"]}"#,
            #"{"max-download-attempts":3,"min-api-version":"1.40","max-request-document":"8m","max-connections":100}"#,
        ])
    func keys(_ configuration: String) throws {
        let result = try validate(configuration)
        #expect(result.errors == "configuration OK\n")
        #expect(result.status == 0)
    }

    @Test(
        "what somebody relies on for their safety is refused",
        arguments: [
            (["--tls", "--tlsverify=false", "-H", "tcp://0.0.0.0:2376"], "refusing to listen on tcp://0.0.0.0:2376"),
            (["--tlscacert=ca.pem", "-H", "tcp://0.0.0.0:2376"], "refusing to listen on tcp://0.0.0.0:2376"),
            (["--tlsverify", "-H", "tcp://example.org:2376"], "example.org is not an IP address"),
            (["--authorization-plugin=x"], "--authorization-plugin cannot be honoured"),
            (["--userns-remap=default"], "--userns-remap cannot be honoured"),
            (["--selinux-enabled"], "--selinux-enabled cannot be honoured"),
            (["--iptables=maybe"], #"invalid argument "maybe" for "--iptables" flag"#),
            (["--max-download-attempts=0"], "invalid max download attempts: 0"),
            (["--min-api-version=1.99"], #"invalid min-api-version "1.99""#),
            (["--oom-score-adjust=2000"], "invalid oom-score-adjust: 2000"),
            (["--max-request-document=1"], "invalid max request document"),
            (["--cni-conf-dir=net.d"], "--cni-conf-dir must be an absolute path"),
            (["--cni-bin-dir=bin"], "a directory of plugins is an absolute path without a colon"),
            (["--cni-bin-dir=/a:/b"], "a directory of plugins is an absolute path without a colon"),
        ])
    func refused(_ flags: [String], _ text: String) throws {
        let result = try validate("{}", flags)
        #expect(result.status != 0)
        #expect(result.errors.contains(text), "\(result.errors)")
        #expect(try validate(#"{"userns-remap":"default"}"#).errors.contains("--userns-remap cannot be honoured"))
    }
}
