import ContainerRuntime
import Flags
import JSON
import LinuxKernel
import OCISpec
import SystemPackage

/// `update`.
enum UpdateCommand {
    private static let resources = Flag.string(
        "resources", short: "r", type: "path", "File with the limits as JSON (\"-\" is standard input)")
    private static let memory = Flag.bytes("memory", "Memory", minusOne: true)
    private static let memorySwap = Flag.bytes("memory-swap", "Memory and swap together", minusOne: true)
    private static let memoryReservation = Flag.bytes("memory-reservation", "Memory reservation", minusOne: true)
    private static let cpuPeriod = Flag.integer("cpu-period", "CPU period in microseconds")
    private static let cpuQuota = Flag.integer("cpu-quota", "CPU time per period in microseconds")
    private static let cpuBurst = Flag.integer("cpu-burst", "CPU time that the container can save up, in microseconds")
    private static let cpuShare = Flag.integer("cpu-share", "Relative weight of processor time")
    private static let cpuRealtimePeriod = Flag.integer(
        "cpu-rt-period", "Real-time period in microseconds")
    private static let cpuRealtimeRuntime = Flag.integer(
        "cpu-rt-runtime", "Real-time CPU time per period in microseconds")
    private static let cpuIdle = Flag.integer("cpu-idle", "1 for idle scheduling")
    private static let cpusetCPUs = Flag.string("cpuset-cpus", type: "list", "CPUs to use")
    private static let cpusetMems = Flag.string("cpuset-mems", type: "list", "Memory nodes to use")
    private static let pidsLimit = Flag.integer("pids-limit", "Number of processes")
    private static let blkioWeight = Flag.integer("blkio-weight", "Relative weight of block I/O")

    private static let l3CacheSchema = Flag.string("l3-cache-schema", "The share of caches (such as \"L3:0=f;1=f\")")
    private static let memBwSchema = Flag.string(
        "mem-bw-schema", "The share of memory bandwidth (such as \"MB:0=20;1=70\")")
    private static let kernelMemory = Flag.string("kernel-memory", "(obsoleted; do not use)").hidden()
    private static let kernelMemoryTCP = Flag.string("kernel-memory-tcp", "(obsoleted; do not use)").hidden()

    static let update = Command(
        "update", operands: "CONTAINER", arity: .exactly(1), "Change the limits of a container",
        flags: {
            [
                resources, memory, memorySwap, memoryReservation, cpuPeriod, cpuQuota, cpuBurst, cpuRealtimePeriod,
                cpuRealtimeRuntime, cpuShare, cpuIdle,
                cpusetCPUs, cpusetMems, pidsLimit, blkioWeight, l3CacheSchema, memBwSchema, kernelMemory,
                kernelMemoryTCP,
            ]
        },
        action: { invocation in
            let change = try resources(invocation.flags)
            let flags = invocation.flags
            if change.memory?.kernel != nil || change.memory?.kernelTCP != nil || flags.isSet(kernelMemory)
                || flags.isSet(kernelMemoryTCP)
            {
                ErrorLog(invocation.flags).warn("Kernel memory settings are ignored and will be removed")
            }
            var share = LinuxIntelRdt()
            share.l3CacheSchema = flags.given(l3CacheSchema)
            share.memBwSchema = flags.given(memBwSchema)
            let log = ErrorLog(flags)
            try RuntimeCommands.runtime(invocation).update(
                invocation.operands[0], resources: change, share: share, warn: { log.warn($0) })
            return 0
        })

    private static func resources(_ flags: ParsedFlags) throws -> LinuxResources {
        if flags.isSet(resources) {
            let path = flags[resources]
            let bytes =
                path == "-"
                ? try FileDescriptor.standardInput.readToEnd() : try RuntimeCommands.content(of: path)
            return try LinuxResources(json: JSON.parse(bytes))
        }
        var result = LinuxResources()
        var ofMemory = LinuxMemory()
        ofMemory.limit = flags.given(memory)
        ofMemory.swap = flags.given(memorySwap)
        ofMemory.reservation = flags.given(memoryReservation)
        result.memory = ofMemory
        var cpu = LinuxCPU()
        cpu.period = try flags.given(cpuPeriod).map { try unsigned($0, "--cpu-period") }
        cpu.quota = flags.given(cpuQuota).map { Int64($0) }
        cpu.burst = try flags.given(cpuBurst).map { try unsigned($0, "--cpu-burst") }
        cpu.realtimePeriod = try flags.given(cpuRealtimePeriod).map { try unsigned($0, "--cpu-rt-period") }
        cpu.realtimeRuntime = flags.given(cpuRealtimeRuntime).map { Int64($0) }
        cpu.shares = try flags.given(cpuShare).map { try unsigned($0, "--cpu-share") }
        cpu.idle = flags.given(cpuIdle).map { Int64($0) }
        cpu.cpus = flags.given(cpusetCPUs)
        cpu.mems = flags.given(cpusetMems)
        result.cpu = cpu
        result.pids = flags.given(pidsLimit).map { LinuxPids(limit: Int64($0)) }
        if let weight = flags.given(blkioWeight) {
            guard let number = UInt16(exactly: weight) else {
                throw RuntimeError(.invalid, "--blkio-weight \(weight) is not between 10 and 1000")
            }
            var blockIO = LinuxBlockIO()
            blockIO.weight = number
            result.blockIO = blockIO
        }
        return result
    }

    private static func unsigned(_ value: Int, _ flag: String) throws(RuntimeError) -> UInt64 {
        guard let value = UInt64(exactly: value) else { throw RuntimeError(.invalid, "\(flag) may not be negative") }
        return value
    }
}
