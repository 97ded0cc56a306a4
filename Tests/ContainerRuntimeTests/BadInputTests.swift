import Glibc
import JSON
import LinuxKernel
import OCISpec
import SystemPackage
import Testing

extension RuntimeTests {
    /// What is wrong is told in one line that names it, on standard error and in the log, and leaves nothing.
    @Suite("bad input")
    struct BadInput {
        /// One way to be wrong.
        struct Fault: CustomTestStringConvertible {
            var name: String
            /// What the message has to contain.
            var text: String
            var change: @Sendable (inout Spec) -> Void = { _ in }
            /// The configuration, where it is none that could be written otherwise.
            var json: String?

            var testDescription: String { name }

            init(_ name: String, _ text: String, _ change: @escaping @Sendable (inout Spec) -> Void) {
                (self.name, self.text, self.change) = (name, text, change)
            }

            init(_ name: String, _ text: String, json: String) {
                (self.name, self.text, self.json) = (name, text, json)
            }
        }

        /// Runs the runtime once with each kind of log, and checks what it says there and on standard error.
        private func refuse(
            _ bundle: TestBundle, _ arguments: [String], _ text: String, code: Int32 = 1, root: String? = nil,
            leavesNothing: Bool = true, sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            for format in ["json", "text"] {
                let log = bundle.directory.appending("log.\(format)")
                let result = try RuntimeProgram.run(
                    ["--root", root ?? bundle.state.string, "--log", log.string, "--log-format", format] + arguments,
                    in: bundle.directory)
                let lines = result.errors.split(separator: "\n", omittingEmptySubsequences: false)
                #expect(
                    result.code == code && result.output == "" && lines.count == 2 && lines[1] == ""
                        && result.errors.contains(text),
                    "\(arguments): \(result)", sourceLocation: sourceLocation)
                // One that is not there is shown as an empty one.
                let content = (try? Files.readText(log)) ?? ""
                let entries = content.split(separator: "\n")
                #expect(entries.count == 1, "\(arguments): \(content)", sourceLocation: sourceLocation)
                if format == "json", let line = entries.first {
                    let entry = try JSON.parse(String(line))
                    #expect(entry["level"]?.string == "error", sourceLocation: sourceLocation)
                    #expect(entry["msg"]?.string?.contains(text) == true, "\(entry)", sourceLocation: sourceLocation)
                } else {
                    let quoted = String(decoding: JSONValue.string(text).serialized(), as: UTF8.self)
                    #expect(
                        content.contains("level=error msg=") && content.contains(quoted.dropFirst().dropLast()),
                        "\(content)", sourceLocation: sourceLocation)
                }
                try? Files.remove(log)
                guard leavesNothing else { continue }
                #expect(bundle.leftovers() == [], "\(arguments)", sourceLocation: sourceLocation)
                #expect(processes(of: bundle) == [], "\(arguments)", sourceLocation: sourceLocation)
            }
        }

        /// Processes that have to do with the bundle.
        private func processes(of bundle: TestBundle) -> [String] {
            let all = (try? Files.names(in: "/proc")) ?? []
            return all.filter { Int32($0) != nil }.compactMap { pid in
                // It may have ended by now.
                let words = (try? Files.readText(FilePath("/proc/\(pid)/cmdline"))) ?? ""
                return words.contains(bundle.directory.string) ? "\(pid): \(words)" : nil
            }
        }

        static let faults: [Fault] = [
            Fault("not JSON", "config.json", json: "{\"ociVersion\": "),
            Fault("an empty file", "config.json", json: ""),
            Fault("a list", "config.json", json: "[]"),
            Fault("a wrong type", "process.args", json: #"{"ociVersion":"1.3.0","process":{"args":"sh"}}"#),
            Fault(
                "a wrong type inside", "mounts[0].destination",
                json: #"{"ociVersion":"1.3.0","mounts":[{"destination":1}]}"#),
            Fault(
                "a number that is too large", "process.user.uid",
                json: #"{"ociVersion":"1.3.0","process":{"user":{"uid":4294967296}}}"#),
            Fault("no version", "ociVersion", json: "{}"),
            Fault(
                "an unknown namespace", "\"foo\"",
                json: #"{"ociVersion":"1.3.0","linux":{"namespaces":[{"type":"foo"}]}}"#),
            Fault("a version of the future", "9.0") { $0.ociVersion = "9.0" },
            Fault("no root", "root") { $0.root = nil },
            Fault("a root that is not there", "nowhere") { $0.root = Root(path: "nowhere") },
            Fault("a root that is a file", "config.json") { $0.root = Root(path: "config.json") },
            Fault("no process", "process") { $0.process = nil },
            Fault("no arguments", "args must not be empty") { $0.process?.args = [] },
            Fault("a relative directory", "Cwd must be an absolute path") { $0.process?.cwd = "data" },
            Fault("a directory that is a file", "/bin/busybox") { $0.process?.cwd = "/bin/busybox" },
            Fault("a variable without value", "invalid environment variable") { $0.process?.env = ["PATH"] },
            Fault("a program that is not there", "nosuchprogram") { $0.process?.args = ["nosuchprogram"] },
            Fault("a program that is a directory", "/data") { $0.process?.args = ["/data"] },
            Fault("an unknown limit", "RLIMIT_FOO") {
                $0.process?.rlimits = [POSIXRlimit(type: "RLIMIT_FOO", soft: 1, hard: 1)]
            },
            Fault("a limit above itself", "RLIMIT_NOFILE") {
                $0.process?.rlimits = [POSIXRlimit(type: "RLIMIT_NOFILE", soft: 9, hard: 1)]
            },
            Fault("an unknown scheduler", "SCHED_FOO") { $0.process?.scheduler = Scheduler(policy: "SCHED_FOO") },
            Fault("an unknown class of priority", "IOPRIO_FOO") {
                $0.process?.ioPriority = LinuxIOPriority(class: "IOPRIO_FOO", priority: 1)
            },
            Fault("a label nobody knows", "label") { $0.process?.selinuxLabel = "a:b:c:d" },
            Fault("a label of mounts nobody knows", "a:b:c:d") { $0.linux?.mountLabel = "a:b:c:d" },
            Fault("a profile nobody knows", "masu-nosuch") { $0.process?.apparmorProfile = "masu-nosuch" },
            Fault("two namespaces of a kind", "pid") { $0.linux?.namespaces?.append(LinuxNamespace(type: .pid)) },
            Fault("a namespace that is not there", "/nowhere/ns") {
                $0.linux?.namespaces?.removeAll { $0.type == .uts }
                $0.linux?.namespaces?.append(LinuxNamespace(type: .uts, path: "/nowhere/ns"))
            },
            Fault("a user namespace without ids", "no uid mappings") {
                $0.linux?.namespaces?.append(LinuxNamespace(type: .user))
            },
            Fault("a host name for everybody", "host") {
                $0.hostname = "masu"
                $0.linux?.namespaces?.removeAll { $0.type == .uts }
            },
            Fault("a parameter of the machine", "kernel.panic") { $0.linux?.sysctl = ["kernel.panic": "1"] },
            Fault("an unknown file system", "/data") {
                $0.mounts?.append(Mount(destination: "/data", type: "nosuchfs", source: "x"))
            },
            Fault("a source that is not there", "/nowhere/source") {
                $0.mounts?.append(Mount(destination: "/data", source: "/nowhere/source", options: ["bind"]))
            },
            Fault("a directory on a file", "/bin/busybox") {
                $0.mounts?.append(Mount(destination: "/bin/busybox", source: "/tmp", options: ["bind"]))
            },
            Fault("an option the file system does not know", "/data") {
                $0.mounts?.append(Mount(destination: "/data", type: "tmpfs", source: "x", options: ["nosuchoption"]))
            },
            Fault("a device of an unknown kind", "/dev/foo") {
                $0.linux?.devices = [LinuxDevice(path: "/dev/foo", type: "x")]
            },
            Fault("an unknown action", "SCMP_ACT_FOO") {
                $0.linux?.seccomp = LinuxSeccomp(defaultAction: "SCMP_ACT_FOO")
            },
            Fault("an unknown personality", "SOLARIS") { $0.linux?.personality = LinuxPersonality(domain: "SOLARIS") },
            Fault("an unknown memory policy", "MPOL_FOO") {
                $0.linux?.memoryPolicy = LinuxMemoryPolicy(mode: "MPOL_FOO")
            },
            Fault("a device that the host does not have", "nosuchdev") {
                $0.linux?.netDevices = ["nosuchdev": LinuxNetDevice()]
            },
            Fault("a control group that cannot be made", "cgroup.procs/masu") {
                $0.linux?.cgroupsPath = "/cgroup.procs/masu"
            },
            Fault("a hook that fails", "createRuntime hook #0") {
                $0.hooks = Hooks()
                $0.hooks?.createRuntime = [Hook(path: "/bin/sh", args: ["sh", "-c", "echo one; echo two >&2; exit 3"])]
            },
            Fault("a hook that hangs", "createContainer hook #0") {
                $0.hooks = Hooks()
                $0.hooks?.createContainer = [Hook(path: "/bin/sleep", args: ["sleep", "600"], timeout: 1)]
            },
            Fault("a hook that is not there", "/nowhere/hook") {
                $0.hooks = Hooks()
                $0.hooks?.prestart = [Hook(path: "/nowhere/hook")]
            },
            Fault("a hook that is not absolute", "nowhere/hook") {
                $0.hooks = Hooks()
                $0.hooks?.createRuntime = [Hook(path: "nowhere/hook")]
            },
            Fault("a hook after the start that fails", "poststart hook #0") {
                $0.process?.args = ["sleep", "60"]
                $0.hooks = Hooks()
                $0.hooks?.poststart = [Hook(path: "/bin/false")]
            },
        ]

        @Test("a configuration that is wrong", arguments: faults)
        func configuration(_ fault: Fault) throws {
            let bundle = try TestBundle("true")
            fault.change(&bundle.spec)
            try bundle.save()
            if let json = fault.json {
                try Files.replace(bundle.directory.appending("config.json"), with: Array(json.utf8))
            }
            let pidFile = bundle.directory.appending("pid")
            for command in ["run", "create"] where command == "run" || fault.text != "poststart hook #0" {
                try refuse(bundle, [command, "--pid-file", pidFile.string, bundle.id], fault.text)
                #expect(!Files.exists(pidFile))
            }
        }

        @Test(
            "an id that is none",
            arguments: ["../escape", "a/b", "..", ".", "with space", "", String(repeating: "x", count: 2000)])
        func id(_ id: String) throws {
            let bundle = try TestBundle("true")
            try bundle.save()
            for command in ["run", "create", "state", "delete", "kill", "start", "pause"] {
                try refuse(bundle, [command, id], "container")
            }
            #expect(!Files.exists(bundle.directory.appending("escape")))
        }

        @Test("an id in use, and what a container's state does not allow")
        func states() throws {
            let bundle = try TestBundle("exec sleep 60")
            #expect(try bundle.start().code == 0)
            for (words, text, code) in [
                (["run", bundle.id], "exist", 1), (["create", bundle.id], "exist", 1),
                (["delete", bundle.id], "not stopped", 1), (["start", bundle.id], "start", 1),
                (["resume", bundle.id], "paused", 1), (["kill", bundle.id, "NOSUCH"], "NOSUCH", 1),
                (["update", "--resources", "/nowhere/file", bundle.id], "/nowhere/file", 1),
                (["exec", bundle.id, "nosuchprogram"], "nosuchprogram", 255),
                (["exec", "--cwd", "/nowhere/at/all", bundle.id, "true"], "/nowhere/at/all", 255),
                (["exec", "--user", "nobody", bundle.id, "true"], "nobody", 255),
                (["exec", "--process", "/nowhere/file", bundle.id], "/nowhere/file", 255),
            ] as [([String], String, Int32)] {
                try refuse(bundle, words, text, code: code, leavesNothing: false)
            }
            #expect(try bundle.status() == "running")
            #expect(try bundle.runtime("kill", bundle.id, "KILL").code == 0)
            #expect(try bundle.wait { try bundle.status() == "stopped" })
            for (words, text, code) in [
                (["kill", bundle.id], "not running", 1), (["start", bundle.id], "stopped", 1),
                (["pause", bundle.id], "", 1), (["exec", bundle.id, "true"], "stopped", 255),
            ] as [([String], String, Int32)] {
                try refuse(bundle, words, text, code: code, leavesNothing: false)
            }
            #expect(try bundle.runtime("delete", bundle.id).code == 0)
            for command in ["state", "start", "kill", "delete", "pause", "resume", "ps", "update", "events"] {
                try refuse(bundle, [command, bundle.id], "does not exist")
            }
            try refuse(bundle, ["exec", bundle.id, "true"], "does not exist", code: 255)
        }

        @Test("places where nothing can be written, and what is not there")
        func places() throws {
            let bundle = try TestBundle("true")
            try bundle.save()
            let file = bundle.directory.appending("file")
            try Files.replace(file, with: [])
            for root in [file.string, "\(file)/below", "/proc/masu-runtime-test"] {
                try refuse(bundle, ["run", bundle.id], root, root: root)
            }
            try refuse(bundle, ["run", "--bundle", "/nowhere/bundle", bundle.id], "/nowhere/bundle")
            try refuse(bundle, ["run", "--bundle", file.string, bundle.id], file.string)
            try refuse(bundle, ["run", "--pid-file", "/nowhere/pid", bundle.id], "/nowhere/pid")
            try refuse(bundle, ["run", "--console-socket", "/nowhere/socket", bundle.id], "console-socket")
            bundle.spec.process?.terminal = true
            try bundle.save()
            try refuse(bundle, ["create", bundle.id], "console-socket")
            try refuse(bundle, ["create", "--console-socket", "/nowhere/socket", bundle.id], "/nowhere/socket")
        }

        @Test("a read-only place for state")
        func readOnlyState() throws {
            let bundle = try TestBundle("true")
            try bundle.save()
            try Files.makeDirectories(bundle.state)
            let script = "mount --bind state state && mount -o remount,bind,ro state && exec \"$@\""
            let result = try RuntimeProgram.run(
                "/usr/bin/unshare",
                [
                    "--mount", "sh", "-c", script, "sh", RuntimeProgram.path, "--root", bundle.state.string, "run",
                    bundle.id,
                ],
                in: bundle.directory)
            #expect(result.code == 1 && result.errors.contains(bundle.state.string), "\(result)")
            #expect(result.errors.split(separator: "\n").count == 1 && bundle.leftovers() == [], "\(result)")
        }

        @Test("a command line that is wrong")
        func commandLine() throws {
            let bundle = try TestBundle("true")
            for words in [["run"], ["run", "a", "b"], ["state"], ["exec", "a"], ["run", "--nosuch", "a"]] {
                let result = try RuntimeProgram.run(["--root", bundle.state.string] + words, in: bundle.directory)
                #expect(result.code != 0 && !result.errors.isEmpty, "\(words): \(result)")
                #expect(bundle.leftovers() == [])
            }
        }
    }
}
