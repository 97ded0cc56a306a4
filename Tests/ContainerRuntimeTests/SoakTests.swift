import JSON
import LinuxKernel
import OCISpec
import SystemPackage
import Testing

extension RuntimeTests {
    /// Many containers, one after the other and at the same time. `make soak` does more of it.
    @Suite("soak")
    struct Soak {
        private static let project = FilePath(#filePath).removingLastComponent().removingLastComponent()
            .removingLastComponent()

        @Test("two hundred containers, some of them cut short, leave nothing on the machine")
        func cycles() throws {
            let result = try RuntimeProgram.run(
                "/usr/bin/env",
                ["MASU_BIN=\(RuntimeProgram.directory)", "\(Self.project)/scripts/soak", "200"], in: "/")
            #expect(result.code == 0 && result.lines.last == "soak: clean", "\(result)")
        }

        @Test("what a runtime leaves that was killed before it had written anything can be deleted")
        func unwrittenState() throws {
            let bundle = try TestBundle()
            let directory = bundle.state.appending(bundle.id)
            try Files.makeDirectories(directory)
            try Files.replace(directory.appending("creating.json"), with: [])
            #expect(try bundle.status() == nil)
            let result = try bundle.runtime("delete", "--force", bundle.id)
            #expect(result.code == 0, "\(result)")
            #expect(bundle.leftovers() == [])
        }

        @Test("a process that makes two hundred containers holds no descriptor and no memory of them")
        func oneProcess() throws {
            let bundle = try TestBundle("exec sleep 1000")
            try bundle.save()
            // Beside the test program, also where MASU_BIN leads elsewhere.
            let program = FilePath(try #require(CommandLine.arguments.first)).removingLastComponent()
                .appending("RuntimeCycles").string
            let result = try RuntimeProgram.run(
                Files.exists(FilePath(program)) ? program : RuntimeProgram.directory + "/RuntimeCycles",
                [bundle.directory.string, bundle.state.string, "200"], in: "/")
            #expect(result.code == 0, "\(result)")
            #expect(result.lines.first == "descriptors 0", "\(result)")
            let memory = result.lines.dropFirst().first?.split(separator: " ").last.flatMap { Int($0) }
            // A leak of a configuration for each would be 10 MiB.
            #expect(memory.map { $0 < 1024 } == true, "KiB: \(result.output)")
            #expect(bundle.leftovers() == [])
        }

        /// Runs the runtime a hundred times at once, with "%" in `arguments` replaced by a number; says how many
        /// failed.
        private func hundredfold(_ bundle: TestBundle, _ arguments: String...) throws -> RuntimeProgram.Result {
            // No shell: those wait by signals, which this process's threads do not let through to what they start.
            let script = """
                import subprocess, sys
                commands = [[word.replace("%", str(n)) for word in sys.argv[1:]] for n in range(1, 101)]
                processes = [subprocess.Popen(command) for command in commands]
                print("failed:", sum(process.wait() != 0 for process in processes))
                """
            return try RuntimeProgram.run(
                "/usr/bin/python3", ["-c", script, RuntimeProgram.path, "--root", bundle.state.string] + arguments,
                in: bundle.directory)
        }

        @Test("a hundred runs at the same time all succeed, below a control group that does not exist yet")
        func parallelRuns() throws {
            let bundle = try TestBundle("exit 0")
            try bundle.save()
            let parent = "/masu-runtime-test/\(bundle.id)"
            defer {
                // Those above a container's own group stay, as with any runtime.
                for hierarchy in (try? Files.names(in: "/sys/fs/cgroup")) ?? [] {
                    for path in ["\(parent)/deep/er", "\(parent)/deep", parent] {
                        try? Files.removeDirectory(FilePath("/sys/fs/cgroup/\(hierarchy)\(path)"))
                    }
                }
            }
            // A group that names itself after the container, and one that all of them have to make at once.
            for path in [nil, "\(parent)/deep/er"] {
                var spec = bundle.spec
                spec.linux?.cgroupsPath = path
                for number in 1...100 {
                    let directory = bundle.directory.appending("many-\(number)")
                    try Files.makeDirectories(directory)
                    spec.root?.path = bundle.rootfs.string
                    if let path { spec.linux?.cgroupsPath = "\(path)/\(number)" }
                    try Files.replace(directory.appending("config.json"), with: JSON.encode(spec))
                }
                let result = try hundredfold(bundle, "run", "--bundle", "many-%", "\(bundle.id)-%")
                #expect(result.lines.last == "failed: 0", "\(result)")
                #expect(try Files.names(in: bundle.state).isEmpty)
            }
        }

        @Test("a hundred execs at the same time into one container all succeed")
        func parallelExecs() throws {
            let bundle = try TestBundle("exec sleep 1000")
            #expect(try bundle.start().code == 0)
            let result = try hundredfold(bundle, "exec", bundle.id, "true")
            #expect(result.lines.last == "failed: 0", "\(result)")
            #expect(try bundle.runtime("delete", "--force", bundle.id).code == 0)
            #expect(bundle.leftovers() == [])
        }
    }
}
