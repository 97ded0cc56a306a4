import Foundation
import Testing

extension Integration {
    /// Events: what survives a daemon, in what order they come, and in what form.
    @Suite("events")
    struct EventTests {
        private func events(_ daemon: TestDaemon, _ query: String = "", version: String = "v1.55") throws -> [String] {
            let end = Int(Date().timeIntervalSince1970) + 1
            let answer = try daemon.http("GET", "/\(version)/events?until=\(end)" + query)
            return answer.body.split(separator: "\n").compactMap { line in
                let json = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                guard let type = json?["Type"] as? String, let action = json?["Action"] as? String else { return nil }
                return "\(type) \(action)"
            }
        }

        @Test("a daemon tells the events of the one that was killed before it")
        func restart() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "--name", "one", "busybox", "true")
                var before: [String] = []
                // The network is left after the end has been told.
                #expect(
                    try eventually {
                        before = try events(daemon, "&since=1")
                        return before.contains("container die") && before.contains("network disconnect")
                    })
                // Events are written down a moment after they have been told.
                #expect(
                    try eventually {
                        let file = try String(contentsOfFile: daemon.execRoot + "/events", encoding: .utf8)
                        return file.split(separator: "\n").count >= before.count
                    })
                try daemon.crash()
                try daemon.start()
                try daemon.ok(.masu, "rm", "one")
                #expect(try events(daemon, "&since=1") == before + ["container destroy"])
            }
        }

        /// What Compose's monitor counts on.
        @Test("kill, stop and die come in the order that Compose expects")
        func order() throws {
            try withDaemon { daemon in
                func actions(_ run: () throws -> Void) throws -> [String] {
                    let count = try events(daemon, "&since=1").count
                    try run()
                    return try events(daemon, "&since=1").dropFirst(count)
                        .filter { $0.hasPrefix("container ") }.map { String($0.dropFirst(10)) }
                }
                try daemon.ok(.masu, "run", "-d", "--name", "box", "--init", "busybox", "sleep", "1000")
                #expect(try actions { try daemon.ok(.masu, "kill", "box") } == ["kill", "die"])
                #expect(try actions { try daemon.ok(.masu, "start", "box") } == ["start"])
                let stopped = try actions { try daemon.ok(.masu, "stop", "box") }
                #expect(stopped.first == "kill" && Set(stopped.dropFirst()) == ["stop", "die"], "\(stopped)")
                try daemon.ok(.masu, "start", "box")
                let restarted = try actions { try daemon.ok(.masu, "restart", "box") }
                #expect(restarted.first == "kill", "\(restarted)")
                #expect(Array(restarted.suffix(2)) == ["start", "restart"], "\(restarted)")
                #expect(Set(restarted.dropFirst().dropLast(2)) == ["stop", "die"], "\(restarted)")
                #expect(try actions { try daemon.ok(.masu, "rm", "-f", "box") } == ["kill", "die", "destroy"])
            }
        }

        @Test("the client chooses the form; the fields of old end with API 1.51")
        func form() throws {
            try withDaemon { daemon in
                let curl = try #require(Programs.find("curl"), "curl is not installed")
                func ask(_ version: String, _ accept: String) throws -> String {
                    try Command(
                        curl, "-s", "-i", "--unix-socket", daemon.socket, "-H", "Accept: \(accept)",
                        "http://masu/\(version)/events?since=1&until=\(Int(Date().timeIntervalSince1970) + 1)"
                    ).runToEnd().output
                }
                let newest = try ask("v1.55", "*/*")
                #expect(newest.contains("Content-Type: application/jsonl\r\n"), "\(newest)")
                #expect(newest.contains("\"Type\":\"image\"") && !newest.contains("\"status\""), "\(newest)")
                let old = try ask("v1.51", "*/*")
                #expect(old.contains("Content-Type: application/json\r\n") && old.contains("\"status\""), "\(old)")
                let sequence = try ask("v1.55", "application/json-seq")
                #expect(sequence.contains("Content-Type: application/json-seq\r\n"), "\(sequence)")
                #expect(sequence.contains("\u{1e}{"), "\(sequence)")
            }
        }
    }
}
