import CLinux
import SystemPackage

/// Disk space that belongs to a file before it is written.
package enum ReservedSpace {
    /// Reserves blocks for the first `length` bytes of the file at `path`, whose length does not change; fallocate(2)
    /// with `FALLOC_FL_KEEP_SIZE`.
    ///
    /// - Throws: `Errno.notSupportedOnSocket` (`EOPNOTSUPP`) where the file system cannot, `noSpace` where there is
    ///   none.
    package static func reserve(_ length: Int64, for path: FilePath) throws(Errno) {
        let file = try Files.open(path, .readWrite)
        defer { file.discard() }
        let result = masu_reserve(file.rawValue, length)
        if result < 0 { throw Errno(rawValue: Int32(-result)) }
    }
}
