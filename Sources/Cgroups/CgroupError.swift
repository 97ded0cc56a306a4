import LinuxKernel
import SystemPackage

/// Why a control group could not be made, set or asked.
package struct CgroupError: Error, Hashable, Sendable {
    /// What failed, in what file, and the kernel's words.
    package var message: String
    /// The kernel's error, if there was one.
    package var errno: Errno?

    init(_ message: String, _ errno: Errno? = nil) {
        self.message = errno.map { "\(message): \($0.words)" } ?? message
        self.errno = errno
    }
}

extension CgroupError: CustomStringConvertible {
    package var description: String { message }
}
