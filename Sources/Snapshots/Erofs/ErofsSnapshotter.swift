import Hashing
import Tar
import GRDB
import Glibc
import LinuxKernel
import Synchronization
import SystemPackage

/// Layers as EROFS images, one file each, mounted read-only as the lower layers of an overlay.
///
/// A layer is unpacked like one of the overlay driver, then converted once: `<id>/layer.erofs`. `<id>/fs` is the empty
/// directory that the image is mounted on in a container's mount namespace. Active snapshots are upper directories as
/// the overlay driver's. Equal images, of layers that several images have upon different parents, are one file with
/// several names; `shared` has one more name of each, by its size and the digest of its first inodes.
struct ErofsSnapshotter: LayeredSnapshotter {
    /// What is known of layers between `finish` and `commit`.
    private final class Finished: Sendable {
        /// By the staged snapshot's name: where the inodes of directories are that the layer only passes through.
        let directories = Mutex<[String: [FilePath: Int64]]>([:])
        /// By the active snapshot's name: what a container wrote, measured before it became an image.
        let usages = Mutex<[String: SnapshotUsage]>([:])
        /// Held while files of `shared` come and go.
        let sharing = Mutex(())
    }

    let table: SnapshotTable
    private let options: OverlayOptions
    private let finished = Finished()
    private let isMountedFromFile: Bool

    var driver: String { "erofs" }
    var status: [(title: String, value: String)] {
        [
            ("Backing Filesystem", BackingFileSystem.name(of: table.root)),
            ("Image Mounts", isMountedFromFile ? "file" : "loop device"), ("userxattr", "false"),
        ]
    }

    private static let sharedName = "shared"
    private var shared: FilePath { table.root.appending(Self.sharedName) }

    /// Opens the snapshots in `root`, whose parent must exist.
    init(root: FilePath, database: any DatabaseWriter, options: OverlayOptions) throws(SnapshotError) {
        try OverlayOptions.check(root, driver: "erofs")
        guard !options.isInUserNamespace else {
            throw .unavailable(driver: "erofs", "only the root user of the machine can mount images; use overlay2")
        }
        guard Mounts.hasFileSystem("erofs") else {
            throw .unavailable(driver: "erofs", "this kernel has no erofs; load the module erofs, or use overlay2")
        }
        self.options = options
        var table = SnapshotTable(database: database, driver: "erofs", root: root)
        table.otherNames = [Self.sharedName]
        self.table = table
        try table.recover()
        isMountedFromFile = try Self.probe(root)
        if let failure = OverlayProbe.failure(in: root, options) {
            throw .unavailable(
                driver: "erofs",
                "the kernel refuses an overlay on \(root) (\(BackingFileSystem.name(of: root))): \(failure). Use "
                    + "another --data-root"
            )
        }
        try system("create directory", shared) { path throws(Errno) in
            do throws(Errno) { try Files.makeDirectory(path, mode: 0o700) } catch .fileExists {}
        }
        try removeUnshared()
    }

    /// Whether the kernel mounts an image by itself; throws if it does not with a loop device either.
    private static func probe(_ root: FilePath) throws(SnapshotError) -> Bool {
        let base = root.appending(".probe-\(getpid())")
        defer {
            // The next start removes what stays.
            try? TreeRemoval.remove(base)
        }
        do throws(Errno) {
            try Files.makeDirectories(base.appending("empty"), mode: 0o700)
            let image = base.appending("image")
            _ = try ErofsWriter.write(base.appending("empty"), to: image)
            do throws(Errno) {
                try Mounts.newImage("erofs", image, mayUseLoop: false).discard()
                return true
            } catch .notBlockDevice {
                try Mounts.newImage("erofs", image).discard()
                return false
            }
        } catch {
            throw .unavailable(
                driver: "erofs",
                "the kernel refuses to mount an image from \(root): \(error). Make sure that there are loop devices, "
                    + "or use overlay2"
            )
        }
    }

    // MARK: Layers

    func stage(_ name: String, parent: String?) throws(SnapshotError) -> StagedLayer {
        let row = try table.add(name, .staged, parent: nil) { row, _ in
            try table.makeDirectories(of: row.id, withWork: false, rootLike: nil)
            return row
        }
        return StagedLayer(root: table.files(of: row.id), whiteouts: .overlay)
    }

