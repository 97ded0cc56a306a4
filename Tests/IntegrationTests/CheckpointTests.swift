import Foundation
import Testing

extension Integration {
    /// Containers that are saved to files and go on from there.
    ///
    /// Debian's CRIU and its kernel get on together, so the tests that need both run in the virtual machine of
    /// `scripts/vm`. What is Masu's own part is tested everywhere, with a stand-in for CRIU.
    @Suite("checkpoints")
    struct Checkpoints {
        /// Why there is no saving of anything here; `nil` if there is.
        private static let obstacle: String? = {
            guard let criu = Programs.find("criu") else { return "criu is not installed" }
            guard let check = try? Command(criu, "check").runToEnd(), check.code == 0 else {
                return "criu does not work with this kernel"
            }
            return nil
        }()

        private static let works = ConditionTrait.enabled(
            if: obstacle == nil, Comment(rawValue: obstacle ?? "criu works"))
        private static let hasPython = ConditionTrait.enabled(
            if: access("/usr/bin/python3", X_OK) == 0, "python3 is not installed")

        private static let counter = "i=0; while true; do i=$((i+1)); echo count $i; sleep 0.1; done"

        /// The last number that a container has counted to.
        private static func count(_ daemon: TestDaemon, _ name: String) throws -> Int {
            let last = try daemon.run(.masu, "logs", "--tail", "1", name).line
            return last.split(separator: " ").last.flatMap { Int($0) } ?? 0
        }

        // MARK: With CRIU

        @Test(
            "a container ends with its checkpoint and goes on from there, with its streams, names and limits", works,
            arguments: Client.available)
        func roundTrip(_ client: Client) throws {
            try withDaemon(options: ["--experimental"]) { daemon in
                try daemon.ok(
                    client, "run", "-d", "--name", "counter", "-m", "64m", "--restart", "always", "busybox", "sh", "-c",
                    Self.counter)
                #expect(try eventually { try Self.count(daemon, "counter") > 3 })
                #expect(try daemon.ok(client, "checkpoint", "create", "counter", "first") == "first")
                #expect(
                    try daemon.ok(client, "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "counter")
                        == "exited 137")
                #expect(try daemon.run(client, "checkpoint", "ls", "counter").lines == ["CHECKPOINT NAME", "first"])
                let before = try Self.count(daemon, "counter")
                try daemon.ok(client, "start", "--checkpoint", "first", "counter")
                #expect(try eventually { try Self.count(daemon, "counter") > before + 3 })
                let numbers = try daemon.run(.masu, "logs", "counter").lines
                #expect(numbers == (1...numbers.count).map { "count \($0)" }, "it counts on where it stopped")
                #expect(try daemon.ok(client, "exec", "counter", "cat", "/proc/1/comm") == "sh")
                try daemon.ok(client, "pause", "counter")
                try daemon.ok(client, "unpause", "counter")
                try daemon.crash()
                try daemon.start()
                let after = try Self.count(daemon, "counter")
                #expect(try eventually { try Self.count(daemon, "counter") > after })
                try daemon.ok(client, "stop", "-t", "1", "counter")
                try daemon.ok(client, "checkpoint", "rm", "counter", "first")
                #expect(try daemon.run(client, "checkpoint", "ls", "counter").lines == ["CHECKPOINT NAME"])
            }
        }

        @Test("a container that is left running runs on, and its checkpoint lies where it was asked for", works)
        func leaveRunning() throws {
            try withDaemon(options: ["--experimental"]) { daemon in
                let directory = daemon.root + "/elsewhere"
                try daemon.ok(.masu, "run", "-d", "--name", "counter", "busybox", "sh", "-c", Self.counter)
                try daemon.ok(
                    .masu, "checkpoint", "create", "--leave-running", "--checkpoint-dir", directory, "counter", "here")
                #expect(FileManager.default.fileExists(atPath: directory + "/here/inventory.img"))
                let before = try Self.count(daemon, "counter")
                #expect(try eventually { try Self.count(daemon, "counter") > before })
                try daemon.ok(.masu, "stop", "-t", "1", "counter")
                try daemon.ok(.masu, "start", "--checkpoint", "here", "--checkpoint-dir", directory, "counter")
                let restored = try Self.count(daemon, "counter")
                #expect(try eventually { try Self.count(daemon, "counter") > restored })
                try daemon.ok(.masu, "rm", "-f", "counter")
            }
        }

