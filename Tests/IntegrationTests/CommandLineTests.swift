import Foundation
import Testing

extension Integration {
    /// What is around a command: its standard streams, its terminal, its user's configuration.
    @Suite("command line")
    struct CommandLine {
        /// A command of a client with redirections as a shell has them.
        private func shell(
            _ daemon: TestDaemon, _ client: Client, _ redirections: String, _ arguments: String...
        ) throws -> Command.Result {
            var command = daemon.command(client, [])
            command.arguments = ["-c", "exec \"$0\" \"$@\" \(redirections)", client.path] + arguments
            command.path = "/bin/sh"
            return try command.runToEnd(timeout: 30)
        }

        // MARK: Closed standard streams

        @Test("a closed standard input is an empty one", arguments: Client.available)
        func closedInput(_ client: Client) throws {
            try withDaemon { daemon in
                let result = try shell(
                    daemon, client, "<&-", "run", "--rm", "-i", "busybox", "sh", "-c", "cat; echo end")
                #expect(result.code == 0 && result.output == "end\n", "\(result)")
            }
        }

        @Test("with all standard streams closed a command does its work and ends with the container's exit code")
        func closedStreams() throws {
            try withDaemon { daemon in
                let result = try shell(
                    daemon, .masu, "<&- >&- 2>&-", "run", "--rm", "-i", "busybox", "sh", "-c", "cat; echo hi; exit 4")
                #expect(result.code == 4, "\(result)")
                #expect(try shell(daemon, .masu, ">&-", "run", "--rm", "busybox", "echo", "hi").code == 0)
            }
        }

        @Test("a daemon that was started without standard streams passes on those of its containers")
        func daemonWithoutStreams() throws {
            try withDaemon(redirections: "<&- >&- 2>&-") { daemon in
                var command = daemon.command(.masu, ["run", "--rm", "-i", "busybox", "sh", "-c", "cat; echo bad >&2"])
                command.input = Array("in\n".utf8)
                let result = try command.runToEnd()
                #expect(result.code == 0 && result.output == "in\n" && result.errors == "bad\n", "\(result)")
            }
        }

        // MARK: Output that cannot be written

