import Glibc
import LinuxKernel
import SystemPackage

/// Open descriptors of the directories that entries were last put into.
///
/// Entries of one directory follow each other in an archive, so that resolving the path again for each would be most
/// of the work. A descriptor stays right as long as no directory or symbolic link is replaced; the one who does that
/// calls `forget`.
final class DirectoryCache {
    /// A directory that may be written to.
    struct Directory {
        let descriptor: Int32
        /// Whether new files take the directory's group, instead of the process's.
        let setsGroup: Bool
    }

    private struct Slot {
        var path: [UInt8]
        var directory: Directory
        var lastUse: UInt64
    }

    private let root: Int32
    private var slots: [Slot] = []
    private var clock: UInt64 = 0
    private static let capacity = 24

    /// A cache below the given directory, which stays the caller's.
    init(root: Int32) { self.root = root }

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

    /// Closes all descriptors; the next use resolves anew.
    func forget() {
        for slot in slots { close(slot.directory.descriptor) }
        slots.removeAll(keepingCapacity: true)
    }

    private func open(_ path: ArraySlice<UInt8>) throws(ArchiveError) -> Directory? {
        let descriptor = RootedPath.open(
            root, path.isEmpty ? [UInt8(ascii: "."), 0] : Array(path) + [0], O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if descriptor < 0 {
            let code = errno
            if code == ENOENT { return nil }
            throw .system("open directory", String(decoding: path, as: UTF8.self), Errno(rawValue: code))
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let code = errno
            close(descriptor)
            throw .system("stat", String(decoding: path, as: UTF8.self), Errno(rawValue: code))
        }
        return Directory(descriptor: descriptor, setsGroup: status.st_mode & S_ISGID != 0)
    }
}
