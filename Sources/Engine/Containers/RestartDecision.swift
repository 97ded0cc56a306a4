/// When and how soon a container is started again: what Docker's policies mean, for the end of a run (`Container+Exit`)
/// and for the start of the daemon (`Container+Recovery`).
///
/// What the daemon finds ended at its start, and nobody saw end, is the end of a run. A start that was about to happen
/// goes on whatever the policy says by then, and one that fails is the last (`Container+Exit.restartByPolicy`).
package enum RestartDecision {
    /// Before the first start by a policy.
    package static let firstDelay: Duration = .milliseconds(100)
    /// However often it has been started.
    package static let longestDelay: Duration = .seconds(60)

    /// Whether a run that has ended is followed by another.
    package static func restarts(
        _ policy: RestartPolicy, exitCode: Int32, restartCount: Int, isManuallyStopped: Bool
    ) -> Bool {
        if isManuallyStopped { return false }
        switch policy {
        case .no: return false
        case .always, .unlessStopped: return true
        case .onFailure(let limit): return exitCode != 0 && (limit == 0 || restartCount < limit)
        }
    }

    /// Whether a container that does not run starts when the daemon does. One that never ran was only created.
    package static func startsWithDaemon(_ policy: RestartPolicy, isManuallyStopped: Bool, hasRun: Bool) -> Bool {
        guard hasRun else { return false }
        switch policy {
        case .no, .onFailure: return false
        case .always: return true
        case .unlessStopped: return !isManuallyStopped
        }
    }

    /// Twice the pause before, to a minute; from the beginning after a run of ten seconds.
    package static func delay(after previous: Duration, runSeconds: Double) -> Duration {
        if previous == .zero || runSeconds >= 10 { return firstDelay }
        return min(previous * 2, longestDelay)
    }
}
