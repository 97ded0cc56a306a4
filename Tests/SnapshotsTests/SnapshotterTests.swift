import Archive
import GRDB
import Glibc
import LinuxKernel
import Snapshots
import SystemPackage
import Testing

/// A snapshotter in a directory of its own, removed when the test is done with it.
final class SnapshotterFixture {
    let directory: FilePath
    let database: DatabaseQueue
    let snapshotter: any Snapshotter

    init(_ driver: String) throws {
        var template = Array("/tmp/masu-snapshots-test-XXXXXX".utf8CString)
        directory = FilePath(String(cString: mkdtemp(&template)))
        database = try DatabaseQueue()
        var migrator = DatabaseMigrator()
        Snapshots.registerMigrations(in: &migrator)
        try migrator.migrate(database)
        snapshotter = try Snapshots.open(driver: driver, directory: directory, database: database)
    }

    deinit {
        // What cannot be removed stays in /tmp; the test has already said what it had to say.
        try? TreeRemoval.remove(directory)
    }

    /// Commits a layer of text files (`nil`: a whiteout) and returns its name.
    @discardableResult
    func layer(_ name: String, parent: String?, _ files: [String: String?]) throws -> String {
        let staged = try snapshotter.stage("staged-\(name)", parent: parent)
        nonisolated(unsafe) var bytes: [UInt8] = []
        var writer = TarWriter { bytes += $0 }
        for (path, text) in files.sorted(by: { $0.key < $1.key }) {
            var path = path
            if text == nil {
                let parts = path.split(separator: "/")
                path = (parts.dropLast().map(String.init) + [".wh." + (parts.last ?? "")]).joined(separator: "/")
            }
            var entry = TarEntry(kind: .file, name: Array(path.utf8), mode: 0o644)
            entry.size = Int64((text ?? "").utf8.count)
            try writer.add(entry)
            try writer.write(Array((text ?? "").utf8))
        }
        try writer.finish()
        var applier = try LayerApplier(into: staged.root, whiteouts: staged.whiteouts)
        let contents = try applier.apply(TarReader(MemorySource(bytes)))
        try snapshotter.commit("staged-\(name)", as: name, parent: parent, contents: contents)
        return name
    }

    /// Mounts an active snapshot, and hands its root to `body`.
    func mounted<R>(_ name: String, _ body: (FilePath) throws -> R) throws -> R {
        let target = directory.appending("mnt")
        mkdir(target.string, 0o755)
        for mount in try snapshotter.mounts(name) {
            let isBind = mount.type == "bind"
            try Mounts.mount(
                mount.source, on: target, type: isBind ? nil : mount.type, flags: isBind ? [.bind, .recursive] : [],
                data: isBind ? nil : mount.options.joined(separator: ","))
        }
        defer { umount2(target.string, Int32(MNT_DETACH)) }
        return try body(target)
    }

    static func text(_ path: FilePath) -> String? {
        guard let file = fopen(path.string, "r") else { return nil }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        return String(decoding: buffer[..<fread(&buffer, 1, buffer.count, file)], as: UTF8.self)
    }

    static func write(_ text: String, to path: FilePath) throws {
        let file = try #require(fopen(path.string, "w"))
        fputs(text, file)
        fclose(file)
    }

    var directories: [String] {
        ((try? DirectoryListing.names(of: directory.appending("snapshots").appending(snapshotter.driver))) ?? [])
            .map { String(decoding: $0, as: UTF8.self) }.sorted()
    }
}

/// What `Snapshotter` promises, for every driver.
@Suite(.enabled(if: geteuid() == 0, "mounting needs root"), .serialized)
struct SnapshotterTests {
    static let drivers = ["overlay", "vfs"]

