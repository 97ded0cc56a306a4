import Cgroups
import JSON
import LinuxKernel
import Resctrl
import SystemPackage

/// What a control group has used, in the form that readers of `events` know. Numbers that are 0 are left out where they
/// are used to find none.
struct StatisticsDocument {
    let cgroup: Cgroup
    let serviceClass: ServiceClass?

    /// The statistics of a container without a control group.
    static var empty: JSONValue {
        var document = JSONObject()
        for part in ["cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt"] {
            document[part] = .object(JSONObject())
        }
        document["network_interfaces"] = .null
        return .object(document)
    }

    var value: JSONValue {
        let statistics = cgroup.statistics()
        var document = JSONObject()
        document["cpu"] = cpu(statistics.cpu)
        document["cpuset"] = cpuset
        document["memory"] = memory(statistics.memory)
        document["pids"] = Self.object([
            ("current", statistics.pids?.current), ("limit", statistics.pids?.limit),
        ])
        var blocks = JSONObject()
        blocks["ioServiceBytesRecursive"] = Self.list(statistics.blockBytes)
        blocks["ioServicedRecursive"] = Self.list(statistics.blockOperations)
        blocks["psi"] = pressure("io")
        document["blkio"] = .object(blocks)
        document["hugetlb"] = hugePages
        document["intel_rdt"] = ServiceClassDocument(serviceClass: serviceClass).value
        document["network_interfaces"] = .null
        return .object(document)
    }

    private func cpu(_ cpu: CgroupStatistics.CPU?) -> JSONValue {
        guard let cpu else { return .object(JSONObject()) }
        var usage = JSONObject()
        if cpu.total > 0 { usage["total"] = Self.number(cpu.total) }
        for (name, file) in [
            ("percpu", "cpuacct.usage_percpu"), ("percpu_kernel", "cpuacct.usage_percpu_sys"),
            ("percpu_user", "cpuacct.usage_percpu_user"),
        ] {
            let numbers = (text("cpuacct", file) ?? "").split(separator: " ").compactMap { UInt64($0) }
            if !numbers.isEmpty { usage[name] = .array(numbers.map(Self.number)) }
        }
        usage["kernel"] = Self.number(cpu.system)
        usage["user"] = Self.number(cpu.user)
        var document = JSONObject()
        document["usage"] = .object(usage)
        if cpu.periods > 0 || cpu.throttledPeriods > 0 || cpu.throttledTime > 0 {
            document["throttling"] = Self.object([
                ("periods", cpu.periods), ("throttledPeriods", cpu.throttledPeriods),
                ("throttledTime", cpu.throttledTime),
            ])
        }
        document["psi"] = pressure("cpu")
        return .object(document)
    }

    private var cpuset: JSONValue {
        var document = JSONObject()
        for (name, file) in [("cpus", "cpuset.cpus"), ("mems", "cpuset.mems")] {
            let members = Self.members(of: text("cpuset", file) ?? "")
            if !members.isEmpty { document[name] = .array(members.map { .int(Int64($0)) }) }
        }
        for name in [
            "cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page",
            "memory_spread_slab", "memory_pressure", "sched_load_balance", "sched_relax_domain_level",
        ] {
            document[name] = .int(text("cpuset", "cpuset.\(name)").flatMap { Int64($0) } ?? 0)
        }
        return .object(document)
    }

    private func memory(_ memory: CgroupStatistics.Memory?) -> JSONValue {
        guard let memory else { return .object(JSONObject()) }
        var document = JSONObject()
        let cache = memory.details[cgroup.isUnified ? "file" : "cache"] ?? 0
        if cache > 0 { document["cache"] = Self.number(cache) }
        if cgroup.isUnified {
            let limit = memory.limit ?? .max
            document["usage"] = Self.entry(
                limit: limit, usage: memory.usage, maximum: memory.maximum ?? 0, failures: memory.failures)
            if let swap = number("memory", "memory.swap.current") {
                // Together with memory, as in the configuration.
                let swapLimit = number("memory", "memory.swap.max")
                document["swap"] = Self.entry(
                    limit: swapLimit.map { limit == .max ? limit : limit &+ $0 } ?? .max, usage: memory.usage &+ swap)
            }
        } else {
            for (name, prefix) in [
                ("usage", "memory"), ("swap", "memory.memsw"), ("kernel", "memory.kmem"),
                ("kernelTCP", "memory.kmem.tcp"),
            ] {
                guard let usage = number("memory", "\(prefix).usage_in_bytes") else { continue }
                document[name] = Self.entry(
                    limit: number("memory", "\(prefix).limit_in_bytes") ?? 0, usage: usage,
                    maximum: number("memory", "\(prefix).max_usage_in_bytes") ?? 0,
                    failures: number("memory", "\(prefix).failcnt") ?? 0)
            }
        }
        var raw = JSONObject()
        for (name, value) in memory.details.sorted(by: { $0.key < $1.key }) { raw[name] = Self.number(value) }
        document["raw"] = .object(raw)
        document["psi"] = pressure("memory")
        return .object(document)
    }

