import Glibc
import LinuxKernel
import SystemPackage
import Tar

// The directories of snapshots, the same for all drivers: `<id>/fs`, and `<id>/work` where overlayfs wants one.
extension SnapshotTable {
    /// Opens the driver's directory, and removes what a crash left: staged snapshots that nobody can finish, and
    /// directories without a row.
    func recover() throws(SnapshotError) {
        for path in [root.removingLastComponent(), root] where !path.isEmpty {
            // Others must not pass: there are set-user-id programs of any age below.
            guard path.withPlatformString({ mkdir($0, 0o700) }) == 0 || errno == EEXIST else {
                throw .system("create directory", path, Errno(rawValue: errno))
            }
        }
        try write { database in
            try database.execute(sql: "DELETE FROM snapshot WHERE driver = ? AND state = 'staged'", arguments: [driver])
        }
        let known = Set(try read { try all(in: $0).map { String($0.id) } })
        let names: [[UInt8]]
        do {
            names = try DirectoryListing.names(of: root)
        } catch {
            throw .system("list", root, error)
        }
        for name in names.map({ String(decoding: $0, as: UTF8.self) })
        where !known.contains(name) && !otherNames.contains(name) {
            try removeDirectory(root.appending(name))
        }
    }

    /// Makes the directories of a new snapshot; undone by itself if it fails.
    func makeDirectories(of id: Int64, withWork: Bool, rootLike model: FilePath?) throws(SnapshotError) {
        do throws(SnapshotError) {
            try make(directory(of: id), 0o700)
            try make(files(of: id), 0o755)
            if let model { try copyRoot(from: model, to: files(of: id)) }
            if withWork { try make(work(of: id), 0o700) }
        } catch {
            // The first error is the one to tell; a directory that stays is removed at the next start.
            try? removeDirectory(directory(of: id))
            throw error
        }
    }

    /// Removes a snapshot: first its row, so that it is gone for good before the first file is; but the files of a staged
    /// one first, since they may be what fills the disk, and then the database cannot be written.
    func remove(_ name: String) throws(SnapshotError) {
        if let row = try read({ try find(name, in: $0) }), row.state == .staged {
            try removeDirectory(directory(of: row.id))
        }
        let row = try write { try delete(name, in: $0) }
        try removeDirectory(directory(of: row.id))
    }

    func removeDirectory(_ path: FilePath) throws(SnapshotError) {
        if let id = path.lastComponent.flatMap({ Int64($0.string) }) { try removeDevice(id) }
        do throws(Errno) {
            try removeTree(path)
        } catch {
            throw .system("remove", path, error)
        }
    }

    func usage(of path: FilePath) throws(SnapshotError) -> SnapshotUsage {
        do throws(Errno) {
            let usage = try TreeUsage.measure(path)
            return SnapshotUsage(bytes: usage.bytes, inodes: usage.inodes)
        } catch {
            throw .system("measure", path, error)
        }
    }

    /// What a snapshot that has all files of its parent adds to it.
    func usage(of path: FilePath, upon parent: FilePath) throws(SnapshotError) -> SnapshotUsage {
        do throws(Errno) {
            let usage = try TreeUsage.measure(path, upon: parent)
            return SnapshotUsage(bytes: usage.bytes, inodes: usage.inodes)
        } catch {
            throw .system("measure", path, error)
        }
    }

    private func make(_ path: FilePath, _ mode: mode_t) throws(SnapshotError) {
        guard path.withPlatformString({ mkdir($0, mode) }) == 0 else {
            throw .system("create directory", path, Errno(rawValue: errno))
        }
    }

    /// The root of a tree is what the layers below say it is, unless the layer itself says something.
    func copyRoot(from model: FilePath, to path: FilePath) throws(SnapshotError) {
        do throws(ArchiveError) {
            try ImpliedDirectories.complete(["."], in: path, below: [model])
        } catch {
            throw .contents(error)
        }
    }
}
