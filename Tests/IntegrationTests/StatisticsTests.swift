import Foundation
import Testing

extension Integration {
    /// What containers use.
    @Suite("statistics")
    struct StatisticsTests {
        private func document(_ daemon: TestDaemon, _ query: String, _ name: String = "web") throws -> [String: Any] {
            let answer = try daemon.http("GET", "/containers/\(name)/stats?\(query)")
            try #require(answer.status == 200, "\(answer)")
            let value = try JSONSerialization.jsonObject(with: Data(answer.body.utf8))
            return try #require(value as? [String: Any])
        }

        private func number(_ document: [String: Any], _ path: String...) -> Double? {
            var value: Any? = document
            for name in path { value = (value as? [String: Any])?[name] }
            return (value as? NSNumber)?.doubleValue
        }

        @Test("one answer has what the container uses, and what it used a second before")
        func oneAnswer() throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "run", "-d", "--name", "web", "-m", "64m", "--pids-limit", "50", "busybox", "sh", "-c",
                    "while true; do :; done")
                let first = try document(daemon, "stream=0&one-shot=1")
                #expect(first["name"] as? String == "/web")
                #expect((first["id"] as? String)?.count == 64)
                #expect(first["preread"] as? String == "0001-01-01T00:00:00Z")
                #expect(number(first, "memory_stats", "limit") == Double(64 << 20))
                #expect((number(first, "memory_stats", "usage") ?? 0) > 0)
                #expect(number(first, "pids_stats", "limit") == 50)
                #expect((number(first, "pids_stats", "current") ?? 0) >= 1)
                #expect((number(first, "cpu_stats", "online_cpus") ?? 0) >= 1)
                #expect(number(first, "networks", "eth0", "tx_bytes") != nil)
                #expect((first["networks"] as? [String: Any])?.count == 1)
                let both = try document(daemon, "stream=0")
                #expect(both["preread"] as? String != "0001-01-01T00:00:00Z")
                let used =
                    try #require(number(both, "cpu_stats", "cpu_usage", "total_usage"))
                    - (try #require(number(both, "precpu_stats", "cpu_usage", "total_usage")))
                let all =
                    try #require(number(both, "cpu_stats", "system_cpu_usage"))
                    - (try #require(number(both, "precpu_stats", "system_cpu_usage")))
                #expect(used > 0 && all > 0 && used < all * 1.1)
                // Version 1 of the API knew no one-shot, and took two looks.
                let old = try daemon.http("GET", "/v1.40/containers/web/stats?stream=0&one-shot=1")
                #expect(!old.body.contains(#""preread":"0001"#))
            }
        }

