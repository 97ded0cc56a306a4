import ContainerRuntime
import JSON
import LinuxKernel
import OCISpec
import SystemPackage
import Testing

extension RuntimeTests {
    @Suite("life cycle")
    struct LifeCycle {
        @Test("run passes on output and exit status, and leaves nothing behind")
        func run() throws {
            let bundle = try TestBundle("echo $$ hello; exit 42")
            let result = try bundle.run()
            #expect(result.code == 42, "\(result)")
            #expect(result.output == "1 hello\n")
            #expect(bundle.leftovers() == [])
        }

        @Test("a program ended by a signal gives 128 and the signal")
        func signalled() throws {
            let bundle = try TestBundle("echo up; exec sleep 60")
            #expect(try bundle.start().code == 0)
            #expect(try bundle.runtime("kill", bundle.id, "KILL").code == 0)
            #expect(try bundle.wait { try bundle.status() == "stopped" })
            #expect(
                try TestBundle("ulimit -c 0; kill -SEGV $$; sleep 1").run().code == 0,
                "init ignores what it does not handle")
        }

        @Test("create, start, kill and delete walk through the states of the specification")
        func states() throws {
            let bundle = try TestBundle("touch /data/started; exec sleep 60")
            try bundle.save()
            #expect(try bundle.runtime("create", "--pid-file", "pid", bundle.id).code == 0)
            #expect(try bundle.status() == "created")
            #expect(!Files.exists(bundle.rootfs.appending("data/started")))
            #expect(try bundle.runtime("start", bundle.id).code == 0)
            #expect(try bundle.wait { Files.exists(bundle.rootfs.appending("data/started")) })
            #expect(try bundle.status() == "running")
            let again = try bundle.runtime("start", bundle.id)
            #expect(again.code == 1 && again.errors.contains("cannot start an already running container"), "\(again)")
            let busy = try bundle.runtime("delete", bundle.id)
            #expect(busy.code == 1 && busy.errors.contains("not stopped"), "\(busy)")
            let state = try JSON.parse(bundle.runtime("state", bundle.id).output)
            #expect(state["pid"]?.int.map { "\($0)" } == (try Files.readText(bundle.directory.appending("pid"))))
            #expect(try bundle.runtime("kill", bundle.id, "9").code == 0)
            #expect(try bundle.wait { try bundle.status() == "stopped" })
            #expect(try bundle.runtime("kill", bundle.id).errors.contains("not running"))
            #expect(try bundle.runtime("delete", bundle.id).code == 0)
            #expect(try bundle.status() == nil)
            #expect(bundle.leftovers() == [])
        }

