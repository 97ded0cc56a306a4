import EngineAPIModel
import Flags

extension AdjustableLimits {
    /// Takes over the flags that `run`, `create` and `update` have in common. Lists of devices and the number of
    /// processes are not among them: an update tells apart none and an empty one.
    mutating func setLimits(_ flags: ParsedFlags) {
        memory = flags[ContainerFlags.memory]
        memorySwap = flags[ContainerFlags.memorySwap]
        memoryReservation = flags[ContainerFlags.memoryReservation]
        nanoCPUs = flags[ContainerFlags.cpus] ?? 0
        cpuShares = Int64(flags[ContainerFlags.cpuShares])
        cpuPeriod = Int64(flags[ContainerFlags.cpuPeriod])
        cpuQuota = Int64(flags[ContainerFlags.cpuQuota])
        cpuRealtimePeriod = Int64(flags[ContainerFlags.cpuRealtimePeriod])
        cpuRealtimeRuntime = Int64(flags[ContainerFlags.cpuRealtimeRuntime])
        cpusetCPUs = flags[ContainerFlags.cpusetCPUs]
        cpusetMems = flags[ContainerFlags.cpusetMems]
        blkioWeight = flags[ContainerFlags.blkioWeight]
    }
}
