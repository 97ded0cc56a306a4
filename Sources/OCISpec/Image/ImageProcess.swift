/// How a container of an image is run: the `config` object of an image's configuration (image-spec, config.md,
/// "config") with Docker's additions (moby image specification v1.2).
///
/// `nil` means the field is absent or null, which for `cmd` and `entrypoint` is not the same as empty.
package struct ImageProcess: Hashable, Sendable, Codable {
    /// The user, and perhaps the group: `name`, `1000:1000`.
    package var user: String?
    /// `80/tcp`, `53/udp`.
    package var exposedPorts: NameSet?
    /// `NAME=value`.
    package var env: [String]?
    /// The program with its first arguments.
    package var entrypoint: [String]?
    /// The default arguments, or the program if there is no entry point.
    package var cmd: [String]?
    /// The default health check.
    package var healthcheck: Healthcheck?
    /// Windows images of old builds: `cmd` is one command line already escaped.
    package var argsEscaped: Bool?
    /// Paths inside the container.
    package var volumes: NameSet?
    /// The working directory.
    package var workingDir: String?
    /// Labels by name.
    package var labels: [String: String]?
    /// `SIGTERM`, `15`.
    package var stopSignal: String?
    /// In seconds.
    package var stopTimeout: Int?
    /// The shell of the shell form of `CMD`, `RUN` and `ENTRYPOINT`.
    package var shell: [String]?
    /// Instructions of Dockerfiles built on this image.
    package var onBuild: [String]?

    /// A health check (times in nanoseconds, 0 = inherit). `test` is `["NONE"]`, `["CMD", …]` or
    /// `["CMD-SHELL", line]`; empty inherits.
    package struct Healthcheck: Hashable, Sendable, Codable {
        /// The command; see above.
        package var test: [String]?
        /// Time between two checks.
        package var interval: Int64?
        /// Time that a check may take.
        package var timeout: Int64?
        /// Time after the start in which failures do not count.
        package var startPeriod: Int64?
        /// Time between two checks in the start period.
        package var startInterval: Int64?
        /// Failures in a row that make the container unhealthy; 0 inherits.
        package var retries: Int?

        enum CodingKeys: String, CodingKey {
            case test = "Test"
            case interval = "Interval"
            case timeout = "Timeout"
            case startPeriod = "StartPeriod"
            case startInterval = "StartInterval"
            case retries = "Retries"
        }

        /// A health check.
        package init(
            test: [String]? = nil, interval: Int64? = nil, timeout: Int64? = nil, startPeriod: Int64? = nil,
            startInterval: Int64? = nil, retries: Int? = nil
        ) {
            self.test = test
            self.interval = interval
            self.timeout = timeout
            self.startPeriod = startPeriod
            self.startInterval = startInterval
            self.retries = retries
        }
    }

    enum CodingKeys: String, CodingKey {
        case user = "User"
        case exposedPorts = "ExposedPorts"
        case env = "Env"
        case entrypoint = "Entrypoint"
        case cmd = "Cmd"
        case healthcheck = "Healthcheck"
        case argsEscaped = "ArgsEscaped"
        case volumes = "Volumes"
        case workingDir = "WorkingDir"
        case labels = "Labels"
        case stopSignal = "StopSignal"
        case stopTimeout = "StopTimeout"
        case shell = "Shell"
        case onBuild = "OnBuild"
    }

    /// A process with no field set.
    package init() {}

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(user, forKey: .user)
        try container.encodeIfPresent(exposedPorts, forKey: .exposedPorts)
        try container.encodeIfPresent(env, forKey: .env)
        try container.encodeIfPresent(entrypoint, forKey: .entrypoint)
        try container.encodeIfPresent(cmd, forKey: .cmd)
        try container.encodeIfPresent(healthcheck, forKey: .healthcheck)
        try container.encodeIfPresent(argsEscaped, forKey: .argsEscaped)
        try container.encodeIfPresent(volumes, forKey: .volumes)
        try container.encodeIfPresent(workingDir, forKey: .workingDir)
        try container.encodeSorted(labels, forKey: .labels)
        try container.encodeIfPresent(stopSignal, forKey: .stopSignal)
        try container.encodeIfPresent(stopTimeout, forKey: .stopTimeout)
        try container.encodeIfPresent(shell, forKey: .shell)
        try container.encodeIfPresent(onBuild, forKey: .onBuild)
    }
}