    @Test("a container sees all layers of its image as one tree, and writes only to its own", arguments: drivers)
    func layering(driver: String) throws {
        let fixture = try SnapshotterFixture(driver)
        try fixture.layer("one", parent: nil, ["etc/a": "1", "etc/b": "1", "gone/x": "1", "gone/y": "1"])
        try fixture.layer("two", parent: "one", ["etc/b": "2", "gone/x": nil, "new": "2"])
        try fixture.snapshotter.prepare("container", parent: "two")
        try fixture.snapshotter.prepare("other", parent: "two")
        try fixture.mounted("container") { root in
            #expect(SnapshotterFixture.text(root.appending("etc/a")) == "1")
            #expect(SnapshotterFixture.text(root.appending("etc/b")) == "2")
            #expect(SnapshotterFixture.text(root.appending("gone/x")) == nil)
            #expect(SnapshotterFixture.text(root.appending("gone/y")) == "1")
            try SnapshotterFixture.write("mine", to: root.appending("etc/a"))
            #expect(unlink(root.appending("new").string) == 0)
        }
        try fixture.mounted("container") { root in
            #expect(SnapshotterFixture.text(root.appending("etc/a")) == "mine")
            #expect(SnapshotterFixture.text(root.appending("new")) == nil)
        }
        try fixture.mounted("other") { root in
            #expect(SnapshotterFixture.text(root.appending("etc/a")) == "1")
            #expect(SnapshotterFixture.text(root.appending("new")) == "2")
        }
    }

    @Test("a snapshot upon nothing is an empty directory", arguments: drivers)
    func scratch(driver: String) throws {
        let fixture = try SnapshotterFixture(driver)
        try fixture.snapshotter.prepare("container", parent: nil)
        try fixture.mounted("container") { root in
            try SnapshotterFixture.write("x", to: root.appending("file"))
        }
        #expect(try fixture.snapshotter.usage("container") == SnapshotUsage(bytes: 1, inodes: 1))
    }

