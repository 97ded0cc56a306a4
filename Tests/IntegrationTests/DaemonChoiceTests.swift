import Foundation
import Testing

extension Integration {
    /// How a command line finds its daemon, and what it hands on to plugins and shells.
    @Suite("choice of a daemon")
    struct DaemonChoiceTests {
        private static let systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

        /// A command of a client that no variable leads to a daemon.
        private func command(_ daemon: TestDaemon, _ client: Client, _ arguments: [String]) -> Command {
            var command = daemon.command(client, arguments)
            command.environment["MASU_HOST"] = nil
            command.environment["DOCKER_HOST"] = nil
            command.environment["PATH"] = daemon.root + "/bin:" + Self.systemPath
            return command
        }

        private func ok(_ daemon: TestDaemon, _ client: Client, _ arguments: String...) throws -> String {
            let result = try command(daemon, client, arguments).runToEnd()
            try #require(result.code == 0, "\(result)")
            return result.line
        }

        private func install(_ daemon: TestDaemon, _ path: String, _ text: String) throws {
            let file = URL(fileURLWithPath: daemon.root + path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try text.write(to: file, atomically: true, encoding: .utf8)
            chmod(file.path, 0o755)
        }

        @Test(
            "masu and docker see each other's contexts, and change, export and import them", arguments: Client.available
        )
        func contexts(_ other: Client) throws {
            try withDaemon { daemon in
                let address = "host=unix://" + daemon.socket
                _ = try ok(daemon, .masu, "context", "create", "ours", "--description", "one", "--docker", address)
                _ = try ok(daemon, other, "context", "create", "theirs", "--docker", address)
                for client in [Client.masu, other] {
                    #expect(try ok(daemon, client, "context", "ls", "-q") == "default\nours\ntheirs")
                    #expect(try ok(daemon, client, "--context", "theirs", "images", "-q").isEmpty == false)
                }
                let (one, two) = (
                    try ok(daemon, .masu, "context", "inspect", "ours"),
                    try ok(daemon, other, "context", "inspect", "ours")
                )
                #expect(one == two)
                _ = try ok(daemon, other, "context", "use", "ours")
                #expect(try ok(daemon, .masu, "context", "show") == "ours")
                #expect(try ok(daemon, .masu, "images", "-q").isEmpty == false)
                let archive = daemon.root + "/archive"
                _ = try ok(daemon, .masu, "context", "export", "ours", archive)
                _ = try ok(daemon, other, "context", "import", "again", archive)
                #expect(
                    try ok(daemon, .masu, "context", "inspect", "-f", "{{.Metadata.Description}}", "again") == "one")
                let refused = try command(daemon, .masu, ["context", "rm", "ours"]).runToEnd()
                #expect(refused.code == 1 && refused.errors.contains("is in use, set -f flag"), "\(refused)")
                _ = try ok(daemon, .masu, "context", "rm", "-f", "ours", "theirs", "again")
                #expect(try ok(daemon, other, "context", "ls", "-q") == "default")
                #expect(try ok(daemon, other, "context", "show") == "default")
            }
        }

        // MARK: ssh

        /// A program `ssh` that runs the command on this machine, for the path on both sides of a real one.
        private static let standIn =
            "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\nshift 2\nexec sh -c \"$*\"\n"

        @Test("a daemon is reached through ssh, with streams in both directions", arguments: Client.available)
        func ssh(_ client: Client) throws {
            try withDaemon { daemon in
                try install(daemon, "/bin/ssh", Self.standIn)
                // The other machine's command line is this one.
                symlink(Programs.masu, daemon.root + "/bin/docker")
                symlink(Programs.masu, daemon.root + "/bin/masu")
                let address = "ssh://me@box" + daemon.socket
                _ = try ok(daemon, client, "context", "create", "far", "--docker", "host=" + address)
                var run = command(
                    daemon, client, ["-c", "far", "run", "-i", "--rm", "busybox", "sh", "-c", "cat; exit 4"])
                run.input = [UInt8](repeating: 65, count: 1 << 20)
                let result = try run.runToEnd()
                #expect(result.code == 4 && result.output.utf8.count == 1 << 20, "\(result.errors)")
            }
        }

