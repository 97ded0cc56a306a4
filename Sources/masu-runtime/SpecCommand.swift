import ContainerRuntime
import Flags
import JSON
import LinuxKernel
import OCISpec
import SystemPackage

/// `spec`: a configuration to begin with.
enum SpecCommand {
    static let spec = Command(
        "spec", "Write a configuration to begin with into a bundle", flags: { [CreationCommands.bundle] },
        action: { invocation in
            let file = RuntimeCommands.absolute(invocation.flags[CreationCommands.bundle]).appending("config.json")
            do throws(Errno) {
                let target = try Files.open(file, [.writeOnly, .create, .exclusive], mode: 0o644)
                defer { target.discard() }
                try target.writeEntire(encoded())
            } catch .fileExists {
                throw RuntimeError(.conflict, "\(file) exists already; remove it first")
            } catch {
                throw RuntimeError(.system, "writing \(file): \(error)")
            }
            return 0
        })

    private static func encoded() -> [UInt8] {
        // Fails for numbers that JSON cannot spell only, and there are none.
        ((try? JSON.encode(template, pretty: true)) ?? []) + [0x0a]
    }

    private static var template: Spec {
        var spec = Spec()
        var process = Process(
            args: ["sh"],
            env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"])
        process.terminal = true
        process.capabilities = LinuxCapabilities(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"])
        process.rlimits = [POSIXRlimit(type: "RLIMIT_NOFILE", soft: 1024, hard: 1024)]
        process.noNewPrivileges = true
        spec.process = process
        spec.root = Root(path: "rootfs", readonly: true)
        spec.hostname = "masu"
        spec.mounts = [
            Mount(destination: "/proc", type: "proc", source: "proc"),
            Mount(
                destination: "/dev", type: "tmpfs", source: "tmpfs",
                options: ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            Mount(
                destination: "/dev/pts", type: "devpts", source: "devpts",
                options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            Mount(
                destination: "/dev/shm", type: "tmpfs", source: "shm",
                options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
            Mount(
                destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"]),
            Mount(
                destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"]),
            Mount(
                destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup",
                options: ["nosuid", "noexec", "nodev", "relatime", "ro"]),
        ]
        var linux = Linux()
        var resources = LinuxResources()
        resources.devices = [LinuxDeviceCgroup(allow: false, access: "rwm")]
        linux.resources = resources
        linux.namespaces = [LinuxNamespaceType.pid, .network, .ipc, .uts, .cgroup, .mount].map {
            LinuxNamespace(type: $0)
        }
        linux.maskedPaths = [
            "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
            "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/sys/devices/virtual/powercap", "/proc/scsi",
        ]
        linux.readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
        spec.linux = linux
        return spec
    }
}
