import CLinux
import SystemPackage

/// Files without a name that live in memory; memfd_create(2).
package enum MemoryFile {
    /// An empty file; `name` is for people who look into `/proc`. Close-on-exec.
    package static func create(_ name: String, allowingSeals: Bool = false) throws(Errno) -> FileDescriptor {
        try descriptor(
            name.withCString {
                masu_memfd_create($0, UInt32(allowingSeals ? MFD_CLOEXEC | MFD_ALLOW_SEALING : MFD_CLOEXEC))
            })
    }
}
