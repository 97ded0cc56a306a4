import EngineAPIModel
import Foundation
import MasuCommand
import Testing

@Suite("credentials and progress")
struct RegistryTests {
    /// A folder that is removed at the end.
    private final class Folder {
        let path: String

        init() throws {
            path =
                FileManager.default.temporaryDirectory.appendingPathComponent("masu-credentials-\(UUID().uuidString)")
                .path
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        var file: String { path + "/config.json" }

        func write(_ text: String) throws { try text.write(toFile: file, atomically: true, encoding: .utf8) }
    }

    private static func config(_ user: String, _ password: String) -> AuthConfig {
        var config = AuthConfig()
        config.username = user
        config.password = password
        return config
    }

    @Test("all credentials are those of the file, of the helper, and of helpers of single registries")
    func all() throws {
        let folder = try Folder()
        func helper(_ name: String, _ list: String) throws {
            let path = folder.path + "/docker-credential-" + name
            let text = """
                #!/bin/sh
                case $1 in
                list) echo '\(list)' ;;
                get) read -r server; [ "$server" = broken ] && exit 1
                     echo "{\\"Username\\":\\"\(name)\\",\\"Secret\\":\\"of $server\\"}" ;;
                esac
                """
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            chmod(path, 0o755)
        }
        try helper("masu-test-one", #"{"one.test":"u","two.test":"u"}"#)
        try helper("masu-test-two", "{}")
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        setenv("PATH", folder.path + ":" + path, 1)
        defer { setenv("PATH", path, 1) }
        try folder.write(#"{"auths":{"a.test":{"auth":"bWU6cHc="},"empty.test":{}}}"#)
        var found = try CredentialFile(path: folder.file).all()
        #expect(found.keys == ["a.test"] && found["a.test"]?["auth"] == "bWU6cHc=")
        try folder.write(
            #"{"credsStore":"masu-test-one","credHelpers":{"two.test":"masu-test-two","broken":"masu-test-two"}}"#)
        found = try CredentialFile(path: folder.file).all()
        #expect(found.keys == ["one.test", "two.test"])
        // masu-test-one:of one.test
        #expect(found["one.test"]?["auth"] == "bWFzdS10ZXN0LW9uZTpvZiBvbmUudGVzdA==")
        #expect(found["two.test"]?["auth"] == "bWFzdS10ZXN0LXR3bzpvZiB0d28udGVzdA==")
    }

    @Test("what is stored is found again, for its owner alone, and the rest of the file stays")
    func stores() throws {
        let folder = try Folder()
        try folder.write(#"{"HttpHeaders":{"A":"b"},"auths":{"https://other.test/v1/":{"auth":"YTpi"}}}"#)
        var file = try CredentialFile(path: folder.file)
        #expect(try file.store(Self.config("me", "p:w"), for: "registry.test:5000"))
        file = try CredentialFile(path: folder.file)
        #expect(try file.credentials(for: "registry.test:5000")?.password == "p:w")
        #expect(try file.credentials(for: "other.test")?.username == "a")
        #expect(try String(contentsOfFile: folder.file, encoding: .utf8).contains("HttpHeaders"))
        let mode = try FileManager.default.attributesOfItem(atPath: folder.file)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        try file.erase("registry.test:5000")
        #expect(try CredentialFile(path: folder.file).credentials(for: "registry.test:5000") == nil)
    }

    @Test(
        "addresses of Docker Hub are one key, those of others their host",
        arguments: [
            ("", CredentialFile.hub), ("docker.io", CredentialFile.hub),
            ("https://index.docker.io/v1/", CredentialFile.hub),
            ("http://host:5000/v2/", "host:5000"), ("host", "host"),
        ])
    func keys(_ server: String, _ key: String) { #expect(CredentialFile.key(server) == key) }

    @Test("a broken file is an error that names it")
    func broken() throws {
        let folder = try Folder()
        try folder.write("{")
        let error = #expect(throws: CommandError.self) { try CredentialFile(path: folder.file) }
        #expect(error?.message.hasPrefix("loading config file: \(folder.file): ") == true)
    }

    @Test("a line of progress never is longer than the terminal is wide", arguments: [1, 10, 20, 35, 40, 60, 80, 200])
    func narrow(columns: Int) {
        var detail = ProgressDetail()
        detail.current = 12_345_678
        detail.total = 98_765_432
        let line = ProgressText.line("0123456789ab: Downloading", detail, columns: columns)
        #expect(line.count < max(columns, 2))
        #expect(columns < 80 || line.contains("=>"))
    }
}
