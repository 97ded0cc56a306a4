import CLinux
import Glibc
import SystemPackage

/// Subvolumes of btrfs: trees that are copied in no time; ioctl_btrfs in btrfs(5).
package enum BtrfsSubvolume {
    /// The inode number of every subvolume's root.
    private static let rootInode: UInt64 = 256

    /// Makes an empty subvolume at `path`, or a writable snapshot of the one at `source`.
    package static func create(_ path: FilePath, of source: FilePath? = nil) throws(Errno) {
        guard let name = path.lastComponent else { throw .invalidArgument }
        let directory = try Files.open(path.removingLastComponent(), [.readOnly, .directory])
        defer { directory.discard() }
        guard let source else {
            try checked(name.withPlatformString { masu_btrfs_create(directory.rawValue, $0, -1) })
            return
        }
        let origin = try Files.open(source, [.readOnly, .directory])
        defer { origin.discard() }
        try checked(name.withPlatformString { masu_btrfs_create(directory.rawValue, $0, origin.rawValue) })
    }

    /// Whether nothing can be changed in the subvolume.
    package static func setReadOnly(_ path: FilePath, _ isReadOnly: Bool) throws(Errno) {
        let subvolume = try Files.open(path, [.readOnly, .directory])
        defer { subvolume.discard() }
        var flags: UInt64 = 0
        try checked(masu_btrfs_get_flags(subvolume.rawValue, &flags))
        let readOnlyFlag: UInt64 = 2
        let wanted = isReadOnly ? flags | readOnlyFlag : flags & ~readOnlyFlag
        if wanted != flags { try checked(masu_btrfs_set_flags(subvolume.rawValue, wanted)) }
    }

    /// Limits how many bytes the files of the subvolume at `path` take together. The file system counts for each
    /// subvolume from the first limit on, which makes it somewhat slower.
    package static func setLimit(_ path: FilePath, bytes: UInt64) throws(Errno) {
        let subvolume = try Files.open(path, [.readOnly, .directory])
        defer { subvolume.discard() }
        try checked(masu_btrfs_limit(subvolume.rawValue, bytes))
    }

    /// Has the file system of `path` count what each subvolume takes; a subvolume has to be made after that to have a
    /// limit at once.
    package static func enableQuota(_ path: FilePath) throws(Errno) {
        let directory = try Files.open(path, [.readOnly, .directory])
        defer { directory.discard() }
        try checked(masu_btrfs_enable_quota(directory.rawValue))
    }

    /// Whether `path` is the root of a subvolume, on a file system that is btrfs.
    package static func exists(_ path: FilePath) throws(Errno) -> Bool {
        let status = try FileStatus.of(path, followingSymlinks: false)
        return status.isDirectory && status.inode == rootInode
    }

    /// Deletes the subvolume at `path`, and those that somebody made within it.
    package static func remove(_ path: FilePath) throws(Errno) {
        guard let name = path.lastComponent else { throw .invalidArgument }
        let directory = try Files.open(path.removingLastComponent(), [.readOnly, .directory])
        defer { directory.discard() }
        try remove(
            name.withPlatformString { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) } + [0],
            in: directory.rawValue)
    }

    private static func remove(_ name: [UInt8], in directory: Int32) throws(Errno) {
        do throws(Errno) {
            try checked(call(name) { masu_btrfs_destroy(directory, $0) })
        } catch .directoryNotEmpty {
            // Only other subvolumes are in the way; files are not.
            let subvolume = try open(name, in: directory)
            defer { close(subvolume) }
            var flags: UInt64 = 0
            try checked(masu_btrfs_get_flags(subvolume, &flags))
            let readOnly = UInt64(BTRFS_SUBVOL_RDONLY)
            if flags & readOnly != 0 { try checked(masu_btrfs_set_flags(subvolume, flags & ~readOnly)) }
            try removeSubvolumes(in: subvolume, depth: 0)
            try checked(call(name) { masu_btrfs_destroy(directory, $0) })
        }
    }

    private static func removeSubvolumes(in directory: Int32, depth: Int) throws(Errno) {
        // Each level has a descriptor. Only an attacker makes trees this deep.
        guard depth < 512 else { throw .fileNameTooLong }
        for name in try DirectoryListing.names(of: directory) {
            let name = name + [0]
            var status = stat()
            guard call(name, { Int(fstatat(directory, $0, &status, AT_SYMLINK_NOFOLLOW)) }) == 0 else {
                throw Errno(rawValue: errno)
            }
            guard status.st_mode & S_IFMT == S_IFDIR else { continue }
            if UInt64(status.st_ino) == rootInode {
                try remove(name, in: directory)
                continue
            }
            let child = try open(name, in: directory)
            defer { close(child) }
            try removeSubvolumes(in: child, depth: depth + 1)
        }
    }

    private static func open(_ name: [UInt8], in directory: Int32) throws(Errno) -> Int32 {
        let result = call(name) { Int(openat(directory, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) }
        guard result >= 0 else { throw Errno(rawValue: errno) }
        return Int32(result)
    }

    private static func call(_ name: [UInt8], _ body: (UnsafePointer<CChar>) -> Int) -> Int {
        name.withUnsafeBytes { body($0.bindMemory(to: CChar.self).baseAddress.unsafelyUnwrapped) }
    }
}
