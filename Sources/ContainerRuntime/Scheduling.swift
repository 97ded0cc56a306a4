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

/// On which CPUs a process may run.
enum AffinitySetup {
    /// Undoes what the caller's own process is bound to, which is not the container's business: the kernel leaves of
    /// all CPUs those of the control group.
    static func reset() {
        // A caller that may not do this is bound to no more than it may use.
        try? ProcessAttributes.setAffinityToAll()
    }

    /// Binds this process to the CPUs of `list`.
    static func set(_ list: String) throws(RuntimeError) {
        guard let cpus = NumberList.parse(list) else {
            throw RuntimeError(.invalid, "execCPUAffinity: \"\(list)\" is not a list of CPUs")
        }
        try attempt("cannot set the CPU affinity to \(list)") { () throws(Errno) in
            try ProcessAttributes.setAffinity(cpus)
        }
    }
}

/// Scheduling and memory policies.
enum SchedulerSetup {
    /// `isBound`: to some of the CPUs, which the deadline policy does not go with.
    static func apply(_ scheduler: Scheduler, isBound: Bool) throws(RuntimeError) {
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
        do throws(Errno) {
            try ProcessAttributes.setScheduler(
                policy: policy, flags: flags, nice: scheduler.nice ?? 0,
                priority: UInt32(clamping: scheduler.priority ?? 0), runtime: scheduler.runtime ?? 0,
                deadline: scheduler.deadline ?? 0, period: scheduler.period ?? 0)
        } catch .notPermitted where isBound {
            throw RuntimeError(.invalid, "process scheduler can't be used together with AllowedCPUs")
        } catch {
            throw RuntimeError(.system, "cannot set the scheduling policy \(scheduler.policy): \(error.words)")
        }
    }

    static func apply(_ policy: LinuxMemoryPolicy) throws(RuntimeError) {
        let modes: [String: Int32] = [
            "MPOL_DEFAULT": 0, "MPOL_PREFERRED": 1, "MPOL_BIND": 2, "MPOL_INTERLEAVE": 3, "MPOL_LOCAL": 4,
            "MPOL_PREFERRED_MANY": 5, "MPOL_WEIGHTED_INTERLEAVE": 6,
        ]
        guard var mode = modes[policy.mode] else {
            throw RuntimeError(.invalid, "invalid memory policy mode \"\(policy.mode)\"")
        }
        let flags: [String: Int32] = [
            "MPOL_F_NUMA_BALANCING": 1 << 13, "MPOL_F_RELATIVE_NODES": 1 << 14, "MPOL_F_STATIC_NODES": 1 << 15,
        ]
        for flag in policy.flags ?? [] {
            guard let bit = flags[flag] else { throw RuntimeError(.invalid, "invalid memory policy flag \"\(flag)\"") }
            mode |= bit
        }
        guard let nodes = NumberList.parse(policy.nodes ?? "") else {
            throw RuntimeError(.invalid, "invalid memory policy nodes \"\(policy.nodes ?? "")\": not a list of numbers")
        }
        let takesNone = ["MPOL_DEFAULT", "MPOL_LOCAL"].contains(policy.mode)
        if takesNone, !nodes.isEmpty {
            throw RuntimeError(.invalid, "memory policy mode requires 0 nodes but got \(nodes.count)")
        }
        if !takesNone, policy.mode != "MPOL_PREFERRED", nodes.isEmpty {
            throw RuntimeError(.invalid, "memory policy mode requires at least one node but got 0")
        }
        try attempt("cannot set the memory policy \(policy.mode)") { () throws(Errno) in
            try ProcessAttributes.setMemoryPolicy(mode: mode, nodes: nodes)
        }
    }
}
