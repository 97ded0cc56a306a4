import Foundation
import Testing

extension Integration {
    /// The daemon may die at any moment; containers, logs and exit codes may not suffer.
    @Suite("recovery")
    struct Recovery {
        private static let count = "i=0; while :; do i=$((i + 1)); echo $i; sleep 0.01; done"

        /// Complains unless a log is 1, 2, 3, …
        private func expectNoGap(_ daemon: TestDaemon, _ name: String, at location: SourceLocation = #_sourceLocation)
            throws -> Int
        {
            let numbers = try daemon.run(.masu, "logs", name).lines.map { Int($0) ?? -1 }
            #expect(
                numbers == Array(1...max(1, numbers.count)), "a number is missing from \(name)",
                sourceLocation: location)
            return numbers.count
        }

        @Test("kill -9 under twenty counting containers: all run on, no number is missing, exit codes are known")
        func killUnderLoad() throws {
            try withDaemon { daemon in
                var pids: [String: String] = [:]
                var identities: [String: String] = [:]
                for index in 1...20 {
                    identities["count\(index)"] = try daemon.ok(
                        .masu, "run", "-d", "--name", "count\(index)", "busybox", "sh", "-c", Self.count)
                    pids["count\(index)"] = try daemon.ok(.masu, "inspect", "-f", "{{.State.Pid}}", "count\(index)")
                }
                let gate = Gate(beside: daemon)
                func waiting(_ options: String..., then command: String) throws -> String {
                    let result = try daemon.command(
                        .masu,
                        ["run", "-d", gate.option] + options + ["busybox", "sh", "-c", "\(Gate.wait); \(command)"]
                    ).runToEnd()
                    try #require(result.code == 0, "\(result)")
                    return result.line
                }
                let ends = try waiting("--name", "ends", then: "echo bye; exit 42")
                _ = try waiting("--name", "dies", then: "kill -9 $$; sleep 1000")
                let vanishes = try waiting("--rm", "--name", "vanishes", then: "true")
                try daemon.crash()
                let counted = pids.keys.map { daemon.logSize(identities[$0, default: ""]) }
                try gate.open()
                #expect(eventually { daemon.hasEnded(ends) && daemon.hasEnded(vanishes) })
                #expect(
                    eventually {
                        zip(pids.keys, counted).allSatisfy { daemon.logSize(identities[$0, default: ""]) > $1 + 1000 }
                    }, "they count while no daemon is there")
                try daemon.start()
                var lengths: [String: Int] = [:]
                for (name, pid) in pids {
                    #expect(
                        try daemon.ok(.masu, "inspect", "-f", "{{.State.Running}} {{.State.Pid}}", name)
                            == "true \(pid)")
                    lengths[name] = try expectNoGap(daemon, name)
                }
                #expect(
                    try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "ends")
                        == "exited 42")
                #expect(try daemon.run(.masu, "logs", "ends").output == "bye\n")
                #expect(
                    try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}}", "dies") == "running",
                    "pid 1 of a namespace is immune to its own kill -9")
                #expect(
                    try eventually { try daemon.run(.masu, "inspect", "vanishes").code == 1 },
                    "--rm is honoured after the fact")
                // Twenty shims and the one of "dies"; no orphan, no zombie.
                let shims = daemon.processes().filter { $0.hasSuffix(" masu-shim") }
                #expect(shims.count == 21, "\(shims.sorted())")
                #expect(daemon.processes().filter { $0.hasSuffix("(zombie)") }.isEmpty)
                for name in pids.keys {
                    #expect(
                        try eventually { try daemon.run(.masu, "logs", name).lines.count > lengths[name, default: 0] },
                        "the new daemon's clients see it go on")
                    try daemon.ok(.masu, "kill", name)
                    #expect(try daemon.ok(.masu, "wait", name) == "137")
                    _ = try expectNoGap(daemon, name)
                }
            }
        }

        @Test("kill -9 costs no exec: it is listed as before, when the container began too, and its end is an event")
        func execs() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "-d", "--name", "box", "busybox", "sleep", "1000")
                try daemon.ok(.masu, "exec", "-d", "box", "sleep", "1000")
                let facts = "{{json .ExecIDs}} {{.State.StartedAt}}"
                let before = try daemon.ok(.masu, "inspect", "-f", facts, "box")
                let exec = try #require(before.split(separator: "\"").dropFirst().first, "\(before)")
                try daemon.crash()
                try daemon.start()
                #expect(try daemon.ok(.masu, "inspect", "-f", facts, "box") == before)
                try daemon.ok(.masu, "kill", "box")
                let events = try daemon.ok(
                    .masu, "events", "--since", "1h", "--until", "0s", "--filter", "event=exec_die")
                #expect(events.contains("execID=\(exec)"), "\(events)")
            }
        }

        @Test("the ends of execs of a container that ended while no daemon was there are told")
        func execsOfEnded() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "-d", "--name", "box", "busybox", "sleep", "1000")
                try daemon.ok(.masu, "exec", "-d", "box", "sleep", "1001")
                let id = try daemon.ok(.masu, "inspect", "-f", "{{.Id}}", "box")
                let pid = try daemon.ok(.masu, "inspect", "-f", "{{.State.Pid}}", "box")
                let before = try daemon.ok(.masu, "inspect", "-f", "{{json .ExecIDs}}", "box")
                let exec = try #require(before.split(separator: "\"").dropFirst().first, "\(before)")
                try daemon.crash()
                #expect(kill(try #require(Int32(pid)), SIGKILL) == 0)
                #expect(eventually { daemon.hasEnded(id) })
                try daemon.start()
                let events = try daemon.ok(
                    .masu, "events", "--since", "1h", "--until", "0s", "--format",
                    "{{.Action}} {{json .Actor.Attributes}}")
                let lines = events.split(separator: "\n")
                let end = try #require(lines.firstIndex { $0.hasPrefix("exec_die ") }, "\(events)")
                #expect(lines[end].contains(exec) && lines[end].contains("\"exitCode\":\"137\""), "\(events)")
                #expect(lines[end...].contains { $0.hasPrefix("die ") }, "\(events)")
                let answer = try daemon.http("GET", "/v1.47/exec/\(exec)/json")
                #expect(answer.status == 200 && answer.body.contains("\"ExitCode\":137"), "\(answer)")
            }
        }

        @Test("a container whose directory somebody has removed can be paused, stopped and removed")
        func removedBundle() throws {
            try withDaemon { daemon in
                for (name, script) in [("first", "trap 'exit 5' TERM; \(Self.count)"), ("second", Self.count)] {
                    try daemon.ok(.masu, "run", "-d", "--name", name, "busybox", "sh", "-c", script)
                    let id = try daemon.ok(.masu, "inspect", "-f", "{{.Id}}", name)
                    try FileManager.default.removeItem(atPath: "\(daemon.execRoot)/containers/\(id)")
                }
                try daemon.ok(.masu, "pause", "first")
                try daemon.ok(.masu, "unpause", "first")
                try daemon.ok(.masu, "stop", "first")
                #expect(
                    try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "first")
                        == "exited 5")
                try daemon.ok(.masu, "rm", "-f", "second")
                #expect(try daemon.ok(.masu, "ps", "-aq", "--filter", "name=second").isEmpty)
            }
        }

        @Test("exec, attach, logs -f, stop and pause work on containers of a daemon that died")
        func allVerbsAfterwards() throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "run", "-d", "-it", "--name", "shell", "busybox", "sh")
                try daemon.ok(
                    .masu, "run", "-d", "--name", "tick", "busybox", "sh", "-c", "trap 'exit 5' TERM; \(Self.count)")
                try daemon.ok(.masu, "run", "-d", "--name", "still", "busybox", "sh", "-c", Self.count)
                try daemon.ok(.masu, "pause", "still")
                try daemon.crash()
                try daemon.start()
                #expect(try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}}", "still") == "paused")
                try daemon.ok(.masu, "unpause", "still")
                #expect(try daemon.ok(.masu, "exec", "tick", "echo", "inside") == "inside")
                let terminal = try daemon.terminal(.masu, "attach", "shell")
                terminal.type("echo here$((40 + 2)); exit 7\n")
                #expect(terminal.waits(for: "here42"), "\(terminal.seen)")
                #expect(try terminal.waitForEnd() == 7)
                let logs = try daemon.begin(.masu, "logs", "-f", "--tail", "0", "tick")
                #expect(eventually { logs.output.text.split(separator: "\n").count > 5 })
                try daemon.ok(.masu, "stop", "tick")
                #expect(try logs.waitForEnd().code == 0)
                #expect(try daemon.ok(.masu, "wait", "tick") == "5")
            }
        }

        @Test("killed again and again while containers start and end, nothing stays behind")
        func killedInTheMiddle() throws {
            try withDaemon { daemon in
                for round in 0..<8 {
                    let clients = try (0..<6).map { index in
                        try daemon.begin(
                            .masu, "run", "--rm", "--name", "r\(round)i\(index)", "busybox", "sh", "-c",
                            "sleep 0.0\(index)")
                    }
                    // Some moment, each time another one. Nothing that is expected depends on it.
                    usleep(UInt32(10_000 + round * 25_000))
                    try daemon.crash()
                    for client in clients { _ = try client.waitForEnd() }
                    try daemon.start()
                }
                // Containers that had been created but not started are still there; everything else has ended by
                // itself.
                #expect(try eventually { try daemon.ok(.masu, "ps", "-q").isEmpty })
                try daemon.removeContainers()
                daemon.expectNothingLeft()
                #expect(try daemon.ok(.masu, "run", "--rm", "busybox", "echo", "well") == "well")
            }
        }

        @Test("--restart always brings back a container whose shim and process were killed with the daemon")
        func allKilled() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "-d", "--name", "phoenix", "--restart", "always", "busybox", "sleep", "100")
                try daemon.ok(.masu, "run", "-d", "--name", "mortal", "busybox", "sleep", "100")
                try daemon.crash()
                for process in daemon.processes() {
                    if let pid = pid_t(process.split(separator: " ")[0]) { kill(pid, SIGKILL) }
                }
                #expect(eventually { daemon.processes().isEmpty }, "\(daemon.processes())")
                try daemon.start()
                #expect(
                    try eventually { try daemon.ok(.masu, "inspect", "-f", "{{.State.Running}}", "phoenix") == "true" })
                #expect(try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}}", "mortal") == "exited")
                #expect(try daemon.ok(.masu, "inspect", "-f", "{{.State.ExitCode}}", "mortal") == "137")
            }
        }

        @Test("a shim that is killed takes its container with it, with and without a daemon", arguments: [true, false])
        func killedShim(_ withDaemonAlive: Bool) throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "-d", "--name", "pair", "busybox", "sh", "-c", "sleep 1000 & sleep 1001")
                let inside = try daemon.ok(.masu, "top", "pair", "-o", "pid").split(separator: "\n").dropFirst()
                #expect(inside.count == 2)
                let shim = try #require(
                    daemon.processes().first { $0.hasSuffix(" masu-shim") }?.split(separator: " ").first)
                if !withDaemonAlive { try daemon.crash() }
                kill(pid_t(shim) ?? 0, SIGKILL)
                if !withDaemonAlive { try daemon.start() }
                let recorded = try eventually {
                    try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "pair")
                        == "exited 137"
                }
                #expect(recorded)
                #expect(eventually { daemon.processes().isEmpty }, "\(daemon.processes())")
                #expect(daemon.cgroups().isEmpty)
                try daemon.ok(.masu, "start", "pair")
                #expect(try daemon.ok(.masu, "inspect", "-f", "{{.State.Running}}", "pair") == "true")
            }
        }

        @Test("two daemons with different roots run side by side, a second one on the same roots refuses")
        func twoDaemons() throws {
            try withDaemon { first in
                try withDaemon { second in
                    try first.ok(.masu, "run", "-d", "--name", "same", "busybox", "sleep", "100")
                    try second.ok(.masu, "run", "-d", "--name", "same", "busybox", "sleep", "100")
                    let identities = (try first.ok(.masu, "ps", "-q"), try second.ok(.masu, "ps", "-q"))
                    #expect(identities.0 != identities.1)
                }
                var command = Command(
                    Programs.masud, "--data-root", first.dataRoot, "--exec-root", first.execRoot, "--pidfile",
                    first.root + "/other.pid", "--config-file", first.root + "/daemon.json", "-H",
                    "unix://\(first.root)/other.sock")
                command.environment["HOME"] = first.root
                let refused = try command.runToEnd()
                #expect(refused.code != 0, "\(refused)")
                #expect(!refused.errors.isEmpty || !refused.output.isEmpty, "it says why")
                #expect(try first.ok(.masu, "ps", "--format", "{{.Names}}") == "same", "the first is not disturbed")
            }
        }

        @Test("SIGTERM ends the daemon in order; the next start knows everything")
        func gracefulStop() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "--name", "done", "busybox", "sh", "-c", "echo kept")
                #expect(try daemon.stop() == 0)
                #expect(access(daemon.socket, F_OK) != 0, "its socket is gone")
                #expect(access(daemon.execRoot + "/masud.pid", F_OK) != 0, "its pid file is gone")
                try daemon.start()
                #expect(try daemon.run(.masu, "logs", "done").output == "kept\n")
                #expect(try daemon.ok(.masu, "start", "-a", "done") == "kept")
            }
        }

        @Test("a client that attaches and never reads does not stall the container")
        func slowClient() throws {
            try withDaemon { daemon in
                let gate = Gate(beside: daemon)
                try daemon.ok(
                    .masu, "run", "-d", "--name", "writer", gate.option, "busybox", "sh", "-c",
                    "until [ -e /gate/open ]; do echo waiting; sleep 0.05; done; seq 300000; echo finished; sleep 1000")
                let slow = try daemon.begin(.masu, "attach", "writer")
                #expect(eventually { slow.output.text.contains("waiting") })
                slow.send(SIGSTOP)
                try gate.open()
                let finished = try eventually {
                    try daemon.run(.masu, "logs", "--tail", "1", "writer").output == "finished\n"
                }
                slow.send(SIGCONT)
                #expect(finished, "the container went on while its client slept")
                #expect(
                    eventually { slow.output.text.hasSuffix("300000\nfinished\n") },
                    "and the client gets all of it in the end")
                #expect(slow.output.text.split(separator: "\n").count { $0 != "waiting" } == 300_001)
            }
        }
    }
}
