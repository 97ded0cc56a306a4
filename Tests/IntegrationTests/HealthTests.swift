import Foundation
import Testing

extension Integration {
    /// Checks of containers' health.
    @Suite("health checks")
    struct HealthTests {
        /// A moment from which nothing that has happened is missing: clients that read "0s" drop the fractions of now.
        private static var soon: String { "\(time(nil) + 1)" }

        private func health(_ daemon: TestDaemon, _ name: String = "web") throws -> String {
            try daemon.ok(.masu, "inspect", "-f", "{{.State.Health.Status}}", name)
        }

        private func becomes(_ status: String, _ daemon: TestDaemon, _ name: String = "web") throws -> Bool {
            try eventually { try health(daemon, name) == status }
        }

        @Test("a container becomes healthy and unhealthy, and everybody is told", arguments: Client.available)
        func statuses(client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(
                    client, "run", "-d", "--name", "web", "--health-cmd", "echo checked; test -e /ok",
                    "--health-interval", "100ms", "--health-retries", "2", "--health-start-period", "1h",
                    "--health-start-interval", "100ms", "busybox", "sleep", "1000")
                #expect(try health(daemon) == "starting")
                #expect(try daemon.ok(client, "ps", "--format", "{{.Status}}").hasSuffix(" (health: starting)"))
                // Failures within the start period do not count.
                #expect(
                    try eventually {
                        try daemon.ok(.masu, "inspect", "-f", "{{len .State.Health.Log}}", "web") == "5"
                    })
                let starting = try daemon.ok(
                    client, "inspect", "-f", "{{.State.Health.Status}} {{.State.Health.FailingStreak}}", "web")
                #expect(starting == "starting 0")
                try daemon.ok(client, "exec", "web", "touch", "/ok")
                #expect(try becomes("healthy", daemon))
                #expect(try daemon.ok(client, "ps", "--format", "{{.Status}}").hasSuffix(" (healthy)"))
                #expect(try daemon.ok(client, "ps", "-q", "--filter", "health=healthy").count == 12)
                #expect(try daemon.ok(client, "ps", "-q", "--filter", "health=none").isEmpty)
                // The first success has ended the start period.
                try daemon.ok(client, "exec", "web", "rm", "/ok")
                #expect(try becomes("unhealthy", daemon))
                #expect(try daemon.ok(client, "ps", "--format", "{{.Status}}").hasSuffix(" (unhealthy)"))
                let last = try daemon.ok(
                    client, "inspect", "-f",
                    "{{range .State.Health.Log}}{{.ExitCode}} {{json .Output}};{{end}}", "web")
                #expect(last.hasSuffix(#"1 "checked\n";"#), "\(last)")
                let events = try daemon.ok(
                    client, "events", "--since", "1h", "--until", Self.soon, "--filter", "event=health_status",
                    "--format", "{{.Action}}")
                #expect(events == "health_status: healthy\nhealth_status: unhealthy")
                let probes = try daemon.ok(
                    client, "events", "--since", "1h", "--until", Self.soon, "--filter", "event=exec_die", "--format",
                    "{{.Action}} {{.Actor.Attributes.exitCode}}")
                #expect(probes.split(separator: "\n").contains("exec_die 1"))
                // The end of the container is that of its checks.
                try daemon.ok(client, "stop", "-t", "0", "web")
                #expect(try health(daemon) == "unhealthy")
                try daemon.ok(client, "start", "web")
                #expect(try daemon.ok(client, "ps", "--format", "{{.Status}}").hasSuffix(" (health: starting)"))
            }
        }

        @Test("a check that takes too long is killed, one that cannot be run fails, and neither says more than 4 KiB")
        func limits() throws {
            try withDaemon { daemon in
                func run(_ name: String, _ check: String, _ more: String...) throws {
                    let command = daemon.command(
                        .masu,
                        [
                            "run", "-d", "--name", name, "--health-cmd", check, "--health-interval", "100ms",
                            "--health-timeout", "300ms", "--health-retries", "1",
                        ] + more + ["busybox", "sleep", "1000"])
                    let result = try command.runToEnd()
                    try #require(result.code == 0, "\(result)")
                }
                func first(_ name: String) throws -> String {
                    try daemon.ok(
                        .masu, "inspect", "-f",
                        "{{with index .State.Health.Log 0}}{{.ExitCode}} {{.Output}}{{end}}", name)
                }
                try run("slow", "echo begun; exec sleep 777")
                #expect(try becomes("unhealthy", daemon, "slow"))
                #expect(try first("slow") == "-1 Health check exceeded timeout (300ms): begun")
                // One check may run now, but no more.
                let processes = try daemon.ok(.masu, "exec", "slow", "ps").components(separatedBy: "sleep 777")
                #expect(processes.count <= 2)

                try run("loud", "yes | head -c 100000; exit 3")
                #expect(try becomes("unhealthy", daemon, "loud"))
                #expect(try first("loud") == "3 " + String(repeating: "y\n", count: 2048) + "...")

                try daemon.ok(
                    .masu, "commit", "--change", #"HEALTHCHECK --interval=100ms CMD ["nosuch"]"#, "slow", "odd")
                try daemon.ok(
                    .masu, "run", "-d", "--name", "missing", "--health-retries", "1", "odd", "sleep", "1000")
                #expect(try becomes("unhealthy", daemon, "missing"))
                #expect(try first("missing").hasPrefix("-1 OCI runtime exec failed: "))
                #expect(try first("missing").contains("executable file not found"))
            }
        }

        @Test("a paused container is not checked")
        func pause() throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "run", "-d", "--name", "web", "--health-cmd", "true", "--health-interval", "50ms", "busybox",
                    "sleep", "1000")
                #expect(try becomes("healthy", daemon))
                try daemon.ok(.masu, "pause", "web")
                #expect(try daemon.ok(.masu, "ps", "--format", "{{.Status}}").hasSuffix(" (Paused)"))
                #expect(try health(daemon) == "unhealthy")
                let log = "{{range .State.Health.Log}}{{.Start}} {{end}}"
                let before = try daemon.ok(.masu, "inspect", "-f", log, "web")
                // As long as ten checks would take, which another container makes.
                try daemon.ok(
                    .masu, "run", "-d", "--name", "other", "--health-cmd", "true", "--health-interval", "50ms",
                    "busybox", "sleep", "1000")
                for _ in 0..<2 {
                    let first = try daemon.ok(.masu, "inspect", "-f", log, "other")
                    #expect(
                        try eventually {
                            try daemon.ok(.masu, "inspect", "-f", log, "other")
                                .split(separator: " ").allSatisfy { !first.contains($0) }
                        })
                }
                #expect(try daemon.ok(.masu, "inspect", "-f", log, "web") == before)
                try daemon.ok(.masu, "unpause", "web")
                #expect(try becomes("healthy", daemon))
            }
        }

        @Test("the image's check is taken where nothing else is said, and NONE turns it off")
        func image() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "create", "--name", "base", "busybox", "true")
                try daemon.ok(
                    .masu, "commit", "--change", "HEALTHCHECK --interval=100ms --retries=7 CMD test -e /ok", "base",
                    "checked")
                try daemon.ok(.masu, "run", "-d", "--name", "web", "--health-timeout", "9s", "checked", "sleep", "1000")
                let merged = try daemon.ok(.masu, "inspect", "-f", "{{json .Config.Healthcheck}}", "web")
                #expect(
                    merged == #"{"Test":["CMD-SHELL","test -e /ok"],"Interval":100000000,"Timeout":9000000000,"#
                        + #""Retries":7}"#)
                try daemon.ok(.masu, "exec", "web", "touch", "/ok")
                #expect(try becomes("healthy", daemon))
                try daemon.ok(.masu, "run", "-d", "--name", "off", "--no-healthcheck", "checked", "sleep", "1000")
                #expect(try daemon.ok(.masu, "inspect", "-f", "{{json .State}}", "off").contains("Health") == false)
                #expect(try daemon.ok(.masu, "ps", "--filter", "health=none", "--format", "{{.Names}}") == "off")
            }
        }

        @Test("status and streak outlive a killed daemon, and the checks go on")
        func recovery() throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "run", "-d", "--name", "web", "--health-cmd", "test -e /ok", "--health-interval", "100ms",
                    "--health-retries", "3", "busybox", "sleep", "1000")
                try daemon.ok(
                    .masu, "run", "-d", "--name", "stuck", "--health-cmd", "exec sleep 888", "--health-interval",
                    "50ms", "busybox", "sleep", "1000")
                #expect(try becomes("unhealthy", daemon))
                #expect(try eventually { try daemon.ok(.masu, "exec", "stuck", "ps").contains("sleep 888") })
                let streak = "{{.State.Health.FailingStreak}}"
                let before = try #require(Int(try daemon.ok(.masu, "inspect", "-f", streak, "web")))
                try daemon.crash()
                try daemon.start()
                #expect(try health(daemon) == "unhealthy")
                #expect(try #require(Int(try daemon.ok(.masu, "inspect", "-f", streak, "web"))) >= before)
                #expect(try daemon.ok(.masu, "ps", "--format", "{{.Status}}").contains(" (unhealthy)"))
                try daemon.ok(.masu, "exec", "web", "touch", "/ok")
                #expect(try becomes("healthy", daemon))
                // The check of the dead daemon is gone: there is one again, and not two.
                #expect(try eventually { try daemon.ok(.masu, "exec", "stuck", "ps").contains("sleep 888") })
                let processes = try daemon.ok(.masu, "exec", "stuck", "ps").components(separatedBy: "sleep 888")
                #expect(processes.count == 2)
                // What happened while nobody was there counts.
                try daemon.ok(.masu, "exec", "web", "rm", "/ok")
                try daemon.crash()
                try daemon.start()
                #expect(try becomes("unhealthy", daemon))
            }
        }

        @Test(
            "values that cannot be are refused in Docker's words",
            arguments: [
                (#""Interval":999999"#, "Interval in Healthcheck cannot be less than 1ms"),
                (#""Timeout":-1"#, "Timeout in Healthcheck cannot be less than 1ms"),
                (#""StartPeriod":1"#, "StartPeriod in Healthcheck cannot be less than 1ms"),
                (#""StartInterval":1"#, "StartInterval in Healthcheck cannot be less than 1ms"),
                (#""Retries":-1"#, "Retries in Healthcheck cannot be negative"),
            ])
        func badInput(field: String, message: String) throws {
            try withDaemon { daemon in
                let answer = try daemon.http(
                    "POST", "/containers/create", body: #"{"Image":"busybox","Healthcheck":{\#(field)}}"#)
                #expect(answer.status == 400 && answer.body.contains(message), "\(answer)")
            }
        }
    }
}