    @Test("names and states are kept apart", arguments: drivers)
    func states(driver: String) throws {
        let fixture = try SnapshotterFixture(driver)
        let snapshotter = fixture.snapshotter
        try fixture.layer("one", parent: nil, ["a": "1"])
        try snapshotter.prepare("container", parent: "one")
        #expect(throws: SnapshotError.exists("container")) { try snapshotter.prepare("container", parent: "one") }
        #expect(throws: SnapshotError.notFound("no")) { try snapshotter.prepare("x", parent: "no") }
        #expect(throws: SnapshotError.wrongState("container", .active)) {
            try snapshotter.prepare("x", parent: "container")
        }
        #expect(throws: SnapshotError.wrongState("one", .committed)) { try snapshotter.mounts("one") }
        #expect(throws: SnapshotError.notFound("no")) { try snapshotter.mounts("no") }
        #expect(throws: SnapshotError.notFound("no")) { try snapshotter.remove("no") }
        #expect(throws: SnapshotError.inUse("one")) { try snapshotter.remove("one") }
        #expect(throws: SnapshotError.wrongState("container", .active)) {
            try snapshotter.commit("container", as: "x", parent: nil, contents: LayerApplier.Result())
        }
        #expect(try snapshotter.information("container")?.parent == "one")
        #expect(try snapshotter.information("x") == nil)
        #expect(try snapshotter.list().map(\.name) == ["one", "container"])
        #expect(fixture.directories.count == 2)  // what failed left no directory
        try snapshotter.remove("container")
        try snapshotter.remove("one")
        #expect(try snapshotter.list().isEmpty)
        #expect(fixture.directories.isEmpty)
    }

    @Test("opening removes what a crash left: staged layers, and directories without a row", arguments: drivers)
    func recovery(driver: String) throws {
        let fixture = try SnapshotterFixture(driver)
        try fixture.layer("one", parent: nil, ["a": "1"])
        let staged = try fixture.snapshotter.stage("half", parent: "one")
        try SnapshotterFixture.write("x", to: staged.root.appending("x"))
        let orphan = fixture.directory.appending("snapshots").appending(driver).appending("999")
        mkdir(orphan.string, 0o700)
        try SnapshotterFixture.write("x", to: orphan.appending("x"))
        let again = try Snapshots.open(driver: driver, directory: fixture.directory, database: fixture.database)
        #expect(try again.list().map(\.name) == ["one"])
        #expect(fixture.directories == ["1"])
    }

    @Test("a directory a layer only passes through looks like that of the layers below", arguments: drivers)
    func impliedDirectories(driver: String) throws {
        let fixture = try SnapshotterFixture(driver)
        let staged = try fixture.snapshotter.stage("s", parent: nil)
        mkdir(staged.root.appending("tmp").string, 0o755)
        chmod(staged.root.appending("tmp").string, 0o1777)
        chown(staged.root.appending("tmp").string, 12, 34)
        chmod(staged.root.string, 0o711)
        try fixture.snapshotter.commit("s", as: "one", parent: nil, contents: LayerApplier.Result())
        try fixture.layer("two", parent: "one", ["tmp/file": "x"])
        try fixture.snapshotter.prepare("container", parent: "two")
        try fixture.mounted("container") { root in
            var status = stat()
            #expect(stat(root.appending("tmp").string, &status) == 0)
            #expect(status.st_mode & 0o7777 == 0o1777 && status.st_uid == 12 && status.st_gid == 34)
        }
    }

    @Test("a copy keeps hard links, holes, attributes, times and devices")
    func copying() throws {
        let fixture = try SnapshotterFixture("vfs")
        let staged = try fixture.snapshotter.stage("s", parent: nil)
        let root = staged.root
        try SnapshotterFixture.write("x", to: root.appending("a"))
        link(root.appending("a").string, root.appending("b").string)
        try SnapshotterFixture.write("x", to: root.appending("sparse"))
        truncate(root.appending("sparse").string, 1 << 30)
        symlink("/nowhere", root.appending("link").string)
        mknod(root.appending("null").string, S_IFCHR | 0o666, 0x103)
        try ExtendedAttributes.set("user.note", to: [1, 2], of: root.appending("a"))
        chmod(root.appending("a").string, 0o4750)
        var times = [timespec(tv_sec: 5, tv_nsec: 6), timespec(tv_sec: 7, tv_nsec: 8)]
        utimensat(AT_FDCWD, root.appending("a").string, &times, 0)
        try fixture.snapshotter.commit("s", as: "one", parent: nil, contents: LayerApplier.Result())
        try fixture.snapshotter.prepare("container", parent: "one")
        try fixture.mounted("container") { copy throws in
            var (a, b, sparse, null) = (stat(), stat(), stat(), stat())
            #expect(lstat(copy.appending("a").string, &a) == 0 && lstat(copy.appending("b").string, &b) == 0)
            #expect(a.st_ino == b.st_ino && a.st_mode & 0o7777 == 0o4750)
            #expect(a.st_mtim.tv_sec == 7 && a.st_mtim.tv_nsec == 8)
            #expect(try ExtendedAttributes.get("user.note", of: copy.appending("a")) == [1, 2])
            #expect(lstat(copy.appending("sparse").string, &sparse) == 0)
            #expect(sparse.st_size == 1 << 30 && sparse.st_blocks < 100)
            #expect(lstat(copy.appending("null").string, &null) == 0 && null.st_rdev == 0x103)
        }
    }

    @Test("a tree deeper than any path is measured and removed")
    func deep() throws {
        let fixture = try SnapshotterFixture("overlay")
        try fixture.snapshotter.prepare("container", parent: nil)
        try fixture.mounted("container") { root in
            var directory = open(root.string, O_RDONLY | O_DIRECTORY)
            for _ in 0..<2000 {
                #expect(mkdirat(directory, "deep-directory", 0o755) == 0)
                let next = openat(directory, "deep-directory", O_RDONLY | O_DIRECTORY)
                close(directory)
                directory = next
            }
            close(directory)
        }
        _ = try fixture.snapshotter.usage("container")
        try fixture.snapshotter.remove("container")
        #expect(fixture.directories.isEmpty)
    }

    @Test("without a driver named, overlay is taken where it works; an unknown one is refused")
    func choice() throws {
        let fixture = try SnapshotterFixture("vfs")
        let chosen = try Snapshots.open(driver: nil, directory: fixture.directory, database: fixture.database)
        #expect(chosen.driver == "overlay")
        #expect(throws: SnapshotError.unknownDriver("zfs")) {
            _ = try Snapshots.open(driver: "zfs", directory: fixture.directory, database: fixture.database)
        }
        #expect(try DirectoryListing.names(of: fixture.directory.appending("snapshots")).count == 2)
    }
}
