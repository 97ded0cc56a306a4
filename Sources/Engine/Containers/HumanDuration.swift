import OCISpec

/// A span of time in Docker's words (`docker ps` prints them: "Up About an hour").
package func humanDuration(seconds: Double) -> String {
    let whole = Int(seconds)
    switch whole {
    case ..<1: return "Less than a second"
    case 1: return "1 second"
    case ..<60: return "\(whole) seconds"
    default: break
    }
    let minutes = Int(seconds / 60)
    if minutes == 1 { return "About a minute" }
    if minutes < 60 { return "\(minutes) minutes" }
    let hours = Int((seconds / 3600).rounded())
    if hours == 1 { return "About an hour" }
    if hours < 48 { return "\(hours) hours" }
    if hours < 24 * 7 * 2 { return "\(hours / 24) days" }
    if hours < 24 * 30 * 2 { return "\(hours / 24 / 7) weeks" }
    if hours < 24 * 365 * 2 { return "\(hours / 24 / 30) months" }
    return "\(Int(seconds / 3600) / 24 / 365) years"
}

extension ContainerState {
    /// Docker's phrase for `docker ps`.
    package func phrase(at now: Timestamp) -> String {
        switch self {
        case .created: "Created"
        case .running(let running):
            "Up " + humanDuration(seconds: now.since(running.startedAt)) + (running.isPaused ? " (Paused)" : "")
        case .restarting(let exit):
            "Restarting (\(exit.code)) \(humanDuration(seconds: now.since(exit.finishedAt))) ago"
        case .exited(let exit):
            "Exited (\(exit.code)) \(humanDuration(seconds: now.since(exit.finishedAt))) ago"
        case .removing: "Removal In Progress"
        case .dead: "Dead"
        }
    }
}
