import Glibc
import LinuxKernel
import SystemPackage

/// Fills an empty volume with what the image has at the place where it is mounted, with all that belongs to the files,
/// and gives it the directory's owner and mode.
///
/// The files are copied into a directory within the volume first, and then moved to where they belong. If that is still
/// there later on, the daemon was killed meanwhile: the volume counts as empty, and is filled once more, without what
/// has arrived already. Whoever fills the same volume waits.
package enum VolumePopulation {
    /// The directory in the volume in which the copy is made.
    private static let staging = ".masu-copy"

    /// Whether a daemon was killed while it filled the volume. Blocks.
    package static func isUnfinished(_ volume: FileDescriptor) -> Bool {
        // What cannot be looked at is not filled either.
        (try? volume.open(staging, [.path, .directory, .noFollow]))?.discard() != nil
    }

    /// Whether there may be something to do for a volume. Blocks.
    static func mayBeEmpty(_ volume: FilePath) -> Bool {
        // The error comes again when it is opened to be filled.
        guard let names = try? DirectoryListing.names(of: volume) else { return true }
        return names.isEmpty || names.contains(Array(staging.utf8))
    }

    /// Fills the volume, if it is empty and `path` in the tree `root` is a directory. Both are handles. Blocks.
    package static func fill(_ volume: FileDescriptor, from path: String, in root: FileDescriptor) throws {
        let volume = try volume.open(".", [.readOnly, .directory])
        // The lock goes with the descriptor.
        defer { volume.discard() }
        // A file system without locks is filled without.
        _ = flock(volume.rawValue, LOCK_EX)
        let names = try DirectoryListing.names(of: volume.rawValue)
        let isUnfinished = names.contains(Array(staging.utf8))
        guard names.isEmpty || isUnfinished else { return }
        if isUnfinished { try TreeRemoval.remove(Array(staging.utf8), in: volume.rawValue) }
        guard let source = try directory(path, in: root) else { return }
        defer { source.discard() }
        if try !DirectoryListing.names(of: source.rawValue).isEmpty { try copy(source, to: volume) }
        try TreeCopy.copyAttributes(of: source, to: volume)
    }

    private static func copy(_ source: FileDescriptor, to volume: FileDescriptor) throws {
        do {
            try volume.makeDirectory(staging, mode: 0o700)
            let copy = try volume.open(staging, [.readOnly, .directory, .noFollow])
            defer { copy.discard() }
            try TreeCopy.copy(source.procPath, to: copy.procPath)
            // Right also for what a crash leaves from here on: it is all there.
            try TreeCopy.copyAttributes(of: source, to: volume)
            try DirectoryMerge.move(from: copy, to: volume)
        } catch {
            // The volume is as it was, or nearly: this is not what the caller has to be told.
            try? TreeRemoval.remove(Array(staging.utf8), in: volume.rawValue)
            throw error
        }
        try TreeRemoval.remove(Array(staging.utf8), in: volume.rawValue)
    }

    /// The directory at `path`; nil: there is none. Only directories become the content of a volume.
    private static func directory(_ path: String, in root: FileDescriptor) throws(Errno) -> FileDescriptor? {
        do throws(Errno) {
            return try root.openInRoot(path, [.readOnly, .directory])
        } catch  where error == .noSuchFileOrDirectory || error == .notDirectory {
            return nil
        }
    }
}
