import LinuxKernel
import Synchronization
import SystemPackage

/// Limits for what volumes take: projects on ext4 and xfs, subvolumes on btrfs.
final class QuotaControl: Sendable {
    /// Where all volumes are.
    let root: FilePath
    /// Held from the choice of a project until it has a limit: one after the other.
    private let choice = Mutex(())
    /// Held while the quota of a project is read or set: before Linux 5.14 that takes a device node in `root`, which
    /// has one name for the whole process.
    private let quota = Mutex(())

    init(root: FilePath) { self.root = root }

    private enum Kind {
        case projects, subvolumes
    }

    /// Whether the file system can limit a directory now: an administrator may mount it anew.
    var isSupported: Bool { kind != nil }

    private var kind: Kind? {
        do throws(Errno) {
            switch try FileSystemType.of(root) {
            case .btrfs: return .subvolumes
            case .ext, .xfs:
                _ = try usage(of: Self.firstProject)
                return .projects
            default: return nil
            }
        } catch .noSuchFileOrDirectory {
            // It counts, and has seen nothing of this project.
            return .projects
        } catch {
            return nil
        }
    }

    /// The first project that may be a volume's. Numbers this high leave those alone that people choose by hand, and
    /// those of other engines, which count from 1.
    private static let firstProject: UInt32 = 0x4d61_0000
    private static let projects: UInt32 = 1 << 16

    /// Makes a directory whose files take at most so many bytes.
    ///
    /// - Returns: The project, if it is one that limits.
    func makeDirectory(_ path: FilePath, size: Int64) throws(VolumesError) -> UInt32? {
        do throws(Errno) {
            switch kind {
            case .subvolumes:
                try BtrfsSubvolume.enableQuota(root)
                try BtrfsSubvolume.create(path)
                try attempt(path) { () throws(Errno) in try BtrfsSubvolume.setLimit(path, bytes: UInt64(size)) }
                return nil
            case .projects:
                return try choice.withLock { _ throws(Errno) in
                    let project = try freeProject()
                    try Files.makeDirectory(path, mode: 0o755)
                    try attempt(path) { () throws(Errno) in
                        try ProjectQuota.assign(project, to: path)
                        try setLimit(of: project, bytes: size)
                    }
                    return project
                }
            case nil: throw .notSupported
            }
        } catch {
            throw .system("cannot limit \(path) to \(size) bytes: \(error)")
        }
    }

    /// Does more with a directory that is new, and takes it away after an error.
    private func attempt(_ path: FilePath, _ body: () throws(Errno) -> Void) throws(Errno) {
        do throws(Errno) {
            try body()
            try FileDescriptor.workingDirectory.changeMode(path.string, mode: 0o755)
        } catch {
            // It is empty, and the error that matters is the first one.
            if (try? BtrfsSubvolume.exists(path)) ?? false { try? BtrfsSubvolume.remove(path) }
            try? Files.removeDirectory(path)
            throw error
        }
    }

    /// The bytes that a project takes and may take; see `ProjectQuota.usage`.
    private func usage(of project: UInt32) throws(Errno) -> (used: UInt64, limit: UInt64) {
        try quota.withLock { _ throws(Errno) in try ProjectQuota.usage(of: project, in: root) }
    }

    /// How many bytes a project may take, in whole blocks of 512, as the kernel counts; 0 for all that there are.
    private func setLimit(of project: UInt32, bytes: Int64) throws(Errno) {
        let whole = (UInt64(bytes) + 511) / 512 * 512
        try quota.withLock { _ throws(Errno) in try ProjectQuota.setLimit(of: project, in: root, bytes: whole) }
    }

    /// A project that has neither files nor a limit.
    private func freeProject() throws(Errno) -> UInt32 {
        for project in Self.firstProject..<(Self.firstProject + Self.projects) {
            do throws(Errno) {
                let (used, limit) = try usage(of: project)
                if used == 0, limit == 0 { return project }
            } catch .noSuchFileOrDirectory {
                return project
            }
        }
        throw .noSpace
    }

    /// Frees the project of a volume that is gone.
    func forget(_ project: UInt32) {
        // A limit on nothing does no harm, and such a project is only left out by those who look for a free one.
        try? setLimit(of: project, bytes: 0)
    }

    /// Whether a directory is the root of a subvolume of btrfs.
    func isSubvolume(_ path: FilePath) throws(Errno) -> Bool {
        guard try FileSystemType.of(root) == .btrfs else { return false }
        do throws(Errno) { return try BtrfsSubvolume.exists(path) } catch .noSuchFileOrDirectory { return false }
    }
}
