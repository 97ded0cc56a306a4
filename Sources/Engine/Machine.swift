import Glibc
import LinuxKernel
import SystemPackage

/// Facts about the machine.
enum Machine {
    static let processors = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    static let possibleProcessors = max(1, sysconf(Int32(_SC_NPROCESSORS_CONF)))
    static var memory: Int64 { Int64(sysconf(Int32(_SC_PHYS_PAGES))) * Int64(sysconf(Int32(_SC_PAGESIZE))) }

    /// Major and minor number of the kernel's version.
    static let kernel: KernelVersion = {
        let parts = kernelRelease.split(whereSeparator: { !$0.isNumber }).prefix(2).map { Int($0) ?? 0 }
        return KernelVersion(parts.first ?? 0, parts.count > 1 ? parts[1] : 0)
    }()

    static let kernelRelease = name(\.release)
    static let architecture = name(\.machine)
    /// Read each time: it can change.
    static var hostname: String { name(\.nodename) }

    private static func name<T>(_ field: KeyPath<utsname, T>) -> String {
        var names = utsname()
        guard uname(&names) == 0 else { return "" }
        return withUnsafeBytes(of: names[keyPath: field]) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// A file's text, empty if it cannot be read: for facts that are missing on some machines.
    static func text(_ path: String) -> String { (try? Files.readText(FilePath(path))) ?? "" }
}

extension Machine {
    static let hasSeccomp = exists("/proc/sys/kernel/seccomp/actions_avail")
    static let hasAppArmor =
        text("/sys/module/apparmor/parameters/enabled") == "Y" && exists("/sys/kernel/security/apparmor")
    /// Whether version 2 is the only hierarchy.
    static let usesCgroupV2 = exists("/sys/fs/cgroup/cgroup.controllers")
}

extension Machine {
    /// CPUs and memory nodes that are online, as lists like `0-3`.
    static let availableCPUs = text("/sys/devices/system/cpu/online")
    static let availableMems: String = {
        let nodes = text("/sys/devices/system/node/online")
        return nodes.isEmpty ? "0" : nodes
    }()

    static let memoryIsLimitable =
        usesCgroupV2
        ? text("/sys/fs/cgroup/cgroup.controllers").split(separator: " ").contains("memory")
        : exists("/sys/fs/cgroup/memory/memory.limit_in_bytes")
    static let swapIsLimitable =
        usesCgroupV2 ? memoryIsLimitable : exists("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes")

    /// Whether a controller of version 1 or 2 is there.
    static func hasController(_ name: String) -> Bool {
        usesCgroupV2
            ? text("/sys/fs/cgroup/cgroup.controllers").split(separator: " ").contains { $0 == name }
            : exists("/sys/fs/cgroup/\(name)")
    }
}