    /// How long processes had to wait for a resource ("pressure stall information"): percentages of the last seconds,
    /// and microseconds in all. Version 2 alone, and only if the kernel counts it.
    private func pressure(_ controller: String) -> JSONValue? {
        guard cgroup.isUnified, let lines = text(controller, "\(controller).pressure") else { return nil }
        var document = JSONObject()
        for line in lines.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard let kind = fields.first else { continue }
            var shares = JSONObject()
            for field in fields.dropFirst() {
                let pair = field.split(separator: "=")
                guard pair.count == 2 else { continue }
                if let value = UInt64(pair[1]) {
                    shares[String(pair[0])] = Self.number(value)
                } else if let value = Double(pair[1]) {
                    shares[String(pair[0])] = .double(value)
                }
            }
            document[String(kind)] = .object(shares)
        }
        return .object(document)
    }

    private var hugePages: JSONValue {
        var document = JSONObject()
        // Not mounted, nothing to be told.
        guard let directory = cgroup.directory(of: "hugetlb"), let names = try? Files.names(in: directory) else {
            return .object(document)
        }
        let ending = cgroup.isUnified ? ".current" : ".usage_in_bytes"
        for name in names.sorted() where name.hasPrefix("hugetlb.") && name.hasSuffix(ending) {
            let size = name.dropFirst(8).dropLast(ending.count)
            guard !size.contains(".") else { continue }
            document[String(size)] = Self.object(
                [
                    ("usage", number("hugetlb", name)),
                    ("max", cgroup.isUnified ? nil : number("hugetlb", "hugetlb.\(size).max_usage_in_bytes")),
                ],
                always: [("failcnt", refusals(ofPages: size))])
        }
        return .object(document)
    }

    /// How often processes did not get huge pages of a size because of the limit.
    private func refusals(ofPages size: Substring) -> UInt64 {
        guard cgroup.isUnified else { return number("hugetlb", "hugetlb.\(size).failcnt") ?? 0 }
        let events = text("hugetlb", "hugetlb.\(size).events") ?? ""
        let line = events.split(separator: "\n").first { $0.hasPrefix("max ") }
        return line.flatMap { UInt64($0.dropFirst(4)) } ?? 0
    }

    // MARK: Files

    private func text(_ controller: String, _ file: String) -> String? {
        guard let directory = cgroup.directory(of: controller) else { return nil }
        // A figure that this kernel does not have is left out.
        return try? Files.readText(directory.appending(file))
    }

    private func number(_ controller: String, _ file: String) -> UInt64? {
        text(controller, file).flatMap { UInt64($0) }
    }

    // MARK: JSON

    /// The numbers of a list such as `0-2,5`.
    static func members(of list: String) -> [UInt16] {
        list.split(separator: ",").flatMap { range -> [UInt16] in
            let ends = range.split(separator: "-").compactMap { UInt16($0) }
            guard let first = ends.first, let last = ends.last, first <= last else { return [] }
            return Array(first...last)
        }
    }

    private static func number(_ value: UInt64) -> JSONValue { .uint(value) }

    private static func entry(
        limit: UInt64, usage: UInt64, maximum: UInt64 = 0, failures: UInt64 = 0
    ) -> JSONValue {
        var document = JSONObject()
        document["limit"] = number(limit)
        if usage > 0 { document["usage"] = number(usage) }
        if maximum > 0 { document["max"] = number(maximum) }
        document["failcnt"] = number(failures)
        return .object(document)
    }

    private static func object(
        _ members: [(String, UInt64?)], always: [(String, UInt64)] = []
    ) -> JSONValue {
        var document = JSONObject()
        for (name, value) in members {
            if let value, value > 0 { document[name] = number(value) }
        }
        for (name, value) in always { document[name] = number(value) }
        return .object(document)
    }

    private static func list(_ entries: [CgroupStatistics.BlockIO]) -> JSONValue? {
        if entries.isEmpty { return nil }
        return .array(
            entries.map { entry in
                var document = JSONObject()
                if entry.major > 0 { document["major"] = number(entry.major) }
                if entry.minor > 0 { document["minor"] = number(entry.minor) }
                document["op"] = .string(entry.operation.prefix(1).uppercased() + entry.operation.dropFirst())
                if entry.value > 0 { document["value"] = number(entry.value) }
                return .object(document)
            })
    }
}
