import Text

/// What `docker exec` is asked to run.
package struct ExecConfiguration: Hashable, Sendable {
    /// Never empty.
    package var command: [String]
    package var environment: [String] = []
    /// Empty: the container's.
    package var user = ""
    package var workingDirectory = ""
    package var tty = false
    package var privileged = false
    package var attachStdin = false
    package var attachStdout = false
    package var attachStderr = false
    package var detachKeys = DetachKeys.standard
    package var consoleSize: ConsoleSize?

    package init(command: [String]) {
        self.command = command
    }
}

/// How an exec is started.
package struct ExecStartOptions: Hashable, Sendable {
    package var detach = false
    package var consoleSize: ConsoleSize?

    package init(detach: Bool = false, consoleSize: ConsoleSize? = nil) {
        self.detach = detach
        self.consoleSize = consoleSize
    }
}

/// What `exec inspect` shows.
package struct ExecDetails: Sendable {
    package var id: String
    package var containerID: String
    package var isRunning: Bool
    /// nil before its end.
    package var exitCode: Int32?
    /// 0 before its start.
    package var pid: Int32
    package var configuration: ExecConfiguration
    /// The environment and user with the container's filled in.
    package var user: String
    /// Whether clients may attach to its stdin, stdout, stderr.
    package var openStdin: Bool { configuration.attachStdin }
    package var openStdout: Bool { configuration.attachStdout }
    package var openStderr: Bool { configuration.attachStderr }
    package var canRemove: Bool { exitCode != nil }
}
