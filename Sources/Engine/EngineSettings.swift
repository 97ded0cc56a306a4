import JSON
import Synchronization

/// The engine's configuration as it is now; a reload replaces it as a whole.
final class EngineSettings: Sendable {
    private let state: Mutex<EngineConfiguration>

    init(_ configuration: EngineConfiguration) { state = Mutex(configuration) }

    var current: EngineConfiguration { state.withLock { $0 } }

    /// Takes over what can change; returns what holds from now on.
    func reload(_ configuration: EngineConfiguration) -> EngineConfiguration {
        state.withLock { state in
            state = state.takingOver(configuration)
            return state
        }
    }
}

extension EngineConfiguration {
    /// This configuration with what can change while the daemon runs taken from `other`: what Docker's daemon takes
    /// over on SIGHUP. The rest needs a restart.
    func takingOver(_ other: EngineConfiguration) -> EngineConfiguration {
        var result = self
        result.labels = other.labels
        result.debug = other.debug
        result.runtimes = other.runtimes
        result.defaultRuntime = other.defaultRuntime
        result.defaultShmSize = other.defaultShmSize
        result.defaultIPCMode = other.defaultIPCMode
        result.defaultCgroupNamespaceMode = other.defaultCgroupNamespaceMode
        result.stopsContainersOnShutdown = other.stopsContainersOnShutdown
        result.stopTimeout = other.stopTimeout
        return result
    }

    /// The same as attributes of the event, by the names of `daemon.json`.
    var reloadableAttributes: [String: String] {
        [
            "debug": "\(debug)",
            "default-cgroupns-mode": defaultCgroupNamespaceMode.map { "\($0)" }
                ?? (Machine.usesCgroupV2 ? "private" : "host"),
            "default-ipc-mode": "\(defaultIPCMode)",
            "default-runtime": defaultRuntime,
            "default-shm-size": "\(defaultShmSize)",
            "default-stop-timeout": "\(stopTimeout)",
            "labels": JSONValue.array(labels.map { .string($0) }).text(),
            "live-restore": "\(!stopsContainersOnShutdown)",
            "runtimes": runtimes.sorted { $0.key < $1.key }.map { "\($0):\($1.path)" }.joined(separator: " "),
        ]
    }
}
