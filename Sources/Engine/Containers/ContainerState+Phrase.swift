import OCISpec
import Text

extension ContainerState {
    /// Docker's phrase for `docker ps`.
    package func phrase(at now: Timestamp, health: ContainerHealth? = nil) -> String {
        switch self {
        case .created: "Created"
        case .running(let running):
            "Up " + HumanDuration.words(seconds: now.since(running.startedAt))
                + (running.isPaused ? " (Paused)" : health.map { " (\($0.phrase))" } ?? "")
        case .restarting(let exit):
            "Restarting (\(exit.code)) \(HumanDuration.words(seconds: now.since(exit.finishedAt))) ago"
        case .exited(let exit):
            "Exited (\(exit.code)) \(HumanDuration.words(seconds: now.since(exit.finishedAt))) ago"
        case .removing: "Removal In Progress"
        case .dead: "Dead"
        }
    }
}
