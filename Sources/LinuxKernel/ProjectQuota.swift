import CLinux
import Glibc
import SystemPackage

/// Limits for trees of files on ext4 and xfs: what is made below a directory with a project counts for the project.
/// The file system has to be mounted with `prjquota`.
package enum ProjectQuota {
    /// Gives a directory a project, which everything that is made below it from now on inherits;
    /// ioctl_xfs_fssetxattr(2).
    package static func assign(_ project: UInt32, to directory: FilePath) throws(Errno) {
        let handle = try Files.open(directory, [.readOnly, .directory, .noFollow])
        defer { handle.discard() }
        try checked(masu_set_project(handle.rawValue, project))
    }

    /// The bytes that a project takes and may take, 0 meaning all that there are, on the file system of `directory`.
    ///
    /// - Throws: `.noSuchProcess` if the file system does not count for projects at all, `.noSuchFileOrDirectory` if it
    ///   has never heard of this one.
    package static func usage(
        of project: UInt32, in directory: FilePath
    ) throws(Errno) -> (used: UInt64, limit: UInt64) {
        var (used, limit): (UInt64, UInt64) = (0, 0)
        try onDevice(of: directory) { file, device in
            masu_get_project_quota(file, device, project, &used, &limit)
        }
        return (used, limit)
    }

    /// How many bytes a project may take, 0 meaning all that there are; quotactl(2).
    package static func setLimit(of project: UInt32, in directory: FilePath, bytes: UInt64) throws(Errno) {
        try onDevice(of: directory) { file, device in masu_set_project_quota(file, device, project, bytes) }
    }

    /// By a descriptor, or for kernels older than 5.14 by the path of the block device, which need not have one: then a
    /// node is made for it.
    private static func onDevice(
        of directory: FilePath, _ body: (CInt, UnsafePointer<CChar>?) -> Int
    ) throws(Errno) {
        let handle = try Files.open(directory, [.readOnly, .directory])
        defer { handle.discard() }
        let result = body(handle.rawValue, nil)
        guard result == -Int(ENOSYS) else {
            try checked(result)
            return
        }
        let device = try FileStatus.of(handle).device
        let name = ".device-\(getpid())"
        try handle.makeNode(name, mode: S_IFBLK | 0o600, major: masu_major(device), minor: masu_minor(device))
        let status = directory.appending(name).withPlatformString { body(handle.rawValue, $0) }
        try handle.remove(name)
        try checked(status)
    }
}
