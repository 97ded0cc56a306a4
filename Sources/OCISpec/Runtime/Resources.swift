/// Limits for a container as a whole, kept by its cgroup (`config-linux.md`, "Control groups").
package struct LinuxResources: Codable, Hashable, Sendable {
    /// Which devices may be used; later rules override earlier ones.
    package var devices: [LinuxDeviceCgroup]?
    /// Memory.
    package var memory: LinuxMemory?
    /// Processor time and placement.
    package var cpu: LinuxCPU?
    /// The number of processes and threads.
    package var pids: LinuxPids?
    /// Block devices.
    package var blockIO: LinuxBlockIO?
    /// Huge pages.
    package var hugepageLimits: [LinuxHugepageLimit]?
    /// Traffic classification.
    package var network: LinuxNetwork?
    /// RDMA, by device.
    package var rdma: [String: LinuxRdma]?
    /// cgroup v2 files set as they are, by file name.
    package var unified: [String: String]?

    /// No limits.
    package init() {}
}

/// A rule for the use of devices.
package struct LinuxDeviceCgroup: Codable, Hashable, Sendable {
    /// Whether this allows or forbids.
    package var allow: Bool
    /// `a` (all), `c` or `b`; `nil` is all.
    package var type: String?
    /// The major number; `nil` (or -1) is any.
    package var major: Int64?
    /// The minor number; `nil` (or -1) is any.
    package var minor: Int64?
    /// Any of `r`, `w` and `m` (mknod).
    package var access: String?

    /// A rule.
    package init(
        allow: Bool, type: String? = nil, major: Int64? = nil, minor: Int64? = nil, access: String? = nil
    ) {
        self.allow = allow
        self.type = type
        self.major = major
        self.minor = minor
        self.access = access
    }
}

/// Memory limits, in bytes; -1 means no limit.
package struct LinuxMemory: Codable, Hashable, Sendable {
    /// The most memory.
    package var limit: Int64?
    /// The soft limit: memory that the container keeps when the machine runs out of memory.
    package var reservation: Int64?
    /// The most memory and swap space together.
    package var swap: Int64?
    /// Deprecated: kernel memory; ignored.
    package var kernel: Int64?
    /// Deprecated: kernel memory for TCP.
    package var kernelTCP: Int64?
    /// 0 to 100.
    package var swappiness: UInt64?
    /// Whether processes wait instead of being killed when memory is out.
    package var disableOOMKiller: Bool?
    /// Whether descendants count (v1).
    package var useHierarchy: Bool?
    /// Whether an update is refused that would be below the present use.
    package var checkBeforeUpdate: Bool?

    /// No limits.
    package init() {}
}

/// Processor limits.
package struct LinuxCPU: Codable, Hashable, Sendable {
    /// A relative weight, 2 to 262144; 1024 is usual.
    package var shares: UInt64?
    /// Microseconds of run time in each period; -1 is no limit.
    package var quota: Int64?
    /// Microseconds of unused quota that may be saved up.
    package var burst: UInt64?
    /// The length of a period in microseconds.
    package var period: UInt64?
    /// Real-time microseconds in each period.
    package var realtimeRuntime: Int64?
    /// The length of a real-time period in microseconds.
    package var realtimePeriod: UInt64?
    /// CPUs to use, a list such as `0-3,7`.
    package var cpus: String?
    /// Memory nodes to use.
    package var mems: String?
    /// 1 for idle scheduling.
    package var idle: Int64?

    /// No limits.
    package init() {}
}

/// The number of processes and threads.
package struct LinuxPids: Codable, Hashable, Sendable {
    /// The greatest number; 0 or less means no limit.
    package var limit: Int64?

    /// At most `limit`.
    package init(limit: Int64? = nil) {
        self.limit = limit
    }
}

/// Block device limits.
package struct LinuxBlockIO: Codable, Hashable, Sendable {
    /// A relative weight, 10 to 1000.
    package var weight: UInt16?
    /// The weight against child cgroups (CFQ, v1).
    package var leafWeight: UInt16?
    /// Weights by device.
    package var weightDevice: [LinuxWeightDevice]?
    /// Bytes read a second.
    package var throttleReadBpsDevice: [LinuxThrottleDevice]?
    /// Bytes written a second.
    package var throttleWriteBpsDevice: [LinuxThrottleDevice]?
    /// Reads a second.
    package var throttleReadIOPSDevice: [LinuxThrottleDevice]?
    /// Writes a second.
    package var throttleWriteIOPSDevice: [LinuxThrottleDevice]?

    /// No limits.
    package init() {}
}

/// A block device's weight.
package struct LinuxWeightDevice: Codable, Hashable, Sendable {
    /// The device's major number.
    package var major: Int64
    /// The device's minor number.
    package var minor: Int64
    /// 10 to 1000.
    package var weight: UInt16?
    /// The weight against child cgroups (CFQ, v1).
    package var leafWeight: UInt16?

    /// A weight for one device.
    package init(major: Int64, minor: Int64, weight: UInt16? = nil) {
        self.major = major
        self.minor = minor
        self.weight = weight
    }
}

/// A block device's rate.
package struct LinuxThrottleDevice: Codable, Hashable, Sendable {
    /// The device's major number.
    package var major: Int64
    /// The device's minor number.
    package var minor: Int64
    /// Bytes or operations a second.
    package var rate: UInt64

    /// A rate for one device.
    package init(major: Int64, minor: Int64, rate: UInt64) {
        self.major = major
        self.minor = minor
        self.rate = rate
    }
}

/// Huge pages of one size.
package struct LinuxHugepageLimit: Codable, Hashable, Sendable {
    /// Such as `2MB` or `1GB`.
    package var pageSize: String
    /// Bytes.
    package var limit: UInt64

    /// A limit for pages of one size.
    package init(pageSize: String, limit: UInt64) {
        self.pageSize = pageSize
        self.limit = limit
    }
}

/// Traffic classification (v1).
package struct LinuxNetwork: Codable, Hashable, Sendable {
    /// What `net_cls.classid` is set to.
    package var classID: UInt32?
    /// What `net_prio.ifpriomap` is set to.
    package var priorities: [LinuxInterfacePriority]?

    /// Nothing set.
    package init() {}
}

/// The priority of traffic on one interface.
package struct LinuxInterfacePriority: Codable, Hashable, Sendable {
    /// The interface.
    package var name: String
    /// The priority.
    package var priority: UInt32

    /// A priority for one interface.
    package init(name: String, priority: UInt32) {
        self.name = name
        self.priority = priority
    }
}

/// Limits for one RDMA device.
package struct LinuxRdma: Codable, Hashable, Sendable {
    /// Handles.
    package var hcaHandles: UInt32?
    /// Objects.
    package var hcaObjects: UInt32?

    /// No limits.
    package init() {}
}
