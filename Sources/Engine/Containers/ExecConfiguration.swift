import Text

/// What `docker exec` is asked to run.
package struct ExecConfiguration: Hashable, Sendable {
    /// Never empty.
    package var command: [String]
    /// Variables beside the container's, `NAME=value`.
    package var environment: [String] = []
    /// Empty: the container's.
    package var user = ""
    /// Empty is the container's.
    package var workingDirectory = ""
    /// The process has a terminal.
    package var tty = false
    /// The process has all capabilities.
    package var privileged = false
    /// Its input comes from the client.
    package var attachStdin = false
    /// Its output goes to the client.
    package var attachStdout = false
    /// Its errors go to the client.
    package var attachStderr = false
    /// The keys that end the attaching and leave the process alone.
    package var detachKeys = DetachKeys.standard
    /// The terminal's size at the start; `nil` is the default.
    package var consoleSize: ConsoleSize?
    /// A check of the container's health, which is nobody's but the daemon's.
    var isProbe = false

    /// A command with all else as the container has it.
    package init(command: [String]) {
        self.command = command
    }
}

/// How an exec is started.
package struct ExecStartOptions: Hashable, Sendable {
    /// Do not attach.
    package var detach = false
    /// Whether the client reads the bytes as they are, for a terminal of its own; else it gets Docker's frames. Without
    /// a terminal of the process it then gets standard output only.
    package var tty = false
    /// The terminal's size; `nil` is the one from the configuration.
    package var consoleSize: ConsoleSize?

    /// How the process is started.
    package init(detach: Bool = false, tty: Bool = false, consoleSize: ConsoleSize? = nil) {
        self.detach = detach
        self.tty = tty
        self.consoleSize = consoleSize
    }
}

/// What `exec inspect` shows.
package struct ExecDetails: Sendable {
    package var id: String
    /// The container's full id.
    package var containerID: String
    /// Whether the process is there.
    package var isRunning: Bool
    /// nil before its end.
    package var exitCode: Int32?
    /// 0 before its start.
    package var pid: Int32
    /// What was asked for.
    package var configuration: ExecConfiguration
    /// The environment and user with the container's filled in.
    package var user: String
    /// Whether clients may attach to its stdin, stdout, stderr.
    package var openStdin: Bool { configuration.attachStdin }
    /// Whether the client gets its output.
    package var openStdout: Bool { configuration.attachStdout }
    /// Whether the client gets its errors.
    package var openStderr: Bool { configuration.attachStderr }
    /// Whether it has ended.
    package var canRemove: Bool { exitCode != nil }
}
