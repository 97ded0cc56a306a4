import Addresses
import LinuxKernel
import PublishedPorts

/// The wanted container: everything that a `create` request says. The properties carry the names of the Docker Engine
/// API's fields.
///
/// The values are parsed but not yet checked against each other, the image or the machine; `Engine.create` does that
/// before it touches anything.
package struct ContainerConfiguration: Hashable, Sendable, Codable {
    /// The image as the user named it.
    package var image = ""
    /// `Cmd`; nil means the image's.
    package var command: [String]?
    /// `Entrypoint`; nil means the image's, `[]` and `[""]` mean none.
    package var entrypoint: [String]?
    /// `NAME=value`; a bare `NAME` removes the image's variable.
    package var environment: [String] = []
    /// Absolute; empty is the image's, or `/`.
    package var workingDirectory = ""
    /// `user[:group]`, names or numbers; names are looked up in the image.
    package var user = ""
    /// Empty: the first twelve digits of the id.
    package var hostname = ""
    /// The NIS domain name; empty for none.
    package var domainname = ""
    /// The process has a terminal.
    package var tty = false
    /// Standard input is open, attached or not.
    package var openStdin = false
    /// Whether the first attached client's end of input closes the container's stdin.
    package var stdinOnce = false
    /// The client that creates the container means to attach its input.
    package var attachStdin = false
    /// The same for standard output.
    package var attachStdout = false
    /// The same for standard error.
    package var attachStderr = false
    /// By their keys.
    package var labels: [String: String] = [:]
    /// nil: the image's, then SIGTERM.
    package var stopSignal: Asked<Signal>?
    /// Seconds; -1 waits for ever; nil means the daemon's default.
    package var stopTimeout: Int?
    /// Ports that something in the container listens on.
    package var exposedPorts: [PortRange] = []
    /// How its health is checked; nil: not at all.
    package var healthcheck: Healthcheck?
    /// Where anonymous volumes are wanted (`-v /path`, the image's `VOLUME`), unless something else is mounted there.
    package var volumes: [MountTarget] = []
    /// There is no interface but loopback.
    package var networkDisabled = false
    /// Docker's deprecated place for the hardware address on the default network.
    package var macAddress: Asked<MACAddress>?
    /// What it wants to be on networks, by their names.
    package var endpoints: [String: NetworkEndpoint] = [:]
    /// Carried for `inspect`.
    package var onBuild: [String]?
    /// What the image's shell forms run in; `nil` is `/bin/sh -c`.
    package var shell: [String]?
    /// Whether the arguments are already escaped (Windows; carried).
    package var argsEscaped = false

    /// What the container may use of the host.
    package var host = HostConfiguration()
    /// What is mounted in it: what `volumes` and `host` ask for, settled when the container was made.
    package var mountPoints: [MountPoint] = []

    /// A container of an image, with all else as the image has it.
    package init(image: String = "") {
        self.image = image
    }
}

/// How a container's health is checked; durations in nanoseconds. What it means is in `Healthcheck+Rules`.
package struct Healthcheck: Hashable, Sendable, Codable {
    /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", "…"]`; empty inherits the image's.
    package var test: [String] = []
    /// Between two checks, in nanoseconds; `nil` is the default.
    package var interval: Int64?
    /// How long a check may take, in nanoseconds.
    package var timeout: Int64?
    /// How long after the start failures do not count, in nanoseconds.
    package var startPeriod: Int64?
    /// Between two checks in that time, in nanoseconds.
    package var startInterval: Int64?
    /// How many failures in a row make a container unhealthy.
    package var retries: Int?

    /// A check by a command, in Docker's form.
    package init(test: [String] = []) {
        self.test = test
    }
}
