import BuildInformation
import Distribution
import Engine
import EngineAPI
import Flags
import Snapshots

/// The flags of `masud`, named as `dockerd`'s.
enum DaemonFlags {
    static let dataRoot = Flag.string(
        "data-root", "Directory of images, containers and the database", default: "/var/lib/masu")
    static let execRoot = Flag.string(
        "exec-root", "Directory of sockets and running containers' bundles", default: "/run/masu")
    static let hosts = Flag.list(
        "host", short: "H", "Address to listen on: unix:///path, tcp://address:port or fd:// (socket activation)")
    static let pidFile = Flag.string(
        "pidfile", short: "p", "File for the daemon's process id (default \"<exec-root>/masud.pid\")")
    static let configFile = Flag.string("config-file", "Configuration file", default: "/etc/masu/daemon.json")
    static let logLevel = Flag.choice(
        "log-level", short: "l", "Lowest level to log: trace, debug, info, warn, error or fatal",
        among: ["trace", "debug", "info", "warn", "error", "fatal"], default: "info")
    static let debug = Flag.boolean("debug", short: "D", "Log as with --log-level debug")
    static let experimental = Flag.boolean("experimental", "Offer what Docker calls experimental: checkpoints")
    static let logFormat = Flag.choice(
        "log-format", "Format of the log: text or json", among: ["text", "json"], default: "text")
    static let rawLogs = Flag.boolean("raw-logs", "Accepted for compatibility: logs have no colours")
    static let storageDriver = Flag.string(
        "storage-driver", short: "s",
        "Storage driver: \(Snapshots.drivers.joined(separator: ", ")) (default: overlay2, or vfs if overlayfs does not "
            + "work there)"
    )
    static let storageOptions = Flag.list("storage-opt", "Options of the storage driver: name=value")
    static let runtimes = Flag.values(
        "add-runtime", type: "runtime", "Register another OCI runtime: name=path", parse: RuntimeOption.init)
    static let defaultRuntime = Flag.string("default-runtime", "Runtime of containers that name none", default: "masu")
    static let cgroupParent = Flag.string(
        "cgroup-parent", "Parent cgroup of all containers (default \"/masu\", or \"system.slice\" with systemd)")
    static let execOptions = Flag.list("exec-opt", "Runtime options: native.cgroupdriver=cgroupfs or systemd")
    static let spillLimit = Flag.bytes(
        "attach-spill-limit",
        "How much output may wait on disk for attached clients that do not read it, for each container",
        default: 256 << 20)
    static let shmSize = Flag.bytes("default-shm-size", "Default size of /dev/shm", default: 64 << 20)
    static let ulimits = Flag.values(
        "default-ulimit", type: "ulimit", "Default ulimits: name=soft[:hard]", parse: UlimitOption.init)
    static let ipcMode = Flag.choice(
        "default-ipc-mode", "Default IPC mode: private or shareable", among: ["private", "shareable"],
        default: "private")
    static let cgroupNamespaceMode = Flag.choice(
        "default-cgroupns-mode", "Default cgroup namespace mode: private or host (default: private with cgroup v2)",
        among: ["private", "host"], default: "")
    static let initProcess = Flag.boolean("init", "Run masu-init as process 1 of every container")
    static let initPath = Flag.string("init-path", "Path of masu-init (default: beside masud)")
    static let shimPath = Flag.string("shim-path", "Path of masu-shim (default: beside masud)")
    static let liveRestore = Flag.boolean(
        "live-restore",
        "Keep containers running when the daemon ends; with =false the daemon stops them when it ends in order",
        default: true)
    static let logDriver = Flag.string("log-driver", "Default log driver: \(LogDriver.list)", default: "json-file")
    static let logOptions = Flag.values("log-opt", "Default log driver options: name=value", parse: NamedOption.init)
    static let labels = Flag.list("label", "Labels of the daemon: key=value", check: LabelOption.check)
    static let group = Flag.string(
        "group", short: "G", "Group of the unix socket (default: masu if it exists, or else docker)")
    static let noNewPrivileges = Flag.boolean("no-new-privileges", "Set no_new_privs for containers by default")
    static let seccompProfile = Flag.string(
        "seccomp-profile", "Path of the default seccomp profile, \"builtin\" or \"unconfined\"", default: "builtin")
    static let dns = Flag.list("dns", "DNS server for containers that name none")
    static let dnsOptions = Flag.list("dns-opt", "DNS options for containers that name none")
    static let deviceDirectories = Flag.list(
        "cdi-spec-dir", "Directories of CDI specification files; empty for none (default /etc/cdi, /var/run/cdi)")
    static let dnsSearch = Flag.list("dns-search", "DNS search domains for containers that name none")
    static let shutdownTimeout = Flag.integer(
        "shutdown-timeout", "Seconds for requests and containers to end on shutdown", default: 15)
    static let insecureRegistries = Flag.list(
        "insecure-registry", "Registry without TLS, or with an untrusted certificate: host, host:port or network/bits",
        check: RegistryOption.checkInsecure)
    static let mirrors = Flag.list(
        "registry-mirror", "Mirror of Docker Hub, tried first: http(s)://host[:port]",
        check: RegistryOption.checkMirror)
    static let httpProxy = Flag.string(
        "http-proxy", "Proxy for http addresses of registries (default: the environment's HTTP_PROXY)")
    static let httpsProxy = Flag.string(
        "https-proxy", "Proxy for https addresses of registries (default: the environment's HTTPS_PROXY)")
    static let noProxy = Flag.string(
        "no-proxy", "Hosts, domains and networks that are reached without a proxy (default: the environment's NO_PROXY)"
    )
    static let downloads = Flag.integer(
        "max-concurrent-downloads", "Number of layers to fetch at once", default: 3)
    static let uploads = Flag.integer("max-concurrent-uploads", "Number of layers to send at once", default: 5)
    static let downloadAttempts = Flag.integer(
        "max-download-attempts", "How often in a row a download may fail without any progress",
        default: RetryPolicy().attempts)
    static let stopTimeout = Flag.integer(
        "default-stop-timeout", "Seconds between stop signal and SIGKILL for containers which name none",
        default: 10)
    static let oldestVersion = Flag.string(
        "min-api-version", "Oldest version of the API to answer", default: MasuVersion.minimumAPIVersion)
    static let oomScore = Flag.integer("oom-score-adjust", "The daemon's own oom_score_adj, from -1000 to 1000")
    static let maxConnections = Flag.integer(
        "max-connections", "Connections to the API at a time (default: half of the open files allowed, at most 16384)")
    static let maxDocument = Flag.bytes(
        "max-request-document", "Size of a JSON document in a request to the API",
        default: Int64(RoutedRequest.usualDocumentLimit))
    static let validate = Flag.boolean("validate", "Check flags and configuration file, then exit")
    static let version = Flag.boolean("version", short: "v", "Print version information and quit")

