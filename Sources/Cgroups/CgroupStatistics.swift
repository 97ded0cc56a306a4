import LinuxKernel
import SystemPackage

/// What a control group has used.
package struct CgroupStatistics: Codable, Hashable, Sendable {
    /// Processor time, all in nanoseconds.
    package struct CPU: Codable, Hashable, Sendable {
        /// Time in user and kernel mode together.
        package var total: UInt64 = 0
        /// Time in user mode.
        package var user: UInt64 = 0
        /// Time in kernel mode.
        package var system: UInt64 = 0
        /// Periods that have passed while a quota was set.
        package var periods: UInt64 = 0
        /// Periods in which the quota was used up.
        package var throttledPeriods: UInt64 = 0
        /// How long processes had to wait for the next period.
        package var throttledTime: UInt64 = 0

        /// No time at all.
        package init() {}
    }

    /// Memory, in bytes.
    package struct Memory: Codable, Hashable, Sendable {
        /// What is in use now.
        package var usage: UInt64 = 0
        /// The most there has been; `nil` where the kernel does not say.
        package var maximum: UInt64?
        /// `nil` is no limit.
        package var limit: UInt64?
        /// How often the limit was hit.
        package var failures: UInt64 = 0
        /// The kernel's own numbers (`memory.stat`), by its names.
        package var details: [String: UInt64] = [:]

        /// No memory, no limit.
        package init() {}
    }

    /// Processes and threads.
    package struct Pids: Codable, Hashable, Sendable {
        /// How many there are now.
        package var current: UInt64 = 0
        /// `nil` is no limit.
        package var limit: UInt64?

        /// A number of processes and threads with its limit.
        package init(current: UInt64 = 0, limit: UInt64? = nil) {
            self.current = current
            self.limit = limit
        }
    }

    /// One number about one block device.
    package struct BlockIO: Codable, Hashable, Sendable {
        /// The device's major number.
        package var major: UInt64
        /// The device's minor number.
        package var minor: UInt64
        /// `read`, `write`, `sync`, `async`, `discard` or `total`.
        package var operation: String
        /// The bytes or operations, as the list says that holds this.
        package var value: UInt64
    }

    /// `nil` if no controller counts processor time.
    package var cpu: CPU?
    /// `nil` if no controller counts memory.
    package var memory: Memory?
    /// `nil` if no controller counts processes.
    package var pids: Pids?
    /// Bytes by device and operation.
    package var blockBytes: [BlockIO] = []
    /// Operations by device and operation.
    package var blockOperations: [BlockIO] = []

    /// Statistics without any number.
    package init() {}
}

extension Cgroup {
    /// What the group has used so far; `nil` in the places of controllers that are not there.
    package func statistics() -> CgroupStatistics {
        var statistics = CgroupStatistics()
        if isUnified {
            collectUnified(into: &statistics)
        } else {
            collectLegacy(into: &statistics)
        }
        return statistics
    }

    /// How many processes of the group the kernel has killed for want of memory.
    package func outOfMemoryKills() -> UInt64 {
        guard let directory = directory(of: "memory") else { return 0 }
        let file = directory.appending(isUnified ? "memory.events" : "memory.oom_control")
        // The group is gone with its last process, or the kernel does not count (before 4.13).
        return (try? flatValues(file))?["oom_kill"] ?? 0
    }

    private func text(_ file: FilePath) -> String? {
        // A figure that this kernel does not have is left out.
        try? readText(file)
    }

    private func values(_ directory: FilePath, _ file: String) -> [String: UInt64]? {
        // As above.
        try? flatValues(directory.appending(file))
    }

    private func number(_ directory: FilePath, _ file: String) -> UInt64? {
        text(directory.appending(file)).flatMap { UInt64($0) }
    }

