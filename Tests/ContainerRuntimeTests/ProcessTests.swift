import Glibc
import JSON
import LinuxKernel
import OCISpec
import SystemPackage
import Testing

extension RuntimeTests {
    @Suite("processes")
    struct Processes {
        @Test("a process has the user, groups, directory, mask, limits and capabilities of the configuration")
        func attributes() throws {
            let bundle = try TestBundle(
                "id; pwd; umask; ulimit -n; cat /proc/self/oom_score_adj; grep -E 'Cap|NoNew' /proc/self/status")
            bundle.spec.process?.user = User(uid: 1000, gid: 1001, additionalGids: [7, 8], umask: 0o027)
            bundle.spec.process?.cwd = "/made/for/it"
            bundle.spec.process?.rlimits = [POSIXRlimit(type: "RLIMIT_NOFILE", soft: 99, hard: 100)]
            bundle.spec.process?.oomScoreAdj = 77
            bundle.spec.process?.noNewPrivileges = true
            var capabilities = LinuxCapabilities(["CAP_CHOWN", "CAP_NET_BIND_SERVICE"])
            capabilities.inheritable = ["CAP_NET_BIND_SERVICE"]
            capabilities.ambient = ["CAP_NET_BIND_SERVICE"]
            bundle.spec.process?.capabilities = capabilities
            let result = try bundle.run()
            #expect(
                result.lines == [
                    "uid=1000 gid=1001 groups=7,8", "/made/for/it", "0027", "99", "77", "CapInh:\t0000000000000400",
                    "CapPrm:\t0000000000000400", "CapEff:\t0000000000000400", "CapBnd:\t0000000000000401",
                    "CapAmb:\t0000000000000400", "NoNewPrivs:\t1",
                ], "\(result)")
        }

        @Test("exec joins every namespace and the control group, and gives the exit status")
        func exec() throws {
            let bundle = try TestBundle("exec sleep 60")
            bundle.spec.hostname = "inside"
            #expect(try bundle.start().code == 0)
            let script =
                "for n in mnt pid net ipc uts cgroup; do busybox readlink /proc/1/ns/$n; busybox readlink "
                + "/proc/self/ns/$n; done; cat /proc/self/cgroup; exit 9"
            try bundle.write("#!/bin/sh\n\(script)", to: "bin/look", mode: 0o755)
            let result = try bundle.runtime("exec", bundle.id, "look")
            #expect(result.code == 9, "\(result)")
            let kinds = 6
            try #require(result.lines.count > kinds * 2, "\(result)")
            for index in 0..<kinds { #expect(result.lines[index * 2] == result.lines[index * 2 + 1]) }
            // In a cgroup namespace of its own the container's group is the root.
            #expect(result.lines.dropFirst(kinds * 2).allSatisfy { $0.hasSuffix(":/") }, "\(result)")
            let processes = try JSON.parse(bundle.runtime("ps", "--format", "json", bundle.id).output)
            #expect(processes.array?.count == 1)
            let unknown = try bundle.runtime("exec", bundle.id, "nope")
            #expect(
                unknown.code == 255
                    && unknown.errors.contains(": exec: \\\"nope\\\": executable file not found"),
                "\(unknown)")
            #expect(try bundle.runtime("exec", bundle.id, "/etc").code == 255)
            let user = try bundle.runtime(
                "exec", "--user", "5:6", "--cwd", "/tmp", "--env", "A=b", bundle.id, "sh", "-c", "id; pwd; echo $A")
            #expect(user.lines == ["uid=5 gid=6", "/tmp", "b"], "\(user)")
            let missing = try bundle.runtime("exec", "--cwd", "/nowhere", bundle.id, "true")
            #expect(missing.code == 255 && missing.errors.contains("chdir to cwd (\\\"/nowhere\\\")"), "\(missing)")
        }

