/// A process to run in a running container: `POST /containers/{id}/exec`.
package struct ExecCreateRequest: WireObject {
    /// The user: `name[:group]` or `uid[:gid]`.
    @Always package var user: String = ""
    /// Whether it gets all capabilities.
    @Always package var privileged: Bool = false
    /// Whether it gets a terminal.
    @Always package var tty: Bool = false
    /// Rows and columns of the terminal at start.
    @OmittedIfEmpty package var consoleSize: [Int] = []
    /// Whether standard input is attached.
    @Always package var attachStdin: Bool = false
    /// Whether standard error is attached.
    @Always package var attachStderr: Bool = false
    /// Whether standard output is attached.
    @Always package var attachStdout: Bool = false
    /// The keys that detach.
    @Always package var detachKeys: String = ""
    /// `NAME=value`.
    @Always package var env: [String]? = nil
    /// The working directory; empty takes the container's.
    @Always package var workingDir: String = ""
    /// Program and arguments.
    @CommandWords package var cmd: [String]? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case user = "User"
        case privileged = "Privileged"
        case tty = "Tty"
        case consoleSize = "ConsoleSize"
        case attachStdin = "AttachStdin"
        case attachStderr = "AttachStderr"
        case attachStdout = "AttachStdout"
        case detachKeys = "DetachKeys"
        case env = "Env"
        case workingDir = "WorkingDir"
        case cmd = "Cmd"
    }
}

/// How to start an exec: `POST /exec/{id}/start`.
package struct ExecStartRequest: WireObject {
    /// Whether not to attach.
    @Always package var detach: Bool = false
    /// Whether a terminal is expected; must equal the exec's.
    @Always package var tty: Bool = false
    /// Rows and columns of the terminal at start.
    @OmittedIfEmpty package var consoleSize: [Int] = []

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case detach = "Detach"
        case tty = "Tty"
        case consoleSize = "ConsoleSize"
    }
}

/// An exec: `GET /exec/{id}/json`.
package struct ExecInspection: WireObject {
    /// The exec's id.
    @Always package var id: String = ""
    /// Whether it runs.
    @Always package var running: Bool = false
    /// The exit status once it has ended.
    @Always package var exitCode: Int? = nil
    /// The process.
    @Always package var processConfig: ExecProcessConfig = ExecProcessConfig()
    /// Whether standard input is attached.
    @Always package var openStdin: Bool = false
    /// Whether standard error is attached.
    @Always package var openStderr: Bool = false
    /// Whether standard output is attached.
    @Always package var openStdout: Bool = false
    /// Whether it may be forgotten.
    @Always package var canRemove: Bool = false
    /// The container it runs in.
    @Always package var containerID: String = ""
    /// The keys that detach.
    @Always package var detachKeys: String = ""
    /// The process id on the host.
    @Always package var pid: Int = 0

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case id = "ID"
        case running = "Running"
        case exitCode = "ExitCode"
        case processConfig = "ProcessConfig"
        case openStdin = "OpenStdin"
        case openStderr = "OpenStderr"
        case openStdout = "OpenStdout"
        case canRemove = "CanRemove"
        case containerID = "ContainerID"
        case detachKeys = "DetachKeys"
        case pid = "Pid"
    }
}

/// The process of an exec.
package struct ExecProcessConfig: WireObject {
    /// Whether it has a terminal.
    @Always package var tty: Bool = false
    /// The program.
    @Always package var entrypoint: String = ""
    /// The program's arguments.
    @Always package var arguments: [String] = []
    /// Whether it has all capabilities.
    @OmittedIfEmpty package var privileged: Bool? = nil
    /// The user of the process.
    @OmittedIfEmpty package var user: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case tty
        case entrypoint
        case arguments
        case privileged
        case user
    }
}
