import GRDB
import LinuxKernel
import Synchronization
import SystemPackage

// Limits on what snapshots take, where the driver keeps them in directories of ext4 or xfs: a project for each.
extension SnapshotTable {
    /// Numbers this high leave those alone that people choose by hand, those of volumes and those of other engines.
    private static let projects: Range<UInt32> = 0x4d62_0000..<0x4d72_0000

    /// Held while the quota of a project is read or set: before Linux 5.14 that takes a device node in `root`, which
    /// has one name for the whole process.
    private static let quota = Mutex(())

    /// The bytes that a project takes and may take; see `ProjectQuota.usage`.
    private func usage(ofProject project: UInt32) throws(Errno) -> (used: UInt64, limit: UInt64) {
        try Self.quota.withLock { _ throws(Errno) in try ProjectQuota.usage(of: project, in: root) }
    }

    /// How many bytes a project may take, in whole blocks of 512, as the kernel counts; 0 for all that there are.
    private func setLimit(ofProject project: UInt32, bytes: Int64) throws(Errno) {
        let whole = (UInt64(bytes) + 511) / 512 * 512
        try Self.quota.withLock { _ throws(Errno) in
            try ProjectQuota.setLimit(of: project, in: root, bytes: whole)
        }
    }

    /// Whether the file system can limit a directory now: an administrator may mount it anew.
    var countsProjects: Bool {
        do throws(Errno) {
            guard [.ext, .xfs].contains(try FileSystemType.of(root)) else { return false }
            _ = try usage(ofProject: Self.projects.lowerBound)
            return true
        } catch .noSuchFileOrDirectory {
            // It counts, and has seen nothing of this project.
            return true
        } catch {
            return false
        }
    }

    /// Limits a new snapshot, whose directories are empty, to so many bytes.
    func limit(_ id: Int64, to bytes: Int64, in database: Database) throws {
        let directory = directory(of: id)
        let project: UInt32
        do throws(Errno) {
            project = try freeProject(for: id)
            do throws(Errno) {
                // All of them, since files are renamed from one to the other, which the kernel does within a project
                // only.
                for path in [directory, files(of: id), work(of: id)] where Files.exists(path) {
                    try ProjectQuota.assign(project, to: path)
                }
                try setLimit(ofProject: project, bytes: bytes)
            } catch {
                forget(project)
                throw error
            }
        } catch {
            throw SnapshotError.system("limit to \(bytes) bytes", directory, error)
        }
        do {
            try database.execute(sql: "UPDATE snapshot SET project = ? WHERE id = ?", arguments: [project, id])
        } catch {
            forget(project)
            throw error
        }
    }

    /// A project that has neither files nor a limit. That of the snapshot's own number is free, unless another data
    /// root on the file system or a crash has left something there.
    private func freeProject(for id: Int64) throws(Errno) -> UInt32 {
        let count = Int64(Self.projects.count)
        for offset in 0..<count {
            let project = Self.projects.lowerBound + UInt32((id + offset) % count)
            do throws(Errno) {
                let (used, limit) = try usage(ofProject: project)
                if used == 0, limit == 0 { return project }
            } catch .noSuchFileOrDirectory {
                return project
            }
        }
        throw .noSpace
    }

    /// Frees the project of a snapshot that is gone.
    func forget(_ project: UInt32?) {
        guard let project else { return }
        // A limit on nothing does no harm, and such a project is only left out by those who look for a free one.
        try? setLimit(ofProject: project, bytes: 0)
    }
}
