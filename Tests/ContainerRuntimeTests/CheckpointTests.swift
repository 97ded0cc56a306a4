import Glibc
import JSON
import LinuxKernel
import OCISpec
import SystemPackage
import Testing

extension RuntimeTests {
    /// Containers that are saved and restored. Whether CRIU and the kernel get on together is found out first: Debian's
    /// CRIU and kernel do, and so the tests that need them run in the virtual machine of `scripts/vm`.
    @Suite("checkpoint and restore")
    struct Checkpoints {
        /// Why there is no saving of anything here; `nil` if there is.
        private static let obstacle: String? = {
            guard let check = try? RuntimeProgram.run("/bin/sh", ["-c", "command -v criu && criu check"], in: "/")
            else {
                return "the check of CRIU does not run"
            }
            if check.code == 0 { return nil }
            return check.output.isEmpty ? "criu is not installed" : "criu does not work with this kernel"
        }()

        private static let works = ConditionTrait.enabled(
            if: obstacle == nil, Comment(rawValue: obstacle ?? "CRIU works"))

        private static func checkpoint(_ bundle: TestBundle, _ options: String...) throws -> RuntimeProgram.Result {
            try RuntimeProgram.run(
                ["--root", bundle.state.string, "checkpoint", "--manage-cgroups-mode", "ignore"] + options
                    + [bundle.id], in: bundle.directory)
        }

        private static func restore(_ bundle: TestBundle, _ options: String...) throws -> RuntimeProgram.Result {
            try RuntimeProgram.run(
                ["--root", bundle.state.string, "restore", "--manage-cgroups-mode", "ignore", "--detach"] + options
                    + [bundle.id], in: bundle.directory)
        }

        private static func pid(_ bundle: TestBundle) throws -> Int64? {
            try JSON.parse(bundle.runtime("state", bundle.id).output)["pid"]?.int
        }

        // MARK: Where CRIU works

        @Test(
            "a container goes on after it was saved, removed and restored, and can be looked into, paused and ended",
            works)
        func roundTrip() throws {
            let bundle = try TestBundle(
                "exec >/dev/null 2>&1; i=0; while true; do i=$((i+1)); echo $i >/data/count; sleep 0.1; done")
            bundle.spec.linux?.maskedPaths = ["/proc/keys", "/proc/acpi"]
            bundle.spec.linux?.readonlyPaths = ["/proc/sys"]
            try #require(try bundle.start().code == 0)
            #expect(try bundle.wait { Files.exists(bundle.rootfs.appending("data/count")) })
            let saved = try Self.checkpoint(bundle)
            try #require(saved.code == 0, "\(saved)")
            #expect(try bundle.status() == nil)
            #expect(bundle.leftovers() == [])
            let count = try Files.readText(bundle.rootfs.appending("data/count"))
            let restored = try Self.restore(bundle, "--pid-file", "pid")
            try #require(restored.code == 0, "\(restored)")
            #expect(try bundle.status() == "running")
            #expect(try Files.readText(bundle.directory.appending("pid")) == Self.pid(bundle).map { "\($0)" })
            #expect(
                try bundle.wait {
                    try Int(Files.readText(bundle.rootfs.appending("data/count"))) ?? 0 > Int(count) ?? 0
                })
            let exec = try bundle.runtime("exec", bundle.id, "sh", "-c", "echo in $(cat /proc/1/comm); cat /proc/keys")
            #expect(exec.lines == ["in sh"], "\(exec)")
            #expect(try bundle.runtime("pause", bundle.id).code == 0)
            #expect(try bundle.status() == "paused")
            #expect(try bundle.runtime("resume", bundle.id).code == 0)
            #expect(try bundle.runtime("kill", bundle.id, "KILL").code == 0)
            #expect(try bundle.wait { try bundle.status() == "stopped" })
            let deleted = try bundle.runtime("delete", bundle.id)
            #expect(deleted.code == 0, "\(deleted)")
            #expect(bundle.leftovers() == [])
        }

        @Test("a container that is left running runs on, and images and log are where they were asked for", works)
        func leaveRunning() throws {
            let bundle = try TestBundle("exec sleep 600 >/dev/null 2>&1")
            try #require(try bundle.start().code == 0)
            let before = try Self.pid(bundle)
            let saved = try Self.checkpoint(bundle, "--leave-running", "--image-path", "images", "--work-path", "work")
            #expect(saved.code == 0, "\(saved)")
            #expect(try bundle.status() == "running")
            #expect(try Self.pid(bundle) == before)
            #expect(Files.exists(bundle.directory.appending("images/inventory.img")))
            #expect(Files.exists(bundle.directory.appending("work/dump.log")))
        }

        @Test("a restore that fails names the log and leaves nothing", works)
        func brokenImages() throws {
            let bundle = try TestBundle("exec sleep 600 >/dev/null 2>&1")
            try #require(try bundle.start().code == 0)
            try #require(try Self.checkpoint(bundle).code == 0)
            try Files.replace(bundle.directory.appending("checkpoint/pstree.img"), with: [1, 2, 3])
            let restored = try Self.restore(bundle, "--work-path", "work", "--pid-file", "pid")
            #expect(restored.code == 1)
            #expect(restored.errors.contains("criu failed: type "), "\(restored)")
            #expect(restored.errors.contains("log file: \(bundle.directory)/work/restore.log"), "\(restored)")
            #expect(try bundle.status() == nil)
            #expect(!Files.exists(bundle.directory.appending("pid")))
            #expect(bundle.leftovers() == [])
        }

