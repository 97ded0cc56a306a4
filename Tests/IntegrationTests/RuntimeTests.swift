import Foundation
import Testing

/// An external OCI runtime and who drives it.
struct RuntimeCase: CustomTestStringConvertible {
    let runtime: String
    let client: Client

    var testDescription: String { "\(runtime) by \(client)" }
    var isSandbox: Bool { runtime == "runsc" }

    /// crun and runc have to be there, runsc (gVisor) may be missing.
    static let runtimes = ["crun", "runc"] + (Programs.find("runsc") == nil ? [] : ["runsc"])
    static let all = runtimes.flatMap { runtime in
        Client.available.map { RuntimeCase(runtime: runtime, client: $0) }
    }
    static let gVisorObstacle = "runsc (gVisor) is not installed: tried with crun and runc only"
}

extension Integration {
    /// Containers which another runtime makes, through the same shim and with the same commands.
    @Suite("other runtimes")
    struct OtherRuntimes {
        @Test(
            "runsc is installed",
            .enabled(if: Programs.find("runsc") != nil, Comment(rawValue: RuntimeCase.gVisorObstacle)))
        func gVisorIsThere() {
            #expect(RuntimeCase.runtimes.contains("runsc"))
        }

        @Test("run: output, input, exit code, and inspect names the runtime", arguments: RuntimeCase.all)
        func run(_ test: RuntimeCase) throws {
            try withDaemon { daemon in
                let result = try daemon.run(
                    test.client, "run", "--rm", "-i", "--runtime", test.runtime, "busybox", "sh", "-c",
                    "cat; echo err >&2; exit 7", input: Array("input\n".utf8))
                #expect(result.code == 7, "\(result)")
                #expect(result.output == "input\n")
                #expect(result.errors == "err\n")
                try daemon.ok(
                    test.client, "run", "-d", "--name", "named", "--runtime", test.runtime, "--init", "busybox",
                    "sleep",
                    "100")
                #expect(
                    try daemon.ok(test.client, "inspect", "-f", "{{.HostConfig.Runtime}}", "named") == test.runtime)
                #expect(try daemon.ok(test.client, "exec", "named", "sh", "-c", "echo inside; exit 0") == "inside")
                #expect(try daemon.run(test.client, "exec", "named", "sh", "-c", "exit 5").code == 5)
                #expect(try daemon.ok(test.client, "top", "named").contains("PID"))
                try daemon.ok(test.client, "stop", "-t", "5", "named")
                let code = try daemon.ok(test.client, "wait", "named")
                #expect(code == "143", "masu-init hands the signal on, and ends as its child does")
                try daemon.ok(test.client, "start", "named")
                #expect(try daemon.ok(test.client, "inspect", "-f", "{{.State.Running}}", "named") == "true")
            }
        }