    func finish(_ staged: String, contents: LayerApplier.Result) throws(SnapshotError) {
        let row = try table.read { try table.require(staged, in: $0) }
        guard row.state != .committed else { throw .wrongState(staged, row.state) }
        let files = table.files(of: row.id)
        if row.state == .active {
            let usage = try usage(staged)
            finished.usages.withLock { $0[staged] = usage }
        }
        try system("set time of", files) { path throws(Errno) in
            try clearTime(of: path, in: table.directory(of: row.id))
        }
        let places = try system("write image of", files) { path throws(Errno) in
            try ErofsWriter.write(path, to: image(of: row.id), directories: contents.impliedDirectories)
        }
        if !places.isEmpty { finished.directories.withLock { $0[staged] = places } }
        try system("clear", files) { path throws(Errno) in
            for name in try DirectoryListing.names(of: path) {
                let directory = try Files.open(path, [.readOnly, .directory])
                defer { directory.discard() }
                try TreeRemoval.remove(name, in: directory.rawValue)
            }
        }
    }

    /// A root that the layer does not mention has the time at which it was unpacked, which would make equal layers
    /// differ.
    private func clearTime(of files: FilePath, in directory: FilePath) throws(Errno) {
        let (made, filled) = (try FileStatus.of(directory).modified, try FileStatus.of(files).modified)
        guard filled >= made else { return }
        var times = (timespec(), timespec())
        let result = withUnsafeBytes(of: &times) { times in
            files.withPlatformString { utimensat(AT_FDCWD, $0, times.bindMemory(to: timespec.self).baseAddress, 0) }
        }
        if result != 0 { throw Errno(rawValue: errno) }
    }

    func commit(
        _ staged: String, as name: String, parent: String?, contents: LayerApplier.Result
    ) throws(SnapshotError) {
        let row = try table.read { try table.require(staged, in: $0) }
        guard row.state != .committed else { throw .wrongState(staged, row.state) }
        // What can be refused is refused before the image is touched.
        let isParent = row.state == .staged ? true : try information(staged)?.parent == parent
        guard isParent else { throw .wrongState(staged, row.state) }
        // Taken, so that nothing is kept of a layer that is given up; a second attempt has nothing to complete any
        // more.
        let places = finished.directories.withLock { $0.removeValue(forKey: staged) } ?? [:]
        if let parent, !places.isEmpty { try complete(places, in: image(of: row.id), below: parent) }
        try share(image(of: row.id))
        let usage =
            finished.usages.withLock { $0.removeValue(forKey: staged) }
            ?? SnapshotUsage(bytes: contents.bytes, inodes: contents.inodes)
        try table.write { database in
            _ = try table.commit(staged, as: name, parent: parent, usage: usage, in: database)
            try table.removeWork(of: row.id)
        }
    }

    /// Gives directories what they have in the layers below, which they would hide.
    private func complete(
        _ places: [FilePath: Int64], in image: FilePath, below parent: String
    ) throws(SnapshotError) {
        let layers = try table.read { database in
            let row = try table.readable(parent, in: database)
            return [row.id] + (try table.parents(of: row, in: database))
        }
        var implied = ImpliedDirectories(Array(places.keys))
        var found: [(offset: Int64, model: ImpliedDirectories.Model)] = []
        // Most are in the nearest: only as many are mounted as are needed.
        for id in layers where !implied.isEmpty {
            let mount = try system("mount", self.image(of: id)) { path throws(Errno) in
                try Mounts.newImage("erofs", path)
            }
            defer { mount.discard() }
            do throws(ArchiveError) {
                try implied.look(in: mount.procPath) { path, model in
                    if let offset = places[path] { found.append((offset, model)) }
                }
            } catch {
                throw .contents(error)
            }
        }
        try system("complete", image) { path throws(Errno) in
            let file = try Files.open(path, .readWrite)
            defer { file.discard() }
            var completion = ErofsCompletion(of: file)
            // In order: equal layers are to become equal images.
            for (offset, model) in found.sorted(by: { $0.offset < $1.offset }) { try completion.set(model, at: offset) }
            try completion.finish()
        }
    }

    // MARK: Sharing

    /// Makes an image that is there already one file with it.
    private func share(_ image: FilePath) throws(SnapshotError) {
        try system("share", image) { path throws(Errno) in
            let file = try Files.open(path, .readOnly)
            defer { file.discard() }
            let digest = ContentHasher.digest(of: try file.readToEnd(limit: 4 << 20))
            let other = shared.appending(
                "\(try FileStatus.of(file).size)-\(digest.encoded.prefix(32))")
            let outcome: Result<Void, Errno> = finished.sharing.withLock { _ in
                Result { () throws(Errno) in
                    do throws(Errno) {
                        try Files.link(path, as: other)
                    } catch .fileExists {
                        guard try Self.isSame(path, other) else { return }
                        let temporary = path.removingLastComponent().appending("same")
                        try Files.link(other, as: temporary)
                        try Files.rename(temporary, to: path)
                    } catch .tooManyLinks {
                        return  // it stays a file of its own
                    }
                }
            }
            try outcome.get()
        }
    }

