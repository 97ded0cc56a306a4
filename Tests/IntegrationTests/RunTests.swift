import Foundation
import Testing

extension Integration {
    /// One container from start to end, as a user of either command line sees it.
    @Suite("run")
    struct Run {
        @Test(
            "run --rm shows the output, hands on the exit code and removes the container", arguments: Client.available)
        func runAndRemove(_ client: Client) throws {
            try withDaemon { daemon in
                let result = try daemon.run(
                    client, "run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7")
                #expect(result.code == 7, "\(result)")
                #expect(result.output == "out\n")
                #expect(result.errors == "err\n")
                #expect(try daemon.ok(client, "ps", "-aq").isEmpty)
            }
        }

        @Test("run -i feeds standard input, to its end, byte for byte", arguments: Client.available)
        func standardInput(_ client: Client) throws {
            try withDaemon { daemon in
                let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
                let command = daemon.command(client, ["run", "--rm", "-i", "busybox", "cat"], input: bytes)
                let running = try command.start()
                let result = try running.waitForEnd()
                #expect(result.code == 0, "\(result.errors)")
                #expect(running.output.bytes == bytes)
            }
        }

        @Test("output of 20 MB in long and short lines arrives whole", arguments: Client.available)
        func muchOutput(_ client: Client) throws {
            try withDaemon { daemon in
                let result = try daemon.run(
                    client, "run", "--rm", "busybox", "sh", "-c", "head -c 10000000 /dev/zero | tr '\\0' x; seq 1500000"
                )
                #expect(result.code == 0, "\(result.errors)")
                let expected = 10_000_000 + (1...1_500_000).reduce(0) { $0 + String($1).utf8.count + 1 }
                #expect(result.output.utf8.count == expected)
                #expect(result.output.hasSuffix("1499999\n1500000\n"))
            }
        }

        @Test("run -it gives a working terminal that follows resizing", arguments: Client.available)
        func terminal(_ client: Client) throws {
            try withDaemon { daemon in
                let terminal = try daemon.terminal(client, "run", "--rm", "-it", "busybox", "sh", columns: 93, rows: 31)
                terminal.type("echo ready$((40 + 2)); stty size\n")
                #expect(terminal.waits(for: "ready42"), "\(terminal.seen)")
                #expect(terminal.waits(for: "31 93"), "the size is right from the start: \(terminal.seen)")
                let followed = eventually {
                    // Like a window that is dragged: a client that is not listening yet misses the first change.
                    terminal.resize(columns: 121, rows: 46)
                    terminal.resize(columns: 121, rows: 47)
                    terminal.type("stty size\n")
                    return terminal.waits(for: "47 121", within: 0.5)
                }
                #expect(followed, "\(terminal.seen)")
                terminal.type("tty; exit 5\n")
                #expect(try terminal.waitForEnd() == 5)
                #expect(terminal.seen.contains("/dev/pts/0"), "\(terminal.seen)")
            }
        }

        @Test("ctrl-c at the terminal reaches the container's process", arguments: Client.available)
        func interrupt(_ client: Client) throws {
            try withDaemon { daemon in
                let terminal = try daemon.terminal(
                    client, "run", "--rm", "-it", "busybox", "sh", "-c",
                    "trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.1; done")
                #expect(terminal.waits(for: "ready"))
                terminal.type("\u{3}")
                #expect(try terminal.waitForEnd() == 3)
                #expect(terminal.seen.contains("caught"))
            }
        }

        @Test("the detach keys leave the container running, attach comes back to it", arguments: Client.available)
        func detach(_ client: Client) throws {
            try withDaemon { daemon in
                let terminal = try daemon.terminal(client, "run", "-it", "--name", "left", "busybox", "sh")
                terminal.type("echo ready$((40 + 2))\n")
                #expect(terminal.waits(for: "ready42"))
                terminal.type("\u{10}\u{11}")
                #expect(try terminal.waitForEnd() == 0)
                #expect(try daemon.ok(client, "inspect", "-f", "{{.State.Running}}", "left") == "true")
                let again = try daemon.terminal(client, "attach", "left")
                again.type("echo back$((40 + 2))\n")
                #expect(again.waits(for: "back42"), "\(again.seen)")
                again.type("exit 0\n")
                #expect(try again.waitForEnd() == 0)
            }
        }