        @Test("what ssh says is told when it cannot connect")
        func sshFailure() throws {
            try withDaemon { daemon in
                try install(daemon, "/bin/ssh", "#!/bin/sh\necho 'no route to box' >&2\nexit 255\n")
                let result = try command(daemon, .masu, ["-H", "ssh://box", "ps"]).runToEnd()
                #expect(result.code == 1, "\(result)")
                #expect(result.errors.contains("error during connect: command [ssh -o ConnectTimeout=30 -T -- box "))
                #expect(result.errors.contains("has exited with exit status 255"))
                #expect(result.errors.contains("stderr=no route to box"))
            }
        }

        @Test(
            "a daemon is reached through a real sshd, with docker's contexts as well",
            .enabled(if: Programs.find("sshd") != nil && Programs.find("ssh") != nil, "needs openssh-server"),
            arguments: Client.available)
        func realSSH(_ client: Client) throws {
            try withDaemon { daemon in
                let home = daemon.root + "/.ssh"
                let setup = """
                    set -e
                    mkdir -p "$1" "$2/bin" /run/sshd
                    chmod 700 "$1"
                    ssh-keygen -q -t ed25519 -N '' -f "$1/id"
                    ssh-keygen -q -t ed25519 -N '' -f "$1/host"
                    cp "$1/id.pub" "$1/authorized"
                    printf '#!/bin/sh\\nexec /usr/bin/ssh -i %s/id -F none -o StrictHostKeyChecking=no \
                    -o UserKnownHostsFile=%s/known "$@"\\n' "$1" "$1" >"$2/bin/ssh"
                    chmod 755 "$2/bin/ssh"
                    """
                let made = try Command("/bin/sh", "-c", setup, "sh", home, daemon.root).runToEnd()
                try #require(made.code == 0, "\(made)")
                symlink(Programs.masu, daemon.root + "/bin/docker")
                let sshd = try Command(
                    Programs.find("sshd") ?? "", "-D", "-e", "-f", "/dev/null", "-h", home + "/host", "-p", "2222",
                    "-o", "ListenAddress=127.0.0.1", "-o", "AuthorizedKeysFile=" + home + "/authorized",
                    "-o", "StrictModes=no", "-o", "PidFile=none", "-o", "PermitRootLogin=yes",
                    "-o", "SetEnv=PATH=\(daemon.root)/bin:\(Self.systemPath)"
                ).start()
                defer { sshd.send(SIGKILL) }
                let address = "host=ssh://root@127.0.0.1:2222" + daemon.socket
                _ = try ok(daemon, client, "context", "create", "far", "--docker", address)
                let answers = try eventually {
                    try command(daemon, client, ["-c", "far", "version"]).runToEnd().code == 0
                }
                #expect(answers)
                #expect(try ok(daemon, client, "-c", "far", "run", "--rm", "busybox", "echo", "hello") == "hello")
            }
        }

        // MARK: Plugins

        private static let plugin = """
            #!/bin/sh
            if [ "$1" = docker-cli-plugin-metadata ]; then
                echo '{"SchemaVersion":"0.1.0","Vendor":"Tests","Version":"1.2","ShortDescription":"Says hello"}'
                exit
            fi
            echo "$* at $DOCKER_HOST by $DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND ${DOCKER_CLI_PLUGIN_SOCKET%%_*}"
            exit 7
            """

        @Test("a plugin gets the command line, the daemon and the way back, and its status is the program's")
        func plugin() throws {
            try withDaemon(image: false) { daemon in
                try install(daemon, "/docker/cli-plugins/docker-hello", Self.plugin)
                try install(daemon, "/docker/cli-plugins/docker-broken", "#!/bin/sh\nexit 3\n")
                let result = try daemon.run(.masu, "-D", "hello", "world", "--flag")
                #expect(result.code == 7, "\(result)")
                #expect(result.line == "-D hello world --flag at unix://\(daemon.socket) by \(Programs.masu) @docker")
                let broken = try daemon.run(.masu, "broken")
                #expect(broken.code == 1 && broken.errors.contains("unknown command: masu broken"), "\(broken)")
                let help = try daemon.ok(.masu, "--help")
                #expect(help.contains("  hello*") && help.contains("failed to fetch metadata: exit status 3"))
                #expect(try daemon.ok(.masu, "info").contains("  hello: Says hello (Tests)\n    Version:  1.2"))
                let build = try daemon.run(.masu, "build", ".")
                #expect(build.code == 1 && build.errors.contains("needs the plugin buildx"), "\(build)")
            }
        }

