import Failure
import Text

/// Why something about networks failed. Where Docker's clients know a text, it is Docker's.
package struct NetworksError: Failure, Hashable, Sendable {
    /// What a caller decides by.
    package let kind: FailureKind
    /// The text for the user.
    package let message: String

    /// An error that shows control characters of names instead of obeying them.
    package init(_ kind: FailureKind, _ message: String) {
        self.kind = kind
        self.message = message.showingControls()
    }

    static func invalid(_ message: String) -> NetworksError { NetworksError(.invalid, message) }
    static func forbidden(_ message: String) -> NetworksError { NetworksError(.forbidden, message) }
    static func system(_ message: String) -> NetworksError { NetworksError(.system, message) }

    static let hostNetwork = NetworksError(
        .invalid, "container cannot be disconnected from host network or connected to host network")
    static let noNetwork = NetworksError(
        .invalid,
        "container cannot be connected to multiple networks with one of the networks in private (none) mode")

    static func notFound(_ name: String) -> NetworksError { NetworksError(.notFound, "network \(name) not found") }
    static func exists(_ name: String) -> NetworksError {
        NetworksError(.conflict, "network with name \(name) already exists")
    }
    static func predefined(_ name: String) -> NetworksError {
        .forbidden("operation is not permitted on predefined \(name) network ")
    }

    /// Several reasons as Docker writes them into one text.
    static func joined(_ reasons: [String]) -> String {
        if reasons.count == 1 { return reasons[0] }
        return "* "
            + reasons.map {
                $0.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\n\t")
            }.joined(separator: "\n* ")
    }
}
