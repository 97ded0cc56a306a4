import Flags
import Glibc
import JSON
import MasuCommand
import Testing

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

        deinit { for name in ["one", "two", "web9", "web10"] { try? store.remove(name) } }

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

    @Test("what is no archive of a context is refused")
    func damagedArchive() {
        #expect(throws: CommandError("invalid context: no metadata found")) { try ContextArchive.context(from: []) }
        #expect(throws: CommandError.self) { try ContextArchive.context(from: Array("root:x:0:0".utf8)) }
        #expect(throws: CommandError.self) { try ContextArchive.context(from: Array("PK\u{3}\u{4}".utf8)) }
    }

    // MARK: Which daemon

    private func selection(
        _ arguments: [String], environment: [String: String] = [:], current: String = "", contexts: [StoredContext] = []
    ) throws -> DaemonSelection {
        let directory = try Directory()
        for context in contexts { try directory.store.save(context) }
        let invocation = try MasuProgram.root.parse(arguments + ["version"])
        return try DaemonSelection(
            invocation.flags,
            in: .init(environment: { environment[$0] }, currentContext: { current }, store: { directory.store }))
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

    @Test("TLS is refused by the name of what asks for it, and does not matter for a socket of this machine")
    func security() throws {
        func refusal(_ arguments: [String], _ environment: [String: String] = [:], _ current: String = "") -> String {
            var context = StoredContext("one", host: "tcp://1.1.1.1:1")
            context.secrets["docker"] = [("ca.pem", Array("CA".utf8))]
            do {
                _ = try selection(arguments, environment: environment, current: current, contexts: [context])
                return ""
            } catch {
                return (error as? CommandError)?.message.split(separator: ":").first.map(String.init) ?? ""
            }
        }
        #expect(refusal(["--tlsverify", "-H", "tcp://1.1.1.1:1"]) == "--tlsverify")
        #expect(refusal(["--tls", "-H", "tcp://1.1.1.1:1"]) == "--tls")
        #expect(refusal(["-H", "tcp://1.1.1.1:1"], ["DOCKER_TLS_VERIFY": "1"]) == "DOCKER_TLS_VERIFY")
        #expect(refusal([], [:], "one") == "context \"one\"")
        #expect(refusal(["-H", "unix:///x"], ["DOCKER_TLS_VERIFY": "1"]).isEmpty)
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