        @Test("build, image build, builder and bake go to buildx, for the images of the daemon in use")
        func buildx() throws {
            try withDaemon(image: false) { daemon in
                let text = Self.plugin.replacingOccurrences(of: "$* at", with: "$* for $BUILDX_BUILDER at")
                try install(daemon, "/docker/cli-plugins/docker-buildx", text)
                for (line, start) in [
                    ("build -t x .", "buildx build -t x . for default"), ("bake web", "buildx bake web for default"),
                    ("image build .", "buildx build . for default"), ("builder ls", "buildx ls for default"),
                    ("-D build .", "-D buildx build . for default"), ("buildx ls", "buildx ls for "),
                    ("build --builder mine .", "buildx build --builder mine . for "),
                ] {
                    let words = line.split(separator: " ").map(String.init)
                    let result = try daemon.command(.masu, words).runToEnd()
                    #expect(result.code == 7 && result.output.hasPrefix(start + " at"), "\(result)")
                }
            }
        }

        // MARK: Completion

        @Test("bash completes commands, flags and the daemon's objects", .enabled(if: Programs.find("bash") != nil))
        func completion() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "create", "--name", "stopped-one", "busybox", "true")
                symlink(Programs.directory, daemon.root + "/bin")
                let script = """
                    source <(masu completion bash)
                    for COMP_LINE in 'masu conta' 'masu run --hostn' 'masu rm sto' 'masu stop ' 'masu run --network=ho' \
                        'masu rmi busybox:la'; do
                        COMP_POINT=${#COMP_LINE}
                        _masu_complete
                        echo "$COMP_LINE: ${COMPREPLY[*]}"
                    done
                    """
                var shell = daemon.command(.masu, [])
                shell.path = "/bin/bash"
                shell.arguments = ["--norc", "-c", script]
                shell.environment["PATH"] = daemon.root + "/bin:" + Self.systemPath
                let result = try shell.runToEnd()
                #expect(
                    result.lines == [
                        "masu conta: container", "masu run --hostn: --hostname", "masu rm sto: stopped-one",
                        "masu stop : ", "masu run --network=ho: host", "masu rmi busybox:la: latest",
                    ], "\(result)")
            }
        }

        // MARK: Refusals

        @Test("commands about swarms end with the daemon's refusal", arguments: Client.available)
        func swarm(_ client: Client) throws {
            try withDaemon(image: false) { daemon in
                for line in ["service ls", "node ls", "secret ls", "config ls", "stack ls", "service rm x"] {
                    let words = line.split(separator: " ").map(String.init)
                    let result = try daemon.command(client, words).runToEnd()
                    #expect(result.code == 1, "\(result)")
                    #expect(result.errors.contains("This node is not a swarm manager."), "\(result)")
                }
            }
        }

        @Test("formats of config.json are those of lists without one of their own", arguments: Client.available)
        func formats(_ client: Client) throws {
            try withDaemon(image: false) { daemon in
                let settings =
                    #"{"networksFormat": "net {{.Name}}", "volumesFormat": "volume {{.Name}}", "other": {"x": [1]}}"#
                try settings.write(
                    toFile: daemon.root + "/docker/config.json", atomically: true, encoding: .utf8)
                #expect(try daemon.ok(client, "network", "ls").contains("net host"))
                try daemon.ok(client, "volume", "create", "data")
                #expect(try daemon.ok(client, "volume", "ls") == "volume data")
                #expect(try daemon.ok(client, "volume", "ls", "-q") == "data")
                try daemon.ok(client, "volume", "rm", "data")
                #expect(try !daemon.ok(client, "network", "ls", "-q").contains("net"))
                #expect(try !daemon.ok(client, "network", "ls", "--format", "{{.Name}}").contains("net host"))
                let missing = try daemon.run(client, "info", "-f", "{{.Runtimes.nvidia}}")
                #expect(missing.code == 0 && missing.line == "<no value>", "\(missing)")
            }
        }
    }
}
