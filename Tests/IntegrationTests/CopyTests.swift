import Foundation
import Testing

extension Integration {
    /// Files into containers and out of them.
    @Suite("cp")
    struct Copy {
        /// A tree of this machine to copy from.
        private func source() throws -> TemporaryFolder {
            let folder = try TemporaryFolder()
            let made = try Command(
                "/bin/sh", "-c",
                "cd \(folder.path) && mkdir -p dir/sub && echo one > file && echo two > dir/sub/inner && ln -s file "
                    + "link"
            ).runToEnd()
            try #require(made.code == 0, "\(made)")
            return folder
        }

        /// Runs `body` with a container that runs and with one that does not.
        private func withContainers(_ client: Client, _ body: (TestDaemon, String) throws -> Void) throws {
            try withDaemon { daemon in
                let setup = "mkdir -p /have/sub; echo old > /have/old; ln -s /have /to-have; ln -s /etc/passwd /pw"
                try daemon.ok(
                    client, "run", "-d", "--name", "running", "busybox", "sh", "-c", "\(setup); touch /up; sleep 1000")
                #expect(
                    try eventually {
                        try daemon.run(client, "exec", "running", "test", "-e", "/up").code == 0
                    })
                try daemon.ok(client, "run", "--name", "stopped", "busybox", "sh", "-c", setup)
                for name in ["running", "stopped"] { try body(daemon, name) }
            }
        }

        /// What is at a path in a container, file by file.
        private func list(_ daemon: TestDaemon, _ name: String, _ path: String) throws -> [String] {
            let folder = try TemporaryFolder()
            defer { folder.remove() }
            try daemon.ok(.masu, "cp", "\(name):\(path)", folder.path + "/x")
            return try Command(
                "/bin/sh", "-c", "cd \(folder.path)/x && find . -mindepth 1 | sort"
            ).runToEnd().lines
        }

        @Test("into a container, by Docker's rules for what the destination is", arguments: Client.available)
        func into(_ client: Client) throws {
            let tree = try source()
            defer { tree.remove() }
            let from = tree.path
            try withContainers(client) { daemon, name in
                try daemon.ok(client, "cp", from + "/file", "\(name):/named")
                try daemon.ok(client, "cp", from + "/file", "\(name):/have/")
                try daemon.ok(client, "cp", from + "/dir", "\(name):/made")
                try daemon.ok(client, "cp", from + "/dir", "\(name):/to-have")
                try daemon.ok(client, "cp", from + "/dir/.", "\(name):/have/sub")
                #expect(try list(daemon, name, "/made") == ["./sub", "./sub/inner"])
                #expect(
                    try list(daemon, name, "/have") == [
                        "./dir", "./dir/sub", "./dir/sub/inner", "./file", "./old", "./sub", "./sub/sub",
                        "./sub/sub/inner",
                    ], "a link to a directory is that directory")
                let folder = try TemporaryFolder()
                defer { folder.remove() }
                try daemon.ok(client, "cp", "\(name):/named", folder.path)
                #expect(try String(contentsOfFile: folder.path + "/named", encoding: .utf8) == "one\n")
                if name == "running" { #expect(try daemon.ok(client, "exec", name, "cat", "/made/sub/inner") == "two") }
            }
        }

