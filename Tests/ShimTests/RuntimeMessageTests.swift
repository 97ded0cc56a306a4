import JSON
import LinuxKernel
import OCISpec
import Shim
import ShimProtocol
import Testing

@Suite("What external runtimes say")
struct RuntimeMessageTests {
    private static let logs: [(String, String?)] = [
        (#"{"level":"error","msg":"runc create failed: no","time":"x"}"#, "runc create failed: no"),
        ("{\"msg\":\"first\",\"level\":\"error\"}\n{\"msg\":\"second\",\"level\":\"fatal\"}\n", "second"),
        ("{\"msg\":\"bad\",\"level\":\"error\"}\n{\"msg\":\"by the way\",\"level\":\"warning\"}", "bad"),
        ("\"msg\":\"half a line\",\"level\":\"error\"}\nnot JSON\n", nil),
        (#"{"level":"error","msg":""}"#, nil), ("", nil),
    ]
    private static let runc =
        #"runc create failed: unable to start container process: exec: "nope": executable file not found in $PATH"#
    private static let messages: [(String, ShimError.Reason, String)] = [
        (runc, .commandNotFound, runc),
        (
            "executable file `nope` not found in $PATH: No such file or directory", .commandNotFound,
            "runc: executable file `nope` not found in $PATH: no such file or directory"
        ),
        (
            "open executable `nope`: Permission denied", .notExecutable,
            "runc: open executable `nope`: permission denied"
        ),
        ("mount `/x`: No such file or directory", .system, "runc: mount `/x`: no such file or directory"),
        ("container not running", .conflict, "runc: container not running"),
        (#"container "x" does not exist"#, .notFound, #"runc: container "x" does not exist"#),
    ]

    @Test(
        "a log's last error counts, in whatever order its members are and whatever else is in it",
        arguments: logs)
    func log(_ text: String, _ message: String?) {
        #expect(RuntimeMessage.inLog(Array(text.utf8)) == message)
    }

    @Test("of a text for people the first line with something in it counts")
    func text() {
        #expect(
            RuntimeMessage.inText(Array("\n  \nflag provided but not defined: -x\nUsage: …\n".utf8))
                == "flag provided but not defined: -x")
        #expect(RuntimeMessage.inText([]) == nil)
    }

    @Test(
        "the kind is what Docker takes it for, and errors of the C library become Go's",
        arguments: messages)
    func kinds(_ message: String, _ kind: ShimError.Reason, _ text: String) {
        let error = RuntimeMessage.error(message, of: "runc", operation: "create", running: "nope")
        #expect(error == ShimError(kind, text, operation: "create"))
    }

    @Test("gVisor is told what network there is, others nothing")
    func network() throws {
        func network(_ path: String, _ namespaces: [LinuxNamespace]) throws -> SandboxNetwork? {
            var spec = Spec()
            spec.linux = Linux()
            spec.linux?.namespaces = namespaces
            return try SandboxNetwork(of: ShimConfiguration.Runtime(path: path), for: spec)
        }
        let runsc = "/usr/bin/runsc"
        #expect(try network(runsc, [LinuxNamespace(type: .network)])?.flags == ["--network=none"])
        #expect(try network(runsc, [LinuxNamespace(type: .pid)])?.flags == ["--network=host"])
        // Any namespace but the shim's own will do here.
        #expect(try network(runsc, [LinuxNamespace(type: .network, path: "/proc/self/ns/uts")])?.flags == [])
        #expect(
            try network(runsc, [LinuxNamespace(type: .network, path: "/proc/self/ns/net")])?.flags
                == ["--network=host"], "the host's by the path of a container that has it")
        #expect(throws: ShimError.self) {
            try network(runsc, [LinuxNamespace(type: .network, path: "/nonexistent/net")])
        }
        #expect(try network("/usr/bin/crun", [LinuxNamespace(type: .network)]) == nil)
    }

    @Test("a configuration keeps what we do not know, says an older version, and grants what there is to grant")
    func configuration() throws {
        var spec = Spec()
        spec.process = Process(args: ["true"])
        spec.process?.terminal = true
        spec.process?.consoleSize = Box(height: 3, width: 4)
        spec.linux = Linux()
        spec.linux?.cgroupsPath = "/a"
        let original = try JSON.parse(
            #"""
            {"ociVersion":"1.3.0","new":{"x":1},"mounts":[{"destination":"/a","options":["rbind","rro"]}],
             "process":{"args":["true"],"more":[2],"capabilities":{"bounding":["CAP_KILL","CAP_BPF","CAP_NEW"]}}}
            """#)
        func expected(_ option: String) throws -> JSONValue {
            try JSON.parse(
                #"""
                {"ociVersion":"1.0.2","new":{"x":1},"linux":{"cgroupsPath":"/a"},
                 "mounts":[{"destination":"/a","options":["rbind","\#(option)"]}],
                 "process":{"args":["true"],"more":[2],"terminal":true,"consoleSize":{"height":3,"width":4},
                  "capabilities":{"bounding":["CAP_KILL"]}}}
                """#)
        }
        let granted = try #require(CapabilitySet(name: "CAP_KILL"))
        for (name, option) in [("runc", "rro"), ("runsc", "ro")] {
            let program = ShimConfiguration.Runtime(path: "/bin/" + name)
            #expect(
                RuntimeDialect.configuration(original, as: spec, for: program, granted: granted)
                    == (try expected(option)))
        }
    }

    @Test("the path of a network namespace is changed, and nothing else")
    func joinedNetwork() {
        #expect(
            RuntimeDialect.joining(network: "/proc/9/fd/3", Self.namespaces("/proc/1/fd/7"))
                == Self.namespaces("/proc/9/fd/3"))
        let bare: JSONValue = ["x": 1]
        #expect(RuntimeDialect.joining(network: "/a", bare) == bare)
    }

    private static func namespaces(_ path: String) -> JSONValue {
        [
            "x": 1,
            "linux": [
                "y": 2,
                "namespaces": [
                    ["type": "pid"], ["type": "network", "path": .string(path)],
                    ["type": "ipc", "path": "/proc/1/ns/ipc"],
                ],
            ],
        ]
    }

    @Test("the numbers of events --stats")
    func statistics() {
        let line =
            #"{"type":"stats","id":"x","data":{"cpu":{"usage":{"total":127045433}},"memory":{"usage":{"limit":0,"usage":2547712,"failcnt":0}},"pids":{"current":2}}}"#
        let statistics = RuntimeStatistics.parse(Array(("warning: odd\n" + line + "\n").utf8))
        #expect(statistics.cpu?.total == 127_045_433)
        #expect(statistics.memory?.usage == 2_547_712)
        #expect(statistics.memory?.limit == nil)
        #expect(statistics.pids?.current == 2)
        #expect(RuntimeStatistics.parse(Array("nothing".utf8)).memory == nil)
    }
}
