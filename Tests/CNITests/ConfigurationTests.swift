import CNI
import JSON
import SystemPackage
import TemporaryDirectories
import Testing

@Suite("configurations of networks")
struct ConfigurationTests {
    @Test(
        "versions are three numbers",
        arguments: [
            ("0.3.1", true), ("1.1.0", true), ("1.1", false), ("1.1.0.0", false), ("", false), ("1.+1.0", false),
            ("1.-1.0", false), ("a.b.c", false), ("1.1.99999", false),
        ])
    func versions(_ text: String, _ isValid: Bool) {
        #expect((CNIVersion(text) != nil) == isValid)
    }

    @Test("of the versions that a list names the newest one that both sides know comes first")
    func versionsOfLists() throws {
        let text = #"{"cniVersion": "1.0.0", "cniVersions": ["0.4.0", "1.1.0", "7.0.0"], "name": "a", "plugins": "#
        let list = try FakePlugins.list(text + #"[{"type": "x"}]}"#)
        #expect(list.versions.map(\.description) == ["1.1.0", "1.0.0", "0.4.0"])
    }

    @Test(
        "what is wrong with a list is said",
        arguments: [
            (#"[]"#, "an array instead of an object"),
            (#"{"cniVersion": "1.0.0", "plugins": [{"type": "x"}]}"#, "no \"name\""),
            (#"{"cniVersion": "1.0.0", "name": "a/b", "plugins": [{"type": "x"}]}"#, "\"a/b\""),
            (#"{"cniVersion": "1.0.0", "name": 7, "plugins": [{"type": "x"}]}"#, "its \"name\" is 7"),
            (#"{"cniVersion": "1.0.0", "name": "_a", "plugins": [{"type": "x"}]}"#, "\"_a\""),
            (#"{"name": "a", "plugins": [{"type": "x"}]}"#, "no \"cniVersion\""),
            (#"{"cniVersion": "0.2.0", "name": "a", "plugins": [{"type": "x"}]}"#, "written for CNI 0.2.0"),
            (#"{"cniVersion": "one", "name": "a", "plugins": [{"type": "x"}]}"#, "\"one\" is no version"),
            (#"{"cniVersion": "1.0.0", "cniVersions": "1.0.0", "name": "a", "plugins": [{"type": "x"}]}"#, "array"),
            (#"{"cniVersion": "1.0.0", "name": "a", "plugins": {}}"#, "an object instead of an array"),
            (#"{"cniVersion": "1.0.0", "name": "a", "plugins": []}"#, "no plugins"),
            (#"{"cniVersion": "1.0.0", "name": "a", "plugins": ["x"]}"#, "a string instead of an object"),
            (#"{"cniVersion": "1.0.0", "name": "a", "plugins": [{"type": "../x"}]}"#, "\"../x\""),
            (#"{"cniVersion": "1.0.0", "name": "a", "plugins": [{"type": ".."}]}"#, "\"..\""),
            (#"{"cniVersion": "1.0.0", "name": "a", "plugins": [{}]}"#, "no \"type\""),
            (#"{"cniVersion": "1.0.0", "name": "a", "plugins": [{"type": "x", "a": "\u0000"}]}"#, "U+0000"),
            (#"{"cniVersion": "1.0.0", "name": "a", "disableCheck": 1, "plugins": [{"type": "x"}]}"#, "disableCheck"),
            (#"{"cniVersion": "1.0.0", "name": "a", "loadOnlyInlinedPlugins": true}"#, "loadOnlyInlinedPlugins"),
        ])
    func badLists(_ text: String, _ complaint: String) throws {
        let error = #expect(throws: CNIError.self) { _ = try FakePlugins.list(text) }
        #expect(error?.message.contains(complaint) == true, "\(error?.message ?? "")")
        #expect(error?.kind == .invalid)
    }

    @Test("a directory's files are read in the order of their names, and those with faults are told of")
    func directory() throws {
        let fakes = try FakePlugins()
        let good = #"{"cniVersion": "1.0.0", "name": "NAME", "plugins": [{"type": "first"}]}"#
        func write(_ file: String, _ text: String) throws { try fakes.directory.write("net.d/" + file, text) }
        #expect(try fakes.configurations.entries().isEmpty)
        try write("20-b.conflist", good.replacing("NAME", with: "b"))
        try write("10-a.conf", #"{"cniVersion": "1.0.0", "name": "a", "type": "single"}"#)
        try write("30-c.json", #"{"cniVersion": "1.0.0", "name": "c", "type": "other"}"#)
        try write("05-bad.conflist", "{")
        try write("15-list.conf", good.replacing("NAME", with: "wrong-place"))
        try write("README", "no configuration")
        try write("99-a.conflist", good.replacing("NAME", with: "a"))
        let entries = try fakes.configurations.entries()
        #expect(
            entries.map(\.fileName) == [
                "05-bad.conflist", "10-a.conf", "15-list.conf", "20-b.conflist", "30-c.json", "99-a.conflist",
            ])
        #expect(entries.map { (try? $0.list.get())?.name } == [nil, "a", nil, "b", "c", "a"])
        // As with libcni.
        #expect(try fakes.configurations.list(named: "a").plugins.map(\.type) == ["first"])
        #expect(try fakes.configurations.list(named: "c").plugins.map(\.type) == ["other"])
        let error = #expect(throws: CNIError.self) { _ = try fakes.configurations.list(named: "d") }
        let message = error?.message ?? ""
        #expect(error?.kind == .notFound)
        for part in [
            "\(fakes.configurations.path)", "\"d\"", "there are: a, b, c", "05-bad.conflist cannot be used",
            "15-list.conf cannot be used: it has \"plugins\", which belong into a file whose name ends with .conflist",
        ] {
            #expect(message.contains(part), "\(message)")
        }
    }

    @Test("a directory that is not there has no networks, and the error says so")
    func missingDirectory() throws {
        let directory = ConfigurationDirectory("/nonexistent/net.d")
        #expect(try directory.entries().isEmpty)
        let error = #expect(throws: CNIError.self) { _ = try directory.list(named: "front") }
        #expect(
            error?.message == "no file of /nonexistent/net.d defines a CNI network \"front\", nor any other")
    }

    @Test("plugins in a folder beside the list follow those in it")
    func pluginFolder() throws {
        let fakes = try FakePlugins()
        func write(_ file: String, _ text: String) throws { try fakes.directory.write("net.d/" + file, text) }
        try write("a.conflist", #"{"cniVersion": "1.1.0", "name": "a", "plugins": [{"type": "first"}]}"#)
        try write("b.conflist", #"{"cniVersion": "1.1.0", "name": "b"}"#)
        try write(
            "c.conflist",
            #"{"cniVersion": "1.1.0", "name": "c", "loadOnlyInlinedPlugins": true, "plugins": [{"type": "first"}]}"#)
        for network in ["a", "b", "c"] {
            try write("\(network)/2.conf", #"{"type": "third"}"#)
            try write("\(network)/1.conf", #"{"type": "second"}"#)
            try write("\(network)/note.txt", "no configuration")
        }
        let directory = fakes.configurations
        #expect(try directory.list(named: "a").plugins.map(\.type) == ["first", "second", "third"])
        #expect(try directory.list(named: "b").plugins.map(\.type) == ["second", "third"])
        #expect(try directory.list(named: "c").plugins.map(\.type) == ["first"])
        try write("b/3.conf", #"{"type": ""}"#)
        let error = #expect(throws: CNIError.self) { _ = try directory.list(named: "b") }
        #expect(error?.message.contains("b.conflist cannot be used: b/3.conf: ") == true, "\(error?.message ?? "")")
    }

    @Test(
        "what the specification does not allow of a container is refused",
        arguments: [
            ("", "eth0"), ("-c", "eth0"), ("c/1", "eth0"), ("c1", ""), ("c1", ".."), ("c1", "a/b"), ("c1", "a:b"),
            ("c1", "a b"), ("c1", "sixteenlettersab"),
        ])
    func badParameters(_ container: String, _ interface: String) {
        #expect(throws: CNIError.self) {
            _ = try AttachmentParameters(container: container, namespace: "/x", interface: interface)
        }
    }

    @Test("arguments must not run into each other", arguments: [("", "a"), ("a;b", "c"), ("a", "b;c"), ("a", "b=c")])
    func badArguments(_ name: String, _ value: String) {
        #expect(throws: CNIError.self) {
            _ = try FakePlugins.parameters(arguments: [.init(name, value)])
        }
    }
}
