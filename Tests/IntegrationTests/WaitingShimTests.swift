import Foundation
import Testing

extension Integration {
    /// Shims that wait, started, for the next container.
    @Suite("waiting shims")
    struct WaitingShims {
        /// The one that waits, once there is one.
        private func next(_ daemon: TestDaemon) throws -> pid_t {
            try #require(eventually { daemon.waitingShims().count == 1 })
            return daemon.waitingShims()[0]
        }

        /// The shim of the only container.
        private func shim(_ daemon: TestDaemon) -> pid_t? {
            daemon.processes().first { $0.hasSuffix(" masu-shim") }
                .flatMap { $0.split(separator: " ").first }.flatMap { pid_t($0) }
        }

        @Test("there is none before the first container, then always one, which the next container takes")
        func taken() throws {
            try withDaemon { daemon in
                #expect(daemon.waitingShims().isEmpty)
                try daemon.ok(.masu, "run", "--rm", "busybox", "true")
                let first = try next(daemon)
                try daemon.ok(.masu, "run", "-d", "--name", "runs", "busybox", "sleep", "1000")
                #expect(shim(daemon) == first)
                #expect(try daemon.ok(.masu, "exec", "runs", "echo", "here") == "here")
                #expect(try next(daemon) != first)
                try daemon.ok(.masu, "rm", "-f", "runs")
            }
        }

        @Test("one that has died keeps no container from starting")
        func dead() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "--rm", "busybox", "true")
                let dead = try next(daemon)
                kill(dead, SIGKILL)
                try daemon.ok(.masu, "run", "-d", "--name", "runs", "busybox", "sleep", "1000")
                let other = try next(daemon)
                #expect(other != dead)
                try daemon.ok(.masu, "rm", "-f", "runs")
            }
        }

        @Test("they end with the daemon, however it ends")
        func ends() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "--rm", "busybox", "true")
                let first = try next(daemon)
                try daemon.crash()
                #expect(eventually { kill(first, 0) != 0 })
                try daemon.start()
                try daemon.ok(.masu, "run", "--rm", "busybox", "true")
                let second = try next(daemon)
                _ = try daemon.stop()
                #expect(eventually { kill(second, 0) != 0 })
                try daemon.start()
            }
        }
    }
}
