import Cgroups
import ContainerRuntime
import DBus
import OCISpec
import Testing

@Suite("units of systemd")
struct UnitTests {
    @Test(
        "cgroupsPath names slice, prefix and name",
        arguments: [
            (nil, "masu-c.scope", "/system.slice/masu-c.scope"),
            ("", "masu-c.scope", "/system.slice/masu-c.scope"),
            (":libpod:123", "libpod-123.scope", "/system.slice/libpod-123.scope"),
            ("a-b.slice:p:n", "p-n.scope", "/a.slice/a-b.slice/p-n.scope"),
            ("-.slice:p:n", "p-n.scope", "/p-n.scope"),
            ("machine.slice::pod.slice", "pod.slice", "/machine.slice/pod.slice"),
        ] as [(String?, String, String)])
    func paths(_ cgroupsPath: String?, _ name: String, _ path: String) throws {
        let unit = try SystemdUnit(cgroupsPath: cgroupsPath, id: "c", isUser: false)
        #expect(unit.name == name)
        #expect(try unit.path() == path)
    }

    @Test(
        "what names no unit is refused",
        arguments: [
            "/a/b", "a.slice:b", "a:b:c:d", "a.slice:b:c/d", "a:b:c", "a--b.slice:p:n", "-a.slice:p:n", ".slice:p:n",
            "a/b.slice:p:n", "../x.slice:p:n",
        ])
    func badPaths(_ cgroupsPath: String) {
        #expect(throws: CgroupError.self) { try SystemdUnit(cgroupsPath: cgroupsPath, id: "c", isUser: false) }
    }

    @Test(
        "annotations become properties, seconds become microseconds",
        arguments: [
            ("RuntimeMaxSec", "uint64 2", UnitProperty("RuntimeMaxUSec", 2_000_000)),
            ("TimeoutStopSec", "1.5", UnitProperty("TimeoutStopUSec", 1_500_000)),
            ("CollectMode", "'inactive-or-failed'", UnitProperty("CollectMode", .string("inactive-or-failed"))),
            ("After", "['a.service']", UnitProperty("After", .strings(["a.service"]))),
            ("SomeUSec", "uint64 7", UnitProperty("SomeUSec", 7)),
        ])
    func annotations(_ name: String, _ text: String, _ property: UnitProperty) throws {
        let key = "org.systemd.property.\(name)"
        #expect(try UnitProperty.requested(by: [key: text, "other": "1"]) == [property])
    }