        @Test("a created container can be deleted, and a running one by force")
        func deletion() throws {
            let bundle = try TestBundle("exec sleep 60")
            try bundle.save()
            #expect(try bundle.runtime("create", bundle.id).code == 0)
            #expect(try bundle.runtime("delete", bundle.id).code == 0)
            #expect(bundle.leftovers() == [])
            #expect(try bundle.start().code == 0)
            #expect(try bundle.runtime("delete", "--force", bundle.id).code == 0)
            #expect(bundle.leftovers() == [])
            #expect(
                try bundle.runtime("delete", "--force", bundle.id).code == 0, "by force, not being there is no error")
            #expect(try bundle.runtime("delete", bundle.id).code == 1)
        }

        @Test("what was looked up for a removal is not used for another container with the same id")
        func replacedContainer() throws {
            let bundle = try TestBundle("exec sleep 60")
            #expect(try bundle.start().code == 0)
            let runtime = ContainerRuntime(root: bundle.state)
            let prepared = try #require(runtime.prepareRemoval(of: bundle.id))
            #expect(try bundle.runtime("delete", "--force", bundle.id).code == 0)
            #expect(try bundle.start().code == 0)
            try runtime.delete(bundle.id, force: true, prepared: prepared)
            #expect(try bundle.status() == "running", "it is another one's")
            let current = try #require(runtime.prepareRemoval(of: bundle.id))
            #expect(try bundle.runtime("kill", bundle.id, "KILL").code == 0)
            #expect(try bundle.wait { try bundle.status() == "stopped" })
            try runtime.delete(bundle.id, prepared: current)
            #expect(bundle.leftovers() == [])
            #expect(runtime.prepareRemoval(of: bundle.id) == nil)
        }

        @Test("a network namespace of its own has nothing but a loopback interface that is up")
        func network() throws {
            let bundle = try TestBundle("cat /proc/net/dev; cat /sys/class/net/lo/flags; ls -l /proc/self/ns/net")
            let result = try bundle.run()
            #expect(result.code == 0, "\(result)")
            #expect(result.lines.filter { $0.contains(":") && !$0.contains("net:[") }.count == 1, "\(result)")
            #expect(result.lines.contains("0x9"), "IFF_UP and IFF_LOOPBACK: \(result)")
            let own = try RuntimeProgram.run("/bin/readlink", ["/proc/self/ns/net"], in: "/").lines.first
            #expect(own.map(result.output.contains) == false)
        }

        @Test("an id can be used once at a time")
        func conflict() throws {
            let bundle = try TestBundle("exec sleep 60")
            #expect(try bundle.start().code == 0)
            let second = try bundle.runtime("run", bundle.id)
            #expect(second.code == 1 && second.errors.contains("container with given ID already exists"), "\(second)")
            #expect(try bundle.status() == "running", "the first one is not disturbed")
        }

        @Test(
            "a program that cannot be executed is named with the reason, and nothing is left",
            arguments: [
                ("nope", "exec: \"nope\": executable file not found in $PATH"),
                ("/nope", "exec: \"/nope\": stat /nope: no such file or directory"),
                ("/bin", "exec: \"/bin\": is a directory"),
                ("/etc/plain", "exec: \"/etc/plain\": permission denied"),
                ("/bin/orphan", "exec /bin/orphan: no such file or directory"),
                ("/bin/garbage", "exec /bin/garbage: exec format error"),
            ])
        func badProgram(_ name: String, _ message: String) throws {
            let bundle = try TestBundle()
            try bundle.write("text", to: "etc/plain")
            try bundle.write("#!/no/interpreter\n", to: "bin/orphan", mode: 0o755)
            try bundle.write("garbage", to: "bin/garbage", mode: 0o755)
            bundle.spec.process?.args = [name]
            let result = try bundle.run()
            // What only execve can tell is told with the status of a program that could not be begun.
            #expect(result.code == (message.hasPrefix("exec /") ? 255 : 1), "\(result)")
            #expect(result.errors.contains(message.replacing("\"", with: "\\\"")), "\(result)")
            #expect(bundle.leftovers() == [])
        }

        @Test("what only execve can tell is told by start")
        func lateError() throws {
            let bundle = try TestBundle()
            try bundle.write("garbage", to: "bin/garbage", mode: 0o755)
            bundle.spec.process?.args = ["/bin/garbage"]
            try bundle.save()
            #expect(try bundle.runtime("create", bundle.id).code == 0)
            let start = try bundle.runtime("start", bundle.id)
            #expect(start.code == 1 && start.errors.contains("exec format error"), "\(start)")
        }

        @Test("pause stops everything, resume lets it go on, and both need the right state")
        func pause() throws {
            let bundle = try TestBundle("while true; do echo x >> /data/count; sleep 0.02; done")
            #expect(try bundle.start().code == 0)
            #expect(try bundle.runtime("resume", bundle.id).code == 1)
            #expect(try bundle.runtime("pause", bundle.id).code == 0)
            #expect(try bundle.status() == "paused")
            let count = try Files.read(bundle.rootfs.appending("data/count")).count
            let exec = try bundle.runtime("exec", bundle.id, "true")
            #expect(exec.code != 0 && exec.errors.contains("paused"), "\(exec)")
            #expect(try Files.read(bundle.rootfs.appending("data/count")).count == count)
            #expect(try bundle.runtime("resume", bundle.id).code == 0)
            #expect(try bundle.wait { try Files.read(bundle.rootfs.appending("data/count")).count > count })
            #expect(try bundle.runtime("pause", bundle.id).code == 0)
            #expect(try bundle.runtime("kill", bundle.id, "KILL").code == 0)
            #expect(try bundle.wait { try bundle.status() == "stopped" }, "a paused container can be killed")
        }

        @Test("hooks run in order, each in its place, with the state on standard input")
        func hooks() throws {
            let bundle = try TestBundle("echo program >> /data/log")
            let log = bundle.rootfs.appending("data/log").string
            func hook(_ name: String, _ path: String) -> [Hook] {
                let script = "grep -q '\"id\":\"\(bundle.id)\"' && echo \(name) >> \(path)"
                return [Hook(path: "/bin/sh", args: ["sh", "-c", script], env: ["PATH=/bin:/usr/bin"])]
            }
            var hooks = Hooks()
            hooks.prestart = hook("prestart", log)
            hooks.createRuntime = hook("createRuntime", log)
            hooks.createContainer = hook("createContainer", log)
            hooks.startContainer = hook("startContainer", "/data/log")
            hooks.poststart = hook("poststart", log)
            hooks.poststop = hook("poststop", log)
            bundle.spec.hooks = hooks
            let result = try bundle.run()
            #expect(result.code == 0, "\(result)")
            var lines = try Files.readText(FilePath(log)).split(separator: "\n")
            // The program and the hooks after its start run at the same time.
            lines.removeAll { $0 == "program" }
            #expect(
                lines == ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"])
        }

        @Test("a hook that fails after the end is a warning, and the others run")
        func lenientHooks() throws {
            let bundle = try TestBundle("exit 3")
            var hooks = Hooks()
            hooks.poststop = [
                Hook(path: "/no/such/hook"), Hook(path: "/bin/touch", args: ["touch", "\(bundle.directory)/ran"]),
            ]
            bundle.spec.hooks = hooks
            let result = try bundle.run()
            #expect(result.code == 3, "\(result)")
            #expect(
                result.errors.contains(
                    "error running poststop hook #0: fork/exec /no/such/hook: no such file or directory"), "\(result)")
            #expect(Files.exists(bundle.directory.appending("ran")))
            #expect(bundle.leftovers() == [])
        }

        @Test("a hook that fails after the start ends the container, and is shown with what it said")
        func failedPoststart() throws {
            let bundle = try TestBundle("exec busybox sleep 100")
            var hooks = Hooks()
            hooks.poststart = [Hook(path: "/bin/sh", args: ["sh", "-c", "echo out; echo err >&2; exit 4"])]
            bundle.spec.hooks = hooks
            let result = try bundle.run()
            #expect(
                result.code == 1
                    && result.errors.contains(
                        "error running poststart hook #0: exit status 4, stdout: out\\n, stderr: err\\n"),
                "\(result)")
            #expect(bundle.leftovers() == [])
        }

        @Test("of a variable that is there twice the last counts, and HOME is looked up where it is missing")
        func environment() throws {
            let bundle = try TestBundle("echo $A $HOME")
            try bundle.write("root:x:0:0::/home/of/root:/bin/sh\n", to: "etc/passwd")
            bundle.spec.process?.env = ["A=1", "PATH=/bin", "A=2", "HOME="]
            let result = try bundle.run()
            #expect(result.output == "2 /home/of/root\n", "\(result)")
            bundle.spec.process?.env = ["nonsense"]
            let refused = try bundle.run()
            #expect(refused.code == 1 && refused.errors.contains("missing '='"), "\(refused)")
            #expect(bundle.leftovers() == [])
        }

        @Test("a container that is being created can be seen and killed, but not entered")
        func creating() throws {
            let bundle = try TestBundle()
            var hooks = Hooks()
            let program = "\(RuntimeProgram.path) --root \(bundle.state)"
            let script = """
                \(program) state \(bundle.id) > seen; \(program) exec \(bundle.id) true 2> refused; \
                \(program) start \(bundle.id) 2>> refused; \(program) kill \(bundle.id) KILL
                """
            hooks.createRuntime = [
                Hook(
                    path: "/bin/sh", args: ["sh", "-c", "cd \(bundle.directory) && { \(script); }"],
                    env: ["PATH=/bin:/usr/bin"])
            ]
            bundle.spec.hooks = hooks
            let result = try bundle.run()
            #expect(result.code == 1, "\(result)")
            let seen = try JSON.parse(Files.read(bundle.directory.appending("seen")))
            #expect(seen["status"]?.string == "creating")
            let refused = try Files.readText(bundle.directory.appending("refused")).split(separator: "\n")
            #expect(refused.count == 2 && refused.allSatisfy { $0.hasSuffix("is still being created\"") }, "\(refused)")
            #expect(bundle.leftovers() == [])
        }

        @Test("a control group with somebody else's processes in it is refused and left alone")
        func foreignCgroup() throws {
            let first = try TestBundle("exec sleep 60")
            #expect(try first.start().code == 0)
            let second = try TestBundle()
            second.spec.linux?.cgroupsPath = first.spec.linux?.cgroupsPath
            let result = try second.run()
            #expect(result.code == 1 && result.errors.contains("cgroup is not empty"), "\(result)")
            #expect(try first.status() == "running")
        }

        @Test("a hook that fails or takes too long undoes the creation")
        func badHook() throws {
            let bundle = try TestBundle()
            var hooks = Hooks()
            hooks.createRuntime = [Hook(path: "/bin/false")]
            bundle.spec.hooks = hooks
            let failed = try bundle.run()
            #expect(failed.code == 1 && failed.errors.contains("createRuntime hook #0: exit status 1"), "\(failed)")
            #expect(bundle.leftovers() == [])
            hooks.createRuntime = [Hook(path: "/bin/sleep", args: ["sleep", "60"], timeout: 1)]
            bundle.spec.hooks = hooks
            let slow = try bundle.run()
            #expect(slow.code == 1 && slow.errors.contains("ran past specified timeout of 1.0s"), "\(slow)")
            #expect(bundle.leftovers() == [])
        }
    }
}