    private func collectLegacy(into statistics: inout CgroupStatistics) {
        // Version 1 writes "no limit" as the largest multiple of the page size.
        let noLimit = UInt64(Int64.max) - 4095
        if let directory = directory(of: "cpuacct") {
            var cpu = CgroupStatistics.CPU()
            cpu.total = number(directory, "cpuacct.usage") ?? 0
            cpu.user = number(directory, "cpuacct.usage_user") ?? 0
            cpu.system = number(directory, "cpuacct.usage_sys") ?? 0
            if let limits = self.directory(of: "cpu"), let values = values(limits, "cpu.stat") {
                cpu.periods = values["nr_periods"] ?? 0
                cpu.throttledPeriods = values["nr_throttled"] ?? 0
                cpu.throttledTime = values["throttled_time"] ?? 0
            }
            statistics.cpu = cpu
        }
        if let directory = directory(of: "memory"), let usage = number(directory, "memory.usage_in_bytes") {
            var memory = CgroupStatistics.Memory()
            memory.usage = usage
            memory.maximum = number(directory, "memory.max_usage_in_bytes")
            memory.limit = number(directory, "memory.limit_in_bytes").flatMap { $0 >= noLimit ? nil : $0 }
            memory.failures = number(directory, "memory.failcnt") ?? 0
            memory.details = values(directory, "memory.stat") ?? [:]
            statistics.memory = memory
        }
        if let directory = directory(of: "pids"), let current = number(directory, "pids.current") {
            statistics.pids = .init(current: current, limit: number(directory, "pids.max"))
        }
        if let directory = directory(of: "blkio") {
            statistics.blockBytes = legacyBlockIO(directory.appending("blkio.throttle.io_service_bytes_recursive"))
            statistics.blockOperations = legacyBlockIO(directory.appending("blkio.throttle.io_serviced_recursive"))
        }
    }

    /// Lines such as `8:0 Read 4096`.
    private func legacyBlockIO(_ file: FilePath) -> [CgroupStatistics.BlockIO] {
        var entries: [CgroupStatistics.BlockIO] = []
        for line in (text(file) ?? "").split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count == 3, let value = UInt64(fields[2]) else { continue }
            let numbers = fields[0].split(separator: ":").compactMap { UInt64($0) }
            guard numbers.count == 2 else { continue }
            entries.append(
                .init(major: numbers[0], minor: numbers[1], operation: fields[1].lowercased(), value: value))
        }
        return entries
    }

    private func collectUnified(into statistics: inout CgroupStatistics) {
        guard let directory = directories.first else { return }
        if let values = values(directory, "cpu.stat") {
            var cpu = CgroupStatistics.CPU()
            cpu.total = (values["usage_usec"] ?? 0) * 1000
            cpu.user = (values["user_usec"] ?? 0) * 1000
            cpu.system = (values["system_usec"] ?? 0) * 1000
            cpu.periods = values["nr_periods"] ?? 0
            cpu.throttledPeriods = values["nr_throttled"] ?? 0
            cpu.throttledTime = (values["throttled_usec"] ?? 0) * 1000
            statistics.cpu = cpu
        }
        if let usage = number(directory, "memory.current") {
            var memory = CgroupStatistics.Memory()
            memory.usage = usage
            memory.maximum = number(directory, "memory.peak")
            memory.limit = number(directory, "memory.max")
            memory.failures = values(directory, "memory.events")?["max"] ?? 0
            memory.details = values(directory, "memory.stat") ?? [:]
            statistics.memory = memory
        }
        if let current = number(directory, "pids.current") {
            statistics.pids = .init(current: current, limit: number(directory, "pids.max"))
        }
        // Lines such as `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6`.
        for line in (text(directory.appending("io.stat")) ?? "").split(separator: "\n") {
            let fields = line.split(separator: " ")
            let numbers = (fields.first ?? "").split(separator: ":").compactMap { UInt64($0) }
            guard numbers.count == 2 else { continue }
            for field in fields.dropFirst() {
                let pair = field.split(separator: "=")
                guard pair.count == 2, let value = UInt64(pair[1]) else { continue }
                let operations: [Character: String] = ["r": "read", "w": "write", "d": "discard"]
                guard let first = pair[0].first, let operation = operations[first] else { continue }
                let entry = CgroupStatistics.BlockIO(
                    major: numbers[0], minor: numbers[1], operation: operation, value: value)
                if pair[0].hasSuffix("bytes") { statistics.blockBytes.append(entry) }
                if pair[0].hasSuffix("ios") { statistics.blockOperations.append(entry) }
            }
        }
    }
}