    @Test(
        "annotations that are no properties are refused with their name",
        arguments: [("Ab", "1"), ("A-bc", "1"), ("Abc", "nonsense"), ("RuntimeMaxSec", "'x'"), ("RuntimeMaxSec", "-1")])
    func badAnnotations(_ name: String, _ text: String) {
        #expect { try UnitProperty.requested(by: ["org.systemd.property.\(name)": text]) } throws: {
            "\($0)".contains("org.systemd.property.\(name)")
        }
    }

    @Test(
        "lists of CPUs become bits, the lowest first",
        arguments: [
            ("0", [1]), ("0-3,8", [0x0f, 0x01]), ("5-8", [0xe0, 0x01]), ("17", [0, 0, 2]), (" 1, 2", [6]),
        ] as [(String, [UInt8])])
    func masks(_ list: String, _ mask: [UInt8]) throws {
        #expect(try UnitLimits.mask(list) == mask)
    }

    @Test("what is no list of CPUs is refused", arguments: ["", ",", "3-1", "x", "1-", "9999999"])
    func badMasks(_ list: String) {
        #expect(throws: RuntimeError.self) { try UnitLimits.mask(list) }
    }

    private func limits(
        unified isUnified: Bool = true, version: Int = 252, _ change: (inout LinuxResources) -> Void
    ) throws -> (numbers: [String: UInt64], limits: UnitLimits) {
        var resources = LinuxResources()
        resources.memory = LinuxMemory()
        resources.cpu = LinuxCPU()
        change(&resources)
        let limits = try UnitLimits(resources, isUnified: isUnified, version: version)
        var numbers: [String: UInt64] = [:]
        for property in limits.properties {
            if case .uint64(let number) = property.value { numbers[property.name] = number }
        }
        return (numbers, limits)
    }

    @Test("memory and swap are told one by one on version 2, where swap is counted alone")
    func memory() throws {
        let some = try limits {
            $0.memory?.limit = 100
            $0.memory?.swap = 150
            $0.memory?.reservation = 50
        }
        #expect(some.numbers == ["MemoryMax": 100, "MemorySwapMax": 50, "MemoryLow": 50])
        #expect(try limits { $0.memory?.limit = -1 }.numbers == ["MemoryMax": .max, "MemorySwapMax": .max])
        #expect(try limits(unified: false) { $0.memory?.limit = 100 }.numbers == ["MemoryLimit": 100])
        #expect(throws: RuntimeError.self) { try limits { $0.memory?.swap = 5 } }
    }

    @Test("a quota is told in microseconds of each second, rounded up to hundredths of a CPU, and written as rounded")
    func quota() throws {
        let exact = try limits {
            $0.cpu?.quota = 4000
            $0.cpu?.period = 10_000
        }
        #expect(exact.numbers == ["CPUQuotaPerSecUSec": 400_000, "CPUQuotaPeriodUSec": 10_000])
        let rounded = try limits { $0.cpu?.quota = 33_333 }
        #expect(rounded.numbers == ["CPUQuotaPerSecUSec": 340_000])
        #expect(rounded.limits.resources.cpu?.quota == 34_000)
        #expect(try limits { $0.cpu?.quota = -1 }.numbers == ["CPUQuotaPerSecUSec": .max])
        #expect(try limits(version: 241) { $0.cpu?.period = 5000 }.numbers == ["CPUQuotaPerSecUSec": .max])
        #expect(throws: RuntimeError.self) { try limits { $0.cpu?.quota = .max } }
    }

    @Test("a group without processes is one with a single process", arguments: [(0, 1), (-1, .max), (7, 7)])
    func processes(_ limit: Int64, _ told: UInt64) throws {
        #expect(try limits { $0.pids = LinuxPids(limit: limit) }.numbers == ["TasksMax": told])
    }

    @Test("idle scheduling goes before shares, where systemd knows it")
    func idle() throws {
        let change = { (resources: inout LinuxResources) in
            resources.cpu?.idle = 1
            resources.cpu?.shares = 1024
        }
        let result = try limits(version: 252, change)
        #expect(result.numbers == ["CPUWeight": 0])
        #expect(result.limits.resources.cpu?.shares == nil)
        #expect(result.limits.warning?.contains("unable to apply both CPU shares and cpu.idle") == true)
        #expect(try limits(version: 251, change).numbers["CPUWeight"] == Cgroup.weight(fromShares: 1024))
        #expect(try limits(unified: false, change).numbers == ["CPUShares": 1024])
    }

    @Test("files set by name become properties where systemd has one")
    func files() throws {
        let files = [
            "memory.max": "100", "memory.high": "max", "pids.max": "0", "cpu.weight": " 42\n", "hugetlb.2MB.max": "0",
            "cpu.max": "50000",
        ]
        let result = try limits { $0.unified = files }
        #expect(
            result.numbers == [
                "MemoryMax": 100, "MemoryHigh": .max, "TasksMax": 1, "CPUWeight": 42, "CPUQuotaPerSecUSec": 500_000,
                "CPUQuotaPeriodUSec": 100_000,
            ])
        #expect(result.limits.resources.unified == files)
        #expect(throws: RuntimeError.self) { try limits { $0.unified = ["memory.max": "x"] } }
        #expect(throws: RuntimeError.self) { try limits { $0.unified = ["a/b": "1"] } }
    }

    @Test("CPUs and memory nodes are told where systemd knows them")
    func sets() throws {
        let change = { (resources: inout LinuxResources) in
            resources.cpu?.cpus = "0-1"
            resources.cpu?.mems = "0"
        }
        #expect(
            try limits(change).limits.properties == [
                UnitProperty("AllowedCPUs", .bytes([3])), UnitProperty("AllowedMemoryNodes", .bytes([1])),
            ])
        #expect(try limits(version: 243, change).limits.properties.isEmpty)
    }

    private func devices(_ rules: [LinuxDeviceCgroup]) throws -> (policy: DBusValue?, allowed: [String]) {
        let properties = try limits { $0.devices = rules }.limits.properties
        var allowed: [String] = []
        for case .array(_, let entries) in properties.filter({ $0.name == "DeviceAllow" }).map(\.value) {
            for case .structure(let pair) in entries {
                allowed.append(pair.map { $0.text ?? "?" }.joined(separator: " "))
            }
        }
        return (properties.first { $0.name == "DevicePolicy" }?.value, allowed)
    }

    @Test("rules for devices become a list of what is allowed")
    func deviceList() throws {
        let result = try devices([
            .init(allow: false, access: "rwm"), .init(allow: true, type: "c", access: "m"),
            .init(allow: true, type: "c", major: 1, minor: 3, access: "rw"),
            .init(allow: true, type: "c", major: 1, minor: 3, access: "m"),
            .init(allow: true, type: "b", major: 8, access: "r"),
            .init(allow: true, type: "c", major: 10, minor: 1, access: "rwm"),
            .init(allow: false, type: "c", major: 10, minor: 1, access: "w"),
            .init(allow: true, type: "c", major: 9, minor: 9, access: "r"),
            .init(allow: false, type: "c", major: 9, minor: 9, access: "r"),
        ])
        #expect(result.policy == .string("strict"))
        #expect(result.allowed == ["char-* m", "/dev/char/1:3 rwm", "block-8 r", "/dev/char/10:1 rm"])
    }

    @Test("everything allowed is systemd's own rule; with exceptions nothing is told to be allowed")
    func allDevices() throws {
        let all = try devices([.init(allow: true, access: "rwm")])
        #expect(all.policy == .string("auto") && all.allowed.isEmpty)
        let exceptions = try devices([
            .init(allow: true, access: "rwm"), .init(allow: false, type: "c", major: 1, minor: 1, access: "rwm"),
        ])
        #expect(exceptions.policy == .string("strict") && exceptions.allowed.isEmpty)
    }
}