        @Test("a container that does not run uses nothing; one that is not there is not found")
        func stopped() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "create", "--name", "web", "busybox", "true")
                let document = try document(daemon, "stream=0")
                #expect(document["name"] as? String == "/web")
                #expect(number(document, "cpu_stats", "cpu_usage", "total_usage") == 0)
                #expect((document["memory_stats"] as? [String: Any])?.isEmpty == true)
                #expect(document["networks"] == nil)
                let missing = try daemon.http("GET", "/containers/nobody/stats")
                #expect(missing.status == 404 && missing.body.contains("No such container: nobody"))
            }
        }

        @Test("networks are the container's own, or those of the one it is with, and none of the host's")
        func networks() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "-d", "--name", "web", "busybox", "sleep", "1000")
                try daemon.ok(
                    .masu, "run", "-d", "--name", "beside", "--network", "container:web", "busybox", "sleep", "1000")
                try daemon.ok(.masu, "run", "-d", "--name", "host", "--network", "host", "busybox", "sleep", "1000")
                try daemon.ok(.masu, "run", "-d", "--name", "none", "--network", "none", "busybox", "sleep", "1000")
                for name in ["web", "beside"] {
                    let networks = try document(daemon, "stream=0&one-shot=1", name)["networks"] as? [String: Any]
                    #expect(networks?.keys.sorted() == ["eth0"])
                }
                for name in ["host", "none"] {
                    #expect(try document(daemon, "stream=0&one-shot=1", name)["networks"] == nil)
                }
            }
        }

        @Test("a stream goes on over the container's end and its next start, until the container is removed")
        func stream() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "-d", "--name", "web", "busybox", "sleep", "1000")
                let curl = try #require(Programs.find("curl"), "curl is not installed")
                let file = daemon.root + "/stats"
                let stream = try Command(
                    curl, "-s", "-N", "-o", file, "--unix-socket", daemon.socket, "http://masu/containers/web/stats"
                ).start()
                func lines() -> [Substring] {
                    ((try? String(contentsOfFile: file, encoding: .utf8)) ?? "").split(separator: "\n")
                }
                func runs(_ line: Substring?) -> Bool { line.map { !$0.contains(#""read":"0001-"#) } ?? false }
                #expect(eventually { lines().count >= 2 && runs(lines().last) })
                #expect(lines().first?.contains(#""preread":"0001-"#) == true)
                try daemon.ok(.masu, "kill", "web")
                #expect(eventually { !lines().isEmpty && !runs(lines().last) })
                try daemon.ok(.masu, "start", "web")
                #expect(eventually { runs(lines().last) })
                try daemon.ok(.masu, "rm", "-f", "web")
                #expect(try stream.waitForEnd().code == 0)
            }
        }

        @Test("a table of what all containers use", arguments: Client.available)
        func table(client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "-d", "--name", "web", "-m", "64m", "busybox", "sleep", "1000")
                try daemon.ok(.masu, "create", "--name", "other", "busybox", "true")
                let table = try daemon.ok(client, "stats", "--no-stream").split(separator: "\n").map(String.init)
                #expect(
                    table.first?.split(separator: " ").joined(separator: " ")
                        == "CONTAINER ID NAME CPU % MEM USAGE / LIMIT MEM % NET I/O BLOCK I/O PIDS")
                #expect(table.count == 2 && table[1].contains(" web ") && table[1].contains(" / 64MiB "), "\(table)")
                let all = try daemon.ok(client, "stats", "--no-stream", "-a", "--format", "{{.Name}} {{.PIDs}}")
                #expect(all.split(separator: "\n").sorted() == ["other 0", "web 1"])
                let json = try daemon.ok(client, "stats", "--no-stream", "--no-trunc", "--format", "json", "web")
                #expect(json.hasPrefix(#"{"BlockIO":"#) && json.contains(#""Name":"web""#), "\(json)")
                let missing = try daemon.run(client, "stats", "--no-stream", "nobody")
                #expect(missing.code == 1 && missing.errors.contains("No such container: nobody"))
            }
        }

        @Test("the table lives: containers come and go")
        func live() throws {
            try withDaemon { daemon in
                let file = daemon.root + "/table"
                let command = try Command(
                    "/bin/sh", "-c", "exec \"$0\" stats --format '{{.Name}}' >\"$1\"", Programs.masu, file
                )
                .aimed(at: daemon).start()
                func last() -> [Substring] {
                    let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
                    let frame = text.components(separatedBy: "\u{1B}[H").last ?? ""
                    return frame.replacingOccurrences(of: "\u{1B}[K", with: "")
                        .replacingOccurrences(of: "\u{1B}[J", with: "").split(separator: "\n")
                }
                #expect(eventually { FileManager.default.fileExists(atPath: file) })
                try daemon.ok(.masu, "run", "-d", "--name", "web", "busybox", "sleep", "1000")
                #expect(eventually { last() == ["web"] })
                try daemon.ok(.masu, "run", "-d", "--name", "two", "busybox", "sleep", "1000")
                #expect(eventually { last().sorted() == ["two", "web"] })
                try daemon.ok(.masu, "rm", "-f", "web")
                #expect(eventually { last() == ["two"] })
                command.send(SIGINT)
                #expect(try command.waitForEnd().code != 0)
            }
        }
    }
}

extension Command {
    /// The same with the daemon's address in its environment.
    fileprivate func aimed(at daemon: TestDaemon) -> Command {
        var command = self
        command.environment["MASU_HOST"] = "unix://" + daemon.socket
        return command
    }
}
