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
        let strays = try strays()
        let foreign = try foreign(among: strays)
        try refuse(foreign)
        try setAside(foreign)
        for name in strays where !foreign.contains(name) { try removeDirectory(root.appending(name)) }
    }

    /// Throws if another database has snapshots here that cannot be set aside. Changes nothing.
    func refuseForeign() throws(SnapshotError) { try refuse(try foreign(among: try strays())) }

    /// Directories without a row.
    private func strays() throws(SnapshotError) -> [String] {
        let known = Set(try read { try all(in: $0).map { String($0.id) } })
        do throws(Errno) {
            return try DirectoryListing.names(of: root).map { String(decoding: $0, as: UTF8.self) }
                .filter { !known.contains($0) && !otherNames.contains($0) }
        } catch {
            throw .system("list", root, error)
        }
    }

    /// Directories that this database cannot have made, as it has never had a row of their number: they are another
    /// database's, which may have been lost. A directory without contents is of a transaction that a crash cut short.
    private func foreign(among strays: [String]) throws(SnapshotError) -> Set<String> {
        let newest = try read { database in
            try Int64.fetchOne(database, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'snapshot'") ?? 0
        }
        return Set(
            strays.filter { name in
                guard let id = Int64(name), id > newest else { return false }
                if hasFilesInDirectories {
                    // One may have been cut short before it had anything.
                    if !Files.exists(files(of: id)) {
                        // A directory that cannot be read is not an empty one.
                        return (try? DirectoryListing.names(of: directory(of: id)).isEmpty) != true
                    }
                    // As above.
                    return (try? DirectoryListing.names(of: files(of: id)).isEmpty) != true
                }
                // Transactions come one after the other: what one was cut short in has the next number.
                return id > newest + 1 || isMarked(id)
            })
    }

    /// Where `hasFilesInDirectories` is false, the sticky bit of the directory says that the snapshot is in the
    /// database; without it a lost database could not be told from a creation that a crash cut short. A file would not
    /// do: it would change the time of the directory, which says what the container has changed since.
    private func isMarked(_ id: Int64) -> Bool {
        // What cannot be looked at may be a snapshot.
        guard let status = try? FileStatus.of(directory(of: id)) else { return true }
        return status.mode & 0o1000 != 0
    }

    /// Sets the mark of a snapshot whose row is in the database. If that fails, the next start does it.
    func mark(_ id: Int64) {
        directory(of: id).withPlatformString { _ = chmod($0, 0o1700) }
    }

    private func refuse(_ foreign: Set<String>) throws(SnapshotError) {
        guard !hasFilesInDirectories, !foreign.isEmpty else { return }
        throw .unavailable(
            driver: driver,
            "\(root) has \(foreign.count) snapshots that the database does not know: it may be another one, or have "
                + "been lost. Bring the right masu.db back, or move \(root) away to begin anew"
        )
    }

    /// Moves what is another database's out of the way.
    private func setAside(_ foreign: Set<String>) throws(SnapshotError) {
        guard let highest = foreign.compactMap({ Int64($0) }).max() else { return }
        do throws(Errno) {
            let place = SetAside.folder(in: root.removingLastComponent().removingLastComponent())
                .appending("snapshots").appending(root.lastComponent?.string ?? driver)
            try Files.makeDirectories(place, mode: 0o700)
            for name in foreign { try Files.rename(root.appending(name), to: place.appending(name)) }
        } catch {
            throw .system("set aside what another database has left in", root, error)
        }
        // So that no directory is met a second time.
        try write { database in
            try database.execute(sql: "DELETE FROM sqlite_sequence WHERE name = 'snapshot'")
            try database.execute(
                sql: "INSERT INTO sqlite_sequence (name, seq) VALUES ('snapshot', ?)", arguments: [highest])
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
        forget(row.project)
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
