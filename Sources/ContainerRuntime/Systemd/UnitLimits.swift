import Cgroups
import DBus
import OCISpec

/// Limits as properties of a unit (systemd.resource-control(5)).
///
/// systemd writes them to the control group's files whenever it sees fit, so all that it has a property for must be
/// told to it; the rest goes to the files alone.
package struct UnitLimits {
    /// What systemd is told.
    package private(set) var properties: [UnitProperty] = []
    /// What is to be written to the files, which is what was asked for, but for what systemd rounds.
    package private(set) var resources: LinuxResources
    /// What cannot be had together, in words for the user; `nil` if there is no such thing.
    package private(set) var warning: String?
    private let version: Int

    /// Versions of systemd that brought something.
    private enum Since {
        static let quotaPeriod = 242
        static let cpuset = 244
        static let idle = 252
        static let outOfMemoryPolicy = 253
    }

    /// The properties for `resources` that this version of systemd knows.
    package init(_ resources: LinuxResources, isUnified: Bool, version: Int) throws(RuntimeError) {
        self.resources = resources
        self.version = version
        if let devices = resources.devices, !devices.isEmpty {
            properties += try DeviceProperties(devices, version: version).properties
        }
        if isUnified { try addUnified() } else { try addLegacy() }
        if let limit = resources.pids?.limit {
            // systemd knows no 0; the kernel's files get the same.
            add("TasksMax", limit < 0 ? .max : UInt64(max(limit, 1)))
        }
        try addSets(cpus: resources.cpu?.cpus, nodes: resources.cpu?.mems)
        if isUnified { try addFiles() }
    }

    private mutating func add(_ name: String, _ number: UInt64) { properties.append(UnitProperty(name, number)) }

    private mutating func leaveOut(_ what: String, _ isAskedFor: Bool) {
        if isAskedFor { warning = "unable to apply both \(what) and cpu.idle to systemd, ignoring \(what)" }
    }

    /// A number of bytes, of which all negative ones mean no limit.
    private static func bytes(_ number: Int64) -> UInt64 { number < 0 ? .max : UInt64(number) }

    private mutating func addLegacy() throws(RuntimeError) {
        if let limit = resources.memory?.limit, limit != 0 { add("MemoryLimit", Self.bytes(limit)) }
        if let shares = resources.cpu?.shares, shares != 0 { add("CPUShares", shares) }
        try addQuota()
        if let weight = resources.blockIO?.weight, weight != 0 { add("BlockIOWeight", UInt64(weight)) }
    }

    private mutating func addUnified() throws(RuntimeError) {
        if let limit = resources.memory?.limit, limit != 0 { add("MemoryMax", Self.bytes(limit)) }
        if let low = resources.memory?.reservation, low != 0 { add("MemoryLow", Self.bytes(low)) }
        if let swap = try swapAlone() { add("MemorySwapMax", swap) }
        let isIdle = resources.cpu?.idle == 1 && version >= Since.idle
        if isIdle {
            // This is how systemd is told to set cpu.idle.
            add("CPUWeight", 0)
            leaveOut("CPU shares", resources.cpu?.shares ?? 0 != 0)
            resources.cpu?.shares = nil
        } else if let shares = resources.cpu?.shares, shares != 0 {
            add("CPUWeight", Cgroup.weight(fromShares: shares))
        }
        try addQuota()
    }

    /// Version 2 counts swap by itself, the configuration together with memory; `nil` if nothing is said about it.
    private func swapAlone() throws(RuntimeError) -> UInt64? {
        let limit = resources.memory?.limit ?? 0
        guard let swap = resources.memory?.swap, swap != 0 else { return limit == -1 ? .max : nil }
        if swap < 0 || limit < 0 { return .max }
        guard limit != 0 else { throw RuntimeError(.invalid, "unable to set swap limit without memory limit") }
        guard swap >= limit else {
            throw RuntimeError(.invalid, "memory and swap together (\(swap)) may not be less than memory (\(limit))")
        }
        return UInt64(swap - limit)
    }

    // MARK: Quota

    private mutating func addQuota() throws(RuntimeError) {
        let rounded = try addQuota(resources.cpu?.quota ?? 0, period: resources.cpu?.period ?? 0)
        if resources.cpu?.quota != nil { resources.cpu?.quota = rounded }
    }

    /// Adds a quota; 0 is none. Gives what systemd makes of it, which keeps hundredths of a CPU.
    @discardableResult
    private mutating func addQuota(_ quota: Int64, period: UInt64) throws(RuntimeError) -> Int64 {
        if period != 0, version >= Since.quotaPeriod { add("CPUQuotaPeriodUSec", period) }
        guard quota > 0 else {
            if quota != 0 || period != 0 { add("CPUQuotaPerSecUSec", .max) }
            return quota
        }
        // The kernel's own period.
        let period = period == 0 ? 100_000 : period
        let hundredth: UInt64 = 10_000
        let (scaled, isTooMuch) = UInt64(quota).multipliedReportingOverflow(by: 1_000_000)
        guard !isTooMuch, period <= 1 << 32 else {
            throw RuntimeError(.invalid, "a CPU quota of \(quota) in \(period) microseconds is out of range")
        }
        var perSecond = scaled / period
        var rounded = quota
        if !perSecond.isMultiple(of: hundredth) {
            perSecond = (perSecond / hundredth + 1) * hundredth
            rounded = Int64(clamping: perSecond.multipliedFullWidth(by: period).low / 1_000_000)
        }
        add("CPUQuotaPerSecUSec", perSecond)
        return rounded
    }

    // MARK: Sets

    private mutating func addSets(cpus: String?, nodes: String?) throws(RuntimeError) {
        guard version >= Since.cpuset else { return }
        for (name, list) in [("AllowedCPUs", cpus), ("AllowedMemoryNodes", nodes)] {
            guard let list, !list.isEmpty else { continue }
            properties.append(UnitProperty(name, .bytes(try Self.mask(list))))
        }
    }

    /// A list such as `0-3,7` with a bit for each number, the lowest bit of the first byte being 0.
    package static func mask(_ list: String) throws(RuntimeError) -> [UInt8] {
        guard let numbers = NumberList.parse(list.filter { $0 != " " }), let last = numbers.max() else {
            throw RuntimeError(.invalid, "\"\(list)\" is not a list of CPUs or memory nodes")
        }
        var mask = [UInt8](repeating: 0, count: last / 8 + 1)
        for number in numbers { mask[number / 8] |= 1 << UInt8(number % 8) }
        return mask
    }

    // MARK: Files

    /// Adds the properties for files of version 2 that are set by name. What systemd does not know is only written.
    private mutating func addFiles() throws(RuntimeError) {
        let files = resources.unified ?? [:]
        let isIdle = files["cpu.idle"].map(Self.trimmed) == "1" && version >= Since.idle
        for (file, content) in files.sorted(by: { $0.key < $1.key }) {
            guard !file.contains("/") else {
                throw RuntimeError(.invalid, "unified resource \"\(file)\" must be a file name (no slashes)")
            }
            guard let dot = file.firstIndex(of: "."), dot != file.startIndex else {
                throw RuntimeError(
                    .invalid, "unified resource \"\(file)\" must be in the form CONTROLLER.PARAMETER")
            }
            let value = Self.trimmed(content)
            switch file {
            case "cpu.idle": if isIdle { add("CPUWeight", 0) }
            case "cpu.weight" where isIdle:
                leaveOut("cpu.weight", true)
                resources.unified?[file] = nil
            case "cpu.weight": add("CPUWeight", try Self.number(value, file))
            case "cpu.max":
                let fields = value.split(separator: " ").map(String.init)
                guard (1...2).contains(fields.count) else { throw Self.wrong(value, file) }
                let quota = try fields[0] == "max" ? 0 : Self.number(fields[0], file)
                let period = try fields.count > 1 ? Self.number(fields[1], file) : 100_000
                try addQuota(Int64(clamping: quota), period: period)
            case "cpuset.cpus": try addSets(cpus: value, nodes: nil)
            case "cpuset.mems": try addSets(cpus: nil, nodes: value)
            case "pids.max": add("TasksMax", max(1, try Self.limit(value, file)))
            default:
                guard let name = Self.memoryProperties[file] else { continue }
                add(name, try Self.limit(value, file))
            }
        }
    }

    private static let memoryProperties = [
        "memory.high": "MemoryHigh", "memory.low": "MemoryLow", "memory.min": "MemoryMin", "memory.max": "MemoryMax",
        "memory.swap.max": "MemorySwapMax",
    ]

    /// Properties that can be set only while a unit is made.
    static func initial(_ resources: LinuxResources, version: Int) throws(RuntimeError) -> [UnitProperty] {
        guard let group = resources.unified?["memory.oom.group"], version >= Since.outOfMemoryPolicy else { return [] }
        switch try number(trimmed(group), "memory.oom.group") {
        case 0: return [UnitProperty("OOMPolicy", .string("continue"))]
        case 1: return [UnitProperty("OOMPolicy", .string("kill"))]
        default: return []
        }
    }

    private static func trimmed(_ text: String) -> String {
        text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    private static func limit(_ value: String, _ file: String) throws(RuntimeError) -> UInt64 {
        try value == "max" ? .max : number(value, file)
    }

    private static func number(_ value: String, _ file: String) throws(RuntimeError) -> UInt64 {
        guard let number = UInt64(value) else { throw wrong(value, file) }
        return number
    }

    private static func wrong(_ value: String, _ file: String) -> RuntimeError {
        RuntimeError(.invalid, "unified resource \"\(file)\" value invalid: \"\(value)\"")
    }
}
