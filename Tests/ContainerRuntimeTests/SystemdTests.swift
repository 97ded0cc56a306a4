import Glibc
import JSON
import LinuxKernel
import OCISpec
import SystemPackage
import Testing

extension RuntimeTests {
    private static let systemdRuns = Files.exists("/run/systemd/system")

    /// `scripts/vm --systemd` has a machine for these.
    @Suite(
        "control groups by systemd",
        .enabled(if: systemdRuns && Files.exists("/sys/fs/cgroup/cgroup.controllers"), "needs systemd and version 2"))
    struct Systemd {
        private static func bundle(_ script: String = "exec sleep 60") throws -> TestBundle {
            let bundle = try TestBundle(script)
            bundle.spec.linux?.cgroupsPath = "masu-test.slice:masutest:\(bundle.id)"
            return bundle
        }

        private static func start(_ bundle: TestBundle) throws -> RuntimeProgram.Result {
            try bundle.save()
            return try bundle.runtime("--systemd-cgroup", "run", "--detach", bundle.id)
        }

        private static func property(_ name: String, _ bundle: TestBundle) throws -> String? {
            let unit = "masutest-\(bundle.id).scope"
            let result = try RuntimeProgram.run("/usr/bin/systemctl", ["show", "-p", name, unit], in: "/")
            return result.lines.first.map { String($0.dropFirst(name.count + 1)) }
        }

        private static func group(_ bundle: TestBundle) -> FilePath {
            FilePath("/sys/fs/cgroup/masu.slice/masu-test.slice/masutest-\(bundle.id).scope")
        }

        @Test("a container is in a scope of its slice that has its limits, and goes with it")
        func life() throws {
            let bundle = try Self.bundle()
            bundle.spec.linux?.resources = LinuxResources()
            bundle.spec.linux?.resources?.memory = LinuxMemory()
            bundle.spec.linux?.resources?.memory?.limit = 64 << 20
            bundle.spec.linux?.resources?.pids = LinuxPids(limit: 50)
            bundle.spec.annotations = ["org.systemd.property.CollectMode": "'inactive-or-failed'"]
            let started = try Self.start(bundle)
            #expect(started.code == 0, "\(started)")
            #expect(try Self.property("Slice", bundle) == "masu-test.slice")
            #expect(try Self.property("MemoryMax", bundle) == "\(64 << 20)")
            #expect(try Self.property("TasksMax", bundle) == "50")
            #expect(try Self.property("Delegate", bundle) == "yes")
            #expect(try Self.property("CollectMode", bundle) == "inactive-or-failed")
            #expect(try Files.readText(Self.group(bundle).appending("memory.max")) == "\(64 << 20)")
            let pid = try JSON.parse(bundle.runtime("state", bundle.id).output)["pid"]?.int
            #expect(try Files.readText(Self.group(bundle).appending("cgroup.procs")) == pid.map { "\($0)" })
            let exec = try bundle.runtime("exec", bundle.id, "cat", "/proc/self/cgroup")
            #expect(exec.lines == ["0::/"], "\(exec)")
            #expect(try bundle.runtime("pause", bundle.id).code == 0)
            #expect(try bundle.status() == "paused")
            #expect(try bundle.runtime("resume", bundle.id).code == 0)
            let deleted = try bundle.runtime("delete", "--force", bundle.id)
            #expect(deleted.code == 0 && deleted.errors.isEmpty, "\(deleted)")
            #expect(!Files.exists(Self.group(bundle)))
            #expect(try Self.property("LoadState", bundle) == "not-found")
        }

        @Test("an update is told to systemd, which would undo it otherwise")
        func update() throws {
            let bundle = try Self.bundle()
            #expect(try Self.start(bundle).code == 0)
            let updated = try bundle.runtime(
                "update", "--memory", "32M", "--pids-limit", "20", "--cpu-quota", "30000", bundle.id)
            #expect(updated.code == 0, "\(updated)")
            #expect(try RuntimeProgram.run("/usr/bin/systemctl", ["daemon-reload"], in: "/").code == 0)
            #expect(try Self.property("MemoryMax", bundle) == "\(32 << 20)")
            #expect(try Self.property("TasksMax", bundle) == "20")
            #expect(try Self.property("CPUQuotaPerSecUSec", bundle) == "300ms")
            #expect(try Files.readText(Self.group(bundle).appending("memory.max")) == "\(32 << 20)")
            #expect(try Files.readText(Self.group(bundle).appending("cpu.max")) == "30000 100000")
        }