        @Test("every command whose output cannot be written says so and ends with 1")
        func fullOutput() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "--name", "job", "busybox", "sh", "-c", "echo out; echo >/file")
                try daemon.ok(.masu, "run", "-d", "--name", "service", "busybox", "sleep", "1000")
                for line in [
                    "logs job", "start -a job", "exec service echo hi", "exec -t service echo hi",
                    "run --rm busybox echo hi", "run --rm -t busybox echo hi", "export job", "save busybox",
                    "cp job:/etc/passwd -", "ps", "ps -q", "images", "inspect job", "inspect -f {{.Id}} job", "version",
                    "version -f {{.Client.Version}}", "info", "top service", "diff job", "history busybox",
                    "events --since 1h --until 0s", "system df", "system check", "tag busybox other",
                    "create busybox true", "restart -t 0 service", "wait job", "rmi other", "image prune -f",
                    "help run",
                    "run --help", "--version", "logout registry.test",
                ] {
                    let words = line.split(separator: " ").map(String.init)
                    var command = daemon.command(.masu, [])
                    command.path = "/bin/sh"
                    command.arguments = ["-c", "exec \"$0\" \"$@\" >/dev/full", Client.masu.path] + words
                    let result = try command.runToEnd(timeout: 30)
                    // Nothing is printed, so nothing is missing.
                    if words[0] == "tag" {
                        #expect(result.code == 0, "\(result)")
                        continue
                    }
                    #expect(result.code == 1, "\(result)")
                    #expect(result.errors.contains("write /dev/stdout: no space left on device"), "\(result)")
                }
            }
        }

        @Test("what does one thing after the other does all of them, whoever reads it")
        func fullOutputOfMany() throws {
            try withDaemon { daemon in
                for name in ["one", "two", "three"] {
                    try daemon.ok(.masu, "create", "--name", name, "busybox", "true")
                }
                #expect(try shell(daemon, .masu, ">/dev/full", "rm", "one", "two", "three").code == 1)
                #expect(try daemon.ok(.masu, "ps", "-aq").isEmpty)
            }
        }

        @Test(
            "the runtime's commands say so, too",
            arguments: ["--version", "--help", "features", "help create", "list", "list -q", "list --format json"])
        func fullOutputOfRuntime(_ line: String) throws {
            let root = NSTemporaryDirectory() + "masu-test-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: root + "/state", withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: root) }
            var command = Command("/bin/sh", ["-c", "exec \"$0\" --root \"$1\" $2 >/dev/full"])
            command.arguments += [Programs.runtime, root + "/state", line]
            let result = try command.runToEnd()
            if line == "list -q" || line == "list --format json", result.code == 0 { return }
            #expect(result.code == 1, "\(result)")
            #expect(result.errors.contains("write /dev/stdout: no space left on device"), "\(result)")
        }

        @Test(
            "so do the other programs",
            arguments: [
                "masud --help", "masud --version", "masu-registry --help", "masu-registry --version",
                "masu-shim --help", "masu-shim --version", "masu-init --version",
            ])
        func fullOutputOfPrograms(_ line: String) throws {
            let words = line.split(separator: " ").map(String.init)
            let directory = URL(fileURLWithPath: Programs.runtime).deletingLastPathComponent()
            var command = Command("/bin/sh", ["-c", "exec \"$0\" $1 >/dev/full"])
            command.arguments += [directory.appendingPathComponent(words[0]).path, words[1]]
            let result = try command.runToEnd()
            #expect(result.code == 1, "\(result)")
            #expect(result.errors.contains("write /dev/stdout: no space left on device"), "\(result)")
        }

        @Test("a reader that goes away ends a command as docker ends", arguments: Client.available)
        func brokenPipe(_ client: Client) throws {
            try withDaemon { daemon in
                let lines = "i=0; while [ $i -lt 20000 ]; do echo \"this is line $i\"; i=$((i+1)); done"
                try daemon.ok(.masu, "run", "-d", "--name", "service", "busybox", "sleep", "1000")
                let cases: [(arguments: [String], status: Int, says: String)] = [
                    (["run", "--rm", "busybox", "sh", "-c", lines], 1, "write /dev/stdout: broken pipe"),
                    (["run", "--rm", "-t", "busybox", "sh", "-c", lines], 1, "write /dev/stdout: broken pipe"),
                    (["exec", "service", "sh", "-c", lines], 141, ""),
                    (["exec", "-t", "service", "sh", "-c", lines], 141, ""),
                ]
                for (arguments, status, text) in cases {
                    var command = daemon.command(client, [])
                    command.path = "/bin/sh"
                    command.arguments = [
                        "-c", "{ \"$0\" \"$@\"; echo \"status $?\" >&2; } | head -n 1", client.path,
                    ]
                    command.arguments += arguments
                    let result = try command.runToEnd(timeout: 30)
                    #expect(result.output.hasPrefix("this is line 0"), "\(result)")
                    #expect(result.errors.contains("status \(status)\n"), "\(result)")
                    #expect(text.isEmpty || result.errors.contains(text), "\(result)")
                }
            }
        }

        // MARK: Control characters

        @Test("a terminal gets control characters written out, a file gets them as they are")
        func controlCharacters() throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "run", "-d", "--name", "forger", "busybox", "sh", "-c",
                    """
                    mkdir -p "$(printf '/a\\033[2Jb\\nC /forged')"
                    exec sh -c 'sleep 1000; :' "$(printf 'x\\033[31m')"
                    """)
                #expect(try eventually { try daemon.ok(.masu, "diff", "forger").contains("/forged") })
                #expect(try daemon.ok(.masu, "diff", "forger").contains("A /a\u{1B}[2Jb\nC /forged"))

                let diff = try daemon.terminal(.masu, "diff", "forger")
                #expect(try diff.waitForEnd() == 0)
                #expect(diff.seen.contains("A /a\\u001b[2Jb\\u000aC /forged"), "\(diff.seen)")
                #expect(!diff.seen.contains("\u{1B}"))

                let top = try daemon.terminal(.masu, "top", "forger", columns: 200)
                #expect(try top.waitForEnd() == 0)
                #expect(top.seen.contains("x\\u001b[31m") && !top.seen.contains("\u{1B}"), "\(top.seen)")

                let label = try daemon.terminal(.masu, "inspect", "-f", "{{.Name}}\u{1B}]0;title\u{7}", "forger")
                #expect(try label.waitForEnd() == 0)
                #expect(label.seen.contains("/forger\\u001b]0;title\\u0007"), "\(label.seen)")
            }
        }

        @Test("errors have control characters written out wherever they go")
        func controlCharactersOfErrors() throws {
            try withDaemon(image: false) { daemon in
                for arguments in [
                    ["logs", "a\u{1B}[31mb"], ["inspect", "--type", "container", "a\u{9B}31mb\r"],
                    ["run", "--name", "\u{1B}c", "x"],
                ] {
                    let result = try daemon.command(.masu, arguments).runToEnd()
                    #expect(result.code != 0)
                    #expect(result.errors.contains("\\u00"), "\(result)")
                    #expect(
                        !result.errors.unicodeScalars.contains {
                            $0 != "\n" && $0.properties.generalCategory == .control
                        })
                }
            }
        }

        @Test("a container's own output reaches the terminal as it is")
        func rawOutput() throws {
            try withDaemon { daemon in
                let terminal = try daemon.terminal(.masu, "run", "--rm", "busybox", "printf", "\\033[32mgreen\\033[0m")
                #expect(try terminal.waitForEnd() == 0)
                #expect(terminal.seen.contains("\u{1B}[32mgreen\u{1B}[0m"))
            }
        }

        // MARK: config.json

        @Test("the proxies of config.json are in the environment of new containers", arguments: Client.available)
        func proxies(_ client: Client) throws {
            try withDaemon { daemon in
                let configuration = #"""
                    {"proxies": {
                        "default": {"httpProxy": "http://proxy.test:3128", "noProxy": "*.test", "ftpProxy": ""},
                        "tcp://192.0.2.1:2375": {"httpProxy": "http://other.test"}}}
                    """#
                try configuration.write(toFile: daemon.root + "/docker/config.json", atomically: true, encoding: .utf8)
                let plain = try daemon.ok(client, "run", "--rm", "busybox", "env").split(separator: "\n").map(
                    String.init)
                for name in ["HTTP_PROXY", "http_proxy"] { #expect(plain.contains("\(name)=http://proxy.test:3128")) }
                for name in ["NO_PROXY", "no_proxy"] { #expect(plain.contains("\(name)=*.test")) }
                #expect(!plain.contains { $0.hasPrefix("FTP_PROXY") || $0.hasPrefix("HTTPS_PROXY") })
                let given = try daemon.ok(
                    client, "run", "--rm", "-e", "HTTP_PROXY=mine", "-e", "no_proxy", "busybox", "env"
                ).split(separator: "\n").map(String.init)
                #expect(given.contains("HTTP_PROXY=mine") && given.contains("http_proxy=http://proxy.test:3128"))
                #expect(!given.contains { $0.hasPrefix("no_proxy") } && given.contains("NO_PROXY=*.test"))
            }
        }

        @Test("the detach keys of config.json hold where no others are given", arguments: Client.available)
        func detachKeys(_ client: Client) throws {
            try withDaemon { daemon in
                try #"{"detachKeys": "ctrl-x,d"}"#.write(
                    toFile: daemon.root + "/docker/config.json", atomically: true, encoding: .utf8)
                let terminal = try daemon.terminal(client, "run", "-it", "--name", "left", "busybox", "sh")
                terminal.type("echo ready$((40 + 2))\n")
                #expect(terminal.waits(for: "ready42"))
                terminal.type("\u{18}d")
                #expect(try terminal.waitForEnd() == 0)
                let again = try daemon.terminal(client, "attach", "--detach-keys", "ctrl-y", "left")
                again.type("echo back$((40 + 2))\n")
                #expect(again.waits(for: "back42"), "\(again.seen)")
                again.type("\u{19}")
                _ = try again.waitForEnd()
                #expect(try daemon.ok(client, "inspect", "-f", "{{.State.Running}}", "left") == "true")
            }
        }

        @Test("a damaged config.json is a warning, not an obstacle")
        func damagedConfiguration() throws {
            try withDaemon { daemon in
                try "{".write(toFile: daemon.root + "/docker/config.json", atomically: true, encoding: .utf8)
                let result = try daemon.run(.masu, "run", "--rm", "busybox", "echo", "hi")
                #expect(result.code == 0 && result.output == "hi\n", "\(result)")
                #expect(result.errors.contains("WARNING: Error loading config file: \(daemon.root)/docker/config.json"))
            }
        }

        @Test("history is that of the platform asked for", arguments: Client.available)
        func historyOfPlatform(_ client: Client) throws {
            try withDaemon { daemon in
                let own = try daemon.ok(client, "image", "inspect", "-f", "{{.Os}}/{{.Architecture}}", "busybox")
                #expect(try !daemon.ok(client, "history", "-q", "--platform", own, "busybox").isEmpty)
                #expect(try daemon.run(client, "history", "--platform", "linux/s390x", "busybox").code == 1)
            }
        }
    }
}
