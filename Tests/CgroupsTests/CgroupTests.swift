import Cgroups
import Glibc
import LinuxKernel
import OCISpec
import SystemPackage
import Testing

@Suite("control groups", .serialized)
struct CgroupTests {
    @Test("paths are kept inside the hierarchy", arguments: ["", "/", "/.", "a/../b", "/.."])
    func badPath(_ path: String) {
        #expect(throws: CgroupError.self) {
            try Cgroup(path: path, hierarchies: .unified(mountPoint: "/sys/fs/cgroup"))
        }
    }

    @Test("a path has a directory in every hierarchy, under the name of any of its controllers")
    func directories() throws {
        let legacy = CgroupHierarchies.legacy([
            .init(controllers: ["cpu", "cpuacct"], mountPoint: "/c/cpu,cpuacct"),
            .init(controllers: ["name=systemd"], mountPoint: "/c/systemd"),
        ])
        let group = try Cgroup(path: "a//b/", hierarchies: legacy)
        #expect(group.path == "/a/b")
        #expect(group.directories == ["/c/cpu,cpuacct/a/b", "/c/systemd/a/b"])
        #expect(group.directory(of: "cpuacct") == "/c/cpu,cpuacct/a/b")
        #expect(group.directory(of: "memory") == nil)
        let unified = try Cgroup(path: "/a", hierarchies: .unified(mountPoint: "/c"))
        #expect(unified.directory(of: "memory") == "/c/a")
    }

    @Test(
        "shares become weights",
        arguments: [(0, 1), (2, 1), (10, 4), (100, 17), (1024, 100), (262_144, 10_000), (999_999, 10_000)])
    func weights(_ shares: UInt64, _ weight: UInt64) {
        #expect(Cgroup.weight(fromShares: shares) == weight)
    }

    @Test("values no kernel takes are refused before anything is written")
    func ranges() throws {
        let group = try Cgroup(path: "/nowhere", hierarchies: .unified(mountPoint: "/nowhere"))
        var resources = LinuxResources()
        resources.memory = LinuxMemory()
        resources.memory?.limit = 100
        resources.memory?.swap = 50
        #expect { try group.apply(resources) } throws: { "\($0)".contains("should be >= memory limit") }
        resources.memory = nil
        resources.blockIO = LinuxBlockIO()
        resources.blockIO?.weight = 5
        #expect { try group.apply(resources) } throws: { "\($0)".contains("between 10 and 1000") }
    }

    @Test(
        "groups are made below one that others remove whenever it is empty",
        .enabled(if: geteuid() == 0, "needs root"))
    func tidiedParent() async throws {
        let hierarchies = try CgroupHierarchies.mounted()
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for name in ["one", "two"] {
                tasks.addTask {
                    let path = "/masu-cgroups-test-\(getpid())/\(name)"
                    let group = try Cgroup(path: path, hierarchies: hierarchies)
                    for _ in 0..<200 {
                        try group.create()
                        try group.remove()
                        for directory in group.directories { rmdir(directory.removingLastComponent().string) }
                    }
                }
            }
            try await tasks.waitForAll()
        }
    }

    @Test(
        "a group is made, filled, counted, frozen, emptied by force and removed",
        .enabled(if: geteuid() == 0, "needs root"))
    func life() throws {
        let group = try Cgroup(path: "/masu-cgroups-test/\(getpid())/inner", hierarchies: .mounted())
        try group.create()
        defer { for directory in group.directories { removeParents(of: directory) } }
        try group.create()  // A leftover without processes is used.
        #expect(try group.processes() == [])
        var pid: pid_t = 0
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("60"), nil]
        defer { for argument in arguments { free(argument) } }
        #expect(posix_spawn(&pid, "/bin/sleep", nil, nil, &arguments, nil) == 0)
        try group.add(pid: pid)
        #expect(try group.processes() == [pid])
        #expect(throws: CgroupError.self) { try group.create() }
        #expect(group.statistics().pids?.current == 1)
        #expect(group.statistics().memory?.usage != nil)
        try group.freeze()
        #expect(try group.isFrozen() && group.isFrozenOrFreezing())
        try group.thaw()
        #expect(try !group.isFrozen() && !group.isFrozenOrFreezing())
        try group.freeze()
        try group.signalAll(9)
        #expect(try ProcessControl.wait(for: pid)?.status == .signaled(9), "the frozen are killed too")
        try group.remove()
        #expect(group.directories.allSatisfy { !Files.exists($0) })
        try group.remove()  // Not there: nothing to do.
    }

    private func removeParents(of directory: FilePath) {
        var path = directory
        for _ in 0..<2 {
            path.removeLastComponent()
            // Shared with whatever else runs these tests at the moment.
            try? Files.removeDirectory(path)
        }
    }
}
