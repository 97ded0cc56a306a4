/// What runs in a container, independent of the host: the `Config` of an inspected container and the top level of a
/// create request.
package struct ContainerConfig: WireObject {
    /// The host name inside the container.
    @Always package var hostname: String = ""
    /// The NIS domain name.
    @Always package var domainname: String = ""
    /// The user: `name[:group]` or `uid[:gid]`.
    @Always package var user: String = ""
    /// Whether the client attaches standard input.
    @Always package var attachStdin: Bool = false
    /// Whether the client attaches standard output.
    @Always package var attachStdout: Bool = false
    /// Whether the client attaches standard error.
    @Always package var attachStderr: Bool = false
    /// Ports as `80/tcp`.
    @OmittedIfEmpty package var exposedPorts: [String: EmptyObject] = [:]
    /// Whether the process gets a terminal.
    @Always package var tty: Bool = false
    /// Whether standard input stays open.
    @Always package var openStdin: Bool = false
    /// Whether standard input closes after the first client that was attached goes.
    @Always package var stdinOnce: Bool = false
    /// `NAME=value`; in a create request also a bare `NAME`, which removes the image's variable.
    @Always package var env: [String]? = nil
    /// The command, or the arguments of the entry point.
    @CommandWords package var cmd: [String]? = nil
    /// The health check; nil takes the image's.
    @OmittedIfEmpty package var healthcheck: HealthConfig? = nil
    /// Windows only; kept for images that carry it.
    @OmittedIfEmpty package var argsEscaped: Bool = false
    /// The image as the user named it.
    @Always package var image: String = ""
    /// Mount points of anonymous volumes.
    @Always package var volumes: [String: EmptyObject]? = nil
    /// The working directory; empty means `/` or the image's.
    @Always package var workingDir: String = ""
    /// The entry point; nil takes the image's, `[""]` clears it.
    @CommandWords package var entrypoint: [String]? = nil
    /// Whether the container has no network at all.
    @OmittedIfEmpty package var networkDisabled: Bool = false
    /// Deprecated place of the MAC address.
    @OmittedIfEmpty package var macAddress: String = ""
    /// Triggers for images built on this one.
    @Always package var onBuild: [String]? = nil
    /// Labels.
    @Always package var labels: [String: String]? = nil
    /// The signal that asks the process to end, by name or number.
    @OmittedIfEmpty package var stopSignal: String = ""
    /// Seconds to wait after the stop signal before SIGKILL.
    @OmittedIfEmpty package var stopTimeout: Int? = nil
    /// The shell of shell-form instructions.
    @OmittedIfEmpty package var shell: [String] = []

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case hostname = "Hostname"
        case domainname = "Domainname"
        case user = "User"
        case attachStdin = "AttachStdin"
        case attachStdout = "AttachStdout"
        case attachStderr = "AttachStderr"
        case exposedPorts = "ExposedPorts"
        case tty = "Tty"
        case openStdin = "OpenStdin"
        case stdinOnce = "StdinOnce"
        case env = "Env"
        case cmd = "Cmd"
        case healthcheck = "Healthcheck"
        case argsEscaped = "ArgsEscaped"
        case image = "Image"
        case volumes = "Volumes"
        case workingDir = "WorkingDir"
        case entrypoint = "Entrypoint"
        case networkDisabled = "NetworkDisabled"
        case macAddress = "MacAddress"
        case onBuild = "OnBuild"
        case labels = "Labels"
        case stopSignal = "StopSignal"
        case stopTimeout = "StopTimeout"
        case shell = "Shell"
    }
}

/// How the health of a container is checked.
package struct HealthConfig: WireObject {
    /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", command]`; empty inherits the image's.
    @OmittedIfEmpty package var test: [String] = []
    /// Nanoseconds between two checks.
    @OmittedIfEmpty package var interval: Int64 = 0
    /// Nanoseconds a check may take.
    @OmittedIfEmpty package var timeout: Int64 = 0
    /// Nanoseconds in which failures do not count.
    @OmittedIfEmpty package var startPeriod: Int64 = 0
    /// Nanoseconds between checks during the start period.
    @OmittedIfEmpty package var startInterval: Int64 = 0
    /// Failures in a row that make a container unhealthy.
    @OmittedIfEmpty package var retries: Int = 0

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case test = "Test"
        case interval = "Interval"
        case timeout = "Timeout"
        case startPeriod = "StartPeriod"
        case startInterval = "StartInterval"
        case retries = "Retries"
    }
}
