import Foundation
import Testing

extension Integration {
    /// Volumes and images in containers, from their creation to their end.
    @Suite("mounts of volumes and images")
    struct VolumeMounts {
        /// What runs containers, and who drives it.
        struct Case: CustomTestStringConvertible {
            let client: Client
            /// nil: our own runtime.
            let runtime: String?

            var testDescription: String { "\(runtime ?? "own") by \(client)" }
            var options: [String] { runtime.map { ["--runtime", $0] } ?? [] }

            static let all = Client.available.flatMap { client in
                [Case(client: client, runtime: nil)]
                    + (Programs.find("crun") == nil ? [] : [Case(client: client, runtime: "crun")])
            }
        }

        /// Makes the image `filled` with a volume at `/data`, in which are files.
        private func makeImage(_ daemon: TestDaemon) throws {
            let commands = """
                mkdir -p /data/sub; echo image > /data/file; ln -s file /data/link; chown 12:34 /data /data/file;
                chmod 2770 /data; chmod 4711 /data/file; echo deep > /data/sub/deep
                """
            try daemon.ok(.masu, "run", "--name", "seed", "busybox", "sh", "-c", commands)
            try daemon.ok(.masu, "commit", "--change", "VOLUME /data", "seed", "filled")
            try daemon.ok(.masu, "rm", "seed")
        }

        private func run(_ daemon: TestDaemon, _ test: Case, _ arguments: [String]) throws -> Command.Result {
            try daemon.command(test.client, ["run"] + test.options + arguments).runToEnd(timeout: 180)
        }

        private func output(_ daemon: TestDaemon, _ test: Case, _ arguments: [String]) throws -> String {
            let result = try run(daemon, test, arguments)
            try #require(result.code == 0, "\(result)")
            return result.line
        }

        private func volumes(_ daemon: TestDaemon) throws -> [String] {
            try daemon.run(.masu, "volume", "ls", "-q").lines
        }

        @Test("an image's volume is filled with what the image has there, and goes with rm -v", arguments: Case.all)
        func anonymous(_ test: Case) throws {
            try withDaemon { daemon in
                try makeImage(daemon)
                let look =
                    "stat -c '%u:%g %a' /data /data/file; readlink /data/link; cat /data/sub/deep; touch /data/new"
                let shown = try output(daemon, test, ["--name", "one", "filled", "sh", "-c", look])
                #expect(shown == "12:34 2770\n12:34 4711\nfile\ndeep")
                let mount = try daemon.ok(
                    test.client, "inspect", "-f",
                    "{{range .Mounts}}{{.Type}} {{.Driver}} {{.Destination}} {{.RW}} [{{.Mode}}][{{.Propagation}}]{{end}}",
                    "one")
                #expect(mount == "volume local /data true [][]")
                let name = try daemon.ok(test.client, "inspect", "-f", "{{range .Mounts}}{{.Name}}{{end}}", "one")
                #expect(try volumes(daemon) == [name])
                // It is not part of the container's own layer, and is kept over starts.
                #expect(try !daemon.ok(test.client, "diff", "one").contains("/data/new"))
                try daemon.ok(test.client, "start", "-a", "one")
                try daemon.ok(test.client, "rm", "-v", "one")
                #expect(try volumes(daemon).isEmpty)
                // The same without -v: the volume stays.
                try daemon.ok(test.client, "create", "--name", "two", "filled", "true")
                try daemon.ok(test.client, "rm", "two")
                #expect(try volumes(daemon).count == 1)
            }
        }

        @Test("--rm takes anonymous volumes with it, named ones stay", arguments: Case.all)
        func removal(_ test: Case) throws {
            try withDaemon { daemon in
                try makeImage(daemon)
                _ = try output(
                    daemon, test, ["--rm", "-v", "/extra", "-v", "keep:/keep", "filled", "touch", "/extra/x"])
                #expect(try volumes(daemon) == ["keep"])
                try daemon.ok(test.client, "create", "--name", "box", "-v", "keep:/data", "-v", "/y", "filled")
                try daemon.ok(test.client, "rm", "-fv", "box")
                #expect(try volumes(daemon) == ["keep"])
            }
        }

