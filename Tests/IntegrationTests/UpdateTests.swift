import Foundation
import Testing

extension Integration {
    /// Changes of limits and of restart policies.
    @Suite("updates of limits and policies")
    struct UpdateTests {
        /// A moment from which nothing that has happened is missing: clients that read "0s" drop the fractions of now.
        private static var soon: String { "\(time(nil) + 1)" }

        private static let isUnified = FileManager.default.fileExists(atPath: "/sys/fs/cgroup/cgroup.controllers")

        /// A file of the container's control group.
        private func limit(_ daemon: TestDaemon, _ legacy: String, _ unified: String, _ name: String = "web") throws
            -> String
        {
            let id = try daemon.ok(.masu, "inspect", "-f", "{{.Id}}", name)
            let controller = legacy.split(separator: ".").first.map(String.init) ?? ""
            let path =
                Self.isUnified
                ? "/sys/fs/cgroup/\(daemon.cgroup)/\(id)/\(unified)"
                : "/sys/fs/cgroup/\(controller)/\(daemon.cgroup)/\(id)/\(legacy)"
            return try String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        }

        private func memory(_ daemon: TestDaemon) throws -> String {
            try limit(daemon, "memory.limit_in_bytes", "memory.max")
        }

        private func pids(_ daemon: TestDaemon) throws -> String { try limit(daemon, "pids.max", "pids.max") }

        @Test(
            "limits of a running container change at once, and outlive its restart and the daemon's death",
            arguments: Client.available)
        func limits(client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(client, "run", "-d", "--name", "web", "-m", "32m", "busybox", "sleep", "1000")
                try daemon.ok(client, "create", "--name", "other", "busybox", "true")
                // Both limits rise, and which goes first matters to the kernel.
                #expect(
                    try daemon.ok(
                        client, "update", "-m", "128m", "--memory-swap", "256m", "--pids-limit", "77", "--cpu-shares",
                        "512", "--cpu-quota", "50000", "--cpu-period", "100000", "web", "other") == "web\nother")
                func expectLimits() throws {
                    #expect(try memory(daemon) == "\(128 << 20)")
                    #expect(try pids(daemon) == "77")
                    #expect(
                        try limit(daemon, "cpu.cfs_quota_us", "cpu.max")
                            == (Self.isUnified ? "50000 100000" : "50000"))
                }
                try expectLimits()
                let facts =
                    "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.PidsLimit}} "
                    + "{{.HostConfig.CpuShares}} {{.HostConfig.CpuQuota}}"
                for name in ["web", "other"] {
                    #expect(
                        try daemon.ok(client, "inspect", "-f", facts, name) == "134217728 268435456 77 512 50000")
                }
                try daemon.crash()
                try daemon.start()
                try expectLimits()
                try daemon.ok(client, "restart", "-t", "0", "web")
                try expectLimits()
                // And fall again.
                try daemon.ok(client, "update", "-m", "64m", "--memory-swap", "64m", "--pids-limit", "-1", "web")
                #expect(try memory(daemon) == "\(64 << 20)")
                #expect(try pids(daemon) == "max")
                let events = try daemon.ok(
                    client, "events", "--since", "1h", "--until", Self.soon, "--filter", "event=update", "--format",
                    "{{.Actor.Attributes.name}}")
                #expect(events.split(separator: "\n").last == "web")
            }
        }

        @Test(
            "what the kernel refuses leaves row and control group as they were",
            .enabled(if: !Self.isUnified, "version 2 of control groups kills where version 1 refuses"))
        func refusal() throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "run", "-d", "--name", "web", "-m", "64m", "--pids-limit", "50", "busybox", "sleep", "1000")
                // Memory that nobody can take away.
                try daemon.ok(.masu, "exec", "web", "dd", "if=/dev/zero", "of=/dev/shm/x", "bs=1M", "count=30")
                let before = try daemon.ok(.masu, "inspect", "-f", "{{json .HostConfig}}", "web")
                let body = #"{"CpuShares":300,"Memory":8388608,"MemorySwap":8388608,"PidsLimit":20}"#
                let answer = try daemon.http("POST", "/containers/web/update", body: body)
                #expect(answer.status == 500 && answer.body.contains("Cannot update container "), "\(answer)")
                #expect(try daemon.ok(.masu, "inspect", "-f", "{{json .HostConfig}}", "web") == before)
                #expect(try memory(daemon) == "\(64 << 20)")
                #expect(try pids(daemon) == "50")
                #expect(try limit(daemon, "cpu.shares", "cpu.weight") == "1024")
            }
        }

        @Test("the restart policy changes, but not that of a container that is removed at its end")
        func policy() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "-d", "--name", "web", "busybox", "sleep", "1000")
                try daemon.ok(.masu, "update", "--restart", "on-failure:3", "web")
                let policy = "{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}"
                #expect(try daemon.ok(.masu, "inspect", "-f", policy, "web") == "on-failure 3")
                try daemon.ok(.masu, "update", "--restart", "always", "web")
                let pid = try daemon.ok(.masu, "inspect", "-f", "{{.State.Pid}}", "web")
                kill(try #require(pid_t(pid)), SIGKILL)
                #expect(try eventually { try daemon.ok(.masu, "inspect", "-f", "{{.RestartCount}}", "web") == "1" })
                let id = try daemon.ok(.masu, "run", "-d", "--rm", "--name", "gone", "busybox", "sleep", "1000")
                let result = try daemon.run(.masu, "update", "--restart", "always", "gone")
                let words =
                    "Cannot update container \(id): Restart policy cannot be updated because AutoRemove is "
                    + "enabled for the container"
                #expect(result.code == 1 && result.errors.contains(words), "\(result)")
            }
        }

        @Test(
            "values that cannot be are refused in Docker's words",
            arguments: [
                (#"{"Memory":1000000}"#, 400, "Minimum memory limit allowed is 6MB"),
                (#"{"Memory":-1}"#, 400, "Minimum memory limit allowed is 6MB"),
                (
                    #"{"Memory":1073741824}"#, 409,
                    "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the "
                        + "same time"
                ),
                (
                    #"{"Memory":67108864,"MemorySwap":33554432}"#, 400,
                    "Minimum memoryswap limit should be larger than memory limit, see usage"
                ),
                (#"{"NanoCpus":100000000,"CpuPeriod":1000}"#, 400, "Nano CPUs and CPU Period cannot both be set"),
                (#"{"CpusetCpus":"5000"}"#, 400, "Requested CPUs are not available - requested 5000"),
                (#"{"CpusetCpus":"x"}"#, 400, "Invalid value x for cpuset cpus"),
                (#"{"BlkioWeight":5}"#, 400, "Range of blkio weight is from 10 to 1000"),
                (#"{"CpuPeriod":5}"#, 400, "CPU cfs period can not be less than 1ms"),
                (#"{"RestartPolicy":{"Name":"x"}}"#, 400, "invalid restart policy: unknown policy 'x'"),
                (#"{"Memory":"1"}"#, 400, "Memory"), ("", 400, "invalid JSON"),
            ])
        func badInput(body: String, status: Int, message: String) throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "create", "--name", "web", "-m", "64m", "busybox", "true")
                let before = try daemon.ok(.masu, "inspect", "-f", "{{json .HostConfig}}", "web")
                let answer = try daemon.http("POST", "/containers/web/update", body: body)
                #expect(answer.status == status && answer.body.contains(message), "\(answer)")
                #expect(try daemon.ok(.masu, "inspect", "-f", "{{json .HostConfig}}", "web") == before)
                #expect(try daemon.http("POST", "/containers/nobody/update", body: "{}").status == 404)
            }
        }
    }
}
