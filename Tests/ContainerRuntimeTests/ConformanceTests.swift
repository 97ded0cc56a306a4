import JSON
import LinuxKernel
import OCISpec
import SystemPackage
import Testing

extension RuntimeTests {
    /// What callers of runc look for in what a runtime says.
    @Suite("as callers of runc know it")
    struct Conformance {
        /// A link called `runc` that leads to the program, in `bundle`.
        private func link(in bundle: TestBundle) throws -> String {
            let directory = try Files.open(bundle.directory, [.path, .directory])
            defer { directory.discard() }
            try directory.makeSymlink("runc", to: RuntimeProgram.path)
            return bundle.directory.appending("runc").string
        }

        @Test("the version is told in lines that engines read, under the name the program was called by")
        func version() throws {
            let bundle = try TestBundle()
            let result = try RuntimeProgram.run(link(in: bundle), ["--version"], in: bundle.directory)
            #expect(result.code == 0 && result.lines.count >= 3, "\(result)")
            #expect(result.lines.first?.contains(/^runc version [0-9]+\.[0-9]+\.[0-9]+$/) == true, "\(result)")
            #expect(result.lines.dropFirst().first?.hasPrefix("commit: ") == true, "\(result)")
            #expect(result.lines.dropFirst(2).first?.contains(/^spec: [0-9]+\.[0-9]+\.[0-9]+$/) == true, "\(result)")
            #expect(try bundle.runtime("-v").output.hasPrefix("masu-runtime version "))
        }

        @Test(
            "every command has a page of help",
            arguments: [
                "checkpoint", "create", "delete", "events", "exec", "features", "kill", "list", "pause", "ps", "resume",
                "run",
                "spec",
                "start", "state", "update",
            ])
        func help(_ command: String) throws {
            let bundle = try TestBundle()
            let program = try link(in: bundle)
            for arguments in [[command, "-h"], [command, "--help"], ["help", command]] {
                let result = try RuntimeProgram.run(program, arguments, in: bundle.directory)
                #expect(result.code == 0 && result.errors.isEmpty, "\(result)")
                #expect(result.lines.first == "NAME:", "\(result)")
                #expect(result.lines.dropFirst().first?.hasPrefix("   runc \(command) - ") == true, "\(result)")
                #expect(result.output.contains("\n\nUSAGE:\n   runc \(command) [options]"), "\(result)")
                #expect(result.output.contains("\n\nGLOBAL OPTIONS:\n"), "\(result)")
            }
        }

        @Test("the program's own help names the commands")
        func programHelp() throws {
            let bundle = try TestBundle()
            for arguments in [["-h"], ["--help"], ["help"], []] {
                let result = try RuntimeProgram.run(arguments, in: bundle.directory)
                #expect(result.code == 0, "\(result)")
                #expect(result.output.hasPrefix("NAME:\n   masu-runtime - Open Container Initiative runtime\n"))
                #expect(result.output.contains("\n   create "), "\(result)")
            }
        }

        @Test("a command that does not exist has no help, and a wrong command line shows the right one")
        func usage() throws {
            let bundle = try TestBundle()
            let unknown = try bundle.runtime("foo", "-h")
            #expect(unknown.code == 1 && unknown.errors.contains("msg=\"No help topic for 'foo'\"\n"), "\(unknown)")
            #expect(try bundle.runtime("foo").code == 3)
            let flag = try bundle.runtime("run", "--nosuch", "x")
            #expect(flag.code == 1 && flag.output.hasPrefix("Incorrect Usage.\n\nNAME:\n"), "\(flag)")
            #expect(flag.errors.contains("msg=\"flag provided but not defined: -nosuch\"\n"), "\(flag)")
            for (arguments, complaint) in [
                (["run"], "\\\"run\\\" requires exactly 1 argument(s)"),
                (["kill"], "\\\"kill\\\" requires a minimum of 1 argument(s)"),
                (["kill", "a", "b", "c"], "\\\"kill\\\" requires a maximum of 2 argument(s)"),
            ] {
                let result = try RuntimeProgram.run(arguments, in: bundle.directory)
                #expect(result.code == 1 && result.errors.contains("masu-runtime: " + complaint), "\(result)")
            }
        }

        @Test("without a log an error is one line as a log has it; with one that has the line and the user the text")
        func log() throws {
            let bundle = try TestBundle()
            bundle.spec.process?.args = ["nope"]
            let text =
                "runc run failed: unable to start container process: error during container init: exec: \"nope\": "
                + "executable file not found in $PATH"
            try bundle.save()
            let program = try link(in: bundle)
            func run(_ flags: String...) throws -> RuntimeProgram.Result {
                try RuntimeProgram.run(
                    program, ["--root", bundle.state.string] + flags + ["run", bundle.id], in: bundle.directory)
            }
            let quoted = text.replacing("\"", with: "\\\"")
            let plain = try run()
            #expect(plain.code == 1 && plain.errors.hasPrefix("time=\""), "\(plain)")
            #expect(plain.errors.hasSuffix("\" level=error msg=\"\(quoted)\"\n"), "\(plain)")
            let logged = try run("--log", "log.text")
            #expect(logged.code == 1 && logged.errors == text + "\n", "\(logged)")
            #expect(
                try Files.readText(bundle.directory.appending("log.text")).hasSuffix("level=error msg=\"\(quoted)\""))
            let json = try run("--log", "log.json", "--log-format", "json")
            #expect(json.errors == text + "\n", "\(json)")
            let entry = try JSON.parse(Files.readText(bundle.directory.appending("log.json")))
            #expect(entry["level"]?.string == "error" && entry["msg"]?.string == text, "\(entry)")
        }

