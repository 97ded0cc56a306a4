import CLinux
import Glibc
import SystemPackage

/// The value of a `CLinux` function, which gives a negated errno for failure.
@discardableResult
func checked(_ result: Int) throws(Errno) -> Int {
    if result < 0 { throw Errno(rawValue: CInt(truncatingIfNeeded: -result)) }
    return result
}

/// As `checked`, of a call that is made again when a signal interrupted it.
@discardableResult
func retried(_ call: () -> Int) throws(Errno) -> Int {
    while true {
        let result = call()
        if result != -Int(Errno.interrupted.rawValue) { return try checked(result) }
    }
}

/// The descriptor that a `CLinux` function opened.
func descriptor(_ result: Int) throws(Errno) -> FileDescriptor {
    FileDescriptor(rawValue: CInt(try checked(result)))
}

extension FileDescriptor {
    /// In place of a directory's descriptor: paths are relative to the working directory (`AT_FDCWD`).
    package static let workingDirectory = FileDescriptor(rawValue: AT_FDCWD)

    /// The path by which this process can name what the descriptor refers to, as long as procfs is mounted.
    package var procPath: FilePath { FilePath("/proc/self/fd/\(rawValue)") }

    /// Closes the descriptor where an error could only be a programming mistake and there is nothing to be saved.
    package func discard() {
        // The kernel releases the descriptor whatever close(2) returns.
        try? close()
    }

    /// Whether it is closed when this process executes another program.
    package func setCloseOnExec(_ enabled: Bool) throws(Errno) {
        try setDescriptorFlags(enabled ? Int(FD_CLOEXEC) : 0)
    }
}
