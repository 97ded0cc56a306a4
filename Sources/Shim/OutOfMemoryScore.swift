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
