import OCISpec

/// What is known of a container's health: what its checks have shown so far. The rules are Docker's.
package struct ContainerHealth: Hashable, Sendable, Codable {
    /// The API's words.
    package enum Status: String, Hashable, Sendable, Codable, CaseIterable {
        /// Nothing is checked; no container with checks is in this state.
        case none
        /// No check has succeeded yet, and too few have failed.
        case starting
        /// The last check has succeeded, or too few have failed since one did.
        case healthy
        /// Too many checks in a row have failed, or nothing is checked at the moment: the container is paused or has
        /// ended.
        case unhealthy
    }

    /// One check.
    package struct Probe: Hashable, Sendable, Codable {
        /// When the check was begun.
        package var start: Timestamp
        /// When its outcome was known.
        package var end: Timestamp
        /// What the command exited with; -1 if it could not be run, or took too long.
        package var exitCode: Int32
        /// The beginning of what it wrote, or what went wrong.
        package var output: String

        /// A check and its outcome.
        package init(start: Timestamp, end: Timestamp, exitCode: Int32, output: String) {
            self.start = start
            self.end = end
            self.exitCode = exitCode
            self.output = output
        }
    }

    /// How the container is.
    package var status = Status.starting
    /// How many checks have failed since one has succeeded, or since the start.
    package var failingStreak = 0
    /// The last checks, oldest first.
    package var log: [Probe] = []

    /// How many checks are kept.
    static let memory = 5

    /// The health of a container that has just been started.
    package init() {}

    /// The health at the start of another run: the checks of the earlier one are still shown.
    func restarted() -> ContainerHealth {
        var health = ContainerHealth()
        health.log = log
        return health
    }

    /// Takes the outcome of a check into account.
    ///
    /// - Parameter startedAt: when the run began. A failure soon after that does not count, as long as no check has
    ///   succeeded.
    package mutating func take(_ probe: Probe, of check: Healthcheck, startedAt: Timestamp) {
        log = log.suffix(Self.memory - 1) + [probe]
        if probe.exitCode == 0 {
            failingStreak = 0
            status = .healthy
            return
        }
        if status == .starting, probe.start.since(startedAt) < check.effectiveStartPeriod.inSeconds { return }
        failingStreak += 1
        if failingStreak >= check.effectiveRetries { status = .unhealthy }
    }

    /// How long to wait before the next check.
    package func pause(of check: Healthcheck, startedAt: Timestamp, at now: Timestamp) -> Duration {
        let isStarting = status == .starting && now.since(startedAt) < check.effectiveStartPeriod.inSeconds
        return isStarting ? check.effectiveStartInterval : check.effectiveInterval
    }

    /// How long to wait for a check that a daemon did not live to make: what is left of the pause after the last one.
    package func remainingPause(of check: Healthcheck, startedAt: Timestamp, at now: Timestamp) -> Duration {
        let pause = pause(of: check, startedAt: startedAt, at: now)
        let past = now.since(max(log.last?.end ?? startedAt, startedAt))
        return min(pause, max(.zero, pause - .seconds(past)))
    }

    /// As `docker ps` shows it in brackets.
    package var phrase: String { status == .starting ? "health: starting" : status.rawValue }
}
