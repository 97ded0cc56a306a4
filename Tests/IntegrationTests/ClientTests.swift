import Foundation
import Testing

extension Integration {
    /// Services and clients that people have, on networks of Masu's: `scripts/clients/run` says what it does with
    /// them. What it needs is fetched once and kept.
    @Suite("clients")
    struct ClientTests {
        private static let missing = "needs packages that cannot be had here; scripts/clients/run --prepare names them"

        /// Whether all that a part needs is there, or can be fetched.
        private static func canRun(_ part: String) -> Bool {
            // A preparation that cannot even be started is one that fails.
            let result = try? PrivateNetwork.leave { try command("--prepare", part).runToEnd(timeout: 1800) }
            return geteuid() == 0 && result?.code == 0
        }

        private static func command(_ arguments: String...) -> Command {
            var command = Command(Programs.project + "/scripts/clients/run", arguments)
            let environment = ProcessInfo.processInfo.environment
            for name in ["PATH", "HOME", "XDG_CACHE_HOME", "http_proxy", "https_proxy", "no_proxy"] {
                command.environment[name] = environment[name] ?? command.environment[name]
            }
            command.environment["MASU_BIN"] = Programs.directory
            return command
        }

        private func expectAsExpected(_ part: String) throws {
            // In a network without way out: what is missing now cannot be fetched any more.
            let result = try PrivateNetwork().enter { try Self.command(part).runToEnd(timeout: 1800) }
            #expect(
                result.code == 0 && result.output.contains("clients: everything as expected"),
                "\(result.output)\(result.errors)")
        }

        @Test(
            "nginx, PostgreSQL and Redis are reached by name and by port, whatever becomes of masud",
            .enabled(if: canRun("services"), "\(missing)"))
        func services() throws { try expectAsExpected("services") }

        @Test("docker's commands about networks and ports", .enabled(if: canRun("command-line"), "\(missing)"))
        func commandLine() throws { try expectAsExpected("command-line") }

        @Test("a stack of Compose's", .enabled(if: canRun("compose"), "\(missing)"))
        func compose() throws { try expectAsExpected("compose") }

        @Test("one stack by every Compose: health, volumes, networks", .enabled(if: canRun("stacks"), "\(missing)"))
        func stacks() throws { try expectAsExpected("stacks") }

        @Test(
            "docker's commands are answered as Debian's dockerd answers them",
            .enabled(if: geteuid() == 0, "needs root"))
        func compatibility() throws {
            var command = Command(Programs.project + "/scripts/compat/run")
            command.environment["PATH"] =
                ProcessInfo.processInfo.environment["PATH"] ?? command.environment["PATH"]
            command.environment["MASU_BIN"] = Programs.directory
            let result = try command.runToEnd(timeout: 1800)
            // What is missing is named in the output.
            if result.code == 3 { try Test.cancel("\(result.output)") }
            #expect(result.code == 0 && result.output.contains("0 problems"), "\(result.output)\(result.errors)")
        }

        @Test("testcontainers and the Docker SDK for Python", .enabled(if: canRun("testcontainers"), "\(missing)"))
        func testcontainers() throws { try expectAsExpected("testcontainers") }

        @Test(
            "whatever the API's description allows and does not allow, no answer is a mistake of masud's",
            .enabled(if: canRun("api-fuzz"), "\(missing)"))
        func fuzz() throws { try expectAsExpected("api-fuzz") }
    }
}
