import HostLimits
import LinuxKernel
import SystemPackage
import TemporaryDirectories
import Testing

/// A directory with the files of a machine, as Debian 12 has them without systemd.
private final class FakeMachine {
    let directory: TemporaryDirectory
    var files: HostFiles { HostFiles(root: directory.path) }

    init(cgroup: String = "8:pids:/\n0::/", without missing: Set<String> = []) throws {
        directory = try TemporaryDirectory(mode: 0o755)
        for (name, value) in Self.recorded where !missing.contains(name) { try set(name, value) }
        try write(cgroup, "proc/self/cgroup")
    }

    func write(_ text: String, _ path: String) throws {
        let path = directory.path.appending(path)
        try Files.makeDirectories(path.removingLastComponent())
        let file = try Files.open(path, [.writeOnly, .create, .truncate], mode: 0o644)
        defer { file.discard() }
        try file.writeEntire(Array((text + "\n").utf8))
    }

    private static func path(_ name: String) -> String {
        "proc/sys/" + name.split(separator: ".").joined(separator: "/")
    }

    func set(_ name: String, _ value: UInt64) throws { try write("\(value)", Self.path(name)) }

    func value(_ name: String) throws -> UInt64? {
        UInt64(try Files.readText(directory.path.appending(Self.path(name))))
    }

    /// All of them, by name.
    func all() throws -> [String: UInt64] {
        var all: [String: UInt64] = [:]
        for name in Self.recorded.keys { all[name] = try value(name) }
        return all
    }

    static let recorded: [String: UInt64] = [
        "net.ipv4.neigh.default.gc_thresh1": 128, "net.ipv4.neigh.default.gc_thresh2": 512,
        "net.ipv4.neigh.default.gc_thresh3": 1024, "net.ipv6.neigh.default.gc_thresh1": 128,
        "net.ipv6.neigh.default.gc_thresh2": 512, "net.ipv6.neigh.default.gc_thresh3": 1024,
        "net.netfilter.nf_conntrack_max": 262_144, "net.netfilter.nf_conntrack_buckets": 262_144,
        "net.core.somaxconn": 4096, "kernel.pid_max": 32_768, "kernel.threads-max": 192_730, "kernel.pty.max": 4096,
        "kernel.keys.maxkeys": 200, "kernel.keys.maxbytes": 20_000, "kernel.keys.root_maxkeys": 1_000_000,
        "kernel.keys.root_maxbytes": 25_000_000, "fs.file-max": 2_466_177, "fs.nr_open": 1_048_576,
        "fs.inotify.max_user_instances": 128, "fs.inotify.max_user_watches": 192_536,
        "user.max_net_namespaces": 96_365, "user.max_mnt_namespaces": 96_365, "user.max_pid_namespaces": 96_365,
        "user.max_ipc_namespaces": 96_365, "user.max_uts_namespaces": 96_365, "user.max_cgroup_namespaces": 96_365,
    ]
}

@Suite("Limits of the machine")
struct HostLimitsTests {
    private func limits(_ machine: FakeMachine, _ containers: Int, openFiles: UInt64 = 1_048_576) -> HostLimits {
        HostLimits(for: containers, files: machine.files, openFiles: openFiles, bridgePorts: 1023)
    }

    private func short(_ limits: HostLimits) -> Set<String> { Set(limits.limits.filter(\.isShort).map(\.name)) }

    @Test("ten containers fit everywhere")
    func few() throws { #expect(short(limits(try FakeMachine(), 10)) == []) }

    @Test("for a thousand, Debian's neighbour tables, processes, watchers and keyrings are short")
    func thousand() throws {
        let limits = limits(try FakeMachine(), 1000)
        #expect(
            short(limits) == [
                "net.ipv4.neigh.default.gc_thresh1", "net.ipv4.neigh.default.gc_thresh2",
                "net.ipv4.neigh.default.gc_thresh3", "net.ipv6.neigh.default.gc_thresh1",
                "net.ipv6.neigh.default.gc_thresh2", "net.ipv6.neigh.default.gc_thresh3", "kernel.pid_max",
                "kernel.keys.maxkeys", "kernel.keys.maxbytes", "fs.inotify.max_user_instances",
            ])
        let processes = try #require(limits.limits.first { $0.name == "kernel.pid_max" })
        #expect(processes.present == 32_768 && processes.need == 37_096)
        #expect(processes.remedy == "sysctl -w kernel.pid_max=37096")
    }

    @Test("a bridge has 1,023 ports, whatever is set", arguments: [(1023, false), (1024, true)])
    func bridge(containers: Int, isShort: Bool) throws {
        let ports = try #require(limits(try FakeMachine(), containers).limits.first { $0.name == "bridge ports" })
        #expect(ports.isShort == isShort && ports.remedy.contains("masu network create"))
    }

    @Test("the daemon's own limit of descriptors", arguments: [(8255 as UInt64, true), (8256, false), (.max, false)])
    func openFiles(present: UInt64, isShort: Bool) throws {
        let limits = limits(try FakeMachine(), 1000, openFiles: present)
        let own = try #require(limits.limits.first { $0.name == "RLIMIT_NOFILE" })
        #expect(own.isShort == isShort && own.present == present && own.remedy.contains("LimitNOFILE=8256"))
    }

