import OCISpec

/// What programs this machine's processor runs.
package enum HostPlatform {
    /// With the level of an amd64 processor (`v1` to `v4`), as Docker tells it.
    package static let detected: Platform = {
        var platform = Platform.host
        if platform.architecture == "amd64" { platform.variant = "v\(level(flags: processorFlags()))" }
        return platform
    }()

    /// Docker's words about an image that is not for this machine; `nil` for one that is.
    package static func warning(about platform: Platform) -> String? {
        guard !runs(platform, on: detected) else { return nil }
        return "The requested image's platform (\(platform)) does not match the detected host platform (\(detected)) "
            + "and no specific platform was requested"
    }

    /// Whether a processor runs programs that were made for a platform.
    package static func runs(_ platform: Platform, on host: Platform) -> Bool {
        guard platform.os == host.os else { return false }
        switch (host.architecture, platform.architecture) {
        case ("amd64", "386"), ("arm64", "arm"): return true
        case (let own, let wanted) where own == wanted:
            guard own == "amd64" else { return platform.satisfies(host) || own == "arm" }
            return number(platform.variant) <= number(host.variant)
        default: return false
        }
    }

    /// 1 for a variant that is not written.
    private static func number(_ variant: String?) -> Int { variant.flatMap { Int($0.dropFirst()) } ?? 1 }

    private static func processorFlags() -> Set<Substring> {
        let lines = Machine.text("/proc/cpuinfo").split(separator: "\n")
        return Set(lines.first { $0.hasPrefix("flags") }?.split(whereSeparator: { " \t:".contains($0) }) ?? [])
    }

    /// The level of an amd64 processor with these features, by Linux's names: the highest of the psABI's that has all
    /// of its own and of those below.
    package static func level(flags: Set<Substring>) -> Int {
        let levels: [Set<Substring>] = [
            ["cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"],
            ["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"],
            ["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"],
        ]
        return 1 + levels.prefix { $0.isSubset(of: flags) }.count
    }
}
