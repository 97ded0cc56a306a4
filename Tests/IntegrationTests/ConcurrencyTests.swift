import Foundation
import Testing

extension Integration {
    /// What clients do at the same time, or begin and do not see the end of.
    @Suite("concurrency")
    struct Concurrency {
        @Test("removal while a start is under way: one of the two wins, and nothing is left")
        func startAndRemoval() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "--rm", "busybox", "true")
                let before = try daemon.footprint()
                for round in 0..<40 {
                    let force = round.isMultiple(of: 2)
                    let id = try daemon.ok(.masu, "create", "busybox", "sleep", "100")
                    let start = try daemon.begin(.masu, "start", id)
                    usleep(UInt32(round % 10) * 1000)
                    let removal = try daemon.begin(.masu, force ? "rm" : "container", force ? "-f" : "rm", id)
                    _ = try start.waitForEnd()
                    let removed = try removal.waitForEnd().code == 0
                    #expect(removed || !force, "a removal by force succeeds")
                    let exists = try daemon.run(.masu, "inspect", id).code == 0
                    #expect(exists == !removed)
                    if exists { try daemon.ok(.masu, "rm", "-f", id) }
                }
                try daemon.expectFootprint(before)
            }
        }

        @Test("clients that go in the middle of start, stop and removal: what they began is done")
        func vanishingClients() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "--rm", "busybox", "true")
                let before = try daemon.footprint()
                for round in 0..<40 {
                    let id = try daemon.ok(.masu, "create", "--stop-timeout", "0", "busybox", "sleep", "100")
                    for arguments in [["start", id], ["stop", id], ["start", id], ["rm", "-f", id]] {
                        let client = try daemon.command(.masu, arguments).start()
                        usleep(UInt32(round) * 500)
                        client.send(SIGKILL)
                        _ = try client.waitForEnd()
                    }
                    // The removal may not have been asked for before the client went.
                    let state = try daemon.run(.masu, "inspect", "-f", "{{.State.Status}}", id)
                    #expect(state.code != 0 || state.line != "dead", "\(state)")
                    _ = try daemon.run(.masu, "rm", "-f", id)
                    #expect(try eventually { try daemon.run(.masu, "inspect", id).code == 1 })
                }
                try daemon.expectFootprint(before)
            }
        }

        @Test("a shim that does not answer holds up neither the daemon nor its own removal")
        func stoppedShim() throws {
            try withDaemon { daemon in
                func shim(of name: String) throws -> pid_t {
                    let id = try daemon.ok(.masu, "inspect", "-f", "{{.Id}}", name)
                    let text = try String(
                        contentsOfFile: daemon.execRoot + "/containers/\(id)/shim.pid", encoding: .utf8)
                    return try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
                }
                try daemon.ok(.masu, "run", "-d", "--name", "stuck", "busybox", "sleep", "1000")
                try daemon.ok(.masu, "run", "-d", "--name", "slow", "busybox", "sleep", "1000")
                let slow = try shim(of: "slow")
                for pid in [slow, try shim(of: "stuck")] { kill(pid, SIGSTOP) }
                try daemon.crash()
                try daemon.start()
                #expect(
                    try daemon.run(.masu, "ps", "--format", "{{.Names}} {{.State}}").lines.sorted()
                        == ["slow running", "stuck running"])
                try daemon.ok(.masu, "rm", "-f", "stuck")
                kill(slow, SIGCONT)
                #expect(try daemon.ok(.masu, "exec", "slow", "echo", "here") == "here")
            }
        }

        @Test("numbers at the end of their range are refused or taken, and end nobody")
        func extremeNumbers() throws {
            try withDaemon { daemon in
                let pid = daemon.pid
                for field in [
                    "Memory", "MemorySwap", "MemoryReservation", "NanoCpus", "CpuShares", "CpuPeriod", "CpuQuota",
                    "PidsLimit", "ShmSize", "BlkioWeight", "OomScoreAdj", "KernelMemory",
                ] {
                    for number in ["9223372036854775807", "-9223372036854775808", "18446744073709551615", "1e300"] {
                        let answer = try daemon.http(
                            "POST", "/containers/create",
                            body: #"{"Image":"busybox","Cmd":["true"],"HostConfig":{"\#(field)":\#(number)}}"#)
                        #expect([201, 400, 500].contains(answer.status), "\(field) \(number): \(answer)")
                    }
                }
                for query in ["tail=99999999999999999999", "since=1e300", "until=-9223372036854775808", "tail=-1"] {
                    _ = try daemon.http("GET", "/containers/none/logs?stdout=1&\(query)")
                }
                #expect(try daemon.http("GET", "/_ping").status == 200)
                #expect(daemon.pid == pid)
            }
        }

        @Test("an expression that would take for ever to be matched takes no time")
        func evilFilter() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "create", "--name", String(repeating: "a", count: 60) + "_", "busybox", "true")
                #expect(try daemon.run(.masu, "ps", "-aq", "--filter", "name=(a+)+$").output == "")
                #expect(try daemon.run(.masu, "ps", "-aq", "--filter", "name=(a+)+_$").lines.count == 1)
            }
        }
    }
}
