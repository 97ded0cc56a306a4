import CDI
import JSON
import OCISpec
import SystemPackage
import TemporaryDirectories
import Testing

@Suite("files of the Container Device Interface")
struct DeviceRegistryTests {
    private func withDirectories(
        _ files: [String: String], _ body: (DeviceRegistry, FilePath) throws -> Void
    ) throws {
        let directory = try TemporaryDirectory()
        for (name, text) in files { try directory.write(name, Array(text.utf8)) }
        let root = directory.path
        try body(DeviceRegistry(directories: [root.appending("low"), root.appending("high")]), root)
    }

    private static let yaml = """
        cdiVersion: "0.6.0"   # as vendors' tools write it
        kind: example.com/gpu
        devices:
          - name: "0"
            containerEdits:
              env: [GPU=0]
              deviceNodes:
                - path: /dev/gpu0
                  hostPath: /dev/null
                  permissions: rw
          - name: all
            containerEdits:
              env: ["GPU=all"]
        containerEdits:
          env:
            - DRIVER=here
          mounts:
            - {hostPath: /usr/lib/driver.so, containerPath: /usr/lib/driver.so, options: [ro, nosuid, bind]}
          hooks:
            - hookName: createContainer
              path: /usr/bin/hook
              args: [hook, update]
          additionalGids: [44, 0]
        """

    @Test("a device brings its own edits, and those of its file once")
    func edits() throws {
        try withDirectories(["low/vendor.yaml": Self.yaml, "low/README": "not a specification"]) { registry, _ in
            let names = try ["example.com/gpu=0", "example.com/gpu=all", "example.com/gpu=0"].map {
                try #require(DeviceName($0))
            }
            let edits = try registry.edits(for: names)
            #expect(edits.map(\.env) == [["DRIVER=here"], ["GPU=0"], ["GPU=all"]])
            var spec = Spec(ociVersion: "1.2.0")
            spec.process = Process(args: ["true"], cwd: "/", env: ["GPU=none", "A=b"], user: User(uid: 5, gid: 6))
            spec.mounts = [Mount(destination: "/proc", type: "proc", source: "proc", options: [])]
            for edit in edits { try edit.apply(to: &spec) }
            #expect(spec.process?.env == ["A=b", "DRIVER=here", "GPU=all"])
            #expect(spec.process?.user.additionalGids == [44])
            #expect(spec.mounts?.map(\.destination) == ["/proc", "/usr/lib/driver.so"])
            #expect(spec.hooks?.createContainer?.first?.args == ["hook", "update"])
            let device = try #require(spec.linux?.devices?.first)
            #expect((device.path, device.type, device.major, device.minor) == ("/dev/gpu0", "c", 1, 3))
            #expect((device.uid, device.gid) == (5, 6))
            let rule = try #require(spec.linux?.resources?.devices?.last)
            #expect((rule.allow, rule.type, rule.major, rule.minor, rule.access) == (true, "c", 1, 3, "rw"))
        }
    }

    @Test("a later directory's device replaces an earlier one's; two in one directory are none")
    func precedence() throws {
        func json(_ value: String) -> String {
            #"{"cdiVersion":"1.0.0","kind":"example.com/gpu","devices":[{"name":"0","#
                + #""containerEdits":{"env":["A=\#(value)"]}}]}"#
        }
        let name = try #require(DeviceName("example.com/gpu=0"))
        try withDirectories(["low/a.json": json("low"), "high/a.json": json("high")]) { registry, _ in
            let edits = try registry.edits(for: [name])
            #expect(edits.flatMap(\.env) == ["A=high"])
        }
        try withDirectories(["high/a.json": json("one"), "high/b.json": json("two")]) { registry, _ in
            let error = #expect(throws: UnresolvedDevices.self) { _ = try registry.edits(for: [name]) }
            #expect(error?.description.contains("unresolvable CDI devices example.com/gpu=0") == true)
            #expect(error?.description.contains("a.json and") == true)
        }
    }

    @Test(
        "what is no specification is named, and others count",
        arguments: [
            "cdiVersion: 9.9.9\nkind: example.com/gpu\ndevices: [{name: a, containerEdits: {}}]",
            "cdiVersion: 1.0.0\nkind: gpu\ndevices: [{name: a, containerEdits: {}}]",
            "cdiVersion: 1.0.0\nkind: example.com/gpu\ndevices: []",
            "cdiVersion: 1.0.0\nkind: example.com/gpu\ndevices: [{name: '-', containerEdits: {}}]",
            "a: &b [1]\nc: *b", "{", "", "[1, 2]", "a: \"unended",
        ])
    func problems(_ text: String) throws {
        try withDirectories(["low/bad.yaml": text, "low/good.yaml": Self.yaml]) { registry, _ in
            let content = registry.content()
            #expect(content.problems.count == 1 && content.problems[0].contains("bad.yaml"))
            #expect(content.devices.count == 2)
        }
    }

    @Test(
        "names of devices",
        arguments: [
            ("vendor.com/class=device", true), ("nvidia.com/gpu=GPU-1:2.3_4", true), ("v/c=0", true),
            ("/dev/null", false), ("vendor.com/class", false), ("vendor.com/class=", false), ("1vendor/class=d", false),
            ("vendor/1class=d", false), ("vendor/class=d/e", false), ("vendor./class=d", false), ("v/c=d-", false),
        ])
    func names(_ text: String, _ isName: Bool) {
        #expect((DeviceName(text)?.description == text) == isName)
    }

    @Test("a device that is not there is an error")
    func missingDevice() throws {
        let text = #"{"deviceNodes": [{"path": "/dev/no-such-device"}]}"#
        let edits = try JSON.decode(ContainerEdits.self, from: Array(text.utf8))
        var spec = Spec(ociVersion: "1.2.0")
        let error = #expect(throws: ContainerEditError.self) { try edits.apply(to: &spec) }
        #expect(error?.description.contains("/dev/no-such-device") == true)
    }
}