        @Test("how far it had come is told in front of an error")
        func stages() throws {
            let bundle = try TestBundle("exec sleep 60")
            bundle.spec.linux?.namespaces?.append(LinuxNamespace(type: .pid))
            let request = try bundle.run()
            #expect(
                request.errors.contains("msg=\"masu-runtime run failed: malformed spec file: duplicated ns"),
                "\(request)")
            _ = bundle.spec.linux?.namespaces?.popLast()
            var hooks = Hooks()
            hooks.createRuntime = [Hook(path: "/bin/false")]
            bundle.spec.hooks = hooks
            let hook = try bundle.run()
            let beginning = "masu-runtime run failed: unable to start container process: error during container init: "
            #expect(hook.errors.contains(beginning + "error running createRuntime hook #0: exit status 1"), "\(hook)")
            bundle.spec.hooks = nil
            #expect(try bundle.start().code == 0)
            let again = try bundle.run()
            #expect(
                again.code == 1
                    && again.errors.contains("run failed: container with given ID already exists: \(bundle.id)"),
                "\(again)")
            let exec = try bundle.runtime("exec", bundle.id, "nope")
            #expect(exec.code == 255, "\(exec)")
            #expect(exec.errors.contains("msg=\"exec failed: unable to start container process: exec: \\\"nope\\\": "))
        }

        @Test("what only execve can tell is told as a shell would")
        func execution() throws {
            let bundle = try TestBundle()
            try bundle.write("#!/no/interpreter\n", to: "bin/orphan", mode: 0o755)
            bundle.spec.process?.args = ["/bin/orphan"]
            let result = try bundle.run()
            #expect(result.code == 255 && result.errors == "exec /bin/orphan: no such file or directory\n", "\(result)")
            #expect(bundle.leftovers() == [])
        }

        @Test("capabilities that cannot be had are left out with a warning, by run, create and exec")
        func warnings() throws {
            let bundle = try TestBundle("grep CapAmb /proc/self/status; exec sleep 60")
            bundle.spec.process?.capabilities?.inheritable = ["CAP_KILL"]
            bundle.spec.process?.capabilities?.ambient = ["CAP_KILL", "CAP_CHOWN"]
            bundle.spec.process?.capabilities?.permitted?.append("CAP_X")
            try bundle.save()
            let create = try bundle.runtime("create", bundle.id)
            #expect(create.code == 0, "\(create)")
            #expect(
                create.errors.contains("msg=\"can't raise ambient capability CAP_CHOWN: operation not permitted\"\n"),
                "\(create)")
            #expect(
                create.errors.contains(
                    "level=warning msg=\"ignoring unknown or unavailable capabilities: [CAP_X]\"\n"), "\(create)")
            #expect(try bundle.runtime("start", bundle.id).code == 0)
            let exec = try bundle.runtime("exec", "--cap", "CAP_Y", bundle.id, "grep", "CapAmb", "/proc/self/status")
            #expect(exec.code == 0 && exec.lines == ["CapAmb:\t0000000000000020"], "\(exec)")
            #expect(exec.errors.contains("capabilities: [CAP_X CAP_Y]\"\n"), "\(exec)")
        }

        @Test(
            "beside control groups of version 1 a container and what exec adds are in one of version 2",
            .enabled(if: Files.exists("/sys/fs/cgroup/unified/cgroup.procs"), "needs hybrid control groups"))
        func hybrid() throws {
            let bundle = try TestBundle("exec sleep 60")
            bundle.spec.linux?.namespaces?.removeAll { $0.type == .cgroup }
            #expect(try bundle.start().code == 0)
            let place = "0::/masu-runtime-test/\(bundle.id)"
            for program in [["/proc/1/cgroup"], ["/proc/self/cgroup"]] {
                let result = try bundle.runtime("exec", bundle.id, "cat", program[0])
                #expect(result.lines.last == place, "\(result)")
            }
            #expect(try bundle.runtime("delete", "--force", bundle.id).code == 0)
            #expect(bundle.leftovers() == [])
        }

        @Test("a root can be made unbindable, and an unknown propagation is refused")
        func propagation() throws {
            let bundle = try TestBundle()
            bundle.spec.linux?.rootfsPropagation = "unbindable"
            bundle.spec.process?.args = ["grep", "unbindable", "/proc/self/mountinfo"]
            let result = try bundle.run()
            #expect(result.code == 0 && result.lines.count == 1, "\(result)")
            bundle.spec.linux?.rootfsPropagation = "foo"
            let unknown = try bundle.run()
            #expect(
                unknown.code == 1 && unknown.errors.contains("rootfsPropagation=foo is not supported"), "\(unknown)")
            #expect(bundle.leftovers() == [])
        }
    }
}
