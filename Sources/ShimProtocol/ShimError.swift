import Failure
import PublishedPorts

/// Why a shim could not be launched, reached, or could not do what it was asked.
package struct ShimError: Failure, Codable, Hashable, Sendable {
    /// What went wrong, as far as a caller decides by it.
    package enum Reason: String, Codable, Hashable, Sendable {
        /// The program does not exist in the container (exit status 127).
        case commandNotFound
        /// The program exists and cannot be executed (exit status 126).
        case notExecutable
        /// The configuration or an argument is wrong.
        case invalid
        /// There is no such process.
        case notFound
        /// Not possible in the present state.
        case conflict
        /// The kernel refused.
        case system
        /// There is no shim, or it has gone away: what the container came to says the file `exit`.
        case unavailable
    }

    /// What went wrong, as finely as callers of shims decide by it.
    package var reason: Reason
    /// For people: what was asked and what failed.
    package var message: String
    /// The command (`create`, `start`, `exec`, …) of an external runtime that failed, if the message is about one; or
    /// `restore`.
    package var operation: String?
    /// The port that could not be had, if that is the reason.
    package var portConflict: PortConflict?

    private enum CodingKeys: String, CodingKey {
        // The name on the wire is older than the property's: shims of earlier versions run on.
        case reason = "kind"
        case message, operation, portConflict
    }

    /// An error, as the shim sends it.
    package init(
        _ reason: Reason, _ message: String, operation: String? = nil, portConflict: PortConflict? = nil
    ) {
        self.reason = reason
        self.message = message
        self.operation = operation
        self.portConflict = portConflict
    }
}

extension ShimError {
    /// The kind that the reason belongs to.
    package var kind: FailureKind {
        switch reason {
        case .commandNotFound, .notExecutable, .invalid: .invalid
        case .notFound: .notFound
        case .conflict: .conflict
        case .system: .system
        case .unavailable: .unavailable
        }
    }
}

/// The one line of JSON that `masu-shim` prints on its standard output before it returns.
package enum ShimLaunchResult: Hashable, Sendable {
    /// The container is created: its first process, the shim, and the ports that the shim has bound. Exit status 0.
    ///
    /// `isConnected`: what comes after the line, and goes the other way, are the messages of a connection to the shim
    /// that has subscribed to the container's events. Earlier shims close it.
    case launched(pid: Int32, shimPid: Int32, ports: [PublishedPort] = [], isConnected: Bool = false)
    /// It is not, and nothing is left over. Exit status 1.
    case failed(ShimError)
}

extension ShimLaunchResult: Codable {
    private enum Keys: String, CodingKey {
        case pid, shimPid, ports, connected, error
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Keys.self)
        if let error = try container.decodeIfPresent(ShimError.self, forKey: .error) {
            self = .failed(error)
        } else {
            self = .launched(
                pid: try container.decode(Int32.self, forKey: .pid),
                shimPid: try container.decode(Int32.self, forKey: .shimPid),
                ports: try container.decodeIfPresent([PublishedPort].self, forKey: .ports) ?? [],
                isConnected: try container.decodeIfPresent(Bool.self, forKey: .connected) ?? false)
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        switch self {
        case .launched(let pid, let shimPid, let ports, let isConnected):
            try container.encode(pid, forKey: .pid)
            try container.encode(shimPid, forKey: .shimPid)
            if !ports.isEmpty { try container.encode(ports, forKey: .ports) }
            if isConnected { try container.encode(true, forKey: .connected) }
        case .failed(let error):
            try container.encode(error, forKey: .error)
        }
    }
}
