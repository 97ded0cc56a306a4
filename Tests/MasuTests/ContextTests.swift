import Base64
import Flags
import Foundation
import JSON
import MasuCommand
import Testing

private enum FileNames {
    /// The names in a directory, but for those of the directory itself and its parent.
    static func below(_ path: String) throws -> [String] {
        let directory = try #require(opendir(path))
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}

@Suite("Contexts")
struct ContextTests {
    /// A directory for docker's clients that goes with the test.
    private final class Directory {
        let path: String

        init() throws {
            var template = Array("/tmp/masu-contexts.XXXXXX".utf8CString)
            try #require(mkdtemp(&template) != nil)
            path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        var store: ContextStore { ContextStore(beside: path + "/config.json") }
    }

    @Test("a context lies where docker looks for it")
    func place() {
        let store = ContextStore(beside: "/home/me/.docker/config.json")
        let id = "961b6dd3ede3cb8ecbaacbd68de040cd78eb2ed5889130cceb4c49268ea4d506"
        #expect(store.metadataPath("aa") == "/home/me/.docker/contexts/meta/" + id)
        #expect(store.secretsPath("aa") == "/home/me/.docker/contexts/tls/" + id)
        let long = String(repeating: "a", count: 200)
        #expect(
            store.metadataPath(long).hasSuffix("c2a908d98f5df987ade41b5fce213067efbcc21ef2240212a41e54b5e7c28ae5"))
    }

    @Test("a context is written as docker writes it")
    func document() {
        let text = String(
            decoding: StoredContext("aa", description: "hello", host: "tcp://1.2.3.4:2375").serialized, as: UTF8.self)
        #expect(
            text == #"{"Name":"aa","Metadata":{"Description":"hello"},"#
                + #""Endpoints":{"docker":{"Host":"tcp://1.2.3.4:2375","SkipTLSVerify":false}}}"#)
    }

