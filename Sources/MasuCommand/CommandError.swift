/// Why a command ends early: a text for standard error and the exit status.
package struct CommandError: Error, Equatable {
    /// The text as the user reads it.
    package let message: String
    /// The exit status of the program.
    package let status: Int32

    /// An error with its text and the exit status of the program.
    package init(_ message: String, status: Int32 = 1) {
        self.message = message
        self.status = status
    }
}

/// Why the daemon refused a request.
struct DaemonError: Error {
    /// The HTTP status.
    let httpStatus: Int
    /// The daemon's own words.
    let message: String

    /// The text as docker's clients print it.
    var description: String { "Error response from daemon: \(message)" }
}

/// The text of any error a command can throw.
func describe(_ error: any Error) -> String {
    switch error {
    case let error as CommandError: error.message
    case let error as DaemonError: error.description
    default: "\(error)"
    }
}
