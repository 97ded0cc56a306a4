import Foundation
import Testing

extension Integration {
    /// Making room, and looking whether all is as it should be.
    @Suite("upkeep")
    struct Upkeep {
        @Test("container prune removes what does not run, by its filters", arguments: Client.available)
        func containers(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(client, "run", "-d", "--name", "up", "busybox", "sleep", "1000")
                try daemon.ok(client, "run", "--name", "done", "busybox", "sh", "-c", "echo hello > /f")
                try daemon.ok(client, "create", "--name", "kept", "--label", "keep", "busybox", "true")
                let old = try daemon.ok(client, "container", "prune", "-f", "--filter", "until=24h")
                #expect(old.contains("Total reclaimed space: 0B") && !old.contains("Deleted"))
                let pruned = try daemon.ok(client, "container", "prune", "-f", "--filter", "label!=keep")
                #expect(
                    pruned.contains("Deleted Containers:\n") && pruned.contains("Total reclaimed space: 6B"),
                    "\(pruned)")
                #expect(
                    try daemon.run(client, "ps", "-a", "--format", "{{.Names}}").lines.sorted() == ["kept", "up"])
                let bad = try daemon.run(client, "container", "prune", "-f", "--filter", "nope=1")
                #expect(bad.code == 1 && bad.errors.contains("invalid filter 'nope'"), "\(bad)")
            }
        }

        @Test("image prune removes what lost its name, with -a what nobody uses", arguments: Client.available)
        func images(_ client: Client) throws {
            try withDaemon { daemon in
                for text in ["one", "two"] {
                    var command = daemon.command(client, ["import", "-m", text, "-", "app"])
                    command.input = Images.layer("f", text)
                    #expect(try command.runToEnd().code == 0)
                }
                try daemon.ok(client, "create", "--name", "box", "busybox", "true")
                let dangling = try daemon.ok(client, "images", "-q", "--no-trunc", "-f", "dangling=true")
                let first = try daemon.ok(client, "image", "prune", "-f")
                #expect(
                    first.contains("deleted: \(dangling)") && first.contains("Total reclaimed space: 3B"), "\(first)")
                let second = try daemon.ok(client, "image", "prune", "-a", "-f")
                #expect(second.contains("untagged: app:latest"), "\(second)")
                #expect(
                    try daemon.run(client, "images", "--format", "{{.Repository}}").lines == ["busybox"],
                    "an image of a container stays")
                try daemon.ok(client, "system", "prune", "-a", "-f")
                #expect(try daemon.ok(client, "images", "-q") == "")
                #expect(try daemon.ok(client, "ps", "-a", "-q") == "")
            }
        }

        @Test("system df counts a layer that images share once", arguments: Client.available)
        func diskUsage(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(
                    client, "run", "--name", "box", "busybox", "sh", "-c", "head -c 1000000 /dev/zero > /f")
                try daemon.ok(client, "commit", "box", "second")
                let size = { (name: String) in
                    Int(try daemon.ok(client, "image", "inspect", "-f", "{{.Size}}", name)) ?? -1
                }
                let (base, second) = (try size("busybox"), try size("second"))
                #expect(second == base + 1_000_000)
                let lines = try daemon.run(
                    client, "system", "df", "--format", "{{.Type}}|{{.TotalCount}}|{{.Active}}|{{.Size}}"
                ).lines
                let shown = try daemon.ok(client, "images", "--format", "{{.Size}}", "second")
                #expect(lines[0].hasPrefix("Images|2|1|\(shown.prefix(3))"), "\(lines) \(shown)")
                #expect(lines[1] == "Containers|1|0|1MB", "\(lines)")
                #expect(lines.count == 4)
                let verbose = try daemon.ok(client, "system", "df", "-v")
                #expect(verbose.contains("Images space usage:") && verbose.contains("Containers space usage:"))
                #expect(verbose.contains("UNIQUE SIZE"))
            }
        }

        @Test("a check of a sound store says so; one of a damaged store says what is wrong and fails")
        func check() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "--name", "box", "busybox", "sh", "-c", "echo x > /f")
                try daemon.ok(.masu, "commit", "box", "made")
                let good = try daemon.run(.masu, "system", "check")
                #expect(good.code == 0 && good.output.contains("2 images"), "\(good)")
                #expect(good.output.hasSuffix("no problems\n"), "\(good)")
                try daemon.crash()
                try daemon.start()
                #expect(try daemon.run(.masu, "system", "check").code == 0)
                let id = try daemon.ok(.masu, "image", "inspect", "-f", "{{index .RootFS.Layers 0}}", "made")
                let blob = daemon.dataRoot + "/content/blobs/sha256/" + id.dropFirst("sha256:".count)
                let handle = try FileHandle(forUpdating: URL(fileURLWithPath: blob))
                try handle.seek(toOffset: 600)
                let byte = try #require(try handle.read(upToCount: 1)?.first)
                try handle.seek(toOffset: 600)
                try handle.write(contentsOf: [byte ^ 1])
                let bad = try daemon.run(.masu, "system", "check")
                #expect(bad.code == 1 && bad.output.contains("blob \(id) is damaged"), "\(bad)")
                try handle.seek(toOffset: 600)
                try handle.write(contentsOf: [byte])
                try handle.close()
                #expect(try daemon.run(.masu, "system", "check", "-q").output == "")
            }
        }

        @Test("the machine's limits are told for a number of containers, and what is short is the exit status")
        func limits() throws {
            try withDaemon { daemon in
                let all = try daemon.run(.masu, "system", "check", "--limits", "--containers", "100000")
                // As many do not fit on one bridge, whatever the machine has.
                #expect(all.code == 1 && all.errors.isEmpty, "\(all)")
                let lines = all.output.split(separator: "\n")
                #expect(lines.first?.hasPrefix("LIMIT ") == true, "\(all)")
                let ports = try #require(lines.first { $0.hasPrefix("bridge ports ") })
                #expect(ports.contains("1023") && ports.contains("100000") && ports.contains("short"), "\(ports)")
                let processes = try #require(lines.first { $0.hasPrefix("kernel.pid_max ") })
                let present = try String(contentsOfFile: "/proc/sys/kernel/pid_max", encoding: .utf8)
                #expect(processes.contains(present.trimmingCharacters(in: .whitespacesAndNewlines)), "\(processes)")
                #expect(lines.last?.hasPrefix("limits for 100000 containers: ") == true, "\(all)")
                let problems = try daemon.run(.masu, "system", "check", "-q", "--limits", "--containers", "100000")
                #expect(problems.code == 1, "\(problems)")
                #expect(problems.output.contains("bridge ports is short for 100000 containers: 1023, needed 100000"))
                // Nobody has asked about so many.
                let plain = try daemon.run(.masu, "system", "check")
                #expect(plain.code == 0 && plain.output.contains("\nlimits for 1000 containers: "), "\(plain)")
                for (number, reason) in [
                    ("0", "invalid number of containers 0: it has to be from 1 to 100000"),
                    ("100001", "invalid number of containers 100001: it has to be from 1 to 100000"),
                ] {
                    let wrong = try daemon.run(.masu, "system", "check", "--containers", number)
                    #expect(wrong.code == 1 && wrong.output.isEmpty && wrong.errors.contains(reason), "\(wrong)")
                }
                let word = try daemon.run(.masu, "system", "check", "--containers", "many")
                #expect(word.code != 0 && word.errors.contains("--containers"), "\(word)")
            }
        }

        @Test("an image is shown for the platform it is for, and refused for another", arguments: Client.available)
        func platform(_ client: Client) throws {
            try withDaemon { daemon in
                let own = try daemon.ok(client, "image", "inspect", "-f", "{{.Os}}/{{.Architecture}}", "busybox")
                #expect(try daemon.run(client, "image", "inspect", "--platform", own, "busybox").code == 0)
                let other = try daemon.run(client, "image", "inspect", "--platform", "linux/s390x", "busybox")
                #expect(
                    other.code == 1
                        && other.errors.contains(
                            "image with reference busybox was found but its platform (\(own)) does not match the "
                                + "specified platform (linux/s390x)"),
                    "\(other)")
            }
        }
    }
}
