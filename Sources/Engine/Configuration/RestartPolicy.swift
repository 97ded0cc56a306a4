/// When an ended container is started again (`--restart`).
package enum RestartPolicy: Hashable, Sendable, Codable {
    case no
    /// After a non-zero exit, at most `maximumRetryCount` times (0: no limit).
    case onFailure(maximumRetryCount: Int)
    case always
    /// Like `always`, but a container stopped by hand stays stopped when the daemon comes back.
    case unlessStopped

    /// Reads the API's two fields; throws `EngineError.invalid` with Docker's words.
    package init(name: String, maximumRetryCount: Int) throws(EngineError) {
        switch name {
        case "", "no": self = .no
        case "always": self = .always
        case "unless-stopped": self = .unlessStopped
        case "on-failure":
            if maximumRetryCount < 0 {
                throw .invalid("invalid restart policy: maximum retry count cannot be negative")
            }
            self = .onFailure(maximumRetryCount: maximumRetryCount)
        default:
            throw .invalid(
                "invalid restart policy: unknown policy '\(name)'; use one of 'no', 'always', 'on-failure', or "
                    + "'unless-stopped'"
            )
        }
        if maximumRetryCount != 0, name != "on-failure", name != "" {
            throw .invalid(
                "invalid restart policy: maximum retry count can only be used with 'on-failure'"
                    + (maximumRetryCount < 0 ? " and cannot be negative" : ""))
        }
    }

    /// The API's `Name`.
    package var name: String {
        switch self {
        case .no: "no"
        case .onFailure: "on-failure"
        case .always: "always"
        case .unlessStopped: "unless-stopped"
        }
    }

    /// The API's `MaximumRetryCount`.
    package var maximumRetryCount: Int {
        if case .onFailure(let count) = self { return count }
        return 0
    }

    private enum Keys: String, CodingKey { case name, maximumRetryCount }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Keys.self)
        try self.init(
            name: try container.decode(String.self, forKey: .name),
            maximumRetryCount: try container.decode(Int.self, forKey: .maximumRetryCount))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(name, forKey: .name)
        try container.encode(maximumRetryCount, forKey: .maximumRetryCount)
    }
}
