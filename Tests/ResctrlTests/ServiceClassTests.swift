import Glibc
import LinuxKernel
import OCISpec
import Resctrl
import SystemPackage
import Testing

/// A directory that looks like a mounted resctrl file system; files that the kernel would make in a new group are put
/// there before it is used.
private final class StandIn {
    let machine: Resctrl

    init(info: [String] = ["L3", "MB", "L3_MON"]) throws {
        var template = Array("/tmp/masu-resctrl-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
        let path = FilePath(String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
        machine = Resctrl(root: path)
        for name in info { try Files.makeDirectories(path.appending("info").appending(name)) }
        try Files.replace(path.appending("schemata"), with: Array("MB:0=100\nL3:0=ff;1=ff\n".utf8))
        try Files.replace(path.appending("tasks"), with: [])
    }

    deinit { try? TreeRemoval.remove(machine.root) }

    func group(_ name: String, schemata: String = "") throws {
        try Files.makeDirectories(machine.root.appending(name).appending("mon_groups"))
        try Files.replace(machine.root.appending(name).appending("schemata"), with: Array(schemata.utf8))
        try Files.replace(machine.root.appending(name).appending("tasks"), with: [])
    }

    func text(_ path: String) throws -> String { try Files.readText(machine.root.appending(path)) }
}

private func wanted(_ change: (inout LinuxIntelRdt) -> Void) -> LinuxIntelRdt {
    var wanted = LinuxIntelRdt()
    change(&wanted)
    return wanted
}

@Suite("classes of service")
struct ServiceClassTests {
    @Test("a machine without the file system refuses them, and one without a feature that")
    func checks() throws {
        #expect(throws: ResctrlError.self) { try Resctrl.check(LinuxIntelRdt(), on: nil) }
        let bare = try StandIn(info: [])
        for refused in [
            wanted { $0.l3CacheSchema = "L3:0=f" }, wanted { $0.memBwSchema = "MB:0=20" }, wanted { $0.closID = ".." },
            wanted { $0.closID = "a/b" }, wanted { $0.schemata = ["L3:0=f\nMB:0=1"] },
        ] {
            #expect(throws: ResctrlError.self, "\(refused)") { try Resctrl.check(refused, on: bare.machine) }
        }
        let full = try StandIn()
        try Resctrl.check(wanted { $0.l3CacheSchema = "L3:0=f" }, on: full.machine)
        try Resctrl.check(wanted { $0.closID = "/" }, on: full.machine)
    }

    @Test("without a name the class is the container's own, and is gone with it")
    func ownClass() throws {
        let standIn = try StandIn()
        let change = wanted { $0.enableMonitoring = true }
        let group = ServiceClass(change, id: "demo", on: standIn.machine)
        // What the kernel would put there is missing: the process cannot be added.
        #expect(throws: ResctrlError.self) { try group.make(change, pid: 42) }
        #expect(!Files.exists(standIn.machine.root.appending("demo")), "nothing is left after an error")
        #expect(group.isOwned)
        #expect(group.monitoringPath == standIn.machine.root.string + "/demo/mon_groups/demo")
        try Files.makeDirectory(standIn.machine.root.appending("demo"))
        try group.remove()
        #expect(!Files.exists(standIn.machine.root.appending("demo")))
        try group.remove()
    }

    @Test("a class that exists is joined, compared and never removed")
    func namedClass() throws {
        let standIn = try StandIn()
        try standIn.group("gold", schemata: "    MB:0=50\n    L3:0=00f0;1=0f\n")
        let same = wanted {
            $0.closID = "gold"
            $0.l3CacheSchema = "L3:0=F0"
        }
        let group = ServiceClass(same, id: "demo", on: standIn.machine)
        try group.make(same, pid: 42)
        #expect(try standIn.text("gold/tasks") == "42")
        #expect(try standIn.text("gold/schemata").hasPrefix("    MB:0=50"), "others' class stays as it is")
        let other = wanted {
            $0.closID = "gold"
            $0.schemata = ["MB:0=20"]
        }
        #expect(throws: ResctrlError.self) { try group.make(other, pid: 43) }
        try group.remove()
        #expect(Files.exists(standIn.machine.root.appending("gold")))
    }

    @Test("a named class that nobody has made and nothing describes is an error")
    func missingClass() throws {
        let standIn = try StandIn()
        let change = wanted { $0.closID = "none" }
        let group = ServiceClass(change, id: "demo", on: standIn.machine)
        #expect(throws: ResctrlError.self) { try group.make(change, pid: 42) }
        #expect(!Files.exists(standIn.machine.root.appending("none")))
    }

    @Test("the slash is the class of everybody else")
    func defaultClass() throws {
        let standIn = try StandIn()
        let change = wanted { $0.closID = "/" }
        let group = ServiceClass(change, id: "demo", on: standIn.machine)
        try group.make(change, pid: 42)
        #expect(try standIn.text("tasks") == "42")
        try group.remove()
        #expect(Files.exists(standIn.machine.root))
    }

    @Test("schemata are written in the order of the specification")
    func order() throws {
        let standIn = try StandIn()
        try standIn.group("demo")
        let change = wanted {
            $0.memBwSchema = "MB:0=20"
            $0.l3CacheSchema = "L3:0=f"
            $0.schemata = ["L2:0=3"]
        }
        try ServiceClass(change, id: "demo", on: standIn.machine).set(change)
        #expect(try standIn.text("demo/schemata") == "L3:0=f\nMB:0=20\nL2:0=3")
    }

    @Test("counters are read for each domain, and one that is unavailable is left out")
    func counters() throws {
        let standIn = try StandIn()
        try standIn.group("demo")
        try Files.replace(
            standIn.machine.root.appending("info/L3_MON/mon_features"),
            with: Array("llc_occupancy\nmbm_total_bytes\n".utf8))
        for (domain, bytes) in [("mon_L3_00", "7"), ("mon_L3_01", "Unavailable")] {
            let data = standIn.machine.root.appending("demo/mon_data").appending(domain)
            try Files.makeDirectories(data)
            try Files.replace(data.appending("llc_occupancy"), with: Array("5\n".utf8))
            try Files.replace(data.appending("mbm_total_bytes"), with: Array("\(bytes)\n".utf8))
        }
        let counts = ServiceClass(LinuxIntelRdt(), id: "demo", on: standIn.machine).counts()
        #expect(counts == [["llc_occupancy": 5, "mbm_total_bytes": 7], ["llc_occupancy": 5]])
    }
}
