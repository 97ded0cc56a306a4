/// A change of a container that exists: `POST /containers/{id}/update`. What is empty stays as it is.
package struct ContainerUpdateRequest: WireObject {
    /// Relative CPU weight.
    @OmittedIfEmpty package var cpuShares: Int64 = 0
    /// Memory limit in bytes.
    @OmittedIfEmpty package var memory: Int64 = 0
    /// CPU limit in billionths of a CPU.
    @OmittedIfEmpty package var nanoCPUs: Int64 = 0
    /// Relative block I/O weight, 10 … 1000.
    @OmittedIfEmpty package var blkioWeight: Int = 0
    /// Weights for single devices, since API 1.55: nil keeps them, an empty list removes all.
    @OmittedIfEmpty package var blkioWeightDevice: [WeightDevice]? = nil
    /// The same of bytes read in a second.
    @OmittedIfEmpty package var blkioDeviceReadBps: [ThrottleDevice]? = nil
    /// The same of bytes written in a second.
    @OmittedIfEmpty package var blkioDeviceWriteBps: [ThrottleDevice]? = nil
    /// The same of reads in a second.
    @OmittedIfEmpty package var blkioDeviceReadIOps: [ThrottleDevice]? = nil
    /// The same of writes in a second.
    @OmittedIfEmpty package var blkioDeviceWriteIOps: [ThrottleDevice]? = nil
    /// CFS period in microseconds.
    @OmittedIfEmpty package var cpuPeriod: Int64 = 0
    /// CFS quota in microseconds.
    @OmittedIfEmpty package var cpuQuota: Int64 = 0
    /// Real-time period in microseconds.
    @OmittedIfEmpty package var cpuRealtimePeriod: Int64 = 0
    /// Real-time run time in microseconds.
    @OmittedIfEmpty package var cpuRealtimeRuntime: Int64 = 0
    /// CPUs as `0-3,5`.
    @OmittedIfEmpty package var cpusetCPUs: String = ""
    /// Memory nodes as `0,1`.
    @OmittedIfEmpty package var cpusetMems: String = ""
    /// Kernel memory, of clients before API 1.42; without effect since then.
    @OmittedIfEmpty package var kernelMemory: Int64 = 0
    /// Soft memory limit in bytes.
    @OmittedIfEmpty package var memoryReservation: Int64 = 0
    /// Memory plus swap in bytes; −1 is unlimited.
    @OmittedIfEmpty package var memorySwap: Int64 = 0
    /// Greatest number of processes; 0 and less are unlimited, nil is no change.
    @OmittedIfEmpty package var pidsLimit: Int64? = nil
    /// Windows' limit of bytes, which no container here has.
    @OmittedIfEmpty package var ioMaximumBandwidth: Int64 = 0
    /// The same of operations.
    @OmittedIfEmpty package var ioMaximumIOps: Int64 = 0
    /// When to start the container again; nothing changes without a name.
    @OmittedIfEmpty package var restartPolicy: RestartPolicy? = nil
    /// Masu's own: ports to publish, as `HostConfig.PortBindings` has them.
    @OmittedIfEmpty package var publishAdd: [String: [PortBinding]?]? = nil
    /// Masu's own: ports that are not to be published any more; `null` or no bindings are all places of a port, and a
    /// binding without `HostIp` or `HostPort` is at any address or port.
    @OmittedIfEmpty package var publishRm: [String: [PortBinding]?]? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case cpuShares = "CpuShares"
        case memory = "Memory"
        case nanoCPUs = "NanoCpus"
        case blkioWeight = "BlkioWeight"
        case blkioWeightDevice = "BlkioWeightDevice"
        case blkioDeviceReadBps = "BlkioDeviceReadBps"
        case blkioDeviceWriteBps = "BlkioDeviceWriteBps"
        case blkioDeviceReadIOps = "BlkioDeviceReadIOps"
        case blkioDeviceWriteIOps = "BlkioDeviceWriteIOps"
        case cpuPeriod = "CpuPeriod"
        case cpuQuota = "CpuQuota"
        case cpuRealtimePeriod = "CpuRealtimePeriod"
        case cpuRealtimeRuntime = "CpuRealtimeRuntime"
        case cpusetCPUs = "CpusetCpus"
        case cpusetMems = "CpusetMems"
        case kernelMemory = "KernelMemory"
        case memoryReservation = "MemoryReservation"
        case memorySwap = "MemorySwap"
        case pidsLimit = "PidsLimit"
        case ioMaximumBandwidth = "IOMaximumBandwidth"
        case ioMaximumIOps = "IOMaximumIOps"
        case restartPolicy = "RestartPolicy"
        case publishAdd = "PublishAdd"
        case publishRm = "PublishRm"
    }
}

/// The limits that a container is made with and that can be changed later, by the same names.
package protocol AdjustableLimits {
    var cpuShares: Int64 { get set }
    var memory: Int64 { get set }
    var nanoCPUs: Int64 { get set }
    var blkioWeight: Int { get set }
    var cpuPeriod: Int64 { get set }
    var cpuQuota: Int64 { get set }
    var cpuRealtimePeriod: Int64 { get set }
    var cpuRealtimeRuntime: Int64 { get set }
    var cpusetCPUs: String { get set }
    var cpusetMems: String { get set }
    var memoryReservation: Int64 { get set }
    var memorySwap: Int64 { get set }
}

extension HostConfig: AdjustableLimits {}
extension ContainerUpdateRequest: AdjustableLimits {}

/// The answer to a change of a container.
package struct ContainerUpdateResponse: WireObject {
    /// What the user should know.
    @Always package var warnings: [String] = []

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case warnings = "Warnings"
    }
}
