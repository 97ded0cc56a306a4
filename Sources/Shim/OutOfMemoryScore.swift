import LinuxKernel
import SystemPackage

/// How likely the kernel is to kill this process when memory is out; `oom_score_adj` in proc(5).
enum OutOfMemoryScore {
    private static let file: FilePath = "/proc/self/oom_score_adj"

    /// The present value; `nil` if it cannot be read.
    static func get() -> Int? {
        (try? Files.readText(file)).flatMap { Int($0) }
    }

    /// Sets it.
    ///
    /// - Throws: `.permissionDenied` without CAP_SYS_RESOURCE, when it is to become smaller.
    static func set(_ value: Int) throws(Errno) {
        try Files.write("\(value)", to: file)
    }
}

/// The shim's claim not to be killed for want of memory: with it its containers' logs and exit records would be lost.
final class OutOfMemoryExemption {
    /// Nearly exempt.
    private static let score = -999
    /// The score that this process was started with, which is what all processes of its containers get.
    let usual = OutOfMemoryScore.get()
    private var isClaimed = false

    /// Makes the shim exempt.
    func claim() {
        if isClaimed { return }
        isClaimed = true
        // The kernel refuses this to unprivileged users; the shim is as likely a victim as others then.
        try? OutOfMemoryScore.set(Self.score)
    }

    /// Makes the shim, and what it executes from now on, as likely a victim as others.
    func suspend() {
        guard isClaimed, let usual else { return }
        isClaimed = false
        try? OutOfMemoryScore.set(usual)  // Fails for no process that has been allowed to claim less.
    }
}
