import Glibc
import LinuxKernel
import OCISpec
import SystemPackage
import Testing

extension RuntimeTests {
    /// Each of these fails on a runtime without the defence.
    @Suite("security")
    struct Security {
        @Test("nothing of a crash reporter, which root would execute from beside the program, is in it")
        func noCrashReporter() throws {
            #expect(
                try RuntimeProgram.run("/bin/grep", ["-q", "swift-backtrace", RuntimeProgram.path], in: "/").code == 1)
        }

        @Test("the program's file cannot be reopened for writing from inside (CVE-2019-5736)")
        func executableOverwrite() throws {
            // The attacker has the runtime execute its own file inside the container, by a link and by a script's
            // interpreter, keeps it busy there with a FIFO it reads, gets hold of the file through procfs, and writes
            // to it as soon as it is not being executed any more.
            for command in ["evil", "script"] {
                let bundle = try TestBundle()
                let runtime = bundle.directory.appending("masu-runtime")
                _ = try RuntimeProgram.run("/bin/cp", [RuntimeProgram.path, runtime.string], in: "/")
                let before = try Files.read(runtime)
                symlink("/proc/self/exe", bundle.rootfs.appending("bin/evil").string)
                try bundle.write("#!/proc/self/exe --log\n", to: "bin/script", mode: 0o755)
                try bundle.write(
                    """
                    #!/bin/sh
                    mkdir /data/x
                    busybox mkfifo /data/x/state.json
                    while true; do
                        for process in /proc/[0-9]*; do
                            case "$(busybox readlink $process/exe)" in /bin/busybox|"") continue;; esac
                            exec 7<$process/exe || continue
                            busybox kill -9 ${process#/proc/}
                            for attempt in 1 2 3 4 5 6 7 8 9 10; do
                                (echo overwritten > /proc/self/fd/7) && echo written > /data/verdict
                                busybox sleep 0.05
                            done
                            echo tried > /data/tried
                            exec busybox sleep 60
                        done
                    done
                    """, to: "bin/attack", mode: 0o755)
                bundle.spec.process?.args = ["attack"]
                bundle.spec.process?.capabilities = LinuxCapabilities(CapabilitySet.names)
                try bundle.save()
                let root = ["--root", bundle.state.string]
                let started = try RuntimeProgram.run(
                    runtime.string, root + ["run", "-d", bundle.id], in: bundle.directory)
                #expect(started.code == 0, "\(started)")
                #expect(try bundle.wait { Files.exists(bundle.rootfs.appending("data/x/state.json")) })
                let lured = try RuntimeProgram.run(
                    runtime.string, root + ["exec", "-d", bundle.id, command, "--root=/data", "state", "x"],
                    in: bundle.directory)
                #expect(lured.code == 0, "\(lured)")
                #expect(try bundle.wait { Files.exists(bundle.rootfs.appending("data/tried")) }, "\(command)")
                #expect(!Files.exists(bundle.rootfs.appending("data/verdict")), "\(command)")
                #expect(try Files.read(runtime) == before, "\(command): the runtime's file has been overwritten")
            }
        }

