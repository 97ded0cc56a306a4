import Cgroups
import JSON

/// What `events --stats` of an external runtime prints.
package enum RuntimeStatistics {
    /// The numbers in the first line of JSON that has any; nothing where there is none.
    package static func parse(_ bytes: [UInt8]) -> CgroupStatistics {
        var statistics = CgroupStatistics()
        // Other lines are for people.
        let records = bytes.split(separator: 0x0a).lazy.compactMap { try? JSON.parse($0) }
        guard let data = records.first(where: { $0["data"]?.object != nil })?["data"] else { return statistics }
        func number(_ value: JSONValue?) -> UInt64? {
            value?.int.flatMap { UInt64(exactly: $0) } ?? value?.double.map { UInt64(max(0, min($0, 0x1p63))) }
        }
        if let usage = data["cpu"]?["usage"], let total = number(usage["total"]) {
            var cpu = CgroupStatistics.CPU()
            cpu.total = total
            cpu.user = number(usage["user"]) ?? 0
            cpu.system = number(usage["kernel"]) ?? 0
            statistics.cpu = cpu
        }
        if let usage = data["memory"]?["usage"], let bytes = number(usage["usage"]) {
            var memory = CgroupStatistics.Memory()
            memory.usage = bytes
            memory.maximum = number(usage["max"])
            // Zero and absurdly much both mean none.
            memory.limit = number(usage["limit"]).flatMap { $0 == 0 || $0 >= 1 << 62 ? nil : $0 }
            memory.failures = number(usage["failcnt"]) ?? 0
            statistics.memory = memory
        }
        if let current = number(data["pids"]?["current"]) {
            var pids = CgroupStatistics.Pids()
            pids.current = current
            pids.limit = number(data["pids"]?["limit"]).flatMap { $0 == 0 ? nil : $0 }
            statistics.pids = pids
        }
        return statistics
    }
}
