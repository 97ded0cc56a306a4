import Engine
import EngineAPIModel

extension EngineRestartPolicy {
    /// Reads the API's two fields.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words.
    package init(wire: EngineAPIModel.RestartPolicy) throws {
        let count = wire.maximumRetryCount
        switch wire.name {
        case "", "no": self = .no
        case "always": self = .always
        case "unless-stopped": self = .unlessStopped
        case "on-failure":
            if count < 0 {
                throw APIError.invalid("invalid restart policy: maximum retry count cannot be negative")
            }
            self = .onFailure(maximumRetryCount: count)
        default:
            throw APIError.invalid(
                "invalid restart policy: unknown policy '\(wire.name)'; use one of 'no', 'always', 'on-failure', or "
                    + "'unless-stopped'"
            )
        }
        if count != 0, wire.name != "on-failure", wire.name != "" {
            throw APIError.invalid(
                "invalid restart policy: maximum retry count can only be used with 'on-failure'"
                    + (count < 0 ? " and cannot be negative" : ""))
        }
    }

    /// As `inspect` shows it.
    var wire: EngineAPIModel.RestartPolicy {
        var wire = EngineAPIModel.RestartPolicy()
        switch self {
        case .no: wire.name = "no"
        case .always: wire.name = "always"
        case .unlessStopped: wire.name = "unless-stopped"
        case .onFailure(let count):
            wire.name = "on-failure"
            wire.maximumRetryCount = count
        }
        return wire
    }
}
