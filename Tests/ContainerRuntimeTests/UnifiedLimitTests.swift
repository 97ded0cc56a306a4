import JSON
import LinuxKernel
import OCISpec
import SystemPackage
import Testing

extension RuntimeTests {
    /// What is only where version 2 is alone and has the controllers: `scripts/test` runs these in the virtual machine.
    @Suite(
        "limits on version 2, in the virtual machine",
        .enabled(if: Files.exists("/sys/fs/cgroup/cgroup.controllers"), "needs cgroup version 2 alone (scripts/vm)"))
    struct UnifiedLimits {
        private func value(_ file: String, of bundle: TestBundle) throws -> String {
            try Files.readText(bundle.cgroup("").appending(file))
        }

        private func memory(_ limit: Int64?, swap: Int64? = nil) -> LinuxResources {
            var memory = LinuxMemory()
            memory.limit = limit
            memory.swap = swap
            var resources = LinuxResources()
            resources.memory = memory
            return resources
        }

        @Test("limits are in the kernel's files before the program runs, and update changes only what it names")
        func limits() throws {
            let bundle = try TestBundle("exec sleep 60")
            var resources = memory(64 << 20, swap: 96 << 20)
            resources.memory?.reservation = 32 << 20
            var cpu = LinuxCPU()
            cpu.shares = 512
            cpu.quota = 50_000
            cpu.period = 100_000
            cpu.burst = 10_000
            cpu.cpus = "0"
            resources.cpu = cpu
            resources.pids = LinuxPids(limit: 33)
            resources.unified = ["memory.high": "50331648"]
            bundle.spec.linux?.resources = resources
            let started = try bundle.start()
            #expect(started.code == 0, "\(started)")
            let expected = [
                "memory.max": "\(64 << 20)", "memory.swap.max": "\(32 << 20)", "memory.low": "\(32 << 20)",
                "memory.high": "50331648", "cpu.weight": "59", "cpu.max": "50000 100000", "cpu.max.burst": "10000",
                "cpuset.cpus": "0", "pids.max": "33",
            ]
            for (file, text) in expected { #expect(try value(file, of: bundle) == text, "\(file)") }
            let update = try bundle.runtime("update", "--memory", "80m", "--cpu-quota", "70000", bundle.id)
            #expect(update.code == 0, "\(update)")
            // Memory and swap together stay what they were.
            let changed = ["memory.max": "\(80 << 20)", "memory.swap.max": "\(16 << 20)", "cpu.max": "70000 100000"]
            for (file, text) in expected.merging(changed, uniquingKeysWith: { $1 }) {
                #expect(try value(file, of: bundle) == text, "\(file)")
            }
        }

        @Test("memory without a limit has no limit of swap either")
        func unlimited() throws {
            let bundle = try TestBundle("exec sleep 60")
            bundle.spec.linux?.resources = memory(64 << 20, swap: 64 << 20)
            #expect(try bundle.start().code == 0)
            #expect(try value("memory.swap.max", of: bundle) == "0")
            let update = try bundle.runtime("update", "--memory", "-1", bundle.id)
            #expect(update.code == 0, "\(update)")
            #expect(try value("memory.max", of: bundle) == "max")
            #expect(try value("memory.swap.max", of: bundle) == "max")
        }

        @Test(
            "limits that make no sense are refused in words, and nothing is left",
            arguments: [
                (nil, 64 << 20, [:], "unable to set swap limit without memory limit"),
                (64 << 20, 32 << 20, [:], "memory+swap limit should be >= memory limit"),
                (nil, nil, ["memory/high": "1"], "must be a file name (no slashes)"),
                (nil, nil, ["memory": "1"], "must be in the form CONTROLLER.PARAMETER"),
                (nil, nil, ["nothing.max": "1"], "controller \"nothing\" not available"),
                (nil, nil, ["memory.nothing": "1"], "unable to set unified resource \"memory.nothing\""),
            ] as [(Int64?, Int64?, [String: String], String)])
        func refused(_ limit: Int64?, _ swap: Int64?, _ unified: [String: String], _ words: String) throws {
            let bundle = try TestBundle("true")
            bundle.spec.linux?.resources = memory(limit, swap: swap)
            bundle.spec.linux?.resources?.unified = unified
            let result = try bundle.run()
            #expect(result.code == 1 && result.said.contains(words), "\(result)")
            #expect(bundle.leftovers() == [])
        }

        @Test("a limit below what is used is refused if it is asked to be checked")
        func checked() throws {
            let bundle = try TestBundle("exec sleep 60")
            #expect(try bundle.start().code == 0)
            try bundle.write(#"{"memory":{"limit":4096,"checkBeforeUpdate":true}}"#, to: "data/update.json")
            let update = try bundle.runtime("update", "-r", bundle.rootfs.string + "/data/update.json", bundle.id)
            #expect(update.code == 1 && update.errors.contains("rejecting memory limit 4096 <= usage"), "\(update)")
            #expect(try value("memory.max", of: bundle) == "max")
        }

        @Test("a container that uses more memory than it may is killed")
        func outOfMemory() throws {
            let bundle = try TestBundle("x=a; while true; do x=$x$x$x$x; done")
            bundle.spec.linux?.resources = memory(16 << 20, swap: 16 << 20)
            #expect(try bundle.run().code == 137)
            #expect(bundle.leftovers() == [])
        }

        @Test("where the container's group has become one without processes, exec joins its first process")
        func innerGroup() throws {
            let bundle = try TestBundle(
                """
                mkdir /sys/fs/cgroup/inner && echo 1 >/sys/fs/cgroup/inner/cgroup.procs &&
                echo +memory >/sys/fs/cgroup/cgroup.subtree_control && touch /tmp/ready; exec sleep 60
                """)
            bundle.spec.mounts?.append(Mount(destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup"))
            #expect(try bundle.start().code == 0)
            #expect(try bundle.wait { Files.exists(bundle.rootfs.appending("tmp/ready")) })
            let exec = try bundle.runtime("exec", bundle.id, "cat", "/proc/self/cgroup")
            #expect(exec.lines == ["0::/inner"], "\(exec)")
            let chosen = try bundle.runtime("exec", "--cgroup", "/", bundle.id, "true")
            #expect(chosen.code == 255 && chosen.errors.contains("busy"), "\(chosen)")
        }

        @Test("the root of a user namespace owns its group, but not its limits", arguments: [false, true])
        func delegated(_ isReadOnly: Bool) throws {
            let bundle = try TestBundle("exec sleep 60")
            let mapping = LinuxIDMapping(containerID: 0, hostID: 100_000, size: 65536)
            bundle.spec.linux?.namespaces?.append(LinuxNamespace(type: .user))
            bundle.spec.linux?.uidMappings = [mapping]
            bundle.spec.linux?.gidMappings = [mapping]
            bundle.spec.mounts?.append(
                Mount(
                    destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup",
                    options: isReadOnly ? ["ro"] : []))
            _ = try RuntimeProgram.run("/bin/chmod", ["755", bundle.directory.string], in: "/")
            let started = try bundle.start()
            #expect(started.code == 0, "\(started)")
            let made = try bundle.runtime("exec", bundle.id, "mkdir", "/sys/fs/cgroup/inner")
            #expect((made.code == 0) == !isReadOnly, "\(made)")
            let limit = try bundle.runtime("exec", bundle.id, "sh", "-c", "echo 1 >/sys/fs/cgroup/memory.max")
            #expect(limit.code != 0, "\(limit)")
        }
    }
}
