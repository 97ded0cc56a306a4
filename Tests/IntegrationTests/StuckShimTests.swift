import Foundation
import Testing

extension Integration {
    /// Whatever a shim does not do any more, a container can be stopped and removed.
    @Suite("shims that do not answer")
    struct StuckShims {
        /// A running container whose shim is stopped, and what its processes are.
        private func stuck(_ daemon: TestDaemon, _ name: String, _ options: String...) throws {
            try daemon.ok(.masu, ["run", "-d", "--name", name] + options + ["busybox", "sleep", "1000"])
            let id = try daemon.ok(.masu, "inspect", "-f", "{{.Id}}", name)
            let text = try String(contentsOfFile: daemon.execRoot + "/containers/\(id)/shim.pid", encoding: .utf8)
            let pid = try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
            kill(pid, SIGSTOP)
        }

        @Test("stop and restart end with the truth: the shim was killed, and its container with it")
        func stopAndRestart() throws {
            try withDaemon { daemon in
                try stuck(daemon, "stopped")
                try daemon.ok(.masu, "stop", "-t", "1", "stopped")
                #expect(
                    try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "stopped")
                        == "exited 137")
                try stuck(daemon, "restarted")
                try daemon.ok(.masu, "restart", "-t", "1", "restarted")
                #expect(try daemon.ok(.masu, "inspect", "-f", "{{.State.Running}}", "restarted") == "true")
                try daemon.ok(.masu, "rm", "-f", "stopped", "restarted")
                daemon.expectNothingLeft()
            }
        }

        @Test(
            "rm -f goes past whoever waits for the shim",
            arguments: [["pause", "one"], ["top", "one"], ["exec", "one", "true"], ["kill", "-s", "USR1", "one"]])
        func forcedRemoval(_ pending: [String]) throws {
            try withDaemon { daemon in
                try stuck(daemon, "one")
                let client = try daemon.begin(.masu, pending)
                // It is under way when the daemon has read the request; before that the removal is only easier.
                usleep(100_000)
                try daemon.ok(.masu, "rm", "-f", "one")
                _ = try client.waitForEnd()
                daemon.expectNothingLeft()
            }
        }

        @Test("a container whose bundle was deleted is stopped and removed like any other", arguments: ["stop", "rm"])
        func deletedBundle(_ verb: String) throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "run", "-d", "--name", "bare", "busybox", "sh", "-c",
                    "trap 'exit 0' TERM; while :; do sleep 0.1; done")
                let id = try daemon.ok(.masu, "inspect", "-f", "{{.Id}}", "bare")
                try FileManager.default.removeItem(atPath: daemon.execRoot + "/containers/\(id)")
                if verb == "stop" {
                    try daemon.ok(.masu, "stop", "bare")
                    #expect(try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}}", "bare") == "exited")
                }
                try daemon.ok(.masu, "rm", "-f", "bare")
                daemon.expectNothingLeft()
            }
        }
    }
}

extension TestDaemon {
    /// `ok` for arguments that come as an array.
    func ok(_ client: Client, _ arguments: [String], at location: SourceLocation = #_sourceLocation) throws {
        let result = try command(client, arguments, input: []).runToEnd(timeout: 180)
        #expect(result.code == 0, "\(arguments): \(result)", sourceLocation: location)
    }

    /// `begin` for arguments that come as an array.
    func begin(_ client: Client, _ arguments: [String]) throws -> RunningCommand {
        try command(client, arguments, input: []).start()
    }
}
