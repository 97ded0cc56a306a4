import Foundation
import Testing

@Suite("Answers of the API", .enabled(if: geteuid() == 0, "needs root"), .timeLimit(.minutes(10)))
struct RouteTests {
    private static let notManager =
        #"This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node "#
        + "to swarm and try again."

    @Test("routes without anything behind them answer as Docker's daemon does without it")
    func routes() throws {
        try RunningMasud.run { client, _ in
            let table: [(String, String, Int, String)] = [
                ("GET", "/plugins", 200, "[]\n"), ("GET", "/plugins/x/json", 404, #"plugin \"x\" not found"#),
                ("DELETE", "/v1.40/plugins/a/b:c", 404, #"plugin \"a/b:c\" not found"#),
                ("GET", "/swarm", 503, Self.notManager), ("GET", "/nodes", 503, Self.notManager),
                ("GET", "/v1.30/services/a", 503, Self.notManager), ("POST", "/secrets/create", 503, Self.notManager),
                ("GET", "/tasks", 503, Self.notManager), ("DELETE", "/configs/a", 503, Self.notManager),
                ("POST", "/swarm/leave?force=1", 503, "This node is not part of a swarm"),
                ("POST", "/swarm/init", 501, "Swarm is not supported by this version of masud"),
                ("DELETE", "/containers/a/checkpoints/b", 501, "This experimental feature is disabled by default."),
                ("DELETE", "/containers/a", 404, "No such container: a"),
                ("OPTIONS", "/", 200, ""), ("OPTIONS", "/v1.41/containers/json", 200, ""),
                ("GET", "/events?until=1&filters=%7B%22nope%22%3A%5B%22x%22%5D%7D", 200, ""),
            ]
            for (method, target, status, text) in table {
                let answer = try client.ask(method, target)
                #expect(answer.status == status, "\(method) \(target)")
                #expect(answer.body.contains(text) || text.isEmpty, "\(method) \(target): \(answer.body)")
            }
            let create = try client.ask("POST", "/containers/create", body: "")
            #expect(create.status == 400)
            #expect(create.body == "{\"message\":\"invalid JSON: EOF\"}\n")
            let ping = try client.ask("GET", "/_ping")
            #expect(ping.head.contains("\r\nBuilder-Version: 1\r\n"))
        }
    }

    @Test("the version is one that clients of Docker can compare, and the product's own is beside it")
    func version() throws {
        try RunningMasud.run { client, _ in
            let version = try #require(try client.ask("GET", "/version").json as? [String: Any])
            let text = try #require(version["Version"] as? String)
            let parts = text.split(separator: "+")
            #expect(Int(parts[0].prefix { $0 != "." }) ?? 0 >= 23)
            #expect(parts.last?.hasPrefix("masu") == true)
            let components = try #require(version["Components"] as? [[String: Any]])
            let own = components.first { $0["Name"] as? String == "Masu" }
            #expect((own?["Version"] as? String).map { "masu" + $0 } == parts.last.map(String.init))
            let info = try #require(try client.ask("GET", "/info").json as? [String: Any])
            #expect(info["ServerVersion"] as? String == text)
        }
    }

    @Test("information has the fields of the client's version")
    func information() throws {
        try RunningMasud.run { client, _ in
            func info(_ version: String) throws -> [String: Any] {
                try #require(try client.ask("GET", "/v\(version)/info").json as? [String: Any])
            }
            func own(_ info: [String: Any]) -> [String: Any]? {
                (info["Runtimes"] as? [String: [String: Any]])?["masu"]
            }
            let newest = try info("1.55")
            #expect((own(newest)?["status"] as? [String: String])?["org.opencontainers.runtime-spec.features"] != nil)
            #expect(newest["BridgeNfIptables"] == nil)
            #expect((newest["RuncCommit"] as? [String: Any])?["Expected"] == nil)
            let older = try info("1.48")
            #expect(older["BridgeNfIptables"] is Bool)
            #expect(older["BridgeNfIp6tables"] is Bool)
            #expect(((older["RuncCommit"] as? [String: Any])?["Expected"] as? String)?.isEmpty == false)
            let old = try info("1.43")
            #expect(own(old)?["status"] == nil)
            let commit = try #require(old["RuncCommit"] as? [String: Any])
            #expect(commit["Expected"] as? String == commit["ID"] as? String)
        }
    }

    @Test("an option without effect is told once in the log; the oldest version can be raised")
    func options() throws {
        let flags = ["--iptables=false", "--ip6tables", "--builder=x", "--experimental", "--min-api-version=1.41"]
        try RunningMasud.run(flags) { client, daemon in
            let log = try daemon.log()
            #expect(log.components(separatedBy: "option=iptables").count == 2)
            #expect(log.components(separatedBy: "option=builder").count == 2)
            #expect(!log.contains("option=ip6tables") && !log.contains("option=experimental"))
            #expect(try client.ask("GET", "/_ping").head.contains("\r\nDocker-Experimental: true\r\n"))
            #expect(try client.ask("GET", "/v1.40/version").body.contains("Minimum supported API version is 1.41"))
            #expect(try client.ask("GET", "/v1.41/version").status == 200)
        }
    }

    @Test("SIGHUP takes over what can change, and the event tells of it")
    func reload() throws {
        try RunningMasud.run { client, daemon in
            try daemon.masud.write(
                #"""
                {"labels":["a=b"],"debug":true,"default-runtime":"other","runtimes":{"other":{"path":"/bin/true"}},
                 "default-shm-size":"128m","default-ipc-mode":"shareable","live-restore":false,"shutdown-timeout":7,
                 "max-concurrent-downloads":9,
                 "insecure-registries":["r.test:5000"],"registry-mirrors":["http://m.test"]}
                """#)
            let events = try client.connect()
            defer { close(events) }
            try client.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n", to: events)
            _ = client.read(from: events, until: "\r\n\r\n")
            kill(daemon.process.processIdentifier, SIGHUP)
            let line = client.read(from: events, until: "}\n")
            let id = try #require(try client.ask("GET", "/info").json as? [String: Any])["ID"] as? String
            for text in [
                #""Action":"reload""#, #""ID":"\#(id ?? "?")""#, #""labels":"[\"a=b\"]""#, #""debug":"true""#,
                #""default-runtime":"other""#, #""runtimes":"other:/bin/true""#, #""default-shm-size":"134217728""#,
                #""default-ipc-mode":"shareable""#, #""live-restore":"false""#, #""shutdown-timeout":"7""#,
                #""max-concurrent-downloads":"9""#, #""max-download-attempts":""#,
                #""insecure-registries":"[\"r.test:5000\"]""#, #""registry-mirrors":"[\"http://m.test"#,
            ] {
                #expect(line.contains(text), "\(text): \(line)")
            }
            let info = try #require(try client.ask("GET", "/info").json as? [String: Any])
            #expect(info["DefaultRuntime"] as? String == "other")
            #expect(info["LiveRestoreEnabled"] as? Bool == false)
            #expect(info["Debug"] as? Bool == true)
            #expect(info["Labels"] as? [String] == ["a=b"])
            let registries = info["RegistryConfig"] as? [String: Any]
            #expect((registries?["IndexConfigs"] as? [String: Any])?["r.test:5000"] != nil)
        }
    }
}

/// A daemon of a test's own.
struct RunningMasud {
    let masud: Masud
    let process: Process
    private let logPath: String

    func log() throws -> String { try String(contentsOfFile: logPath, encoding: .utf8) }

    /// Starts one, runs `body` when it is ready, and stops it.
    static func run(_ flags: [String] = [], _ body: (RawClient, RunningMasud) throws -> Void) throws {
        let masud = try Masud()
        defer { try? masud.remove() }
        try masud.write("{}")
        let (process, log) = try masud.start(masud.roots + flags)
        defer {
            process.terminate()
            process.waitUntilExit()
        }
        let running = RunningMasud(masud: masud, process: process, logPath: log)
        while process.isRunning, try !running.log().contains("completed initialization") { usleep(10_000) }
        let said = try running.log()
        try #require(process.isRunning, "\(said)")
        try body(RawClient(socketPath: masud.path("run/masu.sock")), running)
    }
}
