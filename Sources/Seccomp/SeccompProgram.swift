import CLinux
import LinuxKernel
import OCISpec
import SystemPackage

/// A system call filter as the kernel takes it: a classic BPF program and the flags of seccomp(2).
package struct SeccompProgram: Hashable, Sendable {
    /// The instructions (`struct sock_filter`), eight bytes each.
    package var instructions: [UInt8]
    /// `SECCOMP_FILTER_FLAG_*`.
    package var flags: UInt32

    /// A program compiled earlier.
    package init(instructions: [UInt8], flags: UInt32) {
        self.instructions = instructions
        self.flags = flags
    }

    /// How many instructions there are.
    package var count: Int { instructions.count / 8 }

    /// Whether another process is asked about some system calls.
    package var notifies: Bool { flags & Self.newListener != 0 }

    /// Puts the calling thread under the filter, for good. Needs no_new_privs or CAP_SYS_ADMIN.
    ///
    /// - Returns: For a program that notifies the listener, by which questions are answered; close-on-exec.
    @discardableResult
    package func load() throws(Errno) -> FileDescriptor? {
        let count = UInt16(clamping: count)
        let result = instructions.withUnsafeBytes { masu_seccomp_load($0.baseAddress, count, flags) }
        if result < 0 { throw Errno(rawValue: CInt(-result)) }
        return notifies ? FileDescriptor(rawValue: CInt(result)) : nil
    }

    static let newListener: UInt32 = 8
    static let waitKillable: UInt32 = 32

    /// The bits of a profile's flags. TSYNC has none: it is about other threads, and there are none.
    static let flagBits: [String: UInt32] = [
        "SECCOMP_FILTER_FLAG_TSYNC": 0, "SECCOMP_FILTER_FLAG_LOG": 2, "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4,
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": waitKillable,
    ]
}
