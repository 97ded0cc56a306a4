/// What `--restart` asks for; `RestartDecision` says what it means.
package enum RestartPolicy: Hashable, Sendable, Codable {
    case no
    /// After a non-zero exit, at most `maximumRetryCount` times (0: no limit).
    case onFailure(maximumRetryCount: Int)
    case always
    /// Like `always`, but a container stopped by hand stays stopped when the daemon comes back.
    case unlessStopped

    private enum Kind: String, Codable {
        case no
        case onFailure = "on-failure"
        case always
        case unlessStopped = "unless-stopped"
    }

    private enum Keys: String, CodingKey {
        case kind = "name"
        case maximumRetryCount
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Keys.self)
        switch try container.decode(Kind.self, forKey: .kind) {
        case .no: self = .no
        case .onFailure:
            self = .onFailure(maximumRetryCount: try container.decode(Int.self, forKey: .maximumRetryCount))
        case .always: self = .always
        case .unlessStopped: self = .unlessStopped
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        switch self {
        case .no: try container.encode(Kind.no, forKey: .kind)
        case .onFailure(let count):
            try container.encode(Kind.onFailure, forKey: .kind)
            try container.encode(count, forKey: .maximumRetryCount)
        case .always: try container.encode(Kind.always, forKey: .kind)
        case .unlessStopped: try container.encode(Kind.unlessStopped, forKey: .kind)
        }
    }
}
