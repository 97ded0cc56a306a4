import EngineAPIModel
import MasuCommand
import Testing

@Suite("network firewall")
struct NetworkFirewallTests {
    private func entry(
        _ container: String, _ address: String, from: String, _ verdict: String, rule: String = "",
        remedy: String = "", interface: String = ""
    ) -> FirewallEntry {
        var entry = FirewallEntry()
        entry.container = container
        entry.containerID = container + "-id"
        entry.hostIP = address
        entry.hostPort = 8080
        entry.containerPort = 80
        entry.transport = "tcp"
        entry.from = from
        entry.interface = interface
        entry.verdict = verdict
        entry.rule = rule
        entry.remedy = remedy
        return entry
    }

    private var report: NetworkFirewall {
        var report = NetworkFirewall()
        report.mode = "nat"
        report.modeChosen = true
        let policy = "chain inet host forward: policy drop"
        for address in ["0.0.0.0", "::"] {
            for from in ["host", "machines", "containers"] {
                report.ports.append(entry("db", address, from: from, "accept"))
            }
            report.ports.append(entry("web", address, from: "host", "accept"))
            for from in ["machines", "containers"] {
                report.ports.append(entry("web", address, from: from, "drop", rule: policy, remedy: "nft insert"))
            }
        }
        report.notes = ["something else"]
        return report
    }

    @Test("the table says once what is the same for several, and what to type below it")
    func table() {
        #expect(
            FirewallListing(report).text() == """
                Mode nat, chosen by masud: the kernel carries packets, and the host's forward chains decide.

                CONTAINER   PORT                              FROM                   IS        DECIDED BY
                db          0.0.0.0:8080, [::]:8080->80/tcp   everybody              open      -
                web         0.0.0.0:8080, [::]:8080->80/tcp   host                   open      -
                web         0.0.0.0:8080, [::]:8080->80/tcp   machines, containers   closed    \
                chain inet host forward: policy drop

                What is closed is opened by:

                  # web 0.0.0.0:8080/tcp, web [::]:8080/tcp
                  nft insert

                Note: something else

                """)
    }

    @Test("interfaces that matter are named, and what is unknown is said")
    func interfaces() {
        var report = NetworkFirewall()
        report.mode = "input"
        report.ports = [
            entry("web", "0.0.0.0", from: "machines", "drop", rule: "a", interface: "eth0"),
            entry("web", "0.0.0.0", from: "machines", "unknown", rule: "b", interface: "eth1"),
        ]
        let lines = FirewallListing(report).text().split(separator: "\n").map(String.init)
        #expect(
            lines.first
                == "Mode input: the containers' shims carry packets, and the host's input chains decide.")
        #expect(lines.dropFirst(2).first?.contains("machines by eth0   closed    a") == true)
        #expect(lines.last?.contains("machines by eth1   unknown   b") == true)
    }

    @Test("JSON and templates have all that is known")
    func formats() throws {
        let listing = FirewallListing(report)
        let first = try #require(try listing.rendered(format: "json").split(separator: "\n").first)
        #expect(
            first == #"{"Container":"db","ContainerID":"db-id","ContainerPort":80,"From":"host","HostIP":"0.0.0.0","#
                + #""HostPort":8080,"Interface":"","Mode":"nat","Port":"0.0.0.0:8080->80/tcp","Protocol":"tcp","#
                + #""Remedy":"","Rule":"","Verdict":"accept"}"#)
        let lines = "\nnft insert\nnft insert\n"
        #expect(try listing.rendered(format: "{{.Remedy}}") == "\n\n\n\n\n\n" + lines + lines)
        #expect(throws: CommandError.self) { try listing.rendered(format: "{{.Nothing}}") }
    }
}
