import JSON
import LinuxKernel
import OCISpec
import SystemPackage
import Testing

extension RuntimeTests {
    @Suite(
        "limits", .enabled(if: !Files.exists("/sys/fs/cgroup/cgroup.controllers"), "about control groups of version 1"))
    struct Limits {
        @Test("limits are in force before the program runs, and update changes only what it names")
        func limits() throws {
            let bundle = try TestBundle("exec sleep 60")
            var resources = LinuxResources()
            var memory = LinuxMemory()
            memory.limit = 64 << 20
            memory.swap = 96 << 20
            memory.reservation = 32 << 20
            resources.memory = memory
            var cpu = LinuxCPU()
            cpu.shares = 512
            cpu.quota = 50_000
            cpu.period = 100_000
            cpu.cpus = "0"
            resources.cpu = cpu
            resources.pids = LinuxPids(limit: 33)
            bundle.spec.linux?.resources = resources
            let started = try bundle.start()
            #expect(started.code == 0, "\(started)")
            func value(_ controller: String, _ file: String) throws -> String {
                try Files.readText(bundle.cgroup(controller).appending(file))
            }
            #expect(try value("memory", "memory.limit_in_bytes") == "\(64 << 20)")
            #expect(try value("memory", "memory.memsw.limit_in_bytes") == "\(96 << 20)")
            #expect(try value("memory", "memory.soft_limit_in_bytes") == "\(32 << 20)")
            #expect(try value("cpu", "cpu.shares") == "512")
            #expect(try value("cpu", "cpu.cfs_quota_us") == "50000")
            #expect(try value("cpuset", "cpuset.cpus") == "0")
            #expect(try value("pids", "pids.max") == "33")
            let update = try bundle.runtime(
                "update", "--memory", "128m", "--memory-swap", "256m", "--pids-limit", "44", bundle.id)
            #expect(update.code == 0, "\(update)")
            #expect(try value("memory", "memory.limit_in_bytes") == "\(128 << 20)")
            #expect(try value("memory", "memory.memsw.limit_in_bytes") == "\(256 << 20)")
            #expect(try value("pids", "pids.max") == "44")
            #expect(try value("cpu", "cpu.shares") == "512")
        }

        @Test("a container that uses more memory than it may is killed")
        func outOfMemory() throws {
            let bundle = try TestBundle("x=a; while true; do x=$x$x$x$x; done")
            bundle.spec.linux?.resources = LinuxResources()
            var memory = LinuxMemory()
            memory.limit = 16 << 20
            memory.swap = 16 << 20
            bundle.spec.linux?.resources?.memory = memory
            #expect(try bundle.run().code == 137)
            #expect(bundle.leftovers() == [])
        }

        @Test("a limit that this machine cannot set is refused by name, and nothing is left")
        func refused() throws {
            let bundle = try TestBundle("true")
            bundle.spec.linux?.resources = LinuxResources()
            bundle.spec.linux?.resources?.hugepageLimits = [LinuxHugepageLimit(pageSize: "3MB", limit: 1)]
            let result = try bundle.run()
            #expect(result.code == 1 && result.errors.contains("huge pages"), "\(result)")
            #expect(bundle.leftovers() == [])
        }
    }
}
