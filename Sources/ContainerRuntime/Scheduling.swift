import LinuxKernel
import OCISpec
import SystemPackage

/// Lists such as `0-3,7`, as the kernel writes sets of CPUs and memory nodes.
enum NumberList {
    /// `nil` if `text` is no such list, or has a number of 8192 or more.
    static func parse(_ text: String) -> [Int]? {
        var numbers: [Int] = []
        for part in text.split(separator: ",") {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard ends.count <= 2, let first = ends[0], let last = ends[ends.count - 1] else { return nil }
            guard first >= 0, first <= last, last < 8192 else { return nil }
            numbers += first...last
        }
        return numbers
    }
}

/// Scheduling and memory policies.
enum SchedulerSetup {
    static func apply(_ scheduler: Scheduler) throws(RuntimeError) {
        let policies: [String: UInt32] = [
            "SCHED_OTHER": 0, "SCHED_FIFO": 1, "SCHED_RR": 2, "SCHED_BATCH": 3, "SCHED_ISO": 4, "SCHED_IDLE": 5,
            "SCHED_DEADLINE": 6,
        ]
        guard let policy = policies[scheduler.policy] else {
            throw RuntimeError(.invalid, "unknown scheduling policy \"\(scheduler.policy)\"")
        }
        let flagBits: [String: UInt64] = [
            "SCHED_FLAG_RESET_ON_FORK": 1, "SCHED_FLAG_RECLAIM": 2, "SCHED_FLAG_DL_OVERRUN": 4,
            "SCHED_FLAG_KEEP_POLICY": 8, "SCHED_FLAG_KEEP_PARAMS": 16, "SCHED_FLAG_UTIL_CLAMP_MIN": 32,
            "SCHED_FLAG_UTIL_CLAMP_MAX": 64,
        ]
        var flags: UInt64 = 0
        for flag in scheduler.flags ?? [] {
            guard let bit = flagBits[flag] else { throw RuntimeError(.invalid, "unknown scheduling flag \"\(flag)\"") }
            flags |= bit
        }
        try attempt("setting the scheduling policy \(scheduler.policy)") { () throws(Errno) in
            try ProcessAttributes.setScheduler(
                policy: policy, flags: flags, nice: scheduler.nice ?? 0,
                priority: UInt32(clamping: scheduler.priority ?? 0), runtime: scheduler.runtime ?? 0,
                deadline: scheduler.deadline ?? 0, period: scheduler.period ?? 0)
        }
    }

    static func apply(_ policy: LinuxMemoryPolicy) throws(RuntimeError) {
        let modes: [String: Int32] = [
            "MPOL_DEFAULT": 0, "MPOL_PREFERRED": 1, "MPOL_BIND": 2, "MPOL_INTERLEAVE": 3, "MPOL_LOCAL": 4,
            "MPOL_PREFERRED_MANY": 5, "MPOL_WEIGHTED_INTERLEAVE": 6,
        ]
        guard var mode = modes[policy.mode] else {
            throw RuntimeError(.invalid, "unknown memory policy \"\(policy.mode)\"")
        }
        let flags: [String: Int32] = [
            "MPOL_F_NUMA_BALANCING": 1 << 13, "MPOL_F_RELATIVE_NODES": 1 << 14, "MPOL_F_STATIC_NODES": 1 << 15,
        ]
        for flag in policy.flags ?? [] {
            guard let bit = flags[flag] else { throw RuntimeError(.invalid, "unknown memory policy flag \"\(flag)\"") }
            mode |= bit
        }
        guard let nodes = NumberList.parse(policy.nodes ?? "") else {
            throw RuntimeError(.invalid, "\"\(policy.nodes ?? "")\" is not a list of memory nodes")
        }
        try attempt("setting the memory policy \(policy.mode)") { () throws(Errno) in
            try ProcessAttributes.setMemoryPolicy(mode: mode, nodes: nodes)
        }
    }
}