        @Test("images that are damaged are refused with what CRIU says, and nothing of the attempt is left", works)
        func damaged() throws {
            try withDaemon(options: ["--experimental"]) { daemon in
                try daemon.ok(.masu, "run", "-d", "--name", "counter", "busybox", "sh", "-c", Self.counter)
                let id = try daemon.ok(.masu, "inspect", "-f", "{{.Id}}", "counter")
                try daemon.ok(.masu, "checkpoint", "create", "counter", "broken")
                let images = daemon.dataRoot + "/containers/\(id)/checkpoints/broken"
                try "x".write(toFile: images + "/pstree.img", atomically: true, encoding: .utf8)
                let result = try daemon.run(.masu, "start", "--checkpoint", "broken", "counter")
                #expect(result.code == 1 && result.errors.contains("criu failed"), "\(result)")
                #expect(try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}}", "counter") == "exited")
                try daemon.ok(.masu, "start", "counter")
                try daemon.ok(.masu, "rm", "-f", "counter")
            }
        }

        // MARK: Without it

        @Test("a daemon that is not experimental has none, as it says itself")
        func notExperimental() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "-d", "--name", "web", "busybox", "sleep", "1000")
                for (method, path) in [
                    ("GET", "/containers/web/checkpoints"), ("POST", "/containers/web/checkpoints"),
                    ("DELETE", "/containers/web/checkpoints/one"),
                ] {
                    let answer = try daemon.http(method, path, body: #"{"CheckpointID":"one"}"#)
                    #expect(answer.status == 501, "\(method): \(answer)")
                    #expect(answer.body.contains("This experimental feature is disabled by default"), "\(answer)")
                }
                let start = try daemon.http("POST", "/containers/web/start?checkpoint=one")
                #expect(start.status == 400, "\(start)")
                #expect(start.body.contains("checkpoint is only supported in experimental mode"), "\(start)")
                #expect(try daemon.ok(.masu, "version", "-f", "{{.Server.Experimental}}") == "false")
                #expect(try daemon.ok(.masu, "info", "-f", "{{.ExperimentalBuild}}") == "false")
            }
        }

        @Test("wrong names, places and states are refused in Docker's words, and change nothing")
        func refusals() throws {
            try withDaemon(options: ["--experimental"]) { daemon in
                #expect(try daemon.ok(.masu, "version", "-f", "{{.Server.Experimental}}") == "true")
                try daemon.ok(.masu, "run", "-d", "--name", "web", "busybox", "sleep", "1000")
                try daemon.ok(.masu, "create", "--name", "idle", "busybox", "true")
                try "file".write(toFile: daemon.root + "/file", atomically: true, encoding: .utf8)
                try FileManager.default.createDirectory(
                    atPath: daemon.root + "/taken/one", withIntermediateDirectories: true)
                func make(_ name: String, in directory: String = "") -> String {
                    #"{"CheckpointID":"\#(name)","CheckpointDir":"\#(directory)","Exit":true}"#
                }
                let table: [(String, String, String, Int, String)] = [
                    ("POST", "web/checkpoints", make("../one"), 400, #"invalid checkpoint ID \"../one\", only"#),
                    ("POST", "web/checkpoints", make("one."), 400, #"invalid checkpoint ID \"one.\""#),
                    ("POST", "web/checkpoints", make("one", in: "here"), 400, "must be an absolute path: here"),
                    ("POST", "none/checkpoints", make("one"), 404, "No such container: none"),
                    ("POST", "idle/checkpoints", make("one"), 409, "is not running"),
                    (
                        "POST", "web/checkpoints", make("one", in: daemon.root + "/taken"), 500,
                        "cannot checkpoint container web: checkpoint with name one already exists for container web"
                    ),
                    (
                        "POST", "web/checkpoints", make("file", in: daemon.root), 500,
                        "\(daemon.root)/file exists and is not a directory"
                    ),
                    ("GET", "web/checkpoints", "", 200, "[]"),
                    ("GET", "web/checkpoints?dir=\(daemon.root)/taken", "", 200, #"[{"Name":"one"}]"#),
                    (
                        "GET", "web/checkpoints?dir=\(daemon.root)/nowhere", "", 404,
                        #"checkpoint directory \"\#(daemon.root)/nowhere\" does not exist for container web"#
                    ),
                    ("GET", "web/checkpoints?dir=\(daemon.root)/file", "", 400, "exists but is not a directory"),
                    ("DELETE", "web/checkpoints/none", "", 500, "checkpoint none does not exist for container web"),
                    ("DELETE", "web/checkpoints/one.", "", 400, "invalid checkpoint ID"),
                    (
                        "POST", "idle/start?checkpoint=none", "", 500,
                        "checkpoint none does not exist for container /idle"
                    ),
                    ("POST", "idle/start?checkpoint-dir=/tmp", "", 400, "checkpoint-dir is of no use without"),
                    ("DELETE", "web/checkpoints/one?dir=\(daemon.root)/taken", "", 204, ""),
                    ("GET", "web/checkpoints?dir=\(daemon.root)/taken", "", 200, "[]"),
                ]
                for (method, path, body, status, words) in table {
                    var command = Command(
                        try #require(Programs.find("curl")), "-s", "--unix-socket", daemon.socket, "-X",
                        method, "-H", "Content-Type: application/json", "-w", "\n%{http_code}",
                        "http://masu/containers/\(path)")
                    if !body.isEmpty { command.arguments += ["--data-binary", body] }
                    let result = try command.runToEnd()
                    #expect(result.lines.last == "\(status)", "\(method) \(path): \(result.output)")
                    #expect(words.isEmpty || result.output.contains(words), "\(method) \(path): \(result.output)")
                }
                #expect(
                    try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}} {{.State.Error}}", "idle") == "created ")
                #expect(try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}}", "web") == "running")
            }
        }

        @Test(
            "without CRIU the error says what to install, the container goes on, and no checkpoint is left",
            .enabled(if: Programs.find("criu") == nil, "criu is installed"))
        func withoutCRIU() throws {
            try withDaemon(options: ["--experimental"]) { daemon in
                try daemon.ok(.masu, "run", "-d", "--name", "web", "busybox", "sleep", "1000")
                let result = try daemon.run(.masu, "checkpoint", "create", "web", "one")
                #expect(result.code == 1, "\(result)")
                #expect(
                    result.errors.contains("Cannot checkpoint container web: CRIU version check failed")
                        && result.errors.contains("install CRIU"), "\(result)")
                #expect(try daemon.run(.masu, "checkpoint", "ls", "web").lines == ["CHECKPOINT NAME"])
                #expect(try daemon.ok(.masu, "exec", "web", "echo", "alive") == "alive")
            }
        }

        @Test(
            "the shim is the parent of what was restored: its output, its end and its limits are the container's",
            hasPython)
        func standIn() throws {
            try PrivateNetwork().enter {
                let program = try TemporaryFile(containing: Array(Self.fakeCRIU.utf8))
                try withDaemonHere(options: ["--experimental"], prefix: Self.prefix(installing: program)) { daemon in
                    try daemon.ok(
                        .masu, "run", "-d", "--name", "web", "--restart", "unless-stopped", "busybox", "sleep",
                        "1000")
                    let listener = try daemon.begin(
                        .masu, "events", "--filter", "container=web", "--format", "{{.Action}}")
                    #expect(try eventually { try daemon.http("GET", "/info").body.contains(#""NEventsListener":1"#) })
                    #expect(try daemon.ok(.masu, "checkpoint", "create", "--leave-running", "web", "early") == "early")
                    #expect(try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}}", "web") == "running")
                    #expect(try daemon.ok(.masu, "checkpoint", "create", "web", "late") == "late")
                    #expect(
                        try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "web")
                            == "exited 137")
                    #expect(eventually { listener.output.text.contains("die") })
                    #expect(
                        listener.output.text.split(separator: "\n").prefix(3) == ["checkpoint", "checkpoint", "die"])
                    #expect(
                        try daemon.run(.masu, "checkpoint", "ls", "web").lines == ["CHECKPOINT NAME", "early", "late"])

                    let id = try daemon.ok(.masu, "inspect", "-f", "{{.Id}}", "web")
                    let attached = try daemon.begin(.masu, "start", "-a", "--checkpoint", "late", "web")
                    #expect(
                        try eventually {
                            try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}}", "web") == "running"
                        })
                    #expect(try daemon.ok(.masu, "top", "web", "-eo", "pid,comm").contains("sh"))
                    try "".write(
                        toFile: daemon.dataRoot + "/containers/\(id)/checkpoints/late/go", atomically: true,
                        encoding: .utf8)
                    let end = try attached.waitForEnd()
                    #expect(end.code == 7 && end.output == "restored\n", "\(end)")
                    #expect(try daemon.run(.masu, "logs", "web").output == "restored\n")
                    try daemon.ok(.masu, "rm", "-f", "web")
                }
            }
        }

        @Test("a container that is stopped while its checkpoint fails stays stopped", hasPython)
        func stoppedMeanwhile() throws {
            try PrivateNetwork().enter {
                let program = try TemporaryFile(containing: Array(Self.fakeCRIU.utf8))
                try withDaemonHere(options: ["--experimental"], prefix: Self.prefix(installing: program)) { daemon in
                    try daemon.ok(
                        .masu, "run", "-d", "--name", "web", "--restart", "always", "busybox", "sleep", "1000")
                    let id = try daemon.ok(.masu, "inspect", "-f", "{{.Id}}", "web")
                    let checkpoint = try daemon.begin(.masu, "checkpoint", "create", "web", "doomed")
                    let image = daemon.dataRoot + "/containers/\(id)/checkpoints/doomed/inventory.img"
                    #expect(eventually { FileManager.default.fileExists(atPath: image) })
                    try daemon.ok(.masu, "stop", "-t", "0", "web")
                    #expect(try checkpoint.waitForEnd().code == 1)
                    #expect(
                        try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}} {{.RestartCount}}", "web")
                            == "exited 0")
                    #expect(try daemon.run(.masu, "checkpoint", "ls", "web").lines == ["CHECKPOINT NAME"])
                    try daemon.ok(.masu, "rm", "-f", "web")
                }
            }
        }

        /// What starts a daemon for which `program` is CRIU.
        private static func prefix(installing program: TemporaryFile) -> [String] {
            [
                "unshare", "-m", "sh", "-c",
                "mount -t tmpfs none /usr/local/sbin && install -m 755 \"$0\" /usr/local/sbin/criu && exec \"$@\"",
                program.path,
            ]
        }

        /// Speaks CRIU's protocol and saves nothing: a dump kills the process or leaves it, and a restore makes a
        /// process that is a child of the requester, says something when a file is there, and ends with the code 7. A
        /// dump with the name `doomed` waits for the end of the process, and fails.
        private static let fakeCRIU = #"""
            #!/usr/bin/python3
            import ctypes, os, signal, socket, struct, sys, time

            def fields(data):
                found, at = {}, 0
                def number():
                    nonlocal at
                    value = shift = 0
                    while True:
                        byte = data[at]; at += 1
                        value |= (byte & 127) << shift; shift += 7
                        if byte < 128: return value
                while at < len(data):
                    key = number()
                    if key & 7 == 2:
                        length = number(); found[key >> 3] = data[at:at + length]; at += length
                    else:
                        found[key >> 3] = number()
                return found

            def varint(value):
                out = b""
                while value > 127:
                    out += bytes([value & 127 | 128]); value >>= 7
                return out + bytes([value])

            def numbers(*pairs): return b"".join(varint(n << 3) + varint(v) for n, v in pairs)
            def message(n, body): return varint(n << 3 | 2) + varint(len(body)) + body

            requester = socket.socket(fileno=int(sys.argv[2]))
            peer = struct.unpack("iII", requester.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]

            def notify(script, pid):
                body = message(1, script.encode()) + numbers((2, pid))
                requester.send(numbers((1, 6), (2, 1)) + message(5, body))
                requester.recv(65536)

            def lives(pid):
                try:
                    with open(f"/proc/{pid}/stat") as file: return file.read().split(") ")[-1][0] not in "ZX"
                except OSError: return False

            request = fields(requester.recv(65536))
            options = fields(request.get(2, b""))
            if request[1] == 10:
                version = numbers((1, 3), (2, 17), (4, 1))
                requester.send(numbers((1, 10), (2, 1)) + message(10, version))
            elif request[1] == 1:
                with open(f"/proc/{peer}/fd/{options[1]}/inventory.img", "w") as file: file.write("saved")
                if os.readlink(f"/proc/{peer}/fd/{options[1]}").endswith("/doomed"):
                    while lives(options[2]): time.sleep(0.05)
                    requester.send(numbers((1, 1), (2, 0)))
                    sys.exit(0)
                if not options.get(3): os.kill(options[2], signal.SIGKILL)
                requester.send(numbers((1, 1), (2, 1)))
            elif request[1] == 2:
                if not os.path.isfile(f"/proc/self/fd/{options[1]}/inventory.img"): sys.exit(1)
                images = os.readlink(f"/proc/self/fd/{options[1]}")
                # clone(CLONE_PARENT | SIGCHLD)
                pid = ctypes.CDLL(None).syscall(56, 0x8000 | 17, 0, 0, 0, 0)
                if pid == 0:
                    script = f"until [ -e {images}/go ]; do sleep 0.1; done; echo restored; exit 7"
                    os.execv("/bin/sh", ["sh", "-c", script])
                notify("post-restore", pid)
                requester.send(numbers((1, 2), (2, 1)) + message(4, numbers((1, pid))))
            """#
    }
}
