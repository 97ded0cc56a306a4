import CLinux
import Glibc
import LinuxKernel
import SystemPackage

/// Open descriptors of the directories that entries were last put into.
///
/// Entries of one directory follow each other in an archive, so that resolving the path again for each would be most
/// of the work. A descriptor stays right as long as no directory or symbolic link is replaced; code that replaces
/// one calls `forget`.
final class DirectoryCache {
    /// A directory that may be written to.
    struct Directory {
        let descriptor: Int32
        /// Whether new files take the directory's group, instead of the process's.
        let setsGroup: Bool
        /// Whether new files take an access list from the directory, and a mode that is not the one asked for.
        let hasDefaultACL: Bool
    }

    private struct Slot {
        var path: [UInt8]
        var directory: Directory
        var lastUse: UInt64
    }

    private struct Inode: Hashable {
        let device: UInt64
        let number: UInt64
    }

    private let root: Int32
    private var slots: [Slot] = []
    private var clock: UInt64 = 0
    private let remembersTimes: Bool
    /// The path by which a directory was first opened, and the time it then had.
    private var times: [Inode: (path: [UInt8], modified: timespec)] = [:]
    private static let capacity = 24
    /// `UTIME_OMIT` of utimensat(2), a macro that glibc's module does not show.
    private static let omitted = (1 << 30) - 2

    /// A cache below the given directory, which stays the caller's.
    ///
    /// - Parameter remembersTimes: for `restoreTimes`.
    init(root: Int32, remembersTimes: Bool = false) {
        self.root = root
        self.remembersTimes = remembersTimes
    }

    deinit { forget() }

    /// The directory at `path` (relative, clean) inside the root, symbolic links in it followed as if the root were
    /// `/`; `nil` if it does not exist.
    func directory(at path: ArraySlice<UInt8>) throws(ArchiveError) -> Directory? {
        clock += 1
        for index in slots.indices where slots[index].path.elementsEqual(path) {
            slots[index].lastUse = clock
            return slots[index].directory
        }
        guard let directory = try open(path) else { return nil }
        if slots.count == Self.capacity, let oldest = slots.indices.min(by: { slots[$0].lastUse < slots[$1].lastUse }) {
            close(slots[oldest].directory.descriptor)
            slots.remove(at: oldest)
        }
        slots.append(Slot(path: Array(path), directory: directory, lastUse: clock))
        return directory
    }

    /// Whether the directory at `path` has been resolved, and is still open.
    func isOpen(_ path: ArraySlice<UInt8>) -> Bool { slots.contains { $0.path.elementsEqual(path) } }

    /// Closes all descriptors; the next use resolves anew.
    func forget() {
        for slot in slots { close(slot.directory.descriptor) }
        slots.removeAll(keepingCapacity: true)
    }

    /// Gives directories the modification time that they had when they were first opened, except those at the paths
    /// `made`.
    func restoreTimes(except made: Set<ArraySlice<UInt8>>) throws(ArchiveError) {
        for (inode, found) in times where !made.contains(found.path[...]) {
            let directory = Self.open(found.path[...], in: root)
            guard directory >= 0 else { continue }
            defer { close(directory) }
            var status = stat()
            // It may have been removed, and something else be there.
            guard fstat(directory, &status) == 0, Self.inode(status) == inode else { continue }
            var omitted = timespec()
            omitted.tv_nsec = Self.omitted
            var both = (omitted, found.modified)
            let result = withUnsafeBytes(of: &both) {
                futimens(directory, $0.bindMemory(to: timespec.self).baseAddress)
            }
            guard result == 0 else { throw .system("set times", shownName(found.path), Errno(rawValue: errno)) }
        }
    }

    private static func open(_ path: ArraySlice<UInt8>, in root: Int32) -> Int32 {
        RootedPath.open(
            root, path.isEmpty ? [UInt8(ascii: "."), 0] : Array(path) + [0], O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    }

    private static func inode(_ status: stat) -> Inode {
        Inode(device: UInt64(status.st_dev), number: UInt64(status.st_ino))
    }

    private func open(_ path: ArraySlice<UInt8>) throws(ArchiveError) -> Directory? {
        let descriptor = Self.open(path, in: root)
        if descriptor < 0 {
            let code = errno
            if code == ENOENT { return nil }
            throw .system("open directory", shownName(path), Errno(rawValue: code))
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let code = errno
            close(descriptor)
            throw .system("stat", shownName(path), Errno(rawValue: code))
        }
        if remembersTimes, times[Self.inode(status)] == nil {
            times[Self.inode(status)] = (Array(path), status.st_mtim)
        }
        return Directory(
            descriptor: descriptor, setsGroup: status.st_mode & S_ISGID != 0,
            hasDefaultACL: fgetxattr(descriptor, "system.posix_acl_default", nil, 0) > 0)
    }
}
