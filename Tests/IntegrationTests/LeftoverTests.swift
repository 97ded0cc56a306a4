import Foundation
import Testing

extension Integration {
    /// Many containers, and afterwards the machine is as it was.
    @Suite("nothing stays behind")
    struct Leftovers {
        @Test("200 runs in a row leave no mount, cgroup, process, file, descriptor or row")
        func inARow() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "--rm", "busybox", "true")
                let before = try daemon.footprint()
                for round in 1...200 {
                    let result = try daemon.run(.masu, "run", "--rm", "busybox", "true")
                    try #require(result.code == 0, "round \(round): \(result)")
                }
                try daemon.expectFootprint(before)
            }
        }

        @Test("50 runs in parallel leave nothing either")
        func inParallel() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "--rm", "busybox", "true")
                let before = try daemon.footprint()
                let running = try (1...50).map { index in
                    try daemon.begin(.masu, "run", "--rm", "busybox", "sh", "-c", "echo \(index); exit \(index)")
                }
                for (index, command) in running.enumerated() {
                    let result = try command.waitForEnd()
                    #expect(result.code == Int32(index + 1), "\(result)")
                    #expect(result.output == "\(index + 1)\n", "\(result)")
                }
                try daemon.expectFootprint(before)
            }
        }

        @Test(
            "200 in a row and 50 in parallel on a real Debian root",
            .enabled(if: Roots.debian != nil, "no Debian root in the cache and no mirror answers"))
        func debian() throws {
            try withDaemon(image: false) { daemon in
                try daemon.ok(.masu, "import", try #require(Roots.debian), "debian:bookworm")
                try daemon.ok(.masu, "run", "--rm", "debian:bookworm", "true")
                let before = try daemon.footprint()
                for round in 1...200 {
                    let result = try daemon.run(.masu, "run", "--rm", "debian:bookworm", "true")
                    try #require(result.code == 0, "round \(round): \(result)")
                }
                let running = try (1...50).map { _ in try daemon.begin(.masu, "run", "--rm", "debian:bookworm", "true")
                }
                for command in running {
                    let result = try command.waitForEnd()
                    #expect(result.code == 0, "\(result)")
                }
                try daemon.expectFootprint(before)
            }
        }

        @Test("clients that are killed, execs, terminals and followers leave nothing", arguments: Client.available)
        func rudeClients(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(client, "run", "--rm", "busybox", "true")
                let before = try daemon.footprint()
                for _ in 1...5 {
                    try daemon.ok(
                        client, "run", "-d", "--name", "host", "busybox", "sh", "-c",
                        "while :; do echo x; sleep 0.01; done")
                    let commands = [
                        try daemon.begin(client, "attach", "host"), try daemon.begin(client, "logs", "-f", "host"),
                        try daemon.begin(client, "exec", "host", "sleep", "100"), try daemon.begin(client, "events"),
                        try daemon.begin(client, "wait", "host"),
                    ]
                    let terminal = try daemon.terminal(client, "exec", "-it", "host", "sh")
                    terminal.type("echo up$((40 + 2))\n")
                    #expect(terminal.waits(for: "up42"))
                    for command in commands { command.send(SIGKILL) }
                    for command in commands { _ = try command.waitForEnd() }
                    try daemon.ok(client, "rm", "-f", "host")
                }
                try daemon.expectFootprint(before)
            }
        }
    }
}