        @Test("a mount in memory is one place, however it was asked for", arguments: Client.available)
        func memory(_ client: Client) throws {
            let tree = try source()
            defer { tree.remove() }
            try withDaemon { daemon in
                try daemon.ok(
                    client, "run", "-d", "--name", "box", "--read-only", "--tmpfs", "/one", "--tmpfs", "/ro:ro",
                    "--mount", "type=tmpfs,dst=/two", "busybox", "sh", "-c",
                    "echo inside > /one/in; echo inside > /two/in; echo inside > /dev/shm/in; sleep 1000")
                for place in ["/one", "/two", "/dev/shm"] {
                    #expect(
                        try eventually(within: 20) {
                            try daemon.run(client, "exec", "box", "test", "-s", place + "/in").code == 0
                        })
                    try daemon.ok(client, "cp", tree.path + "/file", "box:\(place)/copied")
                    #expect(try daemon.ok(client, "exec", "box", "cat", place + "/copied") == "one", "\(place)")
                    try daemon.ok(client, "cp", "box:\(place)/in", tree.path + "/back")
                    #expect(try String(contentsOfFile: tree.path + "/back", encoding: .utf8) == "inside\n", "\(place)")
                }
                for (place, words) in [("/ro/x", "marked read-only"), ("/bin/x", "rootfs is marked read-only")] {
                    let refused = try daemon.run(client, "cp", tree.path + "/file", "box:\(place)")
                    #expect(refused.code != 0 && refused.errors.contains(words), "\(refused)")
                }
            }
        }

        @Test("an empty archive changes nothing, and is no error")
        func emptyBody() throws {
            try withContainers(.masu) { daemon, name in
                let before = try daemon.run(.masu, "diff", name).lines
                let answer = try daemon.http(
                    "PUT", "/containers/\(name)/archive?path=/have", type: "application/x-tar")
                #expect(answer.status == 200, "\(answer)")
                #expect(try daemon.run(.masu, "diff", name).lines == before)
            }
        }

        @Test("a client that stalls holds up neither the start nor the removal of the container")
        func stalledClients() throws {
            try withDaemon { daemon in
                let fill = "dd if=/dev/urandom of=/big bs=1M count=8 2>/dev/null"
                try daemon.ok(.masu, "run", "--name", "box", "busybox", "sh", "-c", fill + "; sleep 1000 &")
                let folder = try TemporaryFolder()
                defer { folder.remove() }
                // Two that do not read what they asked for, and one that does not send what it has to.
                let curl = try #require(Programs.find("curl"), "curl is not installed")
                var commands: [RunningCommand] = []
                var pipes: [Int32] = []
                defer {
                    for command in commands { command.send(SIGKILL) }
                    for command in commands { _ = try? command.waitForEnd() }
                    for pipe in pipes { close(pipe) }
                }
                for (index, request) in ["export", "archive?path=/big", "archive?path=/"].enumerated() {
                    let fifo = folder.path + "/\(index)"
                    #expect(mkfifo(fifo, 0o600) == 0)
                    // Both ends: nobody sees an end of it.
                    pipes.append(open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC))
                    let direction = index == 2 ? "-T - <\(fifo)" : ">\(fifo)"
                    let script =
                        "exec \(curl) -s -N --unix-socket \(daemon.socket) 'http://x/containers/box/\(request)' "
                        + "\(direction)"
                    commands.append(try Command("/bin/sh", "-c", script).start())
                }
                #expect(write(pipes[2], "x", 1) == 1)
                for pipe in pipes.prefix(2) {
                    var byte: UInt8 = 0
                    #expect(eventually(within: 20) { read(pipe, &byte, 1) == 1 })
                }
                try daemon.ok(.masu, "start", "box", timeout: 30)
                try daemon.ok(.masu, "rm", "-f", "box", timeout: 30)
            }
        }

        @Test("out of a container, by Docker's rules for what the destination is", arguments: Client.available)
        func out(_ client: Client) throws {
            try withContainers(client) { daemon, name in
                let folder = try TemporaryFolder()
                defer { folder.remove() }
                let (files, manager) = (folder.path, FileManager.default)
                try daemon.ok(client, "cp", "\(name):/have", files + "/new")
                try daemon.ok(client, "cp", "\(name):/have", files + "/new")
                #expect(
                    manager.fileExists(atPath: files + "/new/old")
                        && manager.fileExists(atPath: files + "/new/have/old"))
                mkdir(files + "/contents", 0o755)
                try daemon.ok(client, "cp", "\(name):/have/.", files + "/contents")
                #expect(try manager.contentsOfDirectory(atPath: files + "/contents").sorted() == ["old", "sub"])
                try daemon.ok(client, "cp", "\(name):/pw", files + "/link")
                #expect(try manager.destinationOfSymbolicLink(atPath: files + "/link") == "/etc/passwd")
                try daemon.ok(client, "cp", "-L", "\(name):/pw", files + "/followed")
                #expect(try String(contentsOfFile: files + "/followed", encoding: .utf8).hasPrefix("root:"))
                let stream = try daemon.run(client, "cp", "\(name):/have/old", "-")
                #expect(stream.code == 0 && stream.output.contains("old\n"))
            }
        }

        @Test("what cannot be done is told in Docker's words", arguments: Client.available)
        func refusals(_ client: Client) throws {
            let tree = try source()
            defer { tree.remove() }
            let from = tree.path
            try withContainers(client) { daemon, name in
                for (source, target, text) in [
                    ("\(name):/nope", "/tmp", "Could not find the file /nope in container \(name)"),
                    (from + "/file", "\(name):/no/such/file", "Could not find the file /no/such in container \(name)"),
                    (from + "/file", "\(name):/none/", "no such directory"),
                    (from + "/dir", "\(name):/etc/passwd", "cannot copy directory"),
                    (from + "/file", "nope:/x", "No such container: nope"),
                    ("\(name):/a", "\(name):/b", "copying between containers is not supported"),
                    (from, from, "must specify at least one container source"),
                    ("\(name):/have", "/none/such/x", "invalid output path: directory \"/none/such\" does not exist"),
                ] {
                    let result = try daemon.run(client, "cp", source, target)
                    #expect(result.code == 1 && result.errors.contains(text), "\(result)")
                }
                let kinds = try daemon.run(client, "cp", from + "/dir/.", "\(name):/have/sub")
                #expect(kinds.code == 0)
                var archive = TarArchive()
                archive.add("sub", text: "a file")
                var over = daemon.command(client, ["cp", "-", "\(name):/have"])
                over.input = archive.complete
                let refused = try over.runToEnd()
                #expect(
                    refused.code == 1
                        && refused.errors.contains(
                            "cannot overwrite directory \"/have/sub\" with non-directory \"/have\""),
                    "\(refused)")
            }
        }

        @Test("no link and no name in an archive leads out of the container", arguments: Client.available)
        func confinement(_ client: Client) throws {
            try withContainers(client) { daemon, name in
                let outside = try TemporaryFolder()
                defer { outside.remove() }
                try "secret".write(toFile: outside.path + "/secret", atomically: true, encoding: .utf8)
                var links = TarArchive()
                links.add("out", .symbolicLink, link: outside.path)
                links.add("up", .symbolicLink, link: "../../../../../../../..")
                var into = daemon.command(client, ["cp", "-", "\(name):/have"])
                into.input = links.complete
                #expect(try into.runToEnd().code == 0)
                for path in ["/have/out/secret", "/have/up\(outside.path)/secret"] {
                    let read = try daemon.run(client, "cp", "\(name):\(path)", "-")
                    #expect(read.code == 1 && read.errors.contains("Could not find the file"), "\(read)")
                }
                var through = TarArchive()
                through.add("out/planted", text: "x")
                through.add("up/planted", text: "x")
                into.input = through.complete
                _ = try into.runToEnd()
                var escaping = TarArchive()
                escaping.add("../../../../..\(outside.path)/planted", text: "x")
                into.input = escaping.complete
                #expect(try into.runToEnd().code == 1)
                #expect(try FileManager.default.contentsOfDirectory(atPath: outside.path) == ["secret"])
                #expect(!FileManager.default.fileExists(atPath: "/planted"))
            }
        }

        @Test(
            "volumes are there, also of a container that does not run; read-only is read-only",
            arguments: Client.available)
        func volumes(_ client: Client) throws {
            let tree = try source()
            defer { tree.remove() }
            let from = tree.path
            try withDaemon { daemon in
                let folder = try TemporaryFolder()
                defer { folder.remove() }
                try daemon.ok(client, "create", "--name", "rw", "-v", "\(folder.path):/data", "busybox", "true")
                try daemon.ok(client, "create", "--name", "ro", "-v", "\(folder.path):/data:ro", "busybox", "true")
                try daemon.ok(client, "create", "--name", "sealed", "--read-only", "busybox", "true")
                try daemon.ok(client, "cp", from + "/file", "rw:/data")
                #expect(try String(contentsOfFile: folder.path + "/file", encoding: .utf8) == "one\n")
                try daemon.ok(client, "cp", "ro:/data/file", folder.path + "/back")
                let mounted = try daemon.run(client, "cp", from + "/file", "ro:/data/x")
                #expect(mounted.errors.contains("mounted volume is marked read-only"), "\(mounted)")
                let sealed = try daemon.run(client, "cp", from + "/file", "sealed:/x")
                #expect(sealed.errors.contains("container rootfs is marked read-only"), "\(sealed)")
                #expect(try daemon.ok(client, "diff", "sealed") == "")
            }
        }

        @Test(
            "with -a files belong to the container's user, without to whom they belong here",
            arguments: Client.available)
        func owners(_ client: Client) throws {
            let folder = try source()
            defer { folder.remove() }
            chown(folder.path + "/file", 33, 44)
            try withDaemon { daemon in
                try daemon.ok(client, "create", "--name", "box", "--user", "1234:5678", "busybox", "true")
                try daemon.ok(client, "cp", folder.path + "/file", "box:/plain")
                try daemon.ok(client, "cp", "-a", folder.path + "/file", "box:/given")
                let out = try TemporaryFolder()
                defer { out.remove() }
                try daemon.ok(client, "export", "-o", out.path + "/c.tar", "box")
                let list = try Command("/bin/sh", "-c", "tar --numeric-owner -tvf \(out.path)/c.tar plain given")
                    .runToEnd().output
                #expect(list.contains("33/44") && list.contains("1234/5678"), "\(list)")
            }
        }
    }
}
