import Foundation
import Testing

extension Integration {
    /// `scripts/vm --systemd` has a machine for these.
    @Suite(
        "systemd driver",
        .enabled(
            if: FileManager.default.fileExists(atPath: "/run/systemd/system")
                && FileManager.default.fileExists(atPath: "/sys/fs/cgroup/cgroup.controllers"),
            "needs systemd and cgroup version 2"))
    struct SystemdDriver {
        private static let options = ["--exec-opt", "native.cgroupdriver=systemd", "--cgroup-parent", "masutest.slice"]

        private func property(_ name: String, _ unit: String) throws -> String {
            let result = try Command("/usr/bin/systemctl", "show", "-p", name, "--value", unit).runToEnd()
            return result.line
        }

        @Test("with native.cgroupdriver=systemd a container is a scope with its limits, which a stop removes")
        func scope() throws {
            try withDaemon(options: Self.options) { daemon in
                #expect(try daemon.ok(.masu, "info", "-f", "{{.CgroupDriver}}") == "systemd")
                let id = try daemon.ok(.masu, "run", "-d", "--name", "c1", "-m", "64m", "busybox", "sleep", "100")
                let unit = "masu-\(id).scope"
                #expect(try property("MemoryMax", unit) == "\(64 << 20)")
                #expect(try property("Slice", unit) == "masutest.slice")
                try daemon.ok(.masu, "exec", "c1", "true")
                try daemon.ok(.masu, "pause", "c1")
                try daemon.ok(.masu, "unpause", "c1")
                try daemon.ok(.masu, "stop", "-t", "0", "c1")
                #expect(try property("LoadState", unit) == "not-found")
                try daemon.ok(.masu, "start", "c1")
                #expect(try property("ActiveState", unit) == "active")
                try daemon.ok(.masu, "rm", "-f", "c1")
                #expect(try property("LoadState", unit) == "not-found")
            }
        }

        @Test("a parent that is no slice is refused")
        func parent() throws {
            try withDaemon(options: Self.options) { daemon in
                let result = try daemon.run(.masu, "run", "--cgroup-parent", "/a/b", "busybox", "true")
                #expect(result.code == 125)
                #expect(result.errors.contains("should be a valid slice named as \"xxx.slice\""), "\(result)")
            }
        }
    }
}