        @Test("links in the image cannot lead a mount out of the root (CVE-2021-30465)")
        func mountThroughLink() throws {
            let bundle = try TestBundle("ls /escape/into; ls /up")
            let outside = bundle.directory.appending("outside")
            try Files.makeDirectories(outside.appending("into"))
            symlink(outside.string, bundle.rootfs.appending("escape").string)
            symlink("../../../../../..", bundle.rootfs.appending("up").string)
            bundle.spec.mounts? += [
                Mount(destination: "/escape/into", type: "tmpfs", source: "tmpfs"),
                Mount(destination: "/up/made", type: "tmpfs", source: "tmpfs"),
                Mount(destination: "/escape/file", source: "/etc/hostname", options: ["bind"]),
            ]
            let result = try bundle.run()
            #expect(result.code == 0, "\(result)")
            #expect(try Files.names(in: outside).sorted() == ["into"])
            #expect(!Files.exists("/made"))
            #expect(
                Files.exists(bundle.rootfs.appending("made")), "it is inside, where the link leads as seen from there")
        }

        @Test("a descriptor of the host cannot become the working directory (CVE-2024-21626)", arguments: 3..<12)
        func leakedWorkingDirectory(_ number: Int) throws {
            let bundle = try TestBundle("pwd; ls ../../../../etc/shadow")
            bundle.spec.process?.cwd = "/proc/self/fd/\(number)"
            let host = try Files.open("/", [.readOnly, .directory])
            defer { host.discard() }
            let result = try bundle.run(descriptors: [(host, 9)])
            #expect(result.code != 0 && !result.output.contains("shadow"), "\(result)")
        }

        @Test("proc and sys are mounted on real directories only (CVE-2019-19921)", arguments: ["proc", "sys"])
        func linkedProc(_ name: String) throws {
            let bundle = try TestBundle("true")
            try Files.removeDirectory(bundle.rootfs.appending(name))
            try Files.makeDirectories(bundle.rootfs.appending("data/fake"))
            symlink("/data/fake", bundle.rootfs.appending(name).string)
            let result = try bundle.run()
            #expect(result.code == 1 && result.errors.contains("/\(name)"), "\(result)")
            #expect(bundle.leftovers() == [])
        }

        @Test("a null device of the image's own does not unmask what it should mask (CVE-2025-31133)")
        func fakeNull() throws {
            let bundle = try TestBundle("cat /etc/secret")
            try bundle.write("secret", to: "etc/secret")
            // With /dev of the image's: its null is a link to what ought to be writable.
            bundle.spec.mounts?.removeAll { $0.destination.hasPrefix("/dev") }
            symlink("/etc/secret", bundle.rootfs.appending("dev/null").string)
            bundle.spec.linux?.maskedPaths = ["/etc/secret"]
            let result = try bundle.run()
            #expect(result.output == "", "\(result)")
        }

        @Test("a system call filter is in force for the program and for exec")
        func seccomp() throws {
            let bundle = try TestBundle("mkdir /data/x; echo still; exec sleep 60")
            var filter = LinuxSeccomp(defaultAction: "SCMP_ACT_ALLOW")
            filter.syscalls = [
                LinuxSyscall(names: ["mkdir", "mkdirat", "no_such_call"], action: "SCMP_ACT_ERRNO", errnoRet: 38)
            ]
            bundle.spec.linux?.seccomp = filter
            chmod(bundle.rootfs.appending("data").string, 0o777)
            for (noNewPrivileges, uid) in [(true, 0), (false, 0), (true, 1000), (false, 1000)] as [(Bool, UInt32)] {
                bundle.spec.process?.noNewPrivileges = noNewPrivileges
                bundle.spec.process?.user = User(uid: uid, gid: uid)
                #expect(try bundle.start().code == 0)
                let result = try bundle.runtime("exec", bundle.id, "mkdir", "/data/y")
                #expect(result.code == 1 && result.errors.contains("Function not implemented"), "\(result)")
                #expect(try bundle.runtime("delete", "--force", bundle.id).code == 0)
            }
            #expect(try Files.names(in: bundle.rootfs.appending("data")) == [])
        }

        @Test("whoever may look into everything sees nothing of the host in a process on its way in (CVE-2016-9962)")
        func lookingIntoExec() throws {
            let bundle = try TestBundle(
                """
                while [ ! -e /data/stop ]; do
                    for process in /proc/[0-9]*; do [ ! -e $process/root$MARK ] || echo seen >> /data/verdict; done
                    echo > /data/looking
                done
                """)
            try Files.replace(bundle.directory.appending("mark"), with: [])
            bundle.spec.process?.env?.append("MARK=\(bundle.directory)/mark")
            bundle.spec.process?.capabilities = LinuxCapabilities(["CAP_SYS_PTRACE"])
            #expect(try bundle.start().code == 0)
            #expect(try bundle.wait { Files.exists(bundle.rootfs.appending("data/looking")) })
            for _ in 0..<100 { #expect(try bundle.runtime("exec", bundle.id, "true").code == 0) }
            #expect(!Files.exists(bundle.rootfs.appending("data/verdict")))
        }

        @Test("an exec joins a container that is at its limit of processes, and is counted")
        func execAtLimit() throws {
            let bundle = try TestBundle("exec busybox sleep 100")
            var resources = bundle.spec.linux?.resources ?? LinuxResources()
            resources.pids = LinuxPids(limit: 1)
            bundle.spec.linux?.resources = resources
            #expect(try bundle.start().code == 0)
            let result = try bundle.runtime("exec", bundle.id, "busybox", "cat", "/proc/self/cgroup")
            // As the root of its view of control groups; from outside of the group it would be "/..".
            #expect(
                result.code == 0 && result.lines.allSatisfy { $0.hasSuffix(":/") || !$0.contains("pids") }, "\(result)")
            let forking = try bundle.runtime("exec", bundle.id, "sh", "-c", "busybox true; echo survived")
            #expect(!forking.output.contains("survived") || forking.errors.contains("fork"), "\(forking)")
        }

        @Test("a process on its way into a container cannot be looked into (CVE-2016-9962)")
        func dumpable() throws {
            // A hook of the container's own runs while the first process waits: it is the same kind of process.
            let bundle = try TestBundle("true")
            var hooks = Hooks()
            hooks.startContainer = [
                Hook(
                    path: "/bin/sh",
                    args: ["sh", "-c", "ls -ln /proc/1/ | busybox awk '$9==\"environ\"{print $3}' > /data/owner"],
                    env: ["PATH=/bin"])
            ]
            bundle.spec.hooks = hooks
            bundle.spec.process?.user = User(uid: 1000, gid: 1000)
            chmod(bundle.rootfs.appending("data").string, 0o777)
            _ = try bundle.run()
            // Files in /proc of a process that is not dumpable belong to root, whatever user it has.
            #expect(try Files.readText(bundle.rootfs.appending("data/owner")) == "0")
        }
    }
}