        @Test("only the devices that are allowed can be used, also after systemd has looked at its units again")
        func devices() throws {
            let bundle = try Self.bundle()
            bundle.spec.linux?.devices = [LinuxDevice(path: "/dev/mem-like", type: "c", major: 1, minor: 1)]
            bundle.spec.linux?.resources = LinuxResources()
            bundle.spec.linux?.resources?.devices = [LinuxDeviceCgroup(allow: false, access: "rwm")]
            #expect(try Self.start(bundle).code == 0)
            #expect(try RuntimeProgram.run("/usr/bin/systemctl", ["daemon-reload"], in: "/").code == 0)
            let forbidden = try bundle.runtime("exec", bundle.id, "dd", "if=/dev/mem-like", "count=0")
            #expect(forbidden.errors.contains("not permitted"), "\(forbidden)")
            #expect(try bundle.runtime("exec", bundle.id, "sh", "-c", "echo > /dev/null").code == 0)
        }

        @Test("a failure leaves no scope behind")
        func failure() throws {
            let bundle = try Self.bundle()
            bundle.spec.process?.args = ["no-such-program"]
            let result = try Self.start(bundle)
            #expect(result.code != 0 && result.errors.contains("no-such-program"), "\(result)")
            #expect(try Self.property("LoadState", bundle) == "not-found")
            #expect(bundle.leftovers() == [])
        }

        @Test("a unit that is in use is not taken, and its name is told")
        func inUse() throws {
            let first = try Self.bundle()
            #expect(try Self.start(first).code == 0)
            let second = try Self.bundle()
            second.spec.linux?.cgroupsPath = first.spec.linux?.cgroupsPath
            let result = try Self.start(second)
            #expect(result.code == 1 && result.errors.contains("masutest-\(first.id).scope"), "\(result)")
            #expect(second.leftovers() == [])
            #expect(try first.status() == "running")
        }

        @Test("a group that was frozen before is refused and stays as it was")
        func frozen() throws {
            let bundle = try Self.bundle()
            let group = FilePath("/sys/fs/cgroup/masu.slice/masu-test.slice/masutest-\(bundle.id).scope")
            try Files.makeDirectories(group)
            // The directory is gone already where the runtime has done wrong.
            defer { try? Files.removeDirectory(group) }
            try Files.write("1", to: group.appending("cgroup.freeze"))
            for _ in 0..<2 {
                let result = try Self.start(bundle)
                #expect(result.code == 1 && result.errors.contains("cgroup unexpectedly frozen"), "\(result)")
            }
            #expect(try Files.readText(group.appending("cgroup.freeze")) == "1")
        }

        @Test("the name of a unit that has failed can be used again")
        func failedUnit() throws {
            let bundle = try Self.bundle()
            // The first process of a pid namespace does not hear SIGTERM.
            bundle.spec.annotations = [
                "org.systemd.property.RuntimeMaxSec": "1", "org.systemd.property.TimeoutStopSec": "1",
            ]
            #expect(try Self.start(bundle).code == 0)
            #expect(try bundle.wait { try Self.property("ActiveState", bundle) == "failed" })
            #expect(try bundle.runtime("delete", bundle.id).code == 0)
            bundle.spec.annotations = nil
            #expect(try Self.start(bundle).code == 0)
        }

        @Test("properties that systemd does not know are refused with the unit's name, and nothing is left")
        func unknownProperty() throws {
            let bundle = try Self.bundle()
            bundle.spec.annotations = ["org.systemd.property.NoSuchThing": "1"]
            let result = try Self.start(bundle)
            #expect(result.code == 1, "\(result)")
            #expect(result.said.contains("unable to start unit \"masutest-\(bundle.id).scope\""), "\(result)")
            #expect(result.errors.contains("NoSuchThing"), "\(result)")
            #expect(bundle.leftovers() == [])
        }

        @Test("a container with a user namespace gets into its scope, too")
        func userNamespace() throws {
            let bundle = try Self.bundle()
            bundle.spec.linux?.namespaces?.append(LinuxNamespace(type: .user))
            bundle.spec.linux?.uidMappings = [LinuxIDMapping(containerID: 0, hostID: 100_000, size: 65_536)]
            bundle.spec.linux?.gidMappings = [LinuxIDMapping(containerID: 0, hostID: 100_000, size: 65_536)]
            chmod(bundle.directory.string, 0o755)
            let started = try Self.start(bundle)
            #expect(started.code == 0, "\(started)")
            #expect(try !Files.readText(Self.group(bundle).appending("cgroup.procs")).isEmpty)
        }
    }

    @Test("without systemd, control groups by it are refused", .enabled(if: !systemdRuns, "needs no systemd"))
    static func noSystemd() throws {
        let bundle = try TestBundle()
        bundle.spec.linux?.cgroupsPath = "system.slice:masutest:\(bundle.id)"
        try bundle.save()
        let result = try bundle.runtime("--systemd-cgroup", "run", bundle.id)
        #expect(result.code == 1)
        #expect(result.errors.contains("systemd not running on this host, cannot use systemd cgroups manager"))
        #expect(bundle.leftovers() == [])
    }
}