        @Test("a terminal is the container's own, has the size asked for, and comes over the console socket")
        func terminal() throws {
            let bundle = try TestBundle("stty size; ls -l /dev/console; cat")
            bundle.spec.process?.terminal = true
            bundle.spec.process?.consoleSize = Box(height: 33, width: 99)
            try bundle.save()
            let refused = try bundle.runtime("run", "--detach", bundle.id)
            #expect(refused.code == 1 && refused.errors.contains("console-socket"), "\(refused)")
            let path = bundle.directory.appending("console.sock")
            let listener = try UnixSocket.listen(at: path)
            defer { listener.discard() }
            #expect(try bundle.runtime("run", "--detach", "--console-socket", path.string, bundle.id).code == 0)
            let connection = try listener.acceptConnection()
            defer { connection.discard() }
            let console = try #require(try connection.receiveMessage().descriptors.first)
            defer { console.discard() }
            try console.writeEntire(Array("typed\n".utf8))
            var text = ""
            #expect(
                try bundle.wait {
                    if try Poll.wait(for: [(console, .readable)], milliseconds: 10)[0].isEmpty { return false }
                    var bytes = [UInt8](repeating: 0, count: 4096)
                    let count = try bytes.withUnsafeMutableBytes { try console.read(into: $0) }
                    text += String(decoding: bytes[..<count], as: UTF8.self)
                    // Once echoed by the terminal, once by cat.
                    return text.components(of: "typed") == 2
                }, "\(text)")
            #expect(text.contains("33 99") && text.contains("136,"), "\(text)")
        }

        @Test("descriptors are passed on only if asked for")
        func descriptors() throws {
            let bundle = try TestBundle("ls /proc/self/fd | tr '\\n' ' '; cat <&3")
            try Files.makeDirectories(bundle.rootfs.appending("bin"))
            try bundle.write("#!/bin/busybox sh\nexec busybox tr \"$@\"", to: "bin/tr", mode: 0o755)
            let file = try MemoryFile.create("passed")
            defer { file.discard() }
            try file.writeEntire(Array("content".utf8))
            try file.seek(offset: 0, from: .start)
            let leaked = try Files.open("/", [.readOnly, .directory])
            defer { leaked.discard() }
            let with = try bundle.run("--preserve-fds", "1", descriptors: [(file, 3), (leaked, 9)])
            #expect(with.output == "0 1 2 3 4 content", "\(with)")
            let without = try bundle.run(descriptors: [(file, 3), (leaked, 9)])
            #expect(without.output == "0 1 2 3 ", "\(without)")
        }

        @Test("a user namespace maps ids, and the container's root can be root in it")
        func userNamespace() throws {
            let bundle = try TestBundle(
                "id; cat /proc/self/uid_map; ls -ln /data/mine; touch /data/new; echo x > /dev/null")
            bundle.spec.linux?.namespaces?.append(LinuxNamespace(type: .user))
            bundle.spec.linux?.uidMappings = [LinuxIDMapping(containerID: 0, hostID: 100_000, size: 65536)]
            bundle.spec.linux?.gidMappings = [LinuxIDMapping(containerID: 0, hostID: 100_000, size: 65536)]
            try bundle.write("", to: "data/mine")
            chmod(bundle.directory.string, 0o755)
            for path in ["data", "data/mine"] { chown(bundle.rootfs.appending(path).string, 100_000, 100_000) }
            let result = try bundle.run()
            #expect(result.code == 0, "\(result)")
            #expect(result.lines.first == "uid=0 gid=0")
            #expect(result.output.contains("100000"))
            #expect(try FileStatus.of(bundle.rootfs.appending("data/new")).uid == 100_000)
        }

        @Test("a time namespace has its offsets")
        func timeNamespace() throws {
            let bundle = try TestBundle(
                "cat /proc/uptime; busybox readlink /proc/self/ns/time /proc/self/ns/time_for_children")
            bundle.spec.linux?.namespaces?.append(LinuxNamespace(type: .time))
            var offset = LinuxTimeOffset()
            offset.secs = 1_000_000_000
            bundle.spec.linux?.timeOffsets = ["boottime": offset]
            let result = try bundle.run()
            #expect(result.output.hasPrefix("1000"), "\(result)")
        }

        @Test("a namespace can be joined by its path")
        func joinedNamespace() throws {
            let first = try TestBundle("exec sleep 60")
            first.spec.hostname = "first"
            #expect(try first.start().code == 0)
            let pid = try #require(try JSON.parse(first.runtime("state", first.id).output)["pid"]?.int)
            let second = try TestBundle("busybox hostname; busybox readlink /proc/self/ns/net")
            second.spec.linux?.namespaces = [
                LinuxNamespace(type: .uts, path: "/proc/\(pid)/ns/uts"),
                LinuxNamespace(type: .pid, path: "/proc/\(pid)/ns/pid"),
                LinuxNamespace(type: .network, path: "/proc/\(pid)/ns/net"), LinuxNamespace(type: .mount),
            ]
            let result = try second.run()
            let network = try FileDescriptor.workingDirectory.readSymlink("/proc/\(pid)/ns/net")
            #expect(result.lines == ["first", network], "\(result)")
        }
    }
}

extension String {
    /// How often `text` is in this.
    func components(of text: String) -> Int { split(separator: text, omittingEmptySubsequences: false).count - 1 }
}
