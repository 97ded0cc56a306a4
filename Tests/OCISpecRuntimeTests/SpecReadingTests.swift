import JSON
import OCISpec
import Testing

@Suite("runtime configurations")
struct SpecReadingTests {
    /// Every type of the configuration with a value in it.
    static let everything = """
        {"ociVersion":"1.3.0","process":{"terminal":true,"consoleSize":{"height":1,"width":2},"user":{"uid":4294967295,\
        "gid":3,"umask":18,"additionalGids":[4]},"args":["a"],"env":["B=c"],"cwd":"/d","capabilities":{"bounding":\
        ["CAP_CHOWN"],"effective":[],"inheritable":[],"permitted":[],"ambient":[]},"rlimits":[{"type":"RLIMIT_CORE",\
        "hard":18446744073709551615,"soft":5}],"noNewPrivileges":true,"apparmorProfile":"e","oomScoreAdj":-6,\
        "selinuxLabel":"f","ioPriority":{"class":"IOPRIO_CLASS_IDLE","priority":7},"scheduler":{"policy":"SCHED_OTHER",\
        "nice":-8,"flags":["SCHED_FLAG_RESET_ON_FORK"]},"execCPUAffinity":{"initial":"0","final":"1"}},"root":{"path":"g",\
        "readonly":true},"hostname":"h","domainname":"i","mounts":[{"destination":"/j","type":"k","source":"l","options":\
        ["m"],"uidMappings":[{"containerID":0,"hostID":9,"size":10}]}],"hooks":{"createRuntime":[{"path":"/n","args":["o"],\
        "env":["p"],"timeout":11}]},"annotations":{"q":"r"},"linux":{"sysctl":{"s":"t"},"resources":{"devices":[{"allow":\
        true,"type":"c","major":1,"minor":-1,"access":"rwm"}],"memory":{"limit":12,"swap":-1},"cpu":{"shares":13,"quota":\
        -1,"cpus":"0-1"},"pids":{"limit":14},"blockIO":{"weight":15,"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":\
        16}]},"hugepageLimits":[{"pageSize":"2MB","limit":17}],"network":{"classID":18,"priorities":[{"name":"eth0",\
        "priority":19}]},"rdma":{"u":{"hcaHandles":20}},"unified":{"memory.high":"21"}},"cgroupsPath":"/v","namespaces":\
        [{"type":"pid"},{"type":"network","path":"/w"}],"devices":[{"path":"/x","type":"c","major":22,"minor":23,\
        "fileMode":420,"uid":24}],"netDevices":{"eth1":{"name":"y"}},"seccomp":{"defaultAction":"SCMP_ACT_ERRNO",\
        "defaultErrnoRet":1,"architectures":["SCMP_ARCH_X86_64"],"flags":["SECCOMP_FILTER_FLAG_LOG"],"syscalls":[{"names":\
        ["clone"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":2114060288,"valueTwo":0,"op":\
        "SCMP_CMP_MASKED_EQ"}]}]},"rootfsPropagation":"rslave","maskedPaths":["/z"],"readonlyPaths":["/a"],"mountLabel":\
        "b","intelRdt":{"closID":"c"},"personality":{"domain":"LINUX32"},"timeOffsets":{"boottime":{"secs":25}},\
        "memoryPolicy":{"mode":"MPOL_BIND","nodes":"0"}}}
        """

    @Test("reading by hand gives what Decodable gives, and encoding gives the text back")
    func agreement() throws {
        let bytes = Array(Self.everything.utf8)
        let read = try Spec(json: bytes)
        #expect(read == (try JSON.decode(Spec.self, from: bytes)))
        #expect(try JSON.encodeValue(read) == JSON.parse(bytes))
        #expect(read.process?.rlimits?.first?.hard == .max)
        #expect(read.linux?.resources?.memory?.swap == -1)
        #expect(read.linux?.namespaces?.map(\.type) == [.pid, .network])
    }

    @Test("unknown members and nulls are passed over")
    func unknown() throws {
        let spec = try Spec(json: Array(#"{"ociVersion":"1.9.0","future":{"a":[1]},"hostname":null,"vm":{}}"#.utf8))
        #expect(spec == Spec(ociVersion: "1.9.0"))
    }

    @Test(
        "an error says where it is and what is wrong",
        arguments: [
            (#"{"process":{"cwd":"/"}}"#, "ociVersion", "is missing"),
            (#"{"ociVersion":1}"#, "ociVersion", "is a number, not a string"),
            (#"{"ociVersion":"1.0.0","mounts":{}}"#, "mounts", "is an object, not an array"),
            (#"{"ociVersion":"1.0.0","mounts":[{"destination":"/"},{}]}"#, "mounts[1].destination", "is missing"),
            (
                #"{"ociVersion":"1.0.0","process":{"cwd":"/","user":{"uid":-1,"gid":0}}}"#, "process.user.uid",
                "is -1.0, not a whole number from 0 to 4294967295"
            ),
            (
                #"{"ociVersion":"1.0.0","linux":{"namespaces":[{"type":"moon"}]}}"#, "linux.namespaces[0].type",
                "\"moon\" is not a type of namespace"
            ),
            (
                #"{"ociVersion":"1.0.0","linux":{"resources":{"unified":{"a":1}}}}"#, "linux.resources.unified.a",
                "is a number, not a string"
            ),
        ])
    func errors(_ text: String, _ path: String, _ reason: String) {
        #expect(throws: JSONError.value(path: path, reason: reason)) { try Spec(json: Array(text.utf8)) }
    }

    @Test("text that is no JSON is refused with its place")
    func syntax() {
        #expect(throws: JSONError.self) { try Spec(json: Array("{\"ociVersion\":".utf8)) }
        #expect(throws: JSONError.self) { try Spec(json: Array("[]".utf8)) }
    }

    @Test("members are read in whatever case they are; the last counts, and objects are taken together")
    func otherCase() throws {
        let text = """
            {"ociVersion": "1.0.2", "Hostname": "first", "hostname": "second",
             "linux": {"Resources": {"cpu": {"shares": 5, "mems": "0"}, "CPU": {"Cpus": "0-1", "Shares": 6}}}}
            """
        let spec = try Spec(json: Array(text.utf8))
        #expect(spec.hostname == "second")
        let cpu = try #require(spec.linux?.resources?.cpu)
        #expect(cpu.cpus == "0-1" && cpu.mems == "0" && cpu.shares == 6)
    }

    @Test("resources by themselves are read in the same way")
    func resources() throws {
        let json = try JSON.parse(Array(#"{"CPU": {"Cpus": "1"}, "pids": {"Limit": 7}}"#.utf8))
        let resources = try LinuxResources(json: json)
        #expect(resources.cpu?.cpus == "1" && resources.pids?.limit == 7)
    }

    @Test("names in a dictionary keep their case, and a null there is refused")
    func dictionaries() throws {
        let text = #"{"ociVersion": "1.0.2", "annotations": {"a": "1", "B": "2"}}"#
        #expect(try Spec(json: Array(text.utf8)).annotations == ["a": "1", "B": "2"])
        #expect(throws: JSONError.self) {
            try Spec(json: Array(#"{"ociVersion": "1.0.2", "annotations": {"a": null}}"#.utf8))
        }
    }
}
