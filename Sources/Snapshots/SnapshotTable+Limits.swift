import GRDB
import LinuxKernel
import SystemPackage

// Limits on what snapshots take, where the driver keeps them in directories of ext4 or xfs: a project for each.
extension SnapshotTable {
    /// Numbers this high leave those alone that people choose by hand, those of volumes and those of other engines.
    private static let projects: Range<UInt32> = 0x4d62_0000..<0x4d72_0000

    /// Whether the file system can limit a directory now: an administrator may mount it anew.
    var countsProjects: Bool {
        do throws(Errno) {
            guard [.ext, .xfs].contains(try FileSystemType.of(root)) else { return false }
            _ = try ProjectQuota.usage(of: Self.projects.lowerBound, in: root)
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
                try ProjectQuota.setLimit(of: project, in: root, bytes: UInt64(bytes))
            } catch {
                forget(project)
                throw error
            }
        } catch {
            throw SnapshotError.system("limit to \(bytes) bytes", directory, error)
        }
        try database.execute(sql: "UPDATE snapshot SET project = ? WHERE id = ?", arguments: [project, id])
    }

    /// A project that has neither files nor a limit. That of the snapshot's own number is free, unless another data
    /// root on the file system or a crash has left something there.
    private func freeProject(for id: Int64) throws(Errno) -> UInt32 {
        let count = Int64(Self.projects.count)
        for offset in 0..<count {
            let project = Self.projects.lowerBound + UInt32((id + offset) % count)
            do throws(Errno) {
                let (used, limit) = try ProjectQuota.usage(of: project, in: root)
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
        try? ProjectQuota.setLimit(of: project, in: root, bytes: 0)
    }
}
