import JSON
import LinuxKernel
import OCISpec
import SystemPackage
import Testing

extension RuntimeTests {
    /// Version 2 on a hybrid system, whose unified hierarchy has no controllers of use but all that needs none.
    @Suite(
        "unified control groups",
        .enabled(if: Files.exists("/sys/fs/cgroup/unified/cgroup.procs"), "needs a hybrid system"))
    struct Unified {
        private static let subtree: FilePath = "/sys/fs/cgroup/unified/cgroup.subtree_control"

        @Test("a container is made, listed, frozen, kept from devices, refused limits, killed and removed on version 2")
        func life() throws {
            let bundle = try TestBundle("exec sleep 60")
            bundle.usesUnifiedHierarchy = true
            bundle.spec.linux?.devices = [LinuxDevice(path: "/dev/mem-like", type: "c", major: 1, minor: 1)]
            bundle.spec.linux?.resources = LinuxResources()
            bundle.spec.linux?.resources?.devices = [LinuxDeviceCgroup(allow: false, access: "rwm")]
            bundle.spec.mounts? += [
                Mount(
                    destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup",
                    options: ["ro", "nosuid", "noexec", "nodev"])
            ]
            let before = try Files.readText(Self.subtree).split(separator: " ")
            let started = try bundle.start()
            let handed = try Files.readText(Self.subtree).split(separator: " ").filter { !before.contains($0) }
            #expect(started.code == 0, "\(started)")
            let group = FilePath("/sys/fs/cgroup/unified/masu-runtime-test").appending(bundle.id)
            // Controllers that were not handed down before are not afterwards.
            defer { for controller in handed { try? Files.write("-\(controller)", to: Self.subtree) } }
            defer { try? Files.removeDirectory("/sys/fs/cgroup/unified/masu-runtime-test") }
            let pid = try JSON.parse(bundle.runtime("state", bundle.id).output)["pid"]?.int
            #expect(try Files.readText(group.appending("cgroup.procs")) == pid.map { "\($0)" })
            let exec = try bundle.runtime("exec", bundle.id, "sh", "-c", "cat /proc/self/cgroup; ls /sys/fs/cgroup")
            #expect(exec.lines.contains("0::/") && exec.lines.contains("cgroup.procs"), "\(exec)")
            let device = try bundle.runtime("exec", bundle.id, "dd", "if=/dev/mem-like", "count=0")
            #expect(device.errors.contains("not permitted"), "\(device)")
            #expect(try bundle.runtime("pause", bundle.id).code == 0)
            #expect(try bundle.status() == "paused")
            #expect(try bundle.runtime("resume", bundle.id).code == 0)
            let limit = try bundle.runtime("update", "--memory", "64m", bundle.id)
            #expect(limit.code == 1 && limit.errors.contains("cannot set the memory limit"), "\(limit)")
            #expect(try bundle.runtime("kill", "--all", bundle.id, "KILL").code == 0)
            #expect(try bundle.wait { try bundle.status() == "stopped" })
            #expect(try bundle.runtime("delete", bundle.id).code == 0)
            #expect(!Files.exists(group))
        }
    }
}