        @Test("hooks run where a container is restored and removed", works)
        func hooks() throws {
            let bundle = try TestBundle("exec sleep 600 >/dev/null 2>&1")
            let note = { (name: String) in
                Hook(path: "/bin/sh", args: ["sh", "-c", "cat >/dev/null; echo \(name) >>\(bundle.directory)/hooks"])
            }
            bundle.spec.hooks = Hooks()
            bundle.spec.hooks?.createRuntime = [note("createRuntime")]
            bundle.spec.hooks?.poststop = [note("poststop")]
            try #require(try bundle.start().code == 0)
            try #require(try Self.checkpoint(bundle).code == 0)
            let restored = try Self.restore(bundle)
            try #require(restored.code == 0, "\(restored)")
            #expect(try bundle.runtime("delete", "--force", bundle.id).code == 0)
            #expect(
                try Files.readText(bundle.directory.appending("hooks")).split(separator: "\n")
                    == ["createRuntime", "poststop", "createRuntime", "poststop"])
        }

        // MARK: Everywhere

        @Test("without CRIU a container is not saved, and goes on")
        func withoutCRIU() throws {
            let bundle = try TestBundle("exec sleep 600 >/dev/null 2>&1")
            try #require(try bundle.start().code == 0)
            let result = try RuntimeProgram.run(
                "/usr/bin/env",
                ["PATH=/nowhere", RuntimeProgram.path, "--root", bundle.state.string, "checkpoint", bundle.id],
                in: bundle.directory)
            #expect(result.code == 1)
            #expect(
                result.said.contains(
                    "CRIU version check failed: exec: \"criu\": executable file not found in $PATH"), "\(result)")
            #expect(try bundle.status() == "running")
            #expect(!Files.exists(bundle.directory.appending("checkpoint")))
        }

        @Test("a container that does not exist, has stopped or was not started is not saved")
        func wrongState() throws {
            let bundle = try TestBundle("true")
            let missing = try Self.checkpoint(bundle)
            #expect(missing.code == 1 && missing.errors.contains("container does not exist"), "\(missing)")
            try bundle.save()
            #expect(try bundle.runtime("create", bundle.id).code == 0)
            let created = try Self.checkpoint(bundle)
            #expect(
                created.code == 1
                    && created.errors.contains("Container cannot be checkpointed in created state"), "\(created)")
            #expect(try bundle.runtime("start", bundle.id).code == 0)
            #expect(try bundle.wait { try bundle.status() == "stopped" })
            let stopped = try Self.checkpoint(bundle)
            #expect(
                stopped.code == 1
                    && stopped.errors.contains("Container cannot be checkpointed in stopped state"), "\(stopped)")
            #expect(!Files.exists(bundle.directory.appending("checkpoint")))
        }

        @Test("a restore without images leaves nothing, and one onto an id in use leaves the container alone")
        func badRestore() throws {
            let bundle = try TestBundle("exec sleep 600 >/dev/null 2>&1")
            try bundle.save()
            let missing = try Self.restore(bundle, "--image-path", "nowhere")
            #expect(missing.code == 1)
            #expect(
                missing.errors.contains("open \(bundle.directory)/nowhere/descriptors.json: no such file or directory"),
                "\(missing)")
            #expect(!Files.exists(bundle.directory.appending("nowhere")))
            #expect(bundle.leftovers() == [])
            try #require(try bundle.start().code == 0)
            let used = try Self.restore(bundle)
            #expect(
                used.code == 1 && used.errors.contains("container with given ID already exists: \(bundle.id)"),
                "\(used)")
            #expect(try bundle.status() == "running")
        }

        @Test(
            "arguments that make no sense are refused by name",
            arguments: [
                (["--manage-cgroups-mode", "gentle"], "invalid manage-cgroups-mode value"),
                (["--empty-ns", "mount"], "namespace \"mount\" is not supported"),
                (["--page-server", "here"], "Use --page-server ADDRESS:PORT to specify page server"),
                (["--page-server", "::1:5"], "Use --page-server ADDRESS:PORT to specify page server"),
                (["--page-server", "[::1]:port"], "Invalid port number"),
                (["--parent-path", "/images"], "--parent-path must be relative"),
                (["--parent-path", "../nowhere"], "invalid --parent-path"),
                (["--lazy-pages", "--status-fd", "77"], "invalid --status-fd argument 77"),
            ])
        func badArguments(_ options: [String], _ message: String) throws {
            let bundle = try TestBundle("exec sleep 600 >/dev/null 2>&1")
            try #require(try bundle.start().code == 0)
            let result = try RuntimeProgram.run(
                ["--root", bundle.state.string, "checkpoint"] + options + [bundle.id], in: bundle.directory)
            #expect(result.code == 1 && result.said.contains(message), "\(result)")
            #expect(try bundle.status() == "running")
            #expect(!Files.exists(bundle.directory.appending("checkpoint")))
        }
    }
}
