import FoundationEssentials
import Glibc
import JSON
import LinuxKernel
import OCISpec
import Registry
import Synchronization
import SystemPackage
import Testing

@Suite("Users of a registry")
struct AccessTests {
    /// The password "secret", at the lowest cost that bcrypt has.
    private static let file = "# users\nbob:$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n"

    private static func access(
        _ method: AccessControl.Method, anonymousPull: Bool = false, _ body: (AccessControl) async throws -> Void
    ) async throws {
        var template = Array("/tmp/masu-registry-users-XXXXXX".utf8CString)
        let path = FilePath(String(cString: mkdtemp(&template))).appending("users")
        defer { try? TreeRemoval.remove(path.removingLastComponent()) }
        try write(file, to: path)
        try await body(
            AccessControl(
                passwords: try PasswordFile(path), method: method, anonymousPull: anonymousPull, key: "a secret"))
    }

    private static func write(_ text: String, to path: FilePath) throws {
        let file = try FileDescriptor.open(
            path, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: .ownerReadWrite)
        try file.closeAfter { _ = try file.writeAll(text.utf8) }
    }

    private static func basic(_ name: String, _ password: String) -> (String, String) {
        ("Authorization", "Basic " + Data("\(name):\(password)".utf8).base64EncodedString())
    }

    @Test("only users get in, and a stranger is told how")
    func basic() async throws {
        try await Self.access(.basic) { access in
            let registry = try TestRegistry(access: access)
            let stranger = try await registry.ask(.GET, "/v2/")
            #expect(stranger.status == 401)
            #expect(stranger.code == "UNAUTHORIZED")
            #expect(stranger["WWW-Authenticate"] == "Basic realm=\"masu-registry\"")
            for (name, password, status) in [
                ("bob", "secret", 200), ("bob", "wrong", 401), ("alice", "secret", 401), ("bob", "", 401),
            ] {
                let answer = try await registry.ask(.GET, "/v2/", headers: [Self.basic(name, password)])
                #expect(answer.status == status, "\(name) \(password)")
            }
        }
    }

    @Test("everybody may pull where that is allowed, and nobody else may push or delete")
    func anonymousPull() async throws {
        try await Self.access(.basic, anonymousPull: true) { access in
            let registry = try TestRegistry(access: access)
            #expect(try await registry.ask(.GET, "/v2/app/manifests/1").status == 404)
            #expect(try await registry.ask(.POST, "/v2/app/blobs/uploads/").status == 401)
            #expect(try await registry.ask(.DELETE, "/v2/app/manifests/1").status == 401)
            let begun = try await registry.ask(.POST, "/v2/app/blobs/uploads/", headers: [Self.basic("bob", "secret")])
            #expect(begun.status == 202)
        }
    }

    @Test(
        "a wrong password costs the same work for every name, there or not",
        arguments: [
            "bob:$2y$05$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n",
            "bob:$2y$05$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n"
                + "eve:$2y$10$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n"
                + "tom:$6$rounds=5000$salt$0123456789\nann:$6$rounds=5000$pepper$0123456789\n",
        ])
    func equalWork(file: String) async throws {
        var template = Array("/tmp/masu-registry-users-XXXXXX".utf8CString)
        let path = FilePath(String(cString: mkdtemp(&template))).appending("users")
        defer { try? TreeRemoval.remove(path.removingLastComponent()) }
        try Self.write(file, to: path)
        let work = Mutex<[String]>([])
        let passwords = try PasswordFile(path) { password, setting in
            // Kind and cost of a hash are what stands before its salt.
            if !password.isEmpty { work.withLock { $0.append(String(setting.prefix(6))) } }
            return "$"
        }
        let registry = try TestRegistry(
            access: AccessControl(passwords: passwords, method: .basic, anonymousPull: false, key: "a secret"))
        var works: Set<[String]> = []
        for name in ["bob", "eve", "tom", "ann", "nobody", ""] {
            let answer = try await registry.ask(.GET, "/v2/", headers: [Self.basic(name, "wrong")])
            #expect(answer.status == 401)
            works.insert(
                work.withLock { work in
                    defer { work = [] }
                    return work.sorted()
                })
        }
        #expect(works.count == 1)
        #expect(works.first?.isEmpty == false)
    }

