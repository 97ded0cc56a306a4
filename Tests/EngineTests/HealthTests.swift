import Engine
import OCISpec
import Testing

@Suite("Health") struct HealthTests {
    private let start = Timestamp(seconds: 1_000_000)

    private func check(_ change: (inout Healthcheck) -> Void = { _ in }) -> Healthcheck {
        var check = Healthcheck(test: ["CMD", "true"])
        change(&check)
        return check
    }

    private func probe(_ code: Int32, after seconds: Int64) -> ContainerHealth.Probe {
        let moment = Timestamp(seconds: start.seconds + seconds)
        return ContainerHealth.Probe(start: moment, end: moment, exitCode: code, output: "\(seconds)")
    }

    @Test("three failures in a row make a container unhealthy, one success makes it healthy")
    func streaks() {
        var health = ContainerHealth()
        #expect(health.status == .starting && health.phrase == "health: starting")
        for (code, status, streak) in [
            (1, .starting, 1), (1, .starting, 2), (0, .healthy, 0), (1, .healthy, 1), (-1, .healthy, 2),
            (137, .unhealthy, 3), (1, .unhealthy, 4), (0, .healthy, 0),
        ] as [(Int32, ContainerHealth.Status, Int)] {
            health.take(probe(code, after: 1), of: check(), startedAt: start)
            #expect(health.status == status && health.failingStreak == streak)
        }
        #expect(health.phrase == "healthy")
    }

    @Test("the last five checks are kept, oldest first")
    func log() {
        var health = ContainerHealth()
        for second in 1...7 { health.take(probe(0, after: Int64(second)), of: check(), startedAt: start) }
        #expect(health.log.map(\.output) == ["3", "4", "5", "6", "7"])
    }

    @Test("failures in the start period count only after the first success")
    func startPeriod() {
        let check = check {
            $0.startPeriod = 60_000_000_000
            $0.retries = 1
        }
        var health = ContainerHealth()
        health.take(probe(1, after: 59), of: check, startedAt: start)
        #expect(health.status == .starting && health.failingStreak == 0)
        var other = health
        other.take(probe(1, after: 60), of: check, startedAt: start)
        #expect(other.status == .unhealthy && other.failingStreak == 1)
        health.take(probe(0, after: 30), of: check, startedAt: start)
        health.take(probe(1, after: 31), of: check, startedAt: start)
        #expect(health.status == .unhealthy)
    }

    @Test("between two checks is the interval, or that of the start as long as nothing has succeeded in its period")
    func pauses() {
        let check = check {
            $0.interval = 20_000_000_000
            $0.startPeriod = 60_000_000_000
            $0.startInterval = 2_000_000_000
        }
        func pause(_ health: ContainerHealth, _ seconds: Int64) -> Duration {
            health.pause(of: check, startedAt: start, at: Timestamp(seconds: start.seconds + seconds))
        }
        var health = ContainerHealth()
        #expect(pause(health, 0) == .seconds(2) && pause(health, 59) == .seconds(2))
        #expect(pause(health, 60) == .seconds(20))
        health.take(probe(0, after: 5), of: check, startedAt: start)
        #expect(pause(health, 6) == .seconds(20))
        #expect(ContainerHealth().pause(of: self.check(), startedAt: start, at: start) == .seconds(30))
    }

    @Test("after the death of a daemon the next check is made when it would have been, or at once")
    func recovery() {
        var health = ContainerHealth()
        func remaining(_ seconds: Int64) -> Duration {
            health.remainingPause(
                of: check(), startedAt: start, at: Timestamp(seconds: start.seconds + seconds))
        }
        #expect(remaining(10) == .seconds(20))
        health.take(probe(0, after: 100), of: check(), startedAt: start)
        #expect(remaining(110) == .seconds(20) && remaining(130) == .zero && remaining(9999) == .zero)
        // A clock that was set back makes nobody wait longer than usual.
        #expect(remaining(50) == .seconds(30))
    }

    @Test(
        "a check is a command, a text for a shell, or none",
        arguments: [
            (["CMD", "a", "b c"], ["a", "b c"]), (["CMD-SHELL", "a b"], ["/bin/sh", "-c", "a b"]), (["NONE"], nil),
            ([], nil), (["cmd", "a"], nil), (["CMD"], []),
        ] as [([String], [String]?)])
    func commands(test: [String], command: [String]?) {
        #expect(Healthcheck(test: test).command(shell: nil) == command)
        #expect(Healthcheck(test: test).command(shell: []) == command)
    }

    @Test("the image's shell is the one that texts are for")
    func shell() {
        let check = Healthcheck(test: ["CMD-SHELL", "x"])
        #expect(check.command(shell: ["/bin/bash", "-ec"]) == ["/bin/bash", "-ec", "x"])
    }

    @Test("zero, and what an image must not have, stand for the defaults")
    func defaults() {
        let check = check {
            $0.interval = 0
            $0.timeout = -5
            $0.retries = 0
        }
        #expect(check.effectiveInterval == .seconds(30) && check.effectiveTimeout == .seconds(30))
        #expect(check.effectiveStartPeriod == .zero && check.effectiveStartInterval == .seconds(5))
        #expect(check.effectiveRetries == 3)
    }
}