        @Test("attach to what ends at that moment ends, too", arguments: Client.available)
        func attachAtTheEnd(_ client: Client) throws {
            try withDaemon { daemon in
                for _ in 1...30 {
                    let container = try daemon.ok(client, "run", "-d", "busybox", "true")
                    let attached = try daemon.run(client, "attach", "--no-stdin", container)
                    guard attached.code != 0 else { continue }
                    let words = ["You cannot attach to a stopped container", "container \(container) is not running"]
                    #expect(words.contains { attached.errors.contains($0) }, "\(attached)")
                }
            }
        }

        @Test("a detached container is followed, entered, stopped and removed", arguments: Client.available)
        func detached(_ client: Client) throws {
            try withDaemon { daemon in
                let identity = try daemon.ok(
                    client, "run", "-d", "--name", "loop", "busybox", "sh", "-c",
                    "trap 'echo bye; exit 4' TERM; i=0; while :; do i=$((i + 1)); echo line $i; sleep 0.05; done")
                #expect(identity.count == 64)
                let logs = try daemon.begin(client, "logs", "-f", "loop")
                #expect(eventually { logs.output.text.contains("line 5\n") }, "logs -f shows what is written")
                let terminal = try daemon.terminal(client, "exec", "-it", "loop", "sh")
                terminal.type("tty; echo inside$((40 + 2)); cat /proc/1/comm\n")
                #expect(terminal.waits(for: "inside42"), "\(terminal.seen)")
                terminal.type("exit 6\n")
                #expect(try terminal.waitForEnd() == 6)
                #expect(try daemon.ok(client, "stop", "loop") == "loop")
                let followed = try logs.waitForEnd()
                #expect(followed.code == 0, "logs -f ends with the container")
                #expect(followed.output.hasSuffix("bye\n"))
                let numbers = followed.lines.dropLast().compactMap { Int($0.dropFirst(5)) }
                #expect(numbers == Array(1...max(numbers.count, 1)), "no line is missing")
                #expect(
                    try daemon.ok(client, "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "loop")
                        == "exited 4")
                #expect(try daemon.ok(client, "rm", "loop") == "loop")
                #expect(try daemon.run(client, "inspect", "loop").code == 1)
            }
        }

        @Test("logs know --tail, --since, --timestamps and the two streams", arguments: Client.available)
        func logs(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(
                    client, "run", "--name", "talker", "busybox", "sh", "-c",
                    "for i in 1 2 3; do echo out $i; echo err $i >&2; sleep 0.05; done; sleep 1.1; echo late")
                let all = try daemon.run(client, "logs", "talker")
                #expect(all.output == "out 1\nout 2\nout 3\nlate\n")
                #expect(all.errors == "err 1\nerr 2\nerr 3\n")
                #expect(try daemon.run(client, "logs", "--tail", "1", "talker").output == "late\n")
                let stamped = try daemon.ok(client, "logs", "-t", "--tail", "1", "talker")
                let fields = stamped.split(separator: " ")
                #expect(fields.count == 2 && fields[0].hasSuffix("Z") && fields[0].contains("T"), "\(stamped)")
                #expect(try daemon.run(client, "logs", "--since", "\(fields[0])", "talker").output == "late\n")
                let before = try daemon.run(client, "logs", "--until", "\(fields[0])", "talker")
                #expect(before.output.hasPrefix("out 1\n"))
            }
        }

