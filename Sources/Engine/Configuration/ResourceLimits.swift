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
    /// Processes wait instead of being killed when memory is used up; version 1 of control groups only.
    package var oomKillDisable: Bool?

    /// The weight beside other containers; 0 is the default, 1024.
    package var cpuShares: Int64 = 0
    /// CPUs × 10⁹ (`--cpus`).
    package var nanoCPUs: Int64 = 0
    /// Microseconds.
    package var cpuPeriod: Int64 = 0
    /// Processor time in each period, in microseconds; 0 is no limit.
    package var cpuQuota: Int64 = 0
    /// In microseconds; 0 leaves it alone.
    package var cpuRealtimePeriod: Int64 = 0
    /// In microseconds; 0 leaves it alone.
    package var cpuRealtimeRuntime: Int64 = 0
    /// Processors, `0-2,4`; empty is all.
    package var cpusetCPUs = ""
    /// Memory nodes in the same form; empty is all.
    package var cpusetMems = ""

    /// nil, 0 or -1: unlimited.
    package var pidsLimit: Int64?

    /// 10 to 1000; 0 is the default.
    package var blkioWeight: UInt16 = 0
    /// Weights for single devices.
    package var blkioWeightDevice: [WeightDevice] = []
    /// Bytes read in a second.
    package var blkioDeviceReadBps: [ThrottleDevice] = []
    /// Bytes written in a second.
    package var blkioDeviceWriteBps: [ThrottleDevice] = []
    /// Reads in a second.
    package var blkioDeviceReadIOps: [ThrottleDevice] = []
    /// Writes in a second.
    package var blkioDeviceWriteIOps: [ThrottleDevice] = []

    /// Devices of the host that the container has.
    package var devices: [DeviceMapping] = []
    /// More devices that it may use, should it come by them.
    package var deviceCgroupRules: [DeviceCgroupRule] = []
    /// GPUs and the like (`--gpus`): refused unless empty; what was asked, for the message.
    package var deviceRequests: [DeviceRequest] = []
    /// Limits of setrlimit(2).
    package var ulimits: [Ulimit] = []

    /// No limits.
    package init() {}
}

/// A weight for one block device.
package struct WeightDevice: Hashable, Sendable, Codable {
    /// The block device on the host.
    package var path: String
    /// 10 to 1000.
    package var weight: UInt16

    /// A device and its weight.
    package init(path: String, weight: UInt16) {
        self.path = path
        self.weight = weight
    }
}

/// A rate (bytes or operations per second) for one block device.
package struct ThrottleDevice: Hashable, Sendable, Codable {
    /// The block device on the host.
    package var path: String
    /// Bytes or operations in a second.
    package var rate: UInt64

    /// A device and its limit.
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

    /// What is limited.
    package let resource: Resource
    /// The limit that counts; -1 is none.
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
