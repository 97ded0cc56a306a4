/// When and how soon a container is started again: Docker's rules.
package enum RestartDecision {
    /// Before the first start by a policy.
    package static let firstDelay: Duration = .milliseconds(100)
    /// However often it has been started.
    package static let longestDelay: Duration = .seconds(60)

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

    /// Twice the pause before, to a minute; from the beginning after a run of ten seconds.
    package static func delay(after previous: Duration, runSeconds: Double) -> Duration {
        if previous == .zero || runSeconds >= 10 { return firstDelay }
        return min(previous * 2, longestDelay)
    }
}