    static let all: [any DaemonFlag] =
        [
            dataRoot, execRoot, hosts, pidFile, configFile, logLevel, debug, experimental, logFormat, rawLogs,
            storageDriver, storageOptions, runtimes,
            defaultRuntime, cgroupParent, execOptions, spillLimit, shmSize, ulimits, ipcMode, cgroupNamespaceMode,
            initProcess,
            initPath,
            shimPath, liveRestore, logDriver, logOptions, labels, group, noNewPrivileges, seccompProfile, dns,
            dnsOptions,
            deviceDirectories, dnsSearch, insecureRegistries, mirrors, httpProxy, httpsProxy, noProxy, downloads,
            uploads,
            downloadAttempts, shutdownTimeout, stopTimeout,
            oldestVersion, oomScore, maxConnections, maxDocument, validate, version,
        ] + ServerTLS.all + NetworkFlags.all + BorrowedOption.all.map(\.flag)

    static let command = Command(
        "masud", "The Masu daemon: runs containers and serves the Docker Engine API",
        discussion: """
            The Masu daemon: runs containers and serves the Docker Engine API. \
            Containers do not depend on it: they go on running while it is stopped, killed or replaced.
            """,
        examples: [
            .init("start it for the whole machine", "masud"),
            .init(
                "start a second one beside it, with state of its own",
                "masud --data-root /tmp/m/data --exec-root /tmp/m/run -H unix:///tmp/m/masu.sock"),
            .init(
                "let in clients from other machines that have a certificate",
                "masud -H unix:// -H tcp://0.0.0.0:2376 --tlsverify --tlscacert ca.pem --tlscert cert.pem "
                    + "--tlskey key.pem"),
            .init("check a configuration file", "masud --validate --config-file ./daemon.json"),
        ],
        flags: { all })
}

/// A flag whose value can be shown.
protocol DaemonFlag: FlagDeclaration {
    /// The value as text.
    func text(in flags: ParsedFlags) -> String
}

extension Flag: DaemonFlag {
    func text(in flags: ParsedFlags) -> String { "\(flags[self])" }
}

/// `name=path` of `--add-runtime`.
struct RuntimeOption: Sendable {
    let name: String
    let path: String

    init(_ text: String) throws(InvalidFlagValue) {
        let option = try NamedOption(text)
        guard !option.value.isEmpty else {
            throw InvalidFlagValue("invalid runtime specification \"\(text)\": must be name=path")
        }
        guard option.name != "masu" else { throw InvalidFlagValue("runtime name 'masu' is reserved") }
        name = option.name
        path = option.value
    }
}

/// `name=value`.
struct NamedOption: Sendable {
    let name: String
    let value: String

    init(_ text: String) throws(InvalidFlagValue) {
        guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
            throw InvalidFlagValue("invalid option \"\(text)\": must be name=value")
        }
        name = String(text[..<equals])
        value = String(text[text.index(after: equals)...])
    }
}

/// `name=soft[:hard]` of `--default-ulimit`.
struct UlimitOption: Sendable {
    let ulimit: Ulimit

    init(_ text: String) throws(InvalidFlagValue) {
        let option = try NamedOption(text)
        let values = option.value.split(separator: ":", omittingEmptySubsequences: false).map { Int64($0) }
        guard let first = values.first, let soft = first, values.count <= 2,
            let hard = values.count == 2 ? values[1] : soft
        else { throw InvalidFlagValue("invalid ulimit argument: \(text)") }
        guard let resource = Ulimit.Resource(rawValue: option.name) else {
            throw InvalidFlagValue("invalid ulimit type: \(option.name)")
        }
        guard let ulimit = Ulimit(resource, soft: soft, hard: hard) else {
            throw InvalidFlagValue("ulimit soft limit must be less than or equal to hard limit: \(text)")
        }
        self.ulimit = ulimit
    }
}

/// `key` or `key=value` of `--label`.
enum LabelOption {
    static func check(_ text: String) throws(InvalidFlagValue) {
        guard text.contains("="), !text.hasPrefix("=") else {
            throw InvalidFlagValue("bad attribute format: \(text)")
        }
    }
}

/// The values of `--insecure-registry` and `--registry-mirror`.
enum RegistryOption {
    static func checkInsecure(_ text: String) throws(InvalidFlagValue) {
        do {
            try RegistrySettings.check(insecureRegistry: text)
        } catch {
            throw InvalidFlagValue(error.message)
        }
    }

    static func checkMirror(_ text: String) throws(InvalidFlagValue) {
        do {
            _ = try RegistrySettings.mirror(text)
        } catch {
            throw InvalidFlagValue(error.message)
        }
    }
}
