import Foundation
import Testing

extension Integration {
    /// What counts as an end by hand, and what an end by hand means.
    @Suite("ends by hand")
    struct EndsByHand {
        /// Waits for a file `/crash`, then ends with 3; takes SIGHUP for something else.
        private static let crashing =
            "trap 'touch /hup' HUP; while [ ! -e /crash ]; do sleep 0.05; done; rm /crash; exit 3"

        @Test(
            "a signal that is not the stop signal leaves the restart policy on",
            arguments: ["always", "unless-stopped", "on-failure"], Client.available)
        func hangUp(_ policy: String, _ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(
                    client, "run", "-d", "--name", "one", "--restart", policy, "busybox", "sh", "-c", Self.crashing)
                // The trap is set when the program looks for the file.
                #expect(try eventually { try daemon.ok(client, "top", "one").contains("sleep") })
                try daemon.ok(client, "kill", "-s", "HUP", "one")
                #expect(try eventually { try daemon.run(client, "exec", "one", "test", "-e", "/hup").code == 0 })
                try daemon.ok(client, "exec", "one", "touch", "/crash")
                #expect(
                    try eventually {
                        try daemon.ok(client, "inspect", "-f", "{{.State.Running}} {{.RestartCount}}", "one")
                            == "true 1"
                    })
            }
        }

        @Test("SIGKILL and the stop signal switch it off", arguments: [["kill"], ["kill", "-s", "USR1"], ["stop"]])
        func stops(_ command: [String]) throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "run", "-d", "--name", "one", "--restart", "always", "--stop-signal", "USR1", "busybox",
                    "sh",
                    "-c",
                    "trap 'exit 0' USR1; while :; do sleep 0.05; done")
                #expect(try eventually { try daemon.ok(.masu, "top", "one").contains("sleep") })
                try daemon.ok(.masu, command + ["one"])
                _ = try daemon.ok(.masu, "wait", "one")
                #expect(
                    try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}} {{.RestartCount}}", "one") == "exited 0")
            }
        }

        @Test(
            "restart keeps a container of run --rm with its files; its own end and stop remove it",
            arguments: Client.available)
        func restartOfDisposable(_ client: Client) throws {
            try withDaemon { daemon in
                let program = "trap 'exit 0' TERM; while :; do sleep 0.05; done"
                try daemon.ok(client, "run", "-d", "--rm", "--name", "one", "busybox", "sh", "-c", program)
                let id = try daemon.ok(client, "inspect", "-f", "{{.Id}}", "one")
                try daemon.ok(client, "exec", "one", "touch", "/kept")
                try daemon.ok(client, "restart", "-t", "2", "one")
                #expect(try daemon.ok(client, "inspect", "-f", "{{.Id}} {{.State.Running}}", "one") == "\(id) true")
                try daemon.ok(client, "exec", "one", "test", "-e", "/kept")
                try daemon.ok(client, "stop", "-t", "2", "one")
                #expect(try eventually { try daemon.run(client, "inspect", "one").code == 1 })
            }
        }

        @Test("a container that shall join the PID name space of one that does not run says so at its start")
        func joining() throws {
            try withDaemon { daemon in
                let id = try daemon.ok(.masu, "create", "--name", "first", "busybox", "true")
                try daemon.ok(.masu, "create", "--name", "second", "--pid", "container:first", "busybox", "true")
                let refused = try daemon.run(.masu, "start", "second")
                #expect(refused.code == 1)
                #expect(
                    refused.errors.contains("failed to join PID namespace: container \(id) is not running"),
                    "\(refused)")
            }
        }

        @Test("kill of a container that does not run says once what was to be done")
        func killOfStopped() throws {
            try withDaemon { daemon in
                let id = try daemon.ok(.masu, "create", "--name", "web", "busybox", "true")
                let refused = try daemon.run(.masu, "kill", "web")
                #expect(
                    refused.errors.contains("daemon: cannot kill container: web: container \(id) is not running"),
                    "\(refused)")
            }
        }

        @Test("what a daemon that has died held still goes on; what its user has paused stays")
        func heldByTheDead() throws {
            try withDaemon { daemon in
                for name in ["held", "paused"] {
                    try daemon.ok(.masu, "run", "-d", "--name", name, "busybox", "sleep", "1000")
                }
                try daemon.ok(.masu, "pause", "paused")
                // A commit that takes as long as it takes to write so many zeros.
                try daemon.ok(
                    .masu, "exec", "held", "dd", "if=/dev/zero", "of=/large", "bs=1M", "count=400")
                let commit = try daemon.begin(.masu, "commit", "held", "x")
                #expect(eventually { self.frozen(daemon) > 1 || commit.hasEnded })
                #expect(try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}}", "held") == "running")
                try daemon.crash()
                _ = try commit.waitForEnd()
                try daemon.start()
                #expect(try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}}", "held") == "running")
                #expect(try daemon.ok(.masu, "exec", "held", "echo", "well") == "well")
                #expect(try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}}", "paused") == "paused")
            }
        }

        /// How many control groups are frozen; version 1 or 2.
        private func frozen(_ daemon: TestDaemon) -> Int {
            daemon.cgroups().count { directory in
                ["freezer.state", "cgroup.freeze"].contains { file in
                    let text = (try? String(contentsOfFile: directory + "/" + file, encoding: .utf8)) ?? ""
                    return text.hasPrefix("FROZEN") || text.hasPrefix("1")
                }
            }
        }
    }
}