        @Test("ps -a filters by status, name, label, exit code and ancestor", arguments: Client.available)
        func filters(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(client, "run", "-d", "--name", "one", "--label", "colour=blue", "busybox", "sleep", "100")
                let two = try daemon.run(
                    client, "run", "--name", "two", "--label", "colour=red", "busybox", "sh", "-c", "exit 3")
                #expect(two.code == 3)
                try daemon.ok(client, "create", "--name", "three", "busybox", "true")
                func names(_ filter: String) throws -> [String] {
                    try daemon.run(client, "ps", "-a", "--filter", filter, "--format", "{{.Names}}").lines.sorted()
                }
                #expect(try daemon.run(client, "ps", "--format", "{{.Names}}").lines == ["one"])
                #expect(try names("status=running") == ["one"])
                #expect(try names("status=exited") == ["two"])
                #expect(try names("status=created") == ["three"])
                #expect(try names("name=t") == ["three", "two"])
                #expect(try names("label=colour") == ["one", "two"])
                #expect(try names("label=colour=red") == ["two"])
                #expect(try names("exited=3") == ["two"])
                #expect(try names("ancestor=busybox") == ["one", "three", "two"])
                #expect(try names("since=one") == ["three", "two"])
            }
        }

        @Test("inspect -f reads single fields", arguments: Client.available)
        func inspect(_ client: Client) throws {
            try withDaemon { daemon in
                let identity = try daemon.ok(
                    client, "run", "-d", "--name", "seen", "-e", "A=b", "-m", "64m", "--hostname", "box", "busybox",
                    "sleep", "100")
                #expect(try daemon.ok(client, "inspect", "-f", "{{.Id}}", "seen") == identity)
                #expect(
                    try daemon.ok(
                        client, "inspect", "-f", "{{.Name}} {{.Config.Hostname}}", identity.prefix(12).description)
                        == "/seen box")
                #expect(try daemon.ok(client, "inspect", "-f", "{{.HostConfig.Memory}}", "seen") == "67108864")
                #expect(try daemon.ok(client, "inspect", "-f", "{{json .Config.Cmd}}", "seen") == #"["sleep","100"]"#)
                #expect(
                    try daemon.ok(client, "inspect", "-f", "{{range .Config.Env}}{{.}};{{end}}", "seen").contains(
                        "A=b;"))
                let pid = try #require(pid_t(try daemon.ok(client, "inspect", "-f", "{{.State.Pid}}", "seen")))
                #expect(kill(pid, 0) == 0)
            }
        }

        @Test("a paused container stands still until it is unpaused", arguments: Client.available)
        func pausing(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(
                    client, "run", "-d", "--name", "tick", "busybox", "sh", "-c",
                    "i=0; while :; do i=$((i + 1)); echo $i; sleep 0.01; done")
                #expect(try eventually { try daemon.run(.masu, "logs", "tick").lines.count > 5 })
                #expect(try daemon.ok(client, "pause", "tick") == "tick")
                #expect(
                    try daemon.ok(client, "inspect", "-f", "{{.State.Status}} {{.State.Paused}}", "tick")
                        == "paused true")
                // It writes every 10 ms, and starting a command line takes longer.
                let first = try daemon.run(client, "logs", "tick").lines.count
                for _ in 0..<10 { #expect(try daemon.run(client, "logs", "tick").lines.count == first) }
                #expect(
                    try daemon.run(client, "exec", "tick", "true").code == 1, "nothing is started in a paused container"
                )
                #expect(try daemon.ok(client, "unpause", "tick") == "tick")
                #expect(try eventually { try daemon.run(client, "logs", "tick").lines.count > first })
            }
        }

        @Test("kill -s sends any signal, by name or number", arguments: Client.available)
        func signals(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(
                    client, "run", "-d", "--name", "target", "busybox", "sh", "-c",
                    "trap 'echo usr1' USR1; trap 'echo hup' HUP; echo ready; while :; do sleep 0.05; done")
                #expect(try eventually { try daemon.run(client, "logs", "target").output.contains("ready") })
                try daemon.ok(client, "kill", "-s", "USR1", "target")
                #expect(try eventually { try daemon.run(client, "logs", "target").output.contains("usr1") })
                try daemon.ok(client, "kill", "-s", "1", "target")
                #expect(try eventually { try daemon.run(client, "logs", "target").output.contains("hup") })
                try daemon.ok(client, "kill", "target")
                #expect(try daemon.ok(client, "wait", "target") == "137")
                let again = try daemon.run(client, "kill", "target")
                #expect(again.code == 1)
                #expect(again.errors.contains("is not running"), "\(again)")
            }
        }

        @Test("a renamed container answers to the new name alone", arguments: Client.available)
        func rename(_ client: Client) throws {
            try withDaemon { daemon in
                let identity = try daemon.ok(client, "run", "-d", "--name", "old", "busybox", "sleep", "100")
                try daemon.ok(client, "rename", "old", "new")
                #expect(try daemon.ok(client, "inspect", "-f", "{{.Id}}", "new") == identity)
                #expect(try daemon.run(client, "inspect", "-f", "{{.Id}}", "old").code == 1)
                try daemon.ok(client, "run", "-d", "--name", "old", "busybox", "sleep", "100")
                let conflict = try daemon.run(client, "rename", "new", "old")
                #expect(conflict.code == 1)
                #expect(conflict.errors.contains("already in use"), "\(conflict)")
            }
        }

        @Test("top shows the container's processes with the host's pids", arguments: Client.available)
        func top(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(
                    client, "run", "-d", "--name", "busy", "busybox", "sh", "-c", "sleep 111 & sleep 222 & wait")
                let pid = try daemon.ok(client, "inspect", "-f", "{{.State.Pid}}", "busy")
                var lines: [String] = []
                let complete = try eventually {
                    lines = try daemon.run(client, "top", "busy").lines
                    return lines.count == 4
                }
                #expect(complete, "\(lines)")
                #expect(lines.first?.contains("PID") == true && lines.first?.contains("CMD") == true)
                #expect(lines.contains { $0.contains("sleep 111") } && lines.contains { $0.contains("sleep 222") })
                #expect(lines.dropFirst().contains { $0.split(separator: " ").dropFirst().first == Substring(pid) })
            }
        }

        @Test("wait ends with the container and prints its exit code", arguments: Client.available)
        func waiting(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(client, "run", "-d", "--name", "short", "busybox", "sh", "-c", "sleep 0.5; exit 33")
                #expect(try daemon.ok(client, "wait", "short") == "33")
                #expect(try daemon.ok(client, "wait", "short") == "33", "and also when it has ended already")
            }
        }

        @Test("events tell a container's life in order", arguments: Client.available)
        func events(_ client: Client) throws {
            try withDaemon { daemon in
                let events = try daemon.begin(
                    client, "events", "--filter", "type=container", "--format", "{{.Action}} {{.Actor.Attributes.name}}"
                )
                // The client does not say when it listens: what it tells of does.
                #expect(
                    try eventually {
                        try daemon.ok(.masu, "rm", try daemon.ok(.masu, "create", "busybox", "true"))
                        return events.output.text.contains("create ")
                    })
                #expect(
                    try daemon.run(client, "run", "--rm", "--name", "told", "busybox", "sh", "-c", "exit 2").code == 2)
                #expect(eventually { events.output.text.contains("destroy told") }, "\(events.output.text)")
                let actions = events.output.text.split(separator: "\n").map(String.init)
                let life = actions.filter {
                    ["create told", "attach told", "start told", "die told", "destroy told"].contains($0)
                }
                #expect(life == ["create told", "attach told", "start told", "die told", "destroy told"])
                // Times of events on the command line are whole seconds.
                let told = try eventually {
                    let past = try daemon.run(
                        client, "events", "--since", "60s", "--until", "0s", "--filter", "event=die", "--format",
                        "{{.Actor.Attributes.exitCode}}")
                    return past.output == "2\n"
                }
                #expect(told, "events of the past are told too")
            }
        }

        @Test("stop asks with the container's own signal, then kills", arguments: Client.available)
        func stop(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(
                    client, "run", "-d", "--name", "polite", "--stop-signal", "USR2", "busybox", "sh", "-c",
                    "trap 'exit 9' USR2; echo ready; while :; do sleep 0.05; done")
                try daemon.ok(client, "run", "-d", "--name", "deaf", "busybox", "sleep", "100")
                #expect(try eventually { try daemon.run(client, "logs", "polite").output.contains("ready") })
                try daemon.ok(client, "stop", "polite")
                #expect(try daemon.ok(client, "inspect", "-f", "{{.State.ExitCode}}", "polite") == "9")
                let started = Date()
                try daemon.ok(client, "stop", "-t", "1", "deaf")
                #expect(Date().timeIntervalSince(started) >= 0.9)
                #expect(try daemon.ok(client, "inspect", "-f", "{{.State.ExitCode}}", "deaf") == "137")
            }
        }

        @Test("start -a runs a container once more, with its files kept", arguments: Client.available)
        func startAgain(_ client: Client) throws {
            try withDaemon { daemon in
                let first = try daemon.run(
                    client, "run", "--name", "twice", "busybox", "sh", "-c", "echo x >>/count; wc -l </count")
                #expect(first.line == "1", "\(first)")
                let second = try daemon.run(client, "start", "-a", "twice")
                #expect(second.line == "2", "\(second)")
                try daemon.ok(client, "restart", "-t", "1", "twice")
                #expect(try daemon.ok(client, "wait", "twice") == "0")
                #expect(try daemon.run(client, "logs", "twice").output == "1\n2\n3\n")
            }
        }

        @Test("a signal to the waiting command line goes to the container", arguments: Client.available)
        func signalProxy(_ client: Client) throws {
            try withDaemon { daemon in
                let running = try daemon.begin(
                    client, "run", "--rm", "busybox", "sh", "-c",
                    "trap 'echo got; exit 5' TERM; echo ready; while :; do sleep 0.05; done")
                #expect(eventually { running.output.text.contains("ready") })
                running.send(SIGTERM)
                let result = try running.waitForEnd()
                #expect(result.code == 5, "\(result)")
                #expect(result.output.contains("got"))
            }
        }

        @Test("exec: environment, user, directory, exit code, detached", arguments: Client.available)
        func secondProcess(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(client, "run", "-d", "--name", "home", "-e", "A=1", "busybox", "sleep", "100")
                let result = try daemon.run(
                    client, "exec", "-e", "B=2", "-u", "guest", "-w", "/tmp", "home", "sh", "-c",
                    "echo $A $B $(id -u) $(pwd); exit 8")
                #expect(result.code == 8, "\(result)")
                #expect(result.output == "1 2 1000 /tmp\n")
                try daemon.ok(client, "exec", "-d", "home", "sh", "-c", "echo made >/made")
                #expect(try eventually { try daemon.run(client, "exec", "home", "cat", "/made").output == "made\n" })
                let input = try daemon.run(client, "exec", "-i", "home", "cat", input: Array("fed\n".utf8))
                #expect(input.output == "fed\n", "\(input)")
                #expect(try daemon.run(client, "exec", "home", "nosuchprogram").code == 127)
                #expect(try daemon.run(client, "exec", "home", "/etc/passwd").code == 126)
            }
        }

        @Test(
            "the request that starts an exec says how its output comes, whatever the process has",
            arguments: [true, false])
        func execFraming(_ terminal: Bool) throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "-d", "--name", "home", "busybox", "sleep", "100")
                for wantsRaw in [true, false] {
                    let created = try daemon.http(
                        "POST", "/containers/home/exec",
                        body: #"{"Cmd":["echo","hello"],"AttachStdout":true,"Tty":\#(terminal)}"#)
                    let id = try #require(created.body.split(separator: "\"").dropFirst(3).first.map(String.init))
                    let stream = try daemon.http("POST", "/exec/\(id)/start", body: #"{"Tty":\#(wantsRaw)}"#)
                    let text = terminal ? "hello\r" : "hello"
                    let header = "\u{1}\0\0\0\0\0\0" + String(UnicodeScalar(UInt8(text.utf8.count + 1)))
                    #expect(Array(stream.body.utf8) == Array(((wantsRaw ? "" : header) + text + "\n").utf8))
                }
            }
        }

        @Test("create, --cidfile, --entrypoint, --name, labels", arguments: Client.available)
        func create(_ client: Client) throws {
            try withDaemon { daemon in
                let file = daemon.root + "/cid"
                let identity = try daemon.ok(
                    client, "create", "--cidfile", file, "--entrypoint", "/bin/echo", "--name", "made", "-l", "a=b",
                    "busybox", "hello")
                #expect(try String(contentsOfFile: file, encoding: .utf8) == identity)
                #expect(try daemon.ok(client, "start", "-a", "made") == "hello")
                #expect(try daemon.ok(client, "inspect", "-f", "{{.Config.Labels.a}}", "made") == "b")
                let again = try daemon.run(client, "run", "--cidfile", file, "busybox", "true")
                #expect(again.code == 125, "a cidfile that exists is not overwritten: \(again)")
            }
        }
    }
}