    @Test("a token is had for a password, and lets its holder do what it says and nothing else")
    func tokens() async throws {
        try await Self.access(.token) { access in
            let registry = try TestRegistry(access: access)
            let challenge = try await registry.ask(.POST, "/v2/app/blobs/uploads/")
            #expect(
                challenge["WWW-Authenticate"]
                    == "Bearer realm=\"http://registry.test/auth/token\",service=\"masu-registry\","
                    + "scope=\"repository:app:pull,push\"")
            let path = "/auth/token?service=masu-registry&scope=repository:app:pull,push"
            #expect(try await registry.ask(.GET, path, headers: [Self.basic("bob", "wrong")]).status == 401)
            let answer = try await registry.ask(.GET, path, headers: [Self.basic("bob", "secret")])
            let token = try #require(answer.json["token"]?.string)
            let bearer = ("Authorization", "Bearer \(token)")
            #expect(try await registry.ask(.POST, "/v2/app/blobs/uploads/", headers: [bearer]).status == 202)
            let other = try await registry.ask(.POST, "/v2/other/blobs/uploads/", headers: [bearer])
            #expect(other.status == 401)
            #expect(other.code == "DENIED")
            #expect(try await registry.ask(.DELETE, "/v2/app/manifests/1", headers: [bearer]).status == 401)
            for forged in [String(token.dropLast(4)) + "AAAA", "a.b.c", ""] {
                let answer = try await registry.ask(.GET, "/v2/", headers: [("Authorization", "Bearer \(forged)")])
                #expect(answer.status == 401)
            }
            // A stranger's token is good for nothing.
            let empty = try #require(try await registry.ask(.GET, path).json["token"]?.string)
            let strange = try await registry.ask(
                .POST, "/v2/app/blobs/uploads/", headers: [("Authorization", "Bearer \(empty)")])
            #expect(strange.status == 401)
        }
    }

    @Test("a refresh token stands for the password")
    func refreshTokens() async throws {
        try await Self.access(.token) { access in
            let registry = try TestRegistry(access: access)
            let scope = "scope=repository:app:pull&service=masu-registry"
            let first = try await registry.ask(
                .POST, "/auth/token",
                Array("grant_type=password&username=bob&password=secret&access_type=offline&\(scope)".utf8))
            let refresh = try #require(first.json["refresh_token"]?.string)
            let second = try await registry.ask(
                .POST, "/auth/token", Array("grant_type=refresh_token&refresh_token=\(refresh)&\(scope)".utf8))
            let token = try #require(second.json["access_token"]?.string)
            let answer = try await registry.ask(
                .GET, "/v2/app/manifests/1", headers: [("Authorization", "Bearer \(token)")])
            #expect(answer.status == 404)
            // It is no token for requests itself.
            let direct = try await registry.ask(.GET, "/v2/", headers: [("Authorization", "Bearer \(refresh)")])
            #expect(direct.status == 401)
        }
    }

    @Test(
        "a password file that cannot be used is told with its line",
        arguments: [("bob", "line 1: expected name:hash"), ("a:$2y$04$x\n", "line 1"), ("a:plain", "htpasswd -B")])
    func badFiles(text: String, reason: String) throws {
        var template = Array("/tmp/masu-registry-users-XXXXXX".utf8CString)
        let path = FilePath(String(cString: mkdtemp(&template))).appending("users")
        defer { try? TreeRemoval.remove(path.removingLastComponent()) }
        try Self.write(text, to: path)
        let error = #expect(throws: PasswordFileError.self) { _ = try PasswordFile(path) }
        #expect(error?.description.contains(reason) == true)
        #expect(throws: PasswordFileError.self) { _ = try PasswordFile("/nonexistent") }
    }
}
