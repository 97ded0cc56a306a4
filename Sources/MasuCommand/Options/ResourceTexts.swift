import EngineAPIModel
import Flags

/// Texts that describe limits and devices.
package enum ResourceTexts {
    private static let ulimits: Set<String> = [
        "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss",
        "rtprio",
        "rttime", "sigpending", "stack",
    ]

    /// Parses `name=soft[:hard]`.
    package static func ulimit(_ text: String) throws(InvalidFlagValue) -> Ulimit {
        let (name, value, hasValue) = KeyValueTexts.divide(text)
        guard hasValue else { throw InvalidFlagValue("invalid ulimit argument: \(text)") }
        guard ulimits.contains(name) else { throw InvalidFlagValue("invalid ulimit type: \(name)") }
        let limits = value.split(separator: ":", omittingEmptySubsequences: false)
        guard limits.count <= 2 else {
            throw InvalidFlagValue("too many limit value arguments - \(value), can only have up to two, `soft[:hard]`")
        }
        var result = Ulimit()
        result.name = name
        result.soft = try FlagValue.integer(String(limits[0]))
        result.hard = limits.count == 2 ? try FlagValue.integer(String(limits[1])) : result.soft
        guard result.hard != -1 else { return result }
        let complaint = "ulimit soft limit must be less than or equal to hard limit"
        if result.soft == -1 {
            throw InvalidFlagValue("\(complaint): soft: -1 (unlimited), hard: \(result.hard)")
        }
        if result.soft > result.hard { throw InvalidFlagValue("\(complaint): \(result.soft) > \(result.hard)") }
        return result
    }

    /// Parses a number of CPUs, a decimal (`1.5`) or a fraction (`3/2`), to billionths.
    package static func cpus(_ text: String) throws(InvalidFlagValue) -> Int64 {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let numerator = billionths(parts[0]) else {
            throw InvalidFlagValue("failed to parse \(text) as a rational number")
        }
        guard case .exact(let value) = numerator else { throw InvalidFlagValue("value is too precise") }
        guard parts.count == 2 else { return value }
        guard let divisor = Int64(parts[1]), divisor > 0 else {
            throw InvalidFlagValue("failed to parse \(text) as a rational number")
        }
        guard value.isMultiple(of: divisor) else { throw InvalidFlagValue("value is too precise") }
        return value / divisor
    }

    private enum Billionths {
        case exact(Int64)
        case tooPrecise
    }

    private static func billionths(_ text: Substring) -> Billionths? {
        var digits = text
        let isNegative = digits.first == "-"
        if isNegative || digits.first == "+" { digits.removeFirst() }
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
        let isNumber = parts.allSatisfy { $0.allSatisfy { $0.isASCII && $0.isNumber } }
        guard parts.count <= 2, isNumber, digits.contains(where: { $0 != "." }) else { return nil }
        var fraction = parts.count == 2 ? String(parts[1]) : ""
        while fraction.count > 9, fraction.hasSuffix("0") { fraction.removeLast() }
        guard fraction.count <= 9 else { return .tooPrecise }
        fraction += String(repeating: "0", count: 9 - fraction.count)
        guard let whole = Int64("0" + parts[0]), let rest = Int64(fraction), whole < 9_000_000_000 else { return nil }
        return .exact((whole * 1_000_000_000 + rest) * (isNegative ? -1 : 1))
    }

    /// Parses `<device-path>:<weight>`.
    package static func weight(_ text: String) throws(InvalidFlagValue) -> WeightDevice {
        let (path, value) = try device(text)
        guard let weight = UInt16(value), weight == 0 || (10...1000).contains(weight) else {
            throw InvalidFlagValue("invalid weight for device: \(text)")
        }
        var result = WeightDevice()
        result.path = path
        result.weight = Int(weight)
        return result
    }

    /// Parses `<device-path>:<number>[<unit>]`, a limit in bytes a second.
    package static func byteRate(_ text: String) throws(InvalidFlagValue) -> ThrottleDevice {
        let (path, value) = try device(text)
        var result = ThrottleDevice()
        result.path = path
        do {
            result.rate = try FlagValue.bytes(value)
        } catch {
            throw InvalidFlagValue(
                "invalid rate for device: \(text). The correct format is <device-path>:<number>[<unit>]. "
                    + "Number must be a positive integer. Unit is optional and can be kb, mb, or gb")
        }
        return result
    }

    /// Parses `<device-path>:<number>`, a limit in operations a second.
    package static func operationRate(_ text: String) throws(InvalidFlagValue) -> ThrottleDevice {
        let (path, value) = try device(text)
        guard let rate = Int64(value), rate >= 0 else {
            throw InvalidFlagValue(
                "invalid rate for device: \(text). The correct format is <device-path>:<number>. "
                    + "Number must be a positive integer")
        }
        var result = ThrottleDevice()
        result.path = path
        result.rate = rate
        return result
    }

    private static func device(_ text: String) throws(InvalidFlagValue) -> (path: String, value: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty else { throw InvalidFlagValue("bad format: \(text)") }
        guard parts[0].hasPrefix("/dev/") else { throw InvalidFlagValue("bad format for device path: \(text)") }
        return (parts[0], parts[1])
    }

    /// Parses `host-path[:container-path][:rwm]`.
    package static func deviceMapping(_ text: String) throws(CommandError) -> DeviceMapping {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 3 else { throw CommandError("bad format for path: \(text)") }
        guard !parts[0].isEmpty else { throw CommandError("invalid device specification: \(text)") }
        var result = DeviceMapping()
        result.pathOnHost = parts[0]
        result.pathInContainer = parts[0]
        result.cgroupPermissions = "rwm"
        if parts.count == 3 {
            guard isMode(parts[2]) else { throw CommandError("bad mode specified: \(parts[2])") }
            result.pathInContainer = parts[1]
            result.cgroupPermissions = parts[2]
        } else if parts.count == 2 {
            if isMode(parts[1]) { result.cgroupPermissions = parts[1] } else { result.pathInContainer = parts[1] }
        }
        for path in [result.pathOnHost, result.pathInContainer] where !path.hasPrefix("/") {
            throw CommandError("\(path) is not an absolute path")
        }
        return result
    }

    private static func isMode(_ text: String) -> Bool {
        !text.isEmpty && Set(text).count == text.count && text.allSatisfy { "rwm".contains($0) }
    }

    /// Checks a rule of the form `c 42:* rmw`.
    package static func checkCgroupRule(_ text: String) throws(InvalidFlagValue) {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        let numbers = words.count == 3 ? words[1].split(separator: ":", omittingEmptySubsequences: false) : []
        let isNumber = { (part: Substring) in part == "*" || UInt32(part) != nil }
        guard words.count == 3, ["a", "b", "c"].contains(words[0]), numbers.count == 2, numbers.allSatisfy(isNumber),
            (1...3).contains(words[2].count), words[2].allSatisfy({ "rwm".contains($0) })
        else { throw InvalidFlagValue("invalid device cgroup format '\(text)'") }
    }

    /// Parses `no`, `always`, `unless-stopped` or `on-failure[:n]`; the daemon judges the name.
    package static func restartPolicy(_ text: String) throws(CommandError) -> RestartPolicy {
        var policy = RestartPolicy()
        guard !text.isEmpty else { return policy }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard !parts[0].isEmpty else {
            throw CommandError("invalid restart policy format: no policy provided before colon")
        }
        policy.name = parts[0]
        if parts.count == 2 {
            guard let count = Int(parts[1]) else {
                throw CommandError("invalid restart policy format: maximum retry count must be an integer")
            }
            policy.maximumRetryCount = count
        }
        return policy
    }
}