    @Test("the lowest limit of the control groups above counts, of either version")
    func controlGroups() throws {
        for (membership, directory) in [
            ("0::/system.slice/masud.service", "/sys/fs/cgroup"),
            ("9:name=systemd:/x\n8:pids:/system.slice/masud.service\n0::/", "/sys/fs/cgroup/pids"),
        ] {
            let machine = try FakeMachine(cgroup: membership)
            let path = directory.dropFirst() + "/system.slice"
            try machine.write("max", path + "/masud.service/pids.max")
            try machine.write("1500", path + "/pids.max")
            let limit = try #require(limits(machine, 1000).limits.first { $0.name == "pids.max" })
            #expect(limit.present == 1500 && limit.isShort)
            #expect(limit.remedy == "echo 2024 > \(directory)/system.slice/pids.max")
        }
        let limit = try #require(limits(try FakeMachine(), 1000).limits.first { $0.name == "pids.max" })
        #expect(limit.present == .max && !limit.isShort)
    }

    @Test("what the machine does not show is not short, and is not written")
    func missing() throws {
        let name = "net.ipv6.neigh.default.gc_thresh3"
        let machine = try FakeMachine(without: [name])
        let limits = limits(machine, 1000)
        let limit = try #require(limits.limits.first { $0.name == name })
        #expect(limit.present == nil && !limit.isShort)
        #expect(!limits.raise(machine.files).contains { $0.name == name })
        #expect(!Files.exists(machine.directory.path.appending("proc/sys/net/ipv6/neigh/default/gc_thresh3")))
    }

    @Test("what is short is raised to what is needed, and nothing else is touched")
    func raise() throws {
        let machine = try FakeMachine()
        // More than is needed stays.
        try machine.set("kernel.keys.maxkeys", 5000)
        let before = try machine.all()
        let limits = limits(machine, 1000)
        let changes = limits.raise(machine.files)
        #expect(Set(changes.map(\.name)) == short(limits))
        #expect(changes.allSatisfy { $0.failure == nil && $0.from < $0.to })
        let after = try machine.all()
        for (name, value) in after {
            let change = changes.first { $0.name == name }
            #expect(value == change?.to ?? before[name], "\(name)")
            #expect(value >= before[name] ?? 0, "\(name)")
        }
        #expect(after["kernel.pid_max"] == 37_096 && after["kernel.keys.maxkeys"] == 5000)
        // Once is enough.
        #expect(self.limits(machine, 1000).raise(machine.files).isEmpty)
        #expect(self.limits(machine, 10).raise(machine.files).isEmpty)
        #expect(try machine.all() == after)
    }

    @Test("no limit of connections is more than any other, and is not replaced by one")
    func unlimited() throws {
        let name = "net.netfilter.nf_conntrack_max"
        let machine = try FakeMachine()
        try machine.set(name, 0)
        let unlimited = limits(machine, 10_000)
        let limit = try #require(unlimited.limits.first { $0.name == name })
        #expect(limit.present == .max && !limit.isShort)
        #expect(!unlimited.raise(machine.files).contains { $0.name == name })
        #expect(try machine.value(name) == 0)
        // Nor if somebody takes the limit away between the look and the change.
        try machine.set(name, 1)
        let short = limits(machine, 10_000)
        try machine.set(name, 0)
        #expect(!short.raise(machine.files).contains { $0.name == name })
        #expect(try machine.value(name) == 0)
        // Elsewhere 0 is a limit.
        try machine.set("fs.inotify.max_user_instances", 0)
        #expect(self.short(limits(machine, 10)).contains("fs.inotify.max_user_instances"))
    }

    @Test("what somebody raises between the look and the change is not lowered")
    func meanwhile() throws {
        let machine = try FakeMachine()
        let limits = limits(machine, 1000)
        try machine.set("kernel.pid_max", 4_194_304)
        #expect(!limits.raise(machine.files).contains { $0.name == "kernel.pid_max" })
        #expect(try machine.value("kernel.pid_max") == 4_194_304)
    }

    @Test("what cannot be raised says why, and the others are raised")
    func failure() throws {
        let machine = try FakeMachine()
        // 65,536, and not even root may write it.
        let path = machine.directory.path.appending("proc/sys/fs/file-max")
        try Files.remove(path)
        try FileDescriptor.workingDirectory.makeSymlink(path.string, to: "/proc/sys/kernel/ngroups_max")
        let limits = limits(machine, 1000)
        let changes = limits.raise(machine.files)
        let change = try #require(changes.first { $0.name == "fs.file-max" })
        #expect(change.from == 65_536 && change.to == 65_536 && change.failure == "permission denied")
        #expect(changes.count == short(limits).count && changes.filter { $0.failure != nil }.count == 1)
        #expect(try machine.value("kernel.keys.maxkeys") == 1100)
    }

    @Test("this machine's limits can be read")
    func here() {
        let limits = HostLimits(for: 1, openFiles: 1024, bridgePorts: 1023)
        #expect(limits.limits.contains { $0.name == "kernel.pid_max" && ($0.present ?? 0) > 0 })
        #expect(limits.containers == 1)
    }
}
