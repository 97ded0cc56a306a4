import Addresses
import EngineAPIModel
import Flags

/// The flags that `run` and `create` share, by what they concern.
enum ContainerFlags {
    // What runs
    static let attach = Flag.list("attach", short: "a", "Attach to STDIN, STDOUT or STDERR") {
        (text: String) throws(InvalidFlagValue) in
        guard ["stdin", "stdout", "stderr"].contains(text.lowercased()) else {
            throw InvalidFlagValue("valid streams are STDIN, STDOUT and STDERR")
        }
    }
    static let entrypoint = Flag.string("entrypoint", "Overwrite the default ENTRYPOINT of the image")
    static let env = Flag.list("env", short: "e", "Set environment variables", check: KeyValueTexts.checkVariable)
    static let envFile = Flag.list("env-file", "Read in a file of environment variables")
    static let hostname = Flag.string("hostname", short: "h", "Container host name")
    static let domainname = Flag.string("domainname", "Container NIS domain name")
    static let initProcess = Flag.boolean(
        "init", "Run an init inside the container that forwards signals and reaps processes")
    static let interactive = Flag.boolean("interactive", short: "i", "Keep STDIN open even if not attached")
    static let tty = Flag.boolean("tty", short: "t", "Allocate a pseudo-TTY")
    static let user = Flag.string("user", short: "u", "Username or UID (format: <name|uid>[:<group|gid>])")
    static let workdir = Flag.string("workdir", short: "w", "Working directory inside the container")
    static let stopSignal = Flag.string("stop-signal", "Signal to stop the container")
    static let stopTimeout = Flag.integer("stop-timeout", "Timeout (in seconds) to stop a container")

    // What it is called
    static let name = Flag.string("name", "Assign a name to the container")
    static let cidfile = Flag.string("cidfile", "Write the container ID to the file")
    static let label = Flag.list("label", short: "l", "Set meta data on a container", check: KeyValueTexts.checkLabel)
    static let labelFile = Flag.list("label-file", "Read in a line delimited file of labels")
    static let annotation = Flag.list(
        "annotation", type: "map", "Add an annotation to the container (passed through to the OCI runtime)")

    // Its life
    static let remove = Flag.boolean(
        "rm", "Automatically remove the container and its associated anonymous volumes when it exits")
    static let restart = Flag.string("restart", "Restart policy to apply when a container exits", default: "no")
    static let pull = Flag.string(
        "pull", "Pull image before running (\"always\", \"missing\", \"never\")", default: "missing")
    static let quiet = Flag.boolean("quiet", short: "q", "Suppress the pull output")
    static let platform = Flag.string("platform", "Set platform if server is multi-platform capable")
    static let isolation = Flag.string("isolation", "Container isolation technology")
    static let runtime = Flag.string("runtime", "Runtime to use for this container")
    static let logDriver = Flag.string("log-driver", "Logging driver for the container")
    static let logOpt = Flag.list("log-opt", "Log driver options")
    static let healthCmd = Flag.string("health-cmd", "Command to run to check health")
    static let healthInterval = Flag.duration("health-interval", "Time between running the check (ms|s|m|h)")
    static let healthTimeout = Flag.duration("health-timeout", "Maximum time to allow one check to run (ms|s|m|h)")
    static let healthStartPeriod = Flag.duration(
        "health-start-period",
        "Start period for the container to initialize before starting health-retries countdown (ms|s|m|h)")
    static let healthStartInterval = Flag.duration(
        "health-start-interval", "Time between running the check during the start period (ms|s|m|h)")
    static let healthRetries = Flag.integer("health-retries", "Consecutive failures needed to report unhealthy")
    static let noHealthcheck = Flag.boolean("no-healthcheck", "Disable any container-specified HEALTHCHECK")

    // Files
    static let mount = Flag<[Mount]>.values(
        "mount", type: "mount", "Attach a filesystem mount to the container", parse: MountText.parse)
    static let volume = Flag.list("volume", short: "v", "Bind mount a volume")
    static let volumeDriver = Flag.string("volume-driver", "Optional volume driver for the container")
    static let volumesFrom = Flag.list("volumes-from", "Mount volumes from the specified container(s)")
    static let tmpfs = Flag.list("tmpfs", "Mount a tmpfs directory")
    static let readOnly = Flag.boolean("read-only", "Mount the container's root filesystem as read only")
    static let shmSize = Flag.bytes("shm-size", "Size of /dev/shm")
    static let storageOpt = Flag.list("storage-opt", "Storage driver options for the container")

