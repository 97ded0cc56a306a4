import Foundation
import Testing

extension Integration {
    /// The daemon as a program: its sockets, its drivers, its versions.
    @Suite("daemon")
    struct Daemon {
        @Test("every API version from 1.24 to 1.55 is answered, with or without a prefix; ping says which")
        func versions() throws {
            try withDaemon(image: false) { daemon in
                for prefix in ["", "/v1.24", "/v1.41", "/v1.55"] {
                    let answer = try daemon.http("GET", prefix + "/containers/json?all=1")
                    #expect(answer.status == 200 && answer.body.hasPrefix("[]"), "\(prefix): \(answer)")
                }
                let curl = try #require(Programs.find("curl"), "curl is not installed")
                let ping = try Command(curl, "-s", "-i", "--unix-socket", daemon.socket, "http://masu/_ping").runToEnd()
                for header in ["Api-Version: 1.55", "Ostype: linux", "Server: "] {
                    #expect(ping.output.lowercased().contains(header.lowercased()), "\(ping)")
                }
                #expect(ping.output.hasSuffix("OK"))
            }
        }

        @Test("masu version tells Masu's version, and that of the Docker Engine the daemon answers like")
        func ownVersion() throws {
            try withDaemon(image: false) { daemon in
                let client = try daemon.run(.masu, "version", "--format", "{{.Client.Version}}").output
                let own = client.filter { !$0.isNewline }
                let server = try daemon.run(.masu, "version", "--format", "{{.Server.Version}}").output
                #expect(server.hasSuffix("+masu\(client)"), "\(server)")
                let text = try daemon.run(.masu, "version").output
                let lines = text.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
                let engine = lines.drop { $0 != "Engine:" }
                #expect(engine.dropFirst().first == "Version: \(own)", "\(text)")
                #expect(engine.dropFirst(2).first?.hasPrefix("Answers like: Docker Engine ") == true, "\(text)")
                guard Programs.docker != nil else { return }
                #expect(try daemon.run(.docker, "version", "--format", "{{.Server.Version}}").output == server)
            }
        }

        @Test(
            "an old client is spoken to in its version",
            .enabled(if: Programs.docker != nil, "no docker of version 23 or newer"))
        func negotiation() throws {
            try withDaemon { daemon in
                for version in ["1.24", "1.40", "1.51"] {
                    var command = daemon.command(.docker, ["run", "--rm", "busybox", "echo", "version", version])
                    command.environment["DOCKER_API_VERSION"] = version
                    let result = try command.runToEnd()
                    #expect(result.output == "version \(version)\n", "\(result)")
                }
            }
        }

        @Test("the socket is for root and one group")
        func socketMode() throws {
            try withDaemon(image: false) { daemon in
                var status = stat()
                #expect(stat(daemon.socket, &status) == 0)
                #expect(status.st_mode & 0o777 == 0o660)
                #expect(status.st_uid == 0)
            }
        }

        @Test("tcp without TLS is for loopback only")
        func tcp() throws {
            let port = try LocalPort.free()
            try withDaemon(options: ["-H", "tcp://127.0.0.1:\(port)"]) { daemon in
                var command = daemon.command(.masu, ["run", "--rm", "busybox", "echo", "over tcp"])
                command.environment["MASU_HOST"] = "tcp://127.0.0.1:\(port)"
                let result = try command.runToEnd()
                #expect(result.output == "over tcp\n", "\(result)")
                let refused = try Command(
                    Programs.masud, "--data-root", daemon.root + "/other", "--exec-root", daemon.root + "/otherrun",
                    "--pidfile",
                    daemon.root + "/other.pid", "--config-file", daemon.root + "/daemon.json", "-H",
                    "tcp://0.0.0.0:\(LocalPort.free())"
                ).runToEnd()
                #expect(refused.code != 0)
                #expect((refused.errors + refused.output).contains("loopback"), "\(refused)")
            }
        }

        @Test(
            "a mistake in the configuration is named, and nothing is started",
            arguments: [
                (#"{"log-level": 7}"#, "log-level"), (#"{"no-such-key": true}"#, "no-such-key"), ("{", "daemon.json"),
            ])
        func configuration(_ text: String, _ named: String) throws {
            let file = try TemporaryFile(containing: Array(text.utf8))
            let directory = "/tmp/masu-configuration-\(getpid())"
            let copy = directory + ".daemon.json"
            try FileManager.default.copyItem(atPath: file.path, toPath: copy)
            defer {
                unlink(copy)
                try? FileManager.default.removeItem(atPath: directory)
            }
            let result = try Command(
                Programs.masud, "--data-root", directory + "/data", "--exec-root", directory + "/run", "--pidfile",
                directory + "/pid", "--config-file", copy, "-H", "unix://\(directory)/socket"
            ).runToEnd()
            #expect(result.code != 0, "\(result)")
            #expect((result.errors + result.output).contains(named), "\(result)")
            #expect(access(directory + "/socket", F_OK) != 0)
        }
    }
}