        @Test("a runtime that is gone or unknown is said to", arguments: Client.available)
        func unknown(_ client: Client) throws {
            try withDaemon(configuration: #"{"runtimes":{"gone":{"path":"/nonexistent/runtime"}}}"#) { daemon in
                for name in ["nosuch", "/nonexistent/runtime", "relative/runtime"] {
                    let result = try daemon.run(client, "run", "--rm", "--runtime", name, "busybox", "true")
                    #expect(result.code == 125)
                    #expect(result.errors.contains("unknown or invalid runtime name: \(name)"), "\(result)")
                }
                let result = try daemon.run(client, "run", "--rm", "--runtime", "gone", "busybox", "true")
                #expect(
                    result.errors.contains(
                        "OCI runtime create failed: fork/exec /nonexistent/runtime: no such file or directory"),
                    "\(result)")
                daemon.expectNothingLeft()
            }
        }

        @Test("a program that does not exist is exit code 127, one that is none 126", arguments: RuntimeCase.all)
        func commandErrors(_ test: RuntimeCase) throws {
            try withDaemon { daemon in
                let missing = try daemon.run(
                    test.client, "run", "--rm", "--runtime", test.runtime, "busybox", "nothing-of-this-name")
                #expect(missing.code == 127, "\(missing)")
                #expect(missing.errors.contains("OCI runtime "), "\(missing)")
                #expect(missing.errors.contains("nothing-of-this-name"), "\(missing)")
                try daemon.ok(
                    test.client, "run", "-d", "--name", "host", "--runtime", test.runtime, "busybox", "sleep", "100")
                let exec = try daemon.run(test.client, "exec", "host", "nothing-of-this-name")
                #expect(exec.code == 127, "\(exec)")
                try daemon.ok(test.client, "rm", "-f", "host")
                if !test.isSandbox {
                    let refused = try daemon.run(
                        test.client, "run", "--rm", "--runtime", test.runtime, "busybox", "/etc/passwd")
                    #expect(refused.code == 126, "\(refused)")
                }
                daemon.expectNothingLeft()
            }
        }

        @Test("run -it and exec -it have terminals that can be resized", arguments: RuntimeCase.all)
        func terminal(_ test: RuntimeCase) throws {
            try withDaemon { daemon in
                let terminal = try daemon.terminal(
                    test.client, "run", "--name", "shell", "-it", "--runtime", test.runtime, "busybox", "sh",
                    columns: 93,
                    rows: 31)
                terminal.type("echo ready$((40 + 2)); stty size\n")
                #expect(terminal.waits(for: "ready42"), "\(terminal.seen)")
                #expect(terminal.waits(for: "31 93"), "\(terminal.seen)")
                let inside = try daemon.terminal(test.client, "exec", "-it", "shell", "sh", columns: 77, rows: 22)
                inside.type("stty size; exit 6\n")
                #expect(inside.waits(for: "22 77"), "\(inside.seen)")
                #expect(try inside.waitForEnd() == 6)
                let followed = eventually {
                    terminal.resize(columns: 121, rows: 46)
                    terminal.resize(columns: 121, rows: 47)
                    terminal.type("stty size\n")
                    return terminal.waits(for: "47 121", within: 0.5)
                }
                #expect(followed, "\(terminal.seen)")
                terminal.type("exit 3\n")
                #expect(try terminal.waitForEnd() == 3)
                #expect(try daemon.run(.masu, "logs", "shell").output.contains("ready42"))
            }
        }

        @Test("a container on a network has its address, reaches others, is reached", arguments: RuntimeCase.runtimes)
        func network(_ runtime: String) throws {
            try withDaemon { daemon in
                let serve = "while true; do echo here | nc -l -p 80; done"
                try daemon.ok(
                    .masu, "run", "-d", "--name", "web", "-p", "127.0.0.1:8080:80", "--runtime", runtime, "busybox",
                    "sh", "-c", serve)
                try daemon.ok(.masu, "run", "-d", "--name", "other", "busybox", "sh", "-c", serve)
                func address(_ name: String) throws -> String {
                    try daemon.ok(
                        .masu, "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name)
                }
                let (web, other) = (try address("web"), try address("other"))
                #expect(try daemon.ok(.masu, "exec", "web", "ip", "addr").contains("inet \(web)/16"))
                for (from, to) in [("web", other), ("other", web)] {
                    let answers = try eventually {
                        try daemon.run(.masu, "exec", from, "nc", "-w", "5", to, "80").line == "here"
                    }
                    #expect(answers, "\(from) does not reach \(to)")
                }
                let isPublished = try eventually {
                    try Command("/bin/busybox", "nc", "-w", "5", "127.0.0.1", "8080").runToEnd().line == "here"
                }
                #expect(isPublished)
                // Who shares the network of a container that has the host's leaves the host its addresses.
                try daemon.ok(.masu, "run", "-d", "--name", "host", "--network", "host", "busybox", "sleep", "1000")
                try daemon.ok(
                    .masu, "run", "--rm", "--network", "container:host", "--runtime", runtime, "busybox", "true")
                #expect(try Command("/bin/busybox", "ip", "addr").runToEnd().output.contains("inet 127.0.0.1/8"))
            }
        }

        @Test("pause, unpause, kill, logs and the restart policy", arguments: RuntimeCase.all)
        func lifeCycle(_ test: RuntimeCase) throws {
            try withDaemon { daemon in
                let client = test.client
                try daemon.ok(
                    client, "run", "-d", "--name", "tick", "--runtime", test.runtime, "busybox", "sh", "-c",
                    "trap 'echo got usr1' USR1; echo up; while :; do sleep 0.05; done")
                #expect(eventually { (try? daemon.run(client, "logs", "tick").output) == "up\n" })
                try daemon.ok(client, "pause", "tick")
                #expect(try daemon.ok(client, "inspect", "-f", "{{.State.Status}}", "tick") == "paused")
                try daemon.ok(client, "unpause", "tick")
                try daemon.ok(client, "kill", "-s", "USR1", "tick")
                #expect(eventually { (try? daemon.run(client, "logs", "tick").output) == "up\ngot usr1\n" })
                try daemon.ok(client, "kill", "tick")
                #expect(try daemon.ok(client, "wait", "tick") == "137")
                try daemon.ok(
                    client, "run", "-d", "--name", "again", "--runtime", test.runtime, "--restart", "on-failure:2",
                    "busybox", "sh", "-c", "echo once more; exit 9")
                let ended = try eventually {
                    try daemon.ok(client, "inspect", "-f", "{{.State.Status}} {{.RestartCount}}", "again") == "exited 2"
                }
                #expect(ended)
                #expect(try daemon.run(client, "logs", "again").lines.count == 3)
                #expect(try daemon.ok(client, "inspect", "-f", "{{.State.ExitCode}}", "again") == "9")
            }
        }

        @Test("a process killed for want of memory is noticed", arguments: ["crun", "runc"])
        func outOfMemory(_ runtime: String) throws {
            try withDaemon { daemon in
                try daemon.run(
                    .masu, "run", "--name", "greedy", "--runtime", runtime, "-m", "32m", "--memory-swap", "32m",
                    "busybox", "sh", "-c", "tail -c 100000000 /dev/zero")
                #expect(
                    try daemon.ok(.masu, "inspect", "-f", "{{.State.OOMKilled}} {{.State.ExitCode}}", "greedy")
                        == "true 137")
            }
        }

        @Test("a daemon that is killed finds its containers again", arguments: RuntimeCase.runtimes)
        func recovery(_ runtime: String) throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "run", "-d", "--name", "tick", "--runtime", runtime, "busybox", "sh", "-c",
                    "trap 'exit 5' TERM; i=0; while :; do i=$((i + 1)); echo $i; sleep 0.02; done")
                let gate = Gate(beside: daemon)
                let ends = try daemon.ok(
                    .masu, "run", "-d", "--name", "ends", "--runtime", runtime, gate.option, "busybox", "sh", "-c",
                    "\(Gate.wait); echo bye; exit 42")
                try daemon.crash()
                try gate.open()
                #expect(eventually { daemon.hasEnded(ends) })
                try daemon.start()
                #expect(
                    try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "ends")
                        == "exited 42")
                #expect(try daemon.run(.masu, "logs", "ends").output == "bye\n")
                #expect(try daemon.ok(.masu, "exec", "tick", "echo", "inside") == "inside")
                try daemon.ok(.masu, "stop", "tick")
                #expect(try daemon.ok(.masu, "wait", "tick") == "5")
                let numbers = try daemon.run(.masu, "logs", "tick").lines.map { Int($0) ?? -1 }
                #expect(numbers == Array(1...max(1, numbers.count)), "a number is missing")
            }
        }

        @Test(
            "what a killed shim leaves is removed, with and without a daemon",
            arguments: RuntimeCase.runtimes, [true, false])
        func killedShim(_ runtime: String, _ withDaemonAlive: Bool) throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "run", "-d", "--name", "pair", "--runtime", runtime, "busybox", "sh", "-c",
                    "sleep 1000 & sleep 1001")
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

        @Test("configured runtimes have their arguments, one can be the default, and info lists them")
        func configured() throws {
            let runc = try #require(Programs.find("runc"), "runc is not installed")
            let arguments = FileManager.default.temporaryDirectory.path + "/masu-runtime-arguments-\(getpid())"
            let wrapper = arguments + ".sh"
            try "#!/bin/sh\necho \"$@\" >>\(arguments)\nexec \(runc) \"$@\"\n".write(
                toFile: wrapper, atomically: true, encoding: .utf8)
            chmod(wrapper, 0o755)
            defer {
                unlink(arguments)
                unlink(wrapper)
            }
            let configuration = """
                {"runtimes":{"wrapped":{"path":"\(wrapper)","runtimeArgs":["--debug"]}},"default-runtime":"wrapped"}
                """
            try withDaemon(options: ["--add-runtime", "mine=\(runc)"]) { daemon in
                for name in ["mine", runc] {
                    let output = try daemon.ok(.masu, "run", "--rm", "--runtime", name, "busybox", "echo", "hi")
                    #expect(output == "hi")
                }
                let information = try daemon.ok(.masu, "info")
                #expect(information.contains("mine"))
            }
            try withDaemon(configuration: configuration) { daemon in
                let output = try daemon.ok(.masu, "run", "--rm", "busybox", "echo", "hi")
                #expect(output == "hi")
                let calls = try String(contentsOfFile: arguments, encoding: .utf8)
                #expect(calls.contains(" --debug create --bundle "), "\(calls)")
                let information = try daemon.ok(.masu, "info")
                #expect(information.contains("Default Runtime: wrapped"))
            }
        }

        @Test("mounts, users, limits and privileges are the runtime's to give", arguments: RuntimeCase.runtimes)
        func options(_ runtime: String) throws {
            // gVisor's own threads count; where it gets too few its sandbox ends with status 2.
            let limit = runtime == "runsc" ? "1000" : "50"
            try withDaemon { daemon in
                let output = try daemon.ok(
                    .masu, "run", "--rm", "--runtime", runtime, "-v", daemon.root + ":/vol:ro", "--read-only",
                    "--tmpfs",
                    "/tmp", "-u", "1000:1000", "-w", "/etc", "-e", "A=b", "--cap-drop", "all", "--pids-limit", limit,
                    "busybox", "sh", "-c", "id -u; pwd; echo $A; test -d /vol && echo seen")
                #expect(output == "1000\n/etc\nb\nseen")
                // gVisor of Debian 12 does not start its sandbox with all capabilities.
                if runtime == "runsc" { return }
                let privileged = try daemon.ok(
                    .masu, "run", "--rm", "--privileged", "--runtime", runtime, "busybox", "echo", "privileged")
                #expect(privileged == "privileged")
            }
        }
    }
}