    // Namespaces and privileges
    static let capAdd = Flag.list("cap-add", "Add Linux capabilities")
    static let capDrop = Flag.list("cap-drop", "Drop Linux capabilities")
    static let cgroupns = Flag.string(
        "cgroupns", "Cgroup namespace to use (host|private); empty takes the daemon's default")
    static let cgroupParent = Flag.string("cgroup-parent", "Optional parent cgroup for the container")
    static let groupAdd = Flag.list("group-add", "Add additional groups to join")
    static let ipc = Flag.string("ipc", "IPC mode to use")
    static let pid = Flag.string("pid", "PID namespace to use")
    static let uts = Flag.string("uts", "UTS namespace to use")
    static let userns = Flag.string("userns", "User namespace to use")
    static let privileged = Flag.boolean("privileged", "Give extended privileges to this container")
    static let securityOpt = Flag.list("security-opt", "Security Options")
    static let sysctl = Flag.list("sysctl", type: "map", "Sysctl options", check: checkSysctl)

    // Limits and devices
    static let memory = Flag.bytes("memory", short: "m", "Memory limit")
    static let memorySwap = Flag.bytes(
        "memory-swap", "Swap limit equal to memory plus swap: '-1' to enable unlimited swap", minusOne: true)
    static let memoryReservation = Flag.bytes("memory-reservation", "Memory soft limit")
    static let memorySwappiness = Flag.integer(
        "memory-swappiness", "Tune container memory swappiness (0 to 100)", default: -1)
    static let kernelMemory = Flag.bytes("kernel-memory", "Kernel memory limit").hidden()
    static let oomKillDisable = Flag.boolean("oom-kill-disable", "Disable OOM Killer")
    static let oomScoreAdj = Flag.integer("oom-score-adj", "Tune host's OOM preferences (-1000 to 1000)")
    static let cpus = Flag<Int64?>.optional("cpus", type: "decimal", "Number of CPUs", parse: ResourceTexts.cpus)
    static let cpuShares = Flag.integer("cpu-shares", short: "c", "CPU shares (relative weight)")
    static let cpuPeriod = Flag.integer("cpu-period", "Limit CPU CFS (Completely Fair Scheduler) period")
    static let cpuQuota = Flag.integer("cpu-quota", "Limit CPU CFS (Completely Fair Scheduler) quota")
    static let cpuRealtimePeriod = Flag.integer("cpu-rt-period", "Limit CPU real-time period in microseconds")
    static let cpuRealtimeRuntime = Flag.integer("cpu-rt-runtime", "Limit CPU real-time runtime in microseconds")
    static let cpusetCPUs = Flag.string("cpuset-cpus", "CPUs in which to allow execution (0-3, 0,1)")
    static let cpusetMems = Flag.string("cpuset-mems", "MEMs in which to allow execution (0-3, 0,1)")
    static let pidsLimit = Flag.integer("pids-limit", "Tune container pids limit (set -1 for unlimited)")
    static let blkioWeight = Flag.unsigned(
        "blkio-weight", bits: 16, "Block IO (relative weight), between 10 and 1000, or 0 to disable")
    static let blkioWeightDevice = Flag<[WeightDevice]>.values(
        "blkio-weight-device", "Block IO weight (relative device weight)", parse: ResourceTexts.weight)
    static let deviceReadBps = Flag<[ThrottleDevice]>.values(
        "device-read-bps", "Limit read rate (bytes per second) from a device", parse: ResourceTexts.byteRate)
    static let deviceWriteBps = Flag<[ThrottleDevice]>.values(
        "device-write-bps", "Limit write rate (bytes per second) to a device", parse: ResourceTexts.byteRate)
    static let deviceReadIOps = Flag<[ThrottleDevice]>.values(
        "device-read-iops", "Limit read rate (IO per second) from a device", parse: ResourceTexts.operationRate)
    static let deviceWriteIOps = Flag<[ThrottleDevice]>.values(
        "device-write-iops", "Limit write rate (IO per second) to a device", parse: ResourceTexts.operationRate)
    static let device = Flag.list("device", "Add a host device to the container, or a CDI device by its name")
    static let gpus = Flag<[DeviceRequest]>.values(
        "gpus", type: "gpu-request", "GPU devices to add to the container ('all' to pass all GPUs)",
        parse: DeviceRequestText.gpus)
    static let deviceCgroupRule = Flag.list(
        "device-cgroup-rule", "Add a rule to the cgroup allowed devices list", check: ResourceTexts.checkCgroupRule)
    static let ulimit = Flag<[Ulimit]>.values("ulimit", type: "ulimit", "Ulimit options", parse: ResourceTexts.ulimit)

