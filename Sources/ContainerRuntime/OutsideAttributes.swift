import LinuxKernel
import OCISpec
import SystemPackage

/// What a process in a new user namespace lacks the rights to set about itself, while the caller has them: set from
/// outside, before it goes on.
enum OutsideAttributes {
    static func apply(_ process: Process, to pid: Int32) throws(RuntimeError) {
        if let value = process.oomScoreAdj {
            try attempt("failed to update /proc/\(pid)/oom_score_adj to \(value)") { () throws(Errno) in
                try Files.write("\(value)", to: FilePath("/proc/\(pid)/oom_score_adj"))
            }
        }
        try raiseLimits(process, of: pid)
    }

    /// Makes room for limits above those inherited. The process sets them itself, when they are no hindrance any more.
    ///
    /// - Parameter pid: 0 for the calling process.
    static func raiseLimits(_ process: Process, of pid: Int32) throws(RuntimeError) {
        for limit in process.rlimits ?? [] {
            guard let kind = ResourceLimit(name: limit.type) else { continue }
            try attempt("error setting rlimit type \(kind.rawValue)") { () throws(Errno) in
                // The process has what the caller has.
                let own = try kind.get()
                if limit.hard > own.hard { try kind.set(soft: min(own.soft, limit.hard), hard: limit.hard, pid: pid) }
            }
        }
    }
}
