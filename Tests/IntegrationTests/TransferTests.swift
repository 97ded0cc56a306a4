import Foundation
import Testing

extension Integration {
    /// Images and containers' files out of the daemon, and in again.
    @Suite("transfer")
    struct Transfer {
        private func skip(_ program: String) -> Bool {
            guard Programs.find(program) == nil else { return false }
            print("skipped: \(program) is not installed")
            return true
        }

        private func shell(_ command: String) throws -> Command.Result {
            try Command("/bin/sh", "-c", command).runToEnd()
        }

        @Test("save and load, through a file and through a pipe, compressed or not", arguments: Client.available)
        func saveAndLoad(_ client: Client) throws {
            try withDaemon { daemon in
                let directory = try TemporaryFolder()
                defer { directory.remove() }
                let id = try daemon.ok(client, "image", "inspect", "-f", "{{.Id}}", "busybox")
                try daemon.ok(client, "tag", "busybox", "other:2")
                let file = directory.path + "/saved.tar"
                try daemon.ok(client, "save", "-o", file, "busybox", "other:2")
                #expect(
                    try shell("tar -tf \(file) | grep -v blobs/sha256/.").lines
                        == ["blobs/", "blobs/sha256/", "index.json", "manifest.json", "oci-layout", "repositories"])
                for (compress, name) in [("cat", "plain"), ("gzip", "gz"), ("zstd -q", "zst")] {
                    if compress.hasPrefix("zstd"), skip("zstd") { continue }
                    try daemon.ok(client, "rmi", "busybox", "other:2")
                    #expect(try daemon.ok(client, "images", "-q", "-a") == "")
                    #expect(try shell("\(compress) < \(file) > \(file).\(name)").code == 0)
                    let loaded = try daemon.run(client, "load", "-i", "\(file).\(name)")
                    #expect(
                        loaded.output.contains("Loaded image: busybox:latest")
                            && loaded.output.contains("Loaded image: other:2"), "\(loaded)")
                    #expect(try daemon.ok(client, "image", "inspect", "-f", "{{.Id}}", "other:2") == id)
                    #expect(try daemon.ok(client, "run", "--rm", "busybox", "echo", "runs") == "runs")
                }
                var piped = daemon.command(client, ["save", "busybox"])
                piped.environment["PATH"] = "/usr/bin:/bin"
                let bytes = try piped.runToEnd()
                #expect(bytes.code == 0 && bytes.output.contains("manifest.json"))
            }
        }

        @Test("save refuses what it cannot do, in Docker's words, and leaves no file", arguments: Client.available)
        func saveRefusals(_ client: Client) throws {
            try withDaemon { daemon in
                let directory = try TemporaryFolder()
                defer { directory.remove() }
                let file = directory.path + "/saved.tar"
                let unknown = try daemon.run(client, "save", "-o", file, "nope")
                #expect(
                    unknown.code == 1 && unknown.errors.contains("Error response from daemon: No such image: nope"),
                    "\(unknown)")
                #expect(!FileManager.default.fileExists(atPath: file))
                let platform = try daemon.run(client, "save", "--platform", "linux/s390x", "-o", file, "busybox")
                #expect(platform.errors.contains("no suitable export target found for platform"), "\(platform)")
                let folder = try daemon.run(client, "save", "-o", directory.path + "/no/file", "busybox")
                #expect(folder.code == 1 && folder.errors.contains("invalid output path: "), "\(folder)")
                let terminal = try daemon.terminal(client, "save", "busybox")
                #expect(try terminal.waitForEnd() == 1)
                #expect(terminal.seen.contains("cowardly refusing to save to a terminal"))
                #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
            }
        }

        @Test("skopeo and umoci take the archive: the files are those of the image")
        func otherTools() throws {
            if skip("skopeo") || skip("umoci") { return }
            try withDaemon { daemon in
                let directory = try TemporaryFolder()
                defer { directory.remove() }
                try daemon.ok(
                    .masu, "run", "--name", "box", "busybox", "sh", "-c",
                    "echo hi > /f; chmod 4711 /f; chown 7:8 /f; ln /f /hard; ln -s f /soft; mkfifo /pipe; rm /bin/sh")
                try daemon.ok(.masu, "commit", "box", "made:1")
                let file = directory.path + "/saved.tar"
                try daemon.ok(.masu, "save", "-o", file, "made:1")
                for (index, source) in ["docker-archive:\(file)", "oci-archive:\(file):1"].enumerated() {
                    let layout = directory.path + "/oci\(index)"
                    let copied = try Command(
                        Programs.find("skopeo") ?? "", "--insecure-policy", "copy", source, "oci:\(layout):x"
                    ).runToEnd()
                    #expect(copied.code == 0, "\(copied)")
                    let unpacked = try Command(
                        Programs.find("umoci") ?? "", "unpack", "--image", "\(layout):x", "\(directory.path)/u\(index)"
                    ).runToEnd()
                    #expect(unpacked.code == 0, "\(unpacked)")
                    let root = "\(directory.path)/u\(index)/rootfs"
                    let exported = "\(directory.path)/exported\(index)"
                    try daemon.ok(.masu, "create", "--name", "e\(index)", "made:1", "true")
                    mkdir(exported, 0o755)
                    try daemon.ok(.masu, "export", "-o", exported + ".tar", "e\(index)")
                    #expect(try shell("tar -C \(exported) --xattrs -xf \(exported).tar").code == 0)
                    let list = "find . -mindepth 1 -printf '%p %y %m %U %G %s %l %n %T@\\n' | grep -v ' d ' | sort"
                    let difference = try shell(
                        "(cd \(root) && \(list)) > \(root).list; (cd \(exported) && \(list)) | diff \(root).list -")
                    #expect(difference.code == 0, "\(difference)")
                }
            }
        }

        @Test("export is the container's files, import makes an image of them again", arguments: Client.available)
        func exportAndImport(_ client: Client) throws {
            try withDaemon { daemon in
                let directory = try TemporaryFolder()
                defer { directory.remove() }
                try "x".write(toFile: directory.path + "/hidden", atomically: true, encoding: .utf8)
                try daemon.ok(
                    client, "run", "--name", "box", "-v", directory.path + ":/mounted", "busybox", "sh", "-c",
                    "echo kept > /file")
                let file = directory.path + "/c.tar"
                try daemon.ok(client, "export", "-o", file, "box")
                let result = try shell(
                    "tar -xOf \(file) file; tar -tf \(file) | grep -c '^\\(proc\\|sys\\|dev\\|mounted\\)/.'")
                #expect(result.lines == ["kept", "0"], "nothing that is mounted is in it: \(result)")
                try daemon.ok(client, "import", file, "again:1")
                #expect(try daemon.ok(client, "run", "--rm", "again:1", "cat", "/file") == "kept")
                let unknown = try daemon.run(client, "export", "nope")
                #expect(
                    unknown.code == 1 && unknown.errors.contains("Error response from daemon: No such container: nope"),
                    "\(unknown)")
            }
        }

        @Test("a running container is exported as it is, without a stop", arguments: Client.available)
        func exportRunning(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(client, "run", "-d", "--name", "box", "busybox", "sh", "-c", "echo up > /up; sleep 1000")
                #expect(
                    try eventually { try daemon.run(client, "exec", "box", "test", "-s", "/up").code == 0 })
                let directory = try TemporaryFolder()
                defer { directory.remove() }
                try daemon.ok(client, "export", "-o", directory.path + "/c.tar", "box")
                #expect(try shell("tar -xOf \(directory.path)/c.tar up").line == "up")
                #expect(try daemon.ok(client, "inspect", "-f", "{{.State.Status}}", "box") == "running")
            }
        }

        @Test("diff tells what was added, changed and deleted", arguments: Client.available)
        func diff(_ client: Client) throws {
            for driver in ["overlay", "vfs"] {
                try withDaemon(options: ["--storage-driver", driver]) { daemon in
                    try daemon.ok(client, "create", "--name", "fresh", "busybox", "true")
                    #expect(try daemon.ok(client, "diff", "fresh") == "")
                    try daemon.ok(client, "run", "--name", "idle", "busybox", "true")
                    #expect(try daemon.ok(client, "diff", "idle") == "", "mount points are no changes")
                    try daemon.ok(
                        client, "run", "--name", "box", "busybox", "sh", "-c",
                        "mkdir -p /new/sub; echo x > /new/sub/f; rm /bin/cat; echo more >> /etc/passwd")
                    #expect(
                        try daemon.run(client, "diff", "box").lines == [
                            "C /bin", "D /bin/cat", "C /etc", "C /etc/passwd", "A /new", "A /new/sub", "A /new/sub/f",
                        ], "\(driver)")
                }
            }
        }

        @Test("a commit ends with its client, and the container goes on; so it does when the daemon dies in the middle")
        func abandonedCommit() throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "run", "-d", "--name", "box", "busybox", "sh", "-c",
                    "dd if=/dev/zero of=/big bs=1M count=1500 2>/dev/null; touch /ready; sleep 1000")
                #expect(
                    try eventually(within: 60) {
                        try daemon.run(.masu, "exec", "box", "test", "-e", "/ready").code == 0
                    })
                let before = try daemon.footprint()
                func state() throws -> String { try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}}", "box") }
                func isWriting() throws -> Bool {
                    let ingest = daemon.root + "/data/content/ingest"
                    return try !FileManager.default.contentsOfDirectory(atPath: ingest).isEmpty
                }
                let client = try daemon.begin(.masu, "commit", "box", "never:1")
                #expect(try eventually(within: 20) { try isWriting() })
                client.send(SIGKILL)
                _ = try client.waitForEnd()
                #expect(try eventually(within: 20) { try !isWriting() })
                try daemon.ok(.masu, "exec", "box", "true")
                #expect(try state() == "running")
                #expect(try daemon.run(.masu, "images", "-q").lines.count == 1)
                #expect(try eventually(within: 20) { try daemon.footprint() == before })
                let other = try daemon.begin(.masu, "commit", "box", "never:2")
                #expect(try eventually(within: 20) { try isWriting() })
                try daemon.crash()
                _ = try other.waitForEnd()
                try daemon.start()
                #expect(try state() == "running")
                try daemon.ok(.masu, "exec", "box", "true")
                // What a user paused stays so.
                try daemon.ok(.masu, "pause", "box")
                try daemon.crash()
                try daemon.start()
                #expect(try state() == "paused")
            }
        }

        @Test(
            "a file with a hole of a terabyte is committed in no time, and takes no space", arguments: Client.available)
        func sparseCommit(_ client: Client) throws {
            for driver in ["overlay", "vfs"] {
                try withDaemon(options: ["--storage-driver", driver]) { daemon in
                    try daemon.ok(
                        client, "run", "--name", "box", "busybox", "sh", "-c",
                        "dd if=/dev/zero of=/s bs=1 count=1 seek=1000000000000 2>/dev/null; echo end >> /s")
                    try daemon.ok(client, "commit", "box", "sparse:1")
                    #expect(
                        try daemon.ok(client, "run", "--rm", "sparse:1", "sh", "-c", "stat -c %s /s; tail -c 4 /s")
                            .split(separator: "\n") == ["1000000000005", "end"])
                    let folder = try TemporaryFolder()
                    defer { folder.remove() }
                    let file = folder.path + "/saved.tar"
                    try daemon.ok(client, "save", "-o", file, "sparse:1")
                    try daemon.ok(client, "rm", "box")
                    try daemon.ok(client, "rmi", "sparse:1")
                    try daemon.ok(client, "load", "-i", file)
                    let size = try daemon.ok(client, "run", "--rm", "sparse:1", "stat", "-c", "%s %b", "/s")
                    #expect(size.hasPrefix("1000000000005 "), "\(size)")
                    #expect(Int(size.split(separator: " ").last ?? "").map { $0 < 1000 } == true, "\(size)")
                }
            }
        }

        @Test("commit makes an image with the changes, the configuration and a history", arguments: Client.available)
        func commit(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(
                    client, "run", "-d", "--name", "box", "-e", "OLD=1", "busybox", "sh", "-c",
                    "echo hi > /f; sleep 1000"
                )
                #expect(
                    try eventually { try daemon.run(client, "exec", "box", "test", "-s", "/f").code == 0 })
                let id = try daemon.ok(
                    client, "commit", "-m", "a message", "-a", "An Author", "--change", "CMD [\"cat\", \"/f\"]",
                    "--change", "ENV NEW=2 BOTH=$OLD-$OLD", "--change", "LABEL tier=web", "box", "made:1")
                #expect(id.hasPrefix("sha256:"))
                #expect(try daemon.ok(client, "inspect", "-f", "{{.State.Status}}", "box") == "running")
                #expect(try daemon.ok(client, "run", "--rm", "made:1") == "hi")
                #expect(
                    try daemon.ok(
                        client, "image", "inspect", "-f",
                        "{{.Comment}}|{{.Author}}|{{.Config.Cmd}}|{{index .Config.Labels \"tier\"}}", "made:1")
                        == "a message|An Author|[cat /f]|web")
                let environment = try daemon.ok(client, "run", "--rm", "made:1", "env")
                #expect(environment.contains("OLD=1") && environment.contains("NEW=2"))
                #expect(environment.contains("BOTH=1-1"), "variables are the container's: \(environment)")
                #expect(
                    try daemon.ok(client, "image", "inspect", "-f", "{{.Parent}}", "made:1")
                        == daemon.ok(client, "inspect", "-f", "{{.Image}}", "box"))
                #expect(
                    try daemon.run(client, "history", "--format", "{{.Comment}}", "made:1").lines.first == "a message")
                let bad = try daemon.run(client, "commit", "--change", "RUN x", "box")
                #expect(bad.code == 1 && bad.errors.contains("RUN is not a valid change command"), "\(bad)")
                #expect(try daemon.run(client, "commit", "nope").errors.contains("No such container: nope"))
            }
        }
    }
}

/// A directory for a test's own files.
final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/masu-test-folder.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Command.Failure(description: "mkdtemp failed") }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Removes it; at the end of a test, by `defer`.
    func remove() {
        // What cannot be removed stays in /tmp; the test has already said what it had to say.
        try? FileManager.default.removeItem(atPath: path)
    }
}