    static let apiSocket = Flag.boolean(
        "use-api-socket", "Bind mount the daemon's API socket, and give the container the registries' credentials")

    // Networks
    static let network = Flag.list("network", type: "network", "Connect a container to a network")
    static let net = Flag.list("net", type: "network", "Connect a container to a network").hidden()
    static let networkAlias = Flag.list("network-alias", "Add network-scoped alias for the container")
    static let netAlias = Flag.list("net-alias", "Add network-scoped alias for the container").hidden()
    static let link = Flag.list("link", "Add link to another container", check: NetworkText.checkLink)
    static let linkLocalIP = Flag.list(
        "link-local-ip", "Container IPv4/IPv6 link-local addresses", check: NetworkText.checkAddress)
    static let macAddress = Flag.string("mac-address", "Container MAC address (e.g., 92:d0:c6:0a:29:33)")
    static let ip = Flag.string("ip", "IPv4 address (e.g., 172.30.100.104)")
    static let ip6 = Flag.string("ip6", "IPv6 address (e.g., 2001:db8::33)")
    static let publish = Flag.list("publish", short: "p", "Publish a container's port(s) to the host")
    static let publishAll = Flag.boolean("publish-all", short: "P", "Publish all exposed ports to random ports")
    static let expose = Flag.list("expose", "Expose a port or a range of ports")
    static let addHost = Flag.list("add-host", "Add a custom host-to-IP mapping (host:ip)", check: checkExtraHost)
    static let dns = Flag.list("dns", "Set custom DNS servers", check: checkNameServer)
    static let dnsOption = Flag.list("dns-option", "Set DNS options")
    static let dnsOpt = Flag.list("dns-opt", "Set DNS options").hidden()
    static let dnsSearch = Flag.list("dns-search", "Set custom DNS search domains")

    static var all: [any FlagDeclaration] {
        [
            attach, entrypoint, env, envFile, hostname, domainname, initProcess, interactive, tty, user, workdir,
            stopSignal,
            stopTimeout, name, cidfile, label, labelFile, annotation, remove, restart, pull, quiet, platform, isolation,
            runtime,
            logDriver, logOpt, healthCmd, healthInterval, healthTimeout, healthStartPeriod, healthStartInterval,
            healthRetries, noHealthcheck, mount, volume, volumeDriver, volumesFrom, tmpfs, readOnly, shmSize,
            storageOpt,
            capAdd, capDrop, cgroupns, cgroupParent, groupAdd, ipc, pid, uts, userns, privileged, securityOpt, sysctl,
            memory,
            memorySwap, memoryReservation, memorySwappiness, kernelMemory, oomKillDisable, oomScoreAdj, cpus, cpuShares,
            cpuPeriod, cpuQuota, cpuRealtimePeriod, cpuRealtimeRuntime, cpusetCPUs, cpusetMems, pidsLimit, blkioWeight,
            blkioWeightDevice, deviceReadBps, deviceWriteBps, deviceReadIOps, deviceWriteIOps, device, gpus,
            deviceCgroupRule, apiSocket, ContentTrust.isDisabled,
            ulimit, network, net, networkAlias, netAlias, link, linkLocalIP,
            macAddress, ip, ip6, publish, publishAll, expose, addHost, dns,
            dnsOption,
            dnsOpt, dnsSearch,
        ]
    }

    private static func checkSysctl(_ text: String) throws(InvalidFlagValue) {
        let (name, _, hasValue) = KeyValueTexts.divide(text)
        let single: Set<String> = [
            "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
            "kernel.shmmni", "kernel.shm_rmid_forced",
        ]
        guard hasValue, single.contains(name) || name.hasPrefix("net.") || name.hasPrefix("fs.mqueue.") else {
            throw InvalidFlagValue("sysctl '\(text)' is not allowed")
        }
    }

    private static func checkExtraHost(_ text: String) throws(InvalidFlagValue) {
        let parts = text.split(maxSplits: 1) { $0 == ":" || $0 == "=" }.map(String.init)
        guard parts.count == 2 else { throw InvalidFlagValue("bad format for add-host: \"\(text)\"") }
        var address = parts[1]
        if address.hasPrefix("["), address.hasSuffix("]") { address = String(address.dropFirst().dropLast()) }
        guard address == "host-gateway" || IPAddress(address) != nil else {
            throw InvalidFlagValue("invalid IP address in add-host: \"\(address)\"")
        }
    }

    private static func checkNameServer(_ text: String) throws(InvalidFlagValue) {
        guard IPAddress(text) != nil else {
            throw InvalidFlagValue("IP address is not correctly formatted: \(text)")
        }
    }
}
