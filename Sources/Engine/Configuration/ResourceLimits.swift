/// The cgroup and rlimit side of a container. Zero or empty means "not limited" throughout, as in the Docker API.
package struct ResourceLimits: Hashable, Sendable, Codable {
    /// Bytes.
    package var memory: Int64 = 0
    /// Memory plus swap in bytes; -1 unlimited swap; 0: twice `memory`.
    package var memorySwap: Int64 = 0
    /// Soft limit in bytes.
    package var memoryReservation: Int64 = 0
    /// 0 to 100; nil or -1: the kernel's default.
    package var memorySwappiness: Int64?
    /// Accepted and ignored as Docker does (kernel memory accounting is deprecated).
    package var kernelMemory: Int64 = 0
    package var oomKillDisable: Bool?

    package var cpuShares: Int64 = 0
    /// CPUs × 10⁹ (`--cpus`).
    package var nanoCPUs: Int64 = 0
    /// Microseconds.
    package var cpuPeriod: Int64 = 0
    package var cpuQuota: Int64 = 0
    package var cpuRealtimePeriod: Int64 = 0
    package var cpuRealtimeRuntime: Int64 = 0
    package var cpusetCPUs = ""
    package var cpusetMems = ""

    /// nil, 0 or -1: unlimited.
    package var pidsLimit: Int64?

    package var blkioWeight: UInt16 = 0
    package var blkioWeightDevice: [WeightDevice] = []
    package var blkioDeviceReadBps: [ThrottleDevice] = []
    package var blkioDeviceWriteBps: [ThrottleDevice] = []
    package var blkioDeviceReadIOps: [ThrottleDevice] = []
    package var blkioDeviceWriteIOps: [ThrottleDevice] = []

    package var devices: [DeviceMapping] = []
    package var deviceCgroupRules: [DeviceCgroupRule] = []
    /// GPUs and the like (`--gpus`): refused unless empty; what was asked, for the message.
    package var deviceRequests: [String] = []
    package var ulimits: [Ulimit] = []

    package init() {}
}

/// A weight for one block device.
package struct WeightDevice: Hashable, Sendable, Codable {
    package var path: String
    package var weight: UInt16

    package init(path: String, weight: UInt16) {
        self.path = path
        self.weight = weight
    }
}

/// A rate (bytes or operations per second) for one block device.
package struct ThrottleDevice: Hashable, Sendable, Codable {
    package var path: String
    package var rate: UInt64

    package init(path: String, rate: UInt64) {
        self.path = path
        self.rate = rate
    }
}

/// `--ulimit name=soft:hard`; -1 is unlimited.
package struct Ulimit: Hashable, Sendable, Codable {
    /// What can be limited; setrlimit(2).
    package enum Resource: String, Hashable, Sendable, Codable, CaseIterable {
        case core, cpu, data, fsize, locks, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, rttime
        case sigpending, stack
        case addressSpace = "as"
    }

    package let resource: Resource
    package let soft: Int64
    /// Not less than `soft`.
    package let hard: Int64

    /// nil: the soft limit is above the hard one.
    package init?(_ resource: Resource, soft: Int64, hard: Int64) {
        guard hard == -1 || soft != -1 && soft <= hard else { return nil }
        self.resource = resource
        self.soft = soft
        self.hard = hard
    }

    private enum CodingKeys: String, CodingKey {
        case resource = "name"
        case soft, hard
    }
}
