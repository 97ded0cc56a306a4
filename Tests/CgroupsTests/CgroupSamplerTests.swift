import Cgroups
import SystemPackage
import TemporaryDirectories
import Testing

@Suite("Samples of control groups") struct CgroupSamplerTests {
    private func sample(_ cgroup: Cgroup) throws -> CgroupSample {
        var buffer = [UInt8](repeating: 0, count: 4096)
        return try #require(try CgroupSampler(cgroup).sample(using: &buffer))
    }

    private func value(_ name: String, _ sample: CgroupSample) -> UInt64? {
        zip(sample.memoryNames, sample.memoryDetails).first { "\($0.0)" == name }?.1
    }

    @Test("version 2, with an unlimited group")
    func unified() throws {
        let directory = try TemporaryDirectory()
        for (file, text) in [
            ("cpu.stat", "usage_usec 12\nuser_usec 5\nsystem_usec 7\nnr_periods 3\nnr_throttled 2\nthrottled_usec 9\n"),
            ("memory.current", "4096\n"), ("memory.max", "max\n"),
            ("memory.stat", "anon 1\nfile 2\nkernel 3\ninactive_file 4\nfile_mapped 5\nworkingset_refault_anon 6\n"),
            ("memory.events", "low 0\nhigh 0\nmax 8\noom 2\noom_kill 1\n"), ("pids.current", "6\n"),
            ("pids.max", "max\n"), ("io.stat", "8:0 rbytes=1 wbytes=22 rios=3 wios=4 dbytes=5 dios=6\n259:1 \n"),
        ] {
            try directory.write("group/\(file)", text)
        }
        let sample = try sample(
            Cgroup(path: "/group", hierarchies: .unified(mountPoint: directory.path)))
        #expect(sample.cpuTotal == 12000 && sample.cpuUser == 5000 && sample.cpuSystem == 7000)
        #expect(sample.periods == 3 && sample.throttledPeriods == 2 && sample.throttledTime == 9000)
        #expect(sample.memoryUsage == 4096 && sample.memoryLimit == .max && sample.memoryFailures == 2)
        #expect(sample.memoryNames.count == 31)
        #expect(value("anon", sample) == 1 && value("inactive_file", sample) == 4 && value("file_mapped", sample) == 5)
        // What this kernel calls otherwise is there, as nothing.
        #expect(value("workingset_refault", sample) == 0)
        #expect(sample.pids == 6 && sample.pidsLimit == .max && sample.perCPU.isEmpty)
        let bytes = sample.blockIO[0]
        #expect(bytes.map(\.operation) == ["read", "write", "read", "write"] && bytes.map(\.value) == [1, 22, 0, 0])
        #expect(bytes.map(\.major) == [8, 8, 259, 259] && bytes.map(\.minor) == [0, 0, 1, 1])
        #expect(sample.blockIO.dropFirst().allSatisfy { $0.isEmpty })
    }

    @Test("version 1, with a limited group")
    func legacy() throws {
        let directory = try TemporaryDirectory()
        for (file, text) in [
            ("cpu/group/cpuacct.usage_percpu", "10 20 \n"), ("cpu/group/cpuacct.stat", "user 3\nsystem 4\n"),
            ("cpu/group/cpu.stat", "nr_periods 3\nnr_throttled 2\nthrottled_time 9\n"),
            ("memory/group/memory.usage_in_bytes", "4096\n"), ("memory/group/memory.max_usage_in_bytes", "8192\n"),
            ("memory/group/memory.limit_in_bytes", "1048576\n"), ("memory/group/memory.failcnt", "7\n"),
            ("memory/group/memory.stat", "cache 1\nrss 2\nshmem 3\ntotal_inactive_file 4\n"),
            ("pids/group/pids.current", "6\n"), ("pids/group/pids.max", "max\n"),
            (
                "blkio/group/blkio.throttle.io_service_bytes_recursive",
                "8:0 Read 4096\n8:0 Write 0\n8:0 Total 4096\nTotal 4096\n"
            ), ("blkio/group/blkio.bfq.time_recursive", "8:0 55\n"),
        ] {
            try directory.write(file, text)
        }
        func hierarchy(_ controllers: String...) -> CgroupHierarchies.LegacyHierarchy {
            CgroupHierarchies.LegacyHierarchy(
                controllers: controllers, mountPoint: directory.path.appending(controllers[0]))
        }
        let sample = try sample(
            Cgroup(
                path: "/group",
                hierarchies: .legacy(
                    [hierarchy("cpu", "cpuacct"), hierarchy("memory"), hierarchy("pids"), hierarchy("blkio")],
                    unified: nil)))
        #expect(sample.cpuTotal == 30 && sample.perCPU == [10, 20])
        #expect(sample.cpuUser == 30_000_000 && sample.cpuSystem == 40_000_000 && sample.throttledTime == 9)
        #expect(sample.memoryUsage == 4096 && sample.memoryMaximum == 8192 && sample.memoryLimit == 1 << 20)
        #expect(sample.memoryFailures == 7 && sample.memoryNames.count == 32)
        #expect(value("cache", sample) == 1 && value("rss", sample) == 2 && value("total_inactive_file", sample) == 4)
        #expect(sample.pids == 6 && sample.pidsLimit == 0)
        let bytes = sample.blockIO[CgroupSample.BlockList.bytes.rawValue]
        #expect(bytes.map(\.operation) == ["Read", "Write", "Total"] && bytes.map(\.value) == [4096, 0, 4096])
        let time = sample.blockIO[CgroupSample.BlockList.time.rawValue]
        #expect(time.map(\.operation) == [""] && time.map(\.value) == [55] && time[0].major == 8)
    }

    @Test("a group that is not there cannot be read")
    func missing() throws {
        let directory = try TemporaryDirectory()
        #expect(throws: CgroupError.self) {
            _ = try CgroupSampler(Cgroup(path: "/none", hierarchies: .unified(mountPoint: directory.path)))
        }
    }
}