    private static func isSame(_ path: FilePath, _ other: FilePath) throws(Errno) -> Bool {
        let (first, second) = (try Files.open(path, .readOnly), try Files.open(other, .readOnly))
        defer { first.discard() }
        defer { second.discard() }
        while true {
            let bytes = try first.readOnce(capacity: 1 << 18)
            if bytes.isEmpty { return true }
            if try second.readOnce(capacity: 1 << 18) != bytes { return false }
        }
    }

    /// Removes the last name of images that no layer has any more.
    private func removeUnshared() throws(SnapshotError) {
        try system("look through", shared) { path throws(Errno) in
            let outcome: Result<Void, Errno> = finished.sharing.withLock { _ in
                Result { () throws(Errno) in
                    for name in try Files.names(in: path) where try FileStatus.of(path.appending(name)).links == 1 {
                        try Files.remove(path.appending(name))
                    }
                }
            }
            try outcome.get()
        }
    }

    // MARK: Containers

    func prepare(_ name: String, parent: String?, limit: Int64?) throws(SnapshotError) {
        let id = try table.add(name, .staged, parent: parent) { row, database in
            try table.makeDirectories(of: row.id, withWork: true, rootLike: nil)
            if let limit { try table.limit(row.id, to: limit, in: database) }
            return row.id
        }
        do throws(SnapshotError) {
            // The image has to be mounted to be asked, which is not done within a transaction.
            if let parent { try copyRoot(of: parent, to: table.files(of: id)) }
            try table.write {
                try $0.execute(sql: "UPDATE snapshot SET state = 'active' WHERE id = ?", arguments: [id])
            }
        } catch {
            // The first error is the one to tell; what stays is removed at the next start.
            try? remove(name)
            throw error
        }
    }

    private func copyRoot(of parent: String, to files: FilePath) throws(SnapshotError) {
        let view = try view(parent)
        // Its mounts are needed to the end.
        defer { withExtendedLifetime(view) {} }
        if let top = view.layers.first { try table.copyRoot(from: top, to: files) }
    }

    func mounts(_ name: String, isDisposable: Bool) throws(SnapshotError) -> [SnapshotMount] {
        let (row, parents) = try table.read { database in
            let row = try table.require(name, in: database)
            guard row.state == .active else { throw SnapshotError.wrongState(name, row.state) }
            return (row, try table.parents(of: row, in: database))
        }
        guard !parents.isEmpty else {
            return [SnapshotMount(type: "bind", source: table.files(of: row.id).string, options: ["rbind", "rw"])]
        }
        let layers = parents.map { id in
            SnapshotMount(
                type: "erofs", source: image(of: id).string, options: ["ro"], target: table.files(of: id).string)
        }
        return layers + [
            try options.mount(
                lower: parents.map(table.files), upper: table.files(of: row.id), work: table.work(of: row.id),
                isDisposable: isDisposable)
        ]
    }

    func view(_ name: String) throws(SnapshotError) -> SnapshotView {
        let (row, parents) = try table.read { database in
            let row = try table.readable(name, in: database)
            return (row, try table.parents(of: row, in: database))
        }
        var directories: [FilePath] = []
        var mounts: [FileDescriptor] = []
        do throws(SnapshotError) {
            for id in [row.id] + parents {
                guard id != row.id || row.state == .committed else {
                    directories.append(table.files(of: id))
                    continue
                }
                let mount = try system("mount", image(of: id)) { path throws(Errno) in
                    try Mounts.newImage("erofs", path)
                }
                mounts.append(mount)
                directories.append(mount.procPath)
            }
        } catch {
            for mount in mounts { mount.discard() }
            throw error
        }
        return SnapshotView(directories, mounts: mounts)
    }

    func remove(_ name: String) throws(SnapshotError) {
        _ = finished.directories.withLock { $0.removeValue(forKey: name) }
        _ = finished.usages.withLock { $0.removeValue(forKey: name) }
        let state = try information(name)?.state
        try table.remove(name)
        if state != .active { try removeUnshared() }
    }

    private func image(of id: Int64) -> FilePath { table.directory(of: id).appending("layer.erofs") }

    private func system<T>(
        _ operation: String, _ path: FilePath, _ body: (FilePath) throws(Errno) -> T
    ) throws(SnapshotError) -> T {
        do throws(Errno) {
            return try body(path)
        } catch {
            throw .system(operation, path, error)
        }
    }
}