        @Test(
            "a named volume is shared, shown and kept from removal as long as a container has it", arguments: Case.all)
        func named(_ test: Case) throws {
            try withDaemon { daemon in
                try makeImage(daemon)
                #expect(
                    try output(
                        daemon, test,
                        ["--name", "writer", "-v", "vol:/data", "filled", "sh", "-c", "echo more > /data/m; ls /data"])
                        == "file\nlink\nm\nsub")
                #expect(
                    try output(daemon, test, ["--rm", "-v", "vol:/x:ro", "busybox", "cat", "/x/file", "/x/m"])
                        == "image\nmore")
                let refused = try run(daemon, test, ["--rm", "-v", "vol:/x:ro", "busybox", "touch", "/x/y"])
                #expect(refused.code == 1 && refused.errors.contains("Read-only file system"), "\(refused)")
                #expect(
                    try output(
                        daemon, test,
                        ["--rm", "--mount", "source=empty,target=/data,volume-nocopy", "filled", "ls", "/data"]) == "")
                let shown = "{{range .Mounts}}{{.Name}} {{.Mode}} {{.RW}} {{.Source}}{{end}}"
                #expect(
                    try daemon.ok(test.client, "inspect", "-f", shown, "writer")
                        == "vol z true \(daemon.dataRoot)/volumes/vol/_data")
                #expect(try daemon.ok(test.client, "ps", "-aq", "--filter", "volume=vol").count == 12)
                #expect(try daemon.ok(test.client, "ps", "-aq", "--filter", "volume=/data").count == 12)
                #expect(try daemon.ok(test.client, "ps", "-aq", "--filter", "volume=nope") == "")
                #expect(try daemon.ok(test.client, "ps", "-a", "--format", "{{.Mounts}} {{.LocalVolumes}}") == "vol 1")
                let inUse = try daemon.run(test.client, "volume", "rm", "vol")
                #expect(inUse.code == 1 && inUse.errors.contains("volume is in use"), "\(inUse)")
                try daemon.ok(test.client, "rm", "writer")
                try daemon.ok(test.client, "volume", "rm", "vol", "empty")
                #expect(try volumes(daemon).isEmpty)
            }
        }

        @Test(
            "--volumes-from gives the mounts of another container, and keeps its anonymous volumes", arguments: Case.all
        )
        func volumesFrom(_ test: Case) throws {
            try withDaemon { daemon in
                try makeImage(daemon)
                let folder = try TemporaryFolder()
                defer { folder.remove() }
                _ = try output(
                    daemon, test,
                    [
                        "--name", "first", "-v", "\(folder.path):/host", "-v", "vol:/named", "filled", "touch",
                        "/data/mine", "/host/h",
                    ])
                try daemon.ok(
                    test.client, "create", "--name", "second", "--volumes-from", "first", "busybox", "ls", "/data",
                    "/host", "/named")
                try daemon.ok(test.client, "rm", "-v", "first")
                let shown = try daemon.ok(test.client, "start", "-a", "second")
                #expect(shown.contains("mine") && shown.contains("/host:\nh"), "\(shown)")
                let read = try run(
                    daemon, test, ["--rm", "--volumes-from", "second:ro", "busybox", "touch", "/data/x"])
                #expect(read.code == 1 && read.errors.contains("Read-only file system"), "\(read)")
                // It was not this container's to take away.
                #expect(try volumes(daemon).count == 2)
                try daemon.ok(test.client, "rm", "-v", "second")
                #expect(try volumes(daemon) == ["vol"])
            }
        }

        @Test("a part of a volume is mounted, a directory or a file; what leads out is refused", arguments: Case.all)
        func subpath(_ test: Case) throws {
            try withDaemon { daemon in
                let fill = "mkdir -p /v/a/b; echo x > /v/a/b/f; ln -s a/b /v/in; ln -s / /v/out"
                _ = try output(daemon, test, ["--rm", "-v", "vol:/v", "busybox", "sh", "-c", fill])
                func mount(_ part: String) -> [String] { ["--mount", "src=vol,dst=/m,volume-subpath=\(part)"] }
                #expect(try output(daemon, test, ["--rm"] + mount("a/b") + ["busybox", "ls", "/m"]) == "f")
                #expect(try output(daemon, test, ["--rm"] + mount("a/b/f") + ["busybox", "cat", "/m"]) == "x")
                #expect(try output(daemon, test, ["--rm"] + mount("in") + ["busybox", "ls", "/m"]) == "f")
                let data = daemon.dataRoot + "/volumes/vol/_data"
                let missing = try run(daemon, test, ["--rm"] + mount("nope") + ["busybox", "true"])
                #expect(
                    missing.errors.contains(
                        "cannot access path \(data)/nope: lstat \(data)/nope: no such file or directory"), "\(missing)")
                let escaping = try run(daemon, test, ["--rm"] + mount("out/etc") + ["busybox", "true"])
                #expect(
                    escaping.errors.contains(
                        "path concatenation escapes the base directory, base: \(data), subpath: out/etc"),
                    "\(escaping)")
                #expect(missing.code != 0 && escaping.code != 0)
                // Of a container that does not run, too.
                try daemon.ok(
                    .masu, "create", "--name", "box", "--mount", "src=vol,dst=/m,volume-subpath=a/b", "busybox", "true")
                let folder = try TemporaryFolder()
                defer { folder.remove() }
                try daemon.ok(test.client, "cp", "box:/m/f", folder.path + "/f")
                #expect(try String(contentsOfFile: folder.path + "/f", encoding: .utf8) == "x\n")
            }
        }

        @Test("whoever swaps a part of a volume for a link never gets the host's files", arguments: Case.all)
        func subpathRace(_ test: Case) throws {
            try withDaemon { daemon in
                _ = try output(
                    daemon, test, ["--rm", "-v", "vol:/v", "busybox", "sh", "-c", "mkdir /v/t; echo in > /v/t/mark"])
                let swap = "while :; do mv /v/t /v/aside; ln -s / /v/t; rm /v/t; mv /v/aside /v/t; done"
                _ = try output(daemon, test, ["-d", "--name", "swapper", "-v", "vol:/v", "busybox", "sh", "-c", swap])
                var outcomes: Set<String> = []
                for _ in 0..<25 {
                    let result = try run(
                        daemon, test, ["--rm", "--mount", "src=vol,dst=/m,volume-subpath=t", "busybox", "ls", "/m"])
                    outcomes.insert(result.code == 0 ? result.line : "refused")
                }
                #expect(outcomes.isSubset(of: ["mark", "refused", ""]), "\(outcomes)")
                try daemon.ok(test.client, "rm", "-f", "swapper")
            }
        }

        @Test("a volume with options is mounted in the container alone", arguments: Case.all)
        func options(_ test: Case) throws {
            try withDaemon { daemon in
                let folder = try TemporaryFolder()
                defer { folder.remove() }
                try Data("host's".utf8).write(to: URL(fileURLWithPath: folder.path + "/file"))
                try daemon.ok(
                    test.client, "volume", "create", "--opt", "type=none", "--opt", "o=bind", "--opt",
                    "device=\(folder.path)", "bound")
                try daemon.ok(
                    test.client, "volume", "create", "--opt", "type=tmpfs", "--opt", "o=size=1m,mode=0711", "--opt",
                    "device=tmpfs", "memory")
                let before = try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)
                _ = try output(
                    daemon, test,
                    ["-d", "--name", "box", "-v", "bound:/b", "-v", "memory:/m", "busybox", "sleep", "1000"])
                #expect(try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8) == before)
                #expect(try daemon.ok(test.client, "exec", "box", "cat", "/b/file") == "host's")
                let mounts = try daemon.ok(test.client, "exec", "box", "cat", "/proc/mounts")
                #expect(mounts.contains(" /m tmpfs "), "\(mounts)")
                #expect(try daemon.ok(test.client, "exec", "box", "stat", "-c", "%a", "/m") == "711")
                try daemon.ok(test.client, "exec", "box", "touch", "/b/new")
                #expect(FileManager.default.fileExists(atPath: folder.path + "/new"))
                try daemon.ok(test.client, "rm", "-f", "box")
                try daemon.ok(
                    test.client, "volume", "create", "--opt", "type=none", "--opt", "o=bind", "--opt",
                    "device=/nowhere/x", "broken")
                let broken = try run(daemon, test, ["--rm", "-v", "broken:/b", "busybox", "true"])
                #expect(broken.code != 0 && broken.errors.contains("failed to"), "\(broken)")
            }
        }

        @Test("a directory of the host that a killed daemon has half filled is filled by the next start")
        func halfFilled() throws {
            try withDaemon { daemon in
                try makeImage(daemon)
                let device = daemon.root + "/device"
                try FileManager.default.createDirectory(atPath: device, withIntermediateDirectories: true)
                try daemon.ok(
                    .masu, "volume", "create", "--opt", "type=none", "--opt", "o=bind", "--opt", "device=\(device)",
                    "host")
                try daemon.ok(.masu, "create", "--name", "one", "-v", "host:/data", "filled", "cat", "/data/file")
                let files = ["file", "link", "sub"]
                func found() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: device).sorted() }
                #expect(try found() == files)
                for name in files { try FileManager.default.removeItem(atPath: device + "/" + name) }
                try FileManager.default.createDirectory(
                    atPath: device + "/.masu-copy/sub", withIntermediateDirectories: true)
                #expect(try daemon.ok(.masu, "start", "-a", "one") == "image")
                #expect(try found() == files)
            }
        }

        @Test("the files of an image are mounted read-only, all or a part of them", arguments: Case.all)
        func images(_ test: Case) throws {
            try withDaemon { daemon in
                try makeImage(daemon)
                let all = ["--mount", "type=image,src=filled,dst=/i"]
                #expect(try output(daemon, test, ["--rm"] + all + ["busybox", "cat", "/i/data/file"]) == "image")
                let written = try run(daemon, test, ["--rm"] + all + ["busybox", "touch", "/i/x"])
                #expect(written.code == 1 && written.errors.contains("Read-only file system"), "\(written)")
                let part = ["--mount", "type=image,src=filled,dst=/i,image-subpath=data/sub"]
                #expect(try output(daemon, test, ["--rm"] + part + ["busybox", "ls", "/i"]) == "deep")
                let missing = try run(
                    daemon, test, ["--rm", "--mount", "type=image,src=nope:1,dst=/i", "busybox", "true"])
                #expect(missing.errors.contains("No such image: nope:1"), "\(missing)")
                try daemon.ok(
                    test.client, "create", "--name", "box", "--mount", "type=image,src=filled,dst=/i", "busybox",
                    "true")
                #expect(
                    try daemon.ok(
                        test.client, "inspect", "-f", "{{range .Mounts}}{{.Type}} {{.Name}} {{.RW}}{{end}}", "box")
                        == "image filled false")
                let kept = try daemon.run(test.client, "rmi", "filled")
                #expect(kept.code == 1, "\(kept)")
                let folder = try TemporaryFolder()
                defer { folder.remove() }
                try daemon.ok(test.client, "cp", "box:/i/data/sub/deep", folder.path + "/deep")
                try daemon.ok(test.client, "rm", "box")
                try daemon.ok(test.client, "rmi", "filled")
                #expect(try volumes(daemon).isEmpty)
            }
        }

        @Test("a bind mount comes with what is mounted below it, or without", arguments: Case.all)
        func recursion(_ test: Case) throws {
            try withDaemon { daemon in
                let folder = try TemporaryFolder()
                defer { folder.remove() }
                let made = try Command(
                    "/bin/sh", "-c",
                    "mkdir \(folder.path)/sub && mount -t tmpfs none \(folder.path)/sub && "
                        + "touch \(folder.path)/sub/below"
                ).runToEnd()
                try #require(made.code == 0, "\(made)")
                defer { umount2(folder.path + "/sub", Int32(MNT_DETACH)) }
                func mount(_ options: String) -> [String] {
                    ["--rm", "--mount", "type=bind,src=\(folder.path),dst=/b\(options)", "busybox"]
                }
                #expect(try output(daemon, test, mount("") + ["ls", "/b/sub"]) == "below")
                #expect(try output(daemon, test, mount(",bind-recursive=disabled") + ["ls", "/b/sub"]) == "")
                let touch = ["touch", "/b/sub/new"]
                #expect(try run(daemon, test, mount(",ro") + touch).code == 1)
                #expect(try run(daemon, test, mount(",ro,bind-recursive=writable") + touch).code == 0)
                let forced = ",ro,bind-recursive=readonly,bind-propagation=rprivate"
                #expect(try run(daemon, test, mount(forced) + touch).code == 1)
            }
        }

        @Test(
            "-v makes a source that is missing, --mount refuses, unless it is told to make it",
            arguments: Client.available)
        func missingSources(_ client: Client) throws {
            try withDaemon { daemon in
                let folder = try TemporaryFolder()
                defer { folder.remove() }
                let path = folder.path + "/made/here"
                let refused = try daemon.run(
                    client, "create", "--mount", "type=bind,src=\(path),dst=/b", "busybox", "true")
                #expect(
                    refused.errors.contains(
                        "invalid mount config for type \"bind\": bind source path does not exist: \(path)"),
                    "\(refused)")
                try daemon.ok(client, "run", "--rm", "-v", "\(path):/b", "busybox", "touch", "/b/x")
                #expect(FileManager.default.fileExists(atPath: path + "/x"))
                let other = folder.path + "/other"
                try daemon.ok(
                    .masu, "run", "--rm", "--mount", "type=bind,src=\(other),dst=/b,bind-create-src", "busybox", "true")
                #expect(FileManager.default.fileExists(atPath: other))
            }
        }

        @Test("a container's volumes are known over a daemon that is killed, and freed at its end", arguments: Case.all)
        func crash(_ test: Case) throws {
            try withDaemon { daemon in
                try makeImage(daemon)
                _ = try output(
                    daemon, test,
                    ["-d", "--name", "box", "-v", "vol:/v", "filled", "sh", "-c", "touch /v/x; sleep 1000"])
                try daemon.crash()
                try daemon.start()
                let inUse = try daemon.run(test.client, "volume", "rm", "vol")
                #expect(inUse.code == 1 && inUse.errors.contains("volume is in use"), "\(inUse)")
                #expect(try daemon.ok(test.client, "exec", "box", "ls", "/v", "/data").contains("link"))
                try daemon.ok(test.client, "restart", "-t", "0", "box")
                #expect(try daemon.ok(test.client, "exec", "box", "ls", "/v") == "x")
                try daemon.ok(test.client, "rm", "-fv", "box")
                try daemon.ok(test.client, "volume", "rm", "vol")
                #expect(try volumes(daemon).isEmpty)
            }
        }

        @Test("files go through volumes, a commit leaves them out and keeps their places", arguments: Client.available)
        func filesAndCommit(_ client: Client) throws {
            try withDaemon { daemon in
                try makeImage(daemon)
                let folder = try TemporaryFolder()
                defer { folder.remove() }
                try Data("new".utf8).write(to: URL(fileURLWithPath: folder.path + "/new"))
                try daemon.ok(client, "create", "--name", "box", "-v", "vol:/data", "filled", "cat", "/data/new")
                try daemon.ok(client, "cp", folder.path + "/new", "box:/data/new")
                #expect(
                    try String(contentsOfFile: daemon.dataRoot + "/volumes/vol/_data/new", encoding: .utf8) == "new")
                #expect(try daemon.ok(client, "start", "-a", "box") == "new")
                try daemon.ok(client, "commit", "box", "copy")
                #expect(
                    try daemon.ok(client, "image", "inspect", "-f", "{{json .Config.Volumes}}", "copy")
                        == #"{"/data":{}}"#)
                #expect(try daemon.run(client, "run", "--rm", "copy", "ls", "/data/new").code == 1)
            }
        }

        @Test("what happens to volumes is told in order", arguments: Client.available)
        func events(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(client, "run", "--rm", "--name", "box", "-v", "/anonymous", "busybox", "true")
                let listed = try daemon.ok(
                    client, "events", "--since", "0", "--until", "\(Int(Date().timeIntervalSince1970) + 1)", "--filter",
                    "type=volume", "--format", "{{.Action}} {{.Actor.Attributes.driver}}")
                #expect(listed == "create local\nmount local\nunmount local\ndestroy local")
                let mount = try daemon.ok(
                    client, "events", "--since", "0", "--until", "\(Int(Date().timeIntervalSince1970) + 1)", "--filter",
                    "event=mount", "--format",
                    #"{{.Actor.Attributes.destination}} {{index .Actor.Attributes "read/write"}}"#)
                #expect(mount == "/anonymous true")
            }
        }

        @Test("bad input is refused in Docker's words, and leaves no volume", arguments: Client.available)
        func badInput(_ client: Client) throws {
            try withDaemon { daemon in
                let cases: [([String], String)] = [
                    (["-v", "vol:/x:nope"], "invalid mode: nope"),
                    (["-v", "vol:/x", "-v", "wol:/x"], "Duplicate mount point: /x"),
                    (["-v", "vol:/x", "--mount", "type=bind,src=/tmp,dst=/x"], "Duplicate mount point: /x"),
                    (["-v", "arc:/a", "-v", "bad name:/x"], "bad name"),
                    (["-v", "arc:/a", "--volumes-from", "nobody"], "No such container: nobody"),
                    (["--volumes-from", "other:nocopy"], "invalid mode: nocopy"),
                    (["--mount", "src=vol,dst=/x,volume-subpath=../y"], "subpath must be a relative path within"),
                    (["--mount", "dst=/x,volume-subpath=y"], "must not set Subpath when using anonymous volumes"),
                    (["--mount", "dst=/x,readonly"], "must not set ReadOnly mode when using anonymous volumes"),
                    (["-v", "arc:/a", "--mount", "type=image,src=nope:1,dst=/x"], "No such image: nope:1"),
                    (["-v", "arc:/a", "-v", "/f"], "cannot mount volume over existing file"),
                    (["-v", "vol:/"], "destination can't be '/'"),
                    (["-v", "arc:/a", "--mount", "type=volume,src=vol,dst=/x,volume-driver=nope"], "nope"),
                ]
                try daemon.ok(
                    .masu, "run", "--name", "seed", "busybox", "sh", "-c", "echo x > /f")
                try daemon.ok(.masu, "commit", "seed", "withfile")
                try daemon.ok(.masu, "rm", "seed")
                for (options, words) in cases {
                    let arguments = ["create", "--pull", "never"] + options + ["withfile", "true"]
                    let result = try daemon.command(client, arguments).runToEnd(timeout: 180)
                    #expect(result.code != 0 && result.errors.contains(words), "\(options): \(result)")
                    #expect(try volumes(daemon).isEmpty, "\(options)")
                    #expect(try daemon.ok(client, "ps", "-aq") == "", "\(options)")
                }
            }
        }
    }
}