    @Test("what this program does not know stays in a context")
    func unknownKeys() throws {
        let text = #"""
            {"Name":"x1","Metadata":{"Other":1},
             "Endpoints":{"kubernetes":{"Host":"k"},"docker":{"Host":"h","More":2}}}
            """#
        var context = try StoredContext(parsing: Array(text.utf8))
        context.description = "new"
        context.setEndpoint(host: "unix:///y", skipsTLSVerify: true)
        let value = try JSON.parse(context.serialized)
        #expect(value["Metadata"]?["Other"]?.int == 1)
        #expect(value["Metadata"]?["Description"]?.string == "new")
        #expect(value["Endpoints"]?["kubernetes"]?["Host"]?.string == "k")
        #expect(value["Endpoints"]?["docker"]?["More"]?.int == 2)
        #expect(value["Endpoints"]?["docker"]?["Host"]?.string == "unix:///y")
    }

    @Test("a context with files for TLS comes back as it was saved, and is gone when it is removed")
    func store() throws {
        let directory = try Directory()
        let store = directory.store
        var context = StoredContext("one", description: "first", host: "tcp://h:2376")
        context.secrets["docker"] = [("ca.pem", Array("CA".utf8)), ("key.pem", Array("KEY".utf8))]
        try store.save(context)
        #expect(store.has("one"))
        let read = try store.context("one")
        #expect(read.description == "first" && read.host == "tcp://h:2376")
        #expect(read.secrets["docker"]?.map(\.name) == ["ca.pem", "key.pem"])
        var status = stat()
        #expect(stat(store.secretsPath("one") + "/docker/key.pem", &status) == 0 && status.st_mode & 0o777 == 0o600)
        try store.remove("one")
        #expect(!store.has("one") && access(store.secretsPath("one"), F_OK) != 0)
        #expect(throws: CommandError("context \"one\" does not exist")) { try store.remove("one") }
    }

    @Test("contexts are listed in the order of their names, numbers as numbers")
    func order() throws {
        let directory = try Directory()
        for name in ["web10", "two", "web9"] { try directory.store.save(StoredContext(name, host: "")) }
        #expect(try directory.store.all().map(\.name) == ["two", "web9", "web10"])
    }

    @Test("names are those that docker accepts", arguments: ["aa", "a.b", "A_1", "x-y+z"])
    func goodName(_ name: String) throws { try StoredContext.check(name) }

    @Test("other names are refused", arguments: ["", "a", "default", "-a", "a b", "ä1", "a/b", "../x"])
    func badName(_ name: String) { #expect(throws: CommandError.self) { try StoredContext.check(name) } }

    // MARK: Archives

    @Test("an exported context is the same when it is imported")
    func archive() throws {
        var context = StoredContext("one", description: "first", host: "tcp://h:2376", skipsTLSVerify: true)
        context.secrets["docker"] = [("ca.pem", Array("CA".utf8)), ("cert.pem", [])]
        let read = try ContextArchive.context(from: try ContextArchive.bytes(of: context))
        #expect(read.serialized == context.serialized)
        #expect(read.secrets["docker"]?.map(\.name) == ["ca.pem", "cert.pem"])
        #expect(read.secrets["docker"]?.first?.content == Array("CA".utf8))
    }

    @Test("an archive cannot name a place outside of the context", arguments: ["..", ".", "a/b"])
    func hostileArchive(_ name: String) throws {
        var context = StoredContext("one", host: "tcp://h:2376")
        context.secrets["docker"] = [(name, Array("evil".utf8))]
        let bytes = try ContextArchive.bytes(of: context)
        #expect(throws: CommandError("unexpected context file: tls/docker/\(name)")) {
            try ContextArchive.context(from: bytes)
        }
    }

    /// By Python's zipfile: `meta.json` and `key.pem` compressed, `ca.pem` stored, a directory, and a comment.
    private static let zip =
        "UEsDBBQAAAAIAAAAIVCn9rWlgAAAABwBAAAJAAAAbWV0YS5qc29uzc8xC8IwEAXgvxJuDhQUFDIrOKhLpfuRXOlRTY"
        + "7klrbkv5tO/gW393hv+TZ44ofAwcoiFMDCgxQDKoLb4ELFZxblFNsFTfh1oxOqySSEWqz5pw2qhWsMkjhq2Rkh+Zny"
        + "nm6paJOoF9d1kzscz6dG7meW170fKPO4gBvxXajW+gVQSwMEFAAAAAAAAAAhUAAAAAAAAAAAAAAAAAQAAAB0bHMvUE"
        + "sDBBQAAAAAAAAAIVAxg2YsswAAALMAAAARAAAAdGxzL2RvY2tlci9jYS5wZW0tLS0tLUJFR0lOIENFUlRJRklDQVRF"
        + "LS0tLS0KSFNSRUxUUFVTQ1RBUElSSEdXUFJSUE1VRUhVRVFNWEFWWUNGWVNCSllBSVBUWE1XWk5NWFpTT0VMREJFUE"
        + "dJVk5ZVUpOUU1TTFJTTlNIS1ZBSVRWV0ZXS1JTU0RXVUdVU0lKRENQVVBDTFpDTkVBSk5ZTkRCVFRZQk1XU0tSSVFI"
        + "QkpBQ0RUUkJHTkpUSUVXQktLTEVNClBLAwQUAAAACAAAACFQXAe7FAYAAAA1AAAAEgAAAHRscy9kb2NrZXIva2V5Ln"
        + "BlbcvOJgMAAFBLAQIUAxQAAAAIAAAAIVCn9rWlgAAAABwBAAAJAAAAAAAAAAAAAACAgQAAAABtZXRhLmpzb25QSwEC"
        + "FAMUAAAAAAAAACFQAAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAgIGnAAAAdGxzL1BLAQIUAxQAAAAAAAAAIVAxg2Yssw"
        + "AAALMAAAARAAAAAAAAAAAAAACAgckAAAB0bHMvZG9ja2VyL2NhLnBlbVBLAQIUAxQAAAAIAAAAIVBcB7sUBgAAADUA"
        + "AAASAAAAAAAAAAAAAACAgasBAAB0bHMvZG9ja2VyL2tleS5wZW1QSwUGAAAAAAQABADoAAAA4QEAAAkAYSBjb21tZW"
        + "50"

    @Test("a zip archive is imported as well, and damage in it is found")
    func zipArchive() throws {
        let bytes = try #require(Base64.decode(Self.zip))
        let context = try ContextArchive.context(from: bytes)
        #expect(context.name == "zipped" && context.host == "tcp://h:2376")
        #expect(context.description == String(repeating: "a description that repeats, ", count: 6))
        #expect(context.secrets["docker"]?.map(\.name) == ["ca.pem", "key.pem"])
        #expect(context.secrets["docker"]?.last?.content == [UInt8](repeating: 0x6B, count: 53))
        for index in stride(from: 0, to: bytes.count, by: 3) {
            var damaged = bytes
            damaged[index] ^= 0x55
            // It may be in a time or a comment, but never in a content.
            guard let read = try? ContextArchive.context(from: damaged) else { continue }
            #expect(read.serialized == context.serialized)
            #expect(read.secrets["docker"]?.map(\.name) == context.secrets["docker"]?.map(\.name))
            #expect(read.secrets["docker"]?.map(\.content) == context.secrets["docker"]?.map(\.content))
        }
        for count in stride(from: 4, to: bytes.count - 40, by: 7) {
            #expect(throws: CommandError.self) { try ContextArchive.context(from: Array(bytes.prefix(count))) }
        }
    }

    @Test("what is no archive of a context is refused")
    func damagedArchive() {
        #expect(throws: CommandError("invalid context: no metadata found")) { try ContextArchive.context(from: []) }
        #expect(throws: CommandError.self) { try ContextArchive.context(from: Array("root:x:0:0".utf8)) }
        #expect(throws: CommandError.self) { try ContextArchive.context(from: Array("PK\u{3}\u{4}".utf8)) }
    }

    // MARK: Which daemon

    private func selection(
        _ arguments: [String], environment: [String: String] = [:], current: String = "",
        contexts: [StoredContext] = [], in given: Directory? = nil
    ) throws -> DaemonSelection {
        let directory = try given ?? Directory()
        for context in contexts { try directory.store.save(context) }
        let invocation = try MasuProgram.root.parse(arguments + ["version"])
        return try DaemonSelection(
            invocation.flags,
            in: .init(
                environment: { environment[$0] }, currentContext: { current }, store: { directory.store },
                directory: { directory.path }))
    }

    @Test("a flag is stronger than the environment, that is stronger than the context in use")
    func precedence() throws {
        let contexts = [StoredContext("one", host: "tcp://1.1.1.1:1"), StoredContext("two", host: "tcp://2.2.2.2:2")]
        let environment = ["DOCKER_HOST": "tcp://3.3.3.3:3", "DOCKER_CONTEXT": "two"]
        func address(_ arguments: [String], _ environment: [String: String], _ current: String = "") throws -> String {
            let found = try selection(arguments, environment: environment, current: current, contexts: contexts)
            return "\(found.context) \(found.address.description)"
        }
        #expect(try address([], [:]) == "default unix:///run/masu/masu.sock")
        #expect(try address([], [:], "one") == "one tcp://1.1.1.1:1")
        #expect(try address([], ["DOCKER_CONTEXT": "two"], "one") == "two tcp://2.2.2.2:2")
        #expect(try address([], environment, "one") == "default tcp://3.3.3.3:3")
        #expect(try address(["-c", "one"], environment) == "one tcp://1.1.1.1:1")
        #expect(try address(["-H", "unix:///x"], environment, "one") == "default unix:///x")
        let both = environment.merging(["MASU_HOST": "unix:///m"]) { $1 }
        #expect(try address([], both, "one") == "default unix:///m")
        #expect(try address(["--context", "default"], ["DOCKER_HOST": "unix:///d"], "one") == "default unix:///d")
    }

    @Test("-H and --context at once are a conflict, as is a context that does not exist")
    func conflicts() throws {
        #expect(throws: CommandError("conflicting options: cannot specify both --host and --context")) {
            try selection(["-H", "unix:///x", "-c", "one"])
        }
        let error = #expect(throws: CommandError.self) { try selection(["-c", "none"]) }
        let start = #"Failed to initialize: unable to resolve docker endpoint: context "none": context not found: "#
        #expect(error?.message.hasPrefix(start) == true)
    }

    @Test("flags and environment ask for TLS by docker's rules, and only for addresses of TCP")
    func security() throws {
        let directory = try Directory()
        for name in ["ca.pem", "cert.pem", "other.pem"] {
            try LocalFile.replace("\(directory.path)/\(name)", with: Array("-----BEGIN \(name)".utf8))
        }
        func tls(_ arguments: [String], _ environment: [String: String] = [:]) throws -> (String, TLSMaterial?) {
            let address = try selection(arguments, environment: environment, in: directory).address
            guard case .tcp(_, _, let tls) = address else { return (address.description, nil) }
            return (address.description, tls)
        }
        func usual(_ verifies: Bool) -> TLSMaterial {
            TLSMaterial(
                authority: directory.path + "/ca.pem", certificate: directory.path + "/cert.pem", key: nil,
                verifies: verifies)
        }
        let host = ["-H", "tcp://1.1.1.1:1"]
        #expect(try tls(host) == ("tcp://1.1.1.1:1", nil))
        #expect(try tls(host + ["--tls"]) == ("tcp://1.1.1.1:1", usual(false)))
        #expect(try tls(host + ["--tlsverify"]).1 == usual(true))
        #expect(try tls(host + ["--tlsverify=false"]).1 == usual(false))
        #expect(try tls(host, ["DOCKER_TLS": "1"]).1 == usual(false))
        #expect(try tls(host, ["DOCKER_TLS_VERIFY": "1"]).1 == usual(true))
        #expect(try tls(host + ["--tls=false"], ["DOCKER_TLS_VERIFY": "1"]).1 == usual(true))
        #expect(try tls(host + ["--tls=false"], ["DOCKER_TLS": "1"]).1 == nil)
        #expect(try tls(["--tls"]) == ("tcp://localhost:2376", usual(false)))
        #expect(try tls(["--tls"], ["DOCKER_HOST": "tcp://a"]) == ("tcp://a:2375", usual(false)))
        #expect(try tls(["-H", "unix:///x"], ["DOCKER_TLS_VERIFY": "1"]) == ("unix:///x", nil))
        #expect(try tls(["-H", "ssh://box", "--tlsverify"]).1 == nil)
        let other = "'\(directory.path)/other.pem'"
        #expect(
            try tls(host + ["--tls", "--tlscacert", "", "--tlscert", other, "--tlskey", other]).1
                == TLSMaterial(
                    authority: nil, certificate: directory.path + "/other.pem", key: directory.path + "/other.pem",
                    verifies: false))
        let start = "Failed to initialize: unable to resolve docker endpoint: open "
        #expect(throws: CommandError("\(start)/none/ca.pem: no such file or directory")) {
            try tls(host + ["--tls"], ["DOCKER_CERT_PATH": "/none"])
        }
        #expect(throws: CommandError("\(start)/none/x.pem: no such file or directory")) {
            try tls(host + ["--tlsverify", "--tlskey", "/none/x.pem"])
        }
    }

    @Test("a context with files for TLS, or without verification, is one with TLS")
    func secureContexts() throws {
        let directory = try Directory()
        func tls(_ context: StoredContext) throws -> TLSMaterial? {
            let address = try selection(["-c", context.name], contexts: [context], in: directory).address
            guard case .tcp(_, _, let tls) = address else { return nil }
            return tls
        }
        var context = StoredContext("one", host: "tcp://1.1.1.1:1")
        #expect(try tls(context) == nil)
        context.setEndpoint(host: "tcp://1.1.1.1:1", skipsTLSVerify: true)
        #expect(try tls(context) == TLSMaterial(authority: nil, certificate: nil, key: nil, verifies: false))
        context.setEndpoint(host: "tcp://1.1.1.1:1", skipsTLSVerify: false)
        context.secrets["docker"] = [("ca.pem", Array("CA".utf8)), ("key.pem", Array("KEY".utf8))]
        let folder = directory.store.secretsPath("one") + "/docker/"
        #expect(
            try tls(context)
                == TLSMaterial(authority: folder + "ca.pem", certificate: nil, key: folder + "key.pem", verifies: true))
        context.setEndpoint(host: "unix:///x", skipsTLSVerify: true)
        #expect(try tls(context) == nil)
    }

    @Test("keys of a context are replaced as a whole, and stay when the new ones cannot be written")
    func replacedKeys() throws {
        let directory = try Directory()
        let store = directory.store
        func files(_ context: StoredContext) -> [String] {
            (context.secrets["docker"] ?? []).map { "\($0.name) \($0.content)" }
        }
        var context = StoredContext("one", host: "tcp://h:2376")
        // Bytes that are no text, and texts that only look alike.
        context.secrets["docker"] = [("ca.pem", [0xFF]), ("key.pem", [1])]
        try store.save(context)
        context.secrets["docker"] = [("ca.pem", [0xFE])]
        try store.save(context)
        #expect(try files(store.context("one")) == ["ca.pem [254]"])
        // A name that cannot be made.
        context.secrets["docker"] = [("cert.pem", [2]), (String(repeating: "n", count: 300), [3])]
        #expect(throws: CommandError.self) { try store.save(context) }
        #expect(try files(store.context("one")) == ["ca.pem [254]"])
        context.secrets = [:]
        try store.save(context)
        #expect(try files(store.context("one")).isEmpty)
        let left = try FileNames.below(directory.path + "/contexts/tls")
        #expect(left.isEmpty, "\(left)")
    }

    @Test("what a killed process has left neither gets into a context nor stays when that is removed")
    func leftKeys() throws {
        let directory = try Directory()
        let store = directory.store
        var context = StoredContext("one", host: "tcp://h:2376")
        context.secrets["docker"] = [("ca.pem", [1])]
        try store.save(context)
        let place = store.secretsPath("one")
        func leave(_ path: String) throws {
            try FileManager.default.createDirectory(atPath: path + "/docker", withIntermediateDirectories: true)
            try LocalFile.replace(path + "/docker/left.pem", with: [9])
        }
        try leave("\(place).new-\(getpid())")
        try leave("\(place).old-\(getpid())")
        context.secrets["docker"] = [("ca.pem", [2])]
        try store.save(context)
        #expect(try store.context("one").secrets["docker"]?.map(\.name) == ["ca.pem"])
        // Killed when the new keys were not yet in the place of the old ones: those are back, whatever comes then.
        #expect(rename(place, "\(place).old-\(getpid())") == 0)
        context.secrets["docker"] = [(String(repeating: "n", count: 300), [3])]
        #expect(throws: CommandError.self) { try store.save(context) }
        #expect(try store.context("one").secrets["docker"]?.map(\.content) == [[2]])
        try leave("\(place).new-1")
        try leave("\(place).old-2")
        try store.remove("one")
        #expect(try FileNames.below(directory.path + "/contexts/tls").isEmpty)
    }

    @Test("a file that is replaced keeps its owner and mode", .enabled(if: geteuid() == 0, "needs root"))
    func replacedFile() throws {
        let directory = try Directory()
        let path = directory.path + "/config.json"
        var status = stat()
        try LocalFile.replace(path, with: [1])
        #expect(stat(path, &status) == 0 && status.st_mode & 0o7777 == 0o600)
        #expect(chown(path, 1234, 4321) == 0 && chmod(path, 0o640) == 0)
        try LocalFile.replace(path, with: [2, 3])
        #expect(stat(path, &status) == 0 && status.st_size == 2)
        #expect(status.st_uid == 1234 && status.st_gid == 4321 && status.st_mode & 0o7777 == 0o640)
    }

    @Test("the table marks the context in use")
    func table() throws {
        let rows = [("aa", "hello", "tcp://1.2.3.4:2375", ""), ("default", "standard", "unix:///s", "")]
        #expect(
            try ContextRows.rendered(rows, current: "default", format: "") == """
                NAME        DESCRIPTION   DOCKER ENDPOINT      ERROR
                aa          hello         tcp://1.2.3.4:2375   \n\
                default *   standard      unix:///s            \n
                """)
        #expect(
            try ContextRows.rendered(rows, current: "aa", format: "{{.Name}} {{.Current}}")
                == "aa true\ndefault false\n")
    }
}
