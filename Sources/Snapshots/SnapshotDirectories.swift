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
        let strays = names.map { String(decoding: $0, as: UTF8.self) }
            .filter { !known.contains($0) && !otherNames.contains($0) }
        let foreign = try setForeignAside(strays)
        for name in strays where !foreign.contains(name) { try removeDirectory(root.appending(name)) }
    }

    /// Moves directories out of the way that this database cannot have made, as it has never had a row of their number:
    /// they are another database's, which may have been lost. Empty ones are of a transaction that a crash cut short.
    private func setForeignAside(_ strays: [String]) throws(SnapshotError) -> Set<String> {
        let newest = try read { database in
            try Int64.fetchOne(database, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'snapshot'") ?? 0
        }
        let foreign = strays.filter { name in
            guard let id = Int64(name), id > newest else { return false }
            // A directory that cannot be read is not an empty one.
            return (try? DirectoryListing.names(of: files(of: id)).isEmpty) != true
        }
        guard let highest = foreign.compactMap({ Int64($0) }).max() else { return [] }
        do throws(Errno) {
            let place = SetAside.folder(in: root.removingLastComponent().removingLastComponent())
                .appending("snapshots").appending(root.lastComponent?.string ?? driver)
            try Files.makeDirectories(place, mode: 0o700)
            for name in foreign { try Files.rename(root.appending(name), to: place.appending(name)) }
        } catch {
            throw .system("set aside what another database has left in", root, error)
        }
        // So that no directory, and no device that is named by the number, is met a second time.
        try write { database in
            try database.execute(sql: "DELETE FROM sqlite_sequence WHERE name = 'snapshot'")
            try database.execute(
                sql: "INSERT INTO sqlite_sequence (name, seq) VALUES ('snapshot', ?)", arguments: [highest])
        }
        return Set(foreign)
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

    /// Gives a snapshot's directory the present time: what is older in the snapshot is its parent's.
    func noteTime(of id: Int64) throws(SnapshotError) {
        let path = directory(of: id)
        guard path.withPlatformString({ utimensat(AT_FDCWD, $0, nil, 0) }) == 0 else {
            throw .system("set time of", path, Errno(rawValue: errno))
        }
    }

    /// Removes a snapshot: first its row, so that it is gone for good before the first file is; but the files of a
    /// staged one first, since they may be what fills the disk, and then the database cannot be written.
    func remove(_ name: String) throws(SnapshotError) {
        if let row = try read({ try find(name, in: $0) }), row.state == .staged {
            try removeDirectory(directory(of: row.id))
        }
        let row = try write { try delete(name, in: $0) }
        try removeDirectory(directory(of: row.id))
    }

    func removeDirectory(_ path: FilePath) throws(SnapshotError) {
        do throws(Errno) {
            try removeTree(path)
        } catch {
            throw .system("remove", path, error)
        }
    }

    /// Removes what only a snapshot that is mounted to be written to needs.
    func removeWork(of id: Int64) throws(SnapshotError) {
        do throws(Errno) {
            try TreeRemoval.remove(work(of: id))
        } catch {
            throw .system("remove", work(of: id), error)
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
