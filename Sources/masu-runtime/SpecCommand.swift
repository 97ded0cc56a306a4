import Cgroups
import ContainerRuntime
import Flags
import Glibc
import JSON
import LinuxKernel
import OCISpec
import SystemPackage

/// `spec`: a configuration to begin with.
enum SpecCommand {
    static let spec = Command(
        "spec", "Write a default configuration into a bundle",
        flags: { [CreationCommands.bundle, rootless] },
        action: { invocation in
            let file = RuntimeCommands.absolute(invocation.flags[CreationCommands.bundle]).appending("config.json")
            do throws(Errno) {
                let target = try Files.open(file, [.writeOnly, .create, .exclusive], mode: 0o644)
                defer { target.discard() }
                try target.writeEntire(encoded(rootless: invocation.flags[rootless]))
            } catch .fileExists {
                throw RuntimeError(.conflict, "File \(file.lastComponent?.string ?? "") exists. Remove it first")
            } catch {
                throw RuntimeError(.system, "cannot write \(file): \(error)")
            }
            return 0
        })

    private static let rootless = Flag.boolean("rootless", "Write a configuration for a user other than root")

    private static func encoded(rootless: Bool) -> [UInt8] {
        var spec = template
        if rootless { makeRootless(&spec) }
        // Fails only for numbers that JSON does not have, and the template has none.
        return ((try? JSON.encode(spec, pretty: true)) ?? []) + [0x0a]
    }

    /// Leaves out what needs privileges on the host, and makes the caller root of a user namespace.
    private static func makeRootless(_ spec: inout Spec) {
        var linux = spec.linux ?? Linux()
        linux.namespaces = (linux.namespaces ?? []).filter { $0.type != .network } + [LinuxNamespace(type: .user)]
        linux.uidMappings = [LinuxIDMapping(containerID: 0, hostID: ProcessAttributes.uid, size: 1)]
        linux.gidMappings = [LinuxIDMapping(containerID: 0, hostID: getegid(), size: 1)]
        linux.resources = nil
        spec.linux = linux
        spec.mounts = (spec.mounts ?? []).map { mount in
            var mount = mount
            // No group but the caller's own exists there.
            if mount.type == "devpts" { mount.options?.removeAll { $0.hasPrefix("gid=") } }
            // Only the owner of a network namespace may mount sysfs.
            if mount.type == "sysfs" {
                mount = Mount(
                    destination: "/sys", type: "none", source: "/sys",
                    options: ["rbind", "nosuid", "noexec", "nodev", "ro"])
            }
            return mount
        }
    }

    /// Whether control groups are of version 2. Not known is not.
    private static var isUnified: Bool {
        guard case .unified? = try? CgroupHierarchies.mounted() else { return false }  // Nothing mounted: no.
        return true
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
        // On version 1 such a namespace hides less than it breaks.
        linux.namespaces = ([.pid, .network, .ipc, .uts, .mount] + (isUnified ? [.cgroup] : [])).map {
            (type: LinuxNamespaceType) in LinuxNamespace(type: type)
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
