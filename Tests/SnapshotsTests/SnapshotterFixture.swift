import Archive
import ContainerRuntime
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
    let driver: TestedDriver
    private(set) var snapshotter: any Snapshotter

    init(_ driver: TestedDriver) throws {
        self.driver = driver
        var template = Array("/tmp/masu-snapshots-test-XXXXXX".utf8CString)
        directory = FilePath(String(cString: mkdtemp(&template)))
        do {
            try driver.prepare(directory)
            database = try DatabaseQueue()
            var migrator = DatabaseMigrator()
            Snapshots.registerMigrations(in: &migrator)
            try migrator.migrate(database)
            snapshotter = try Snapshots.open(
                driver: driver.name, directory: directory, database: database, options: driver.options)
        } catch {
            Self.remove(directory)
            throw error
        }
    }

    deinit {
        snapshotter.close()
        Self.remove(directory)
    }

    private static func remove(_ directory: FilePath) {
        // A btrfs of its own; where there is none this fails.
        umount2(directory.string, Int32(MNT_DETACH))
        // What cannot be removed stays in /tmp; the test has already said what it had to say.
        try? TreeRemoval.remove(directory)
        try? TreeRemoval.remove(FilePath(directory.string + ".image"))  // as above
    }

    /// Opens the same snapshots again, as the next start of the daemon does.
    func reopen() throws {
        // What a process holds is gone with it.
        snapshotter.close()
        snapshotter = try Snapshots.open(
            driver: driver.name, directory: directory, database: database, options: driver.options)
    }

    /// Commits a layer of text files (`nil`: a whiteout) and returns its name.
    @discardableResult
    func layer(_ name: String, parent: String?, _ files: [String: String?]) throws -> String {
        try layer(name, parent: parent) { writer in
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
        }
    }

    /// Commits a layer that `body` writes as an archive.
    @discardableResult
    func layer(_ name: String, parent: String?, _ body: (inout TarWriter) throws -> Void) throws -> String {
        nonisolated(unsafe) var bytes: [UInt8] = []
        var writer = TarWriter { bytes += $0 }
        try body(&writer)
        try writer.finish()
        let staged = try snapshotter.stage("staged-\(name)", parent: parent)
        let contents = try Self.fill(staged, from: bytes)
        try snapshotter.finish("staged-\(name)", contents: contents)
        try snapshotter.commit("staged-\(name)", as: name, parent: parent, contents: contents)
        return name
    }

    private static func fill(_ layer: StagedLayer, from bytes: [UInt8]) throws -> LayerApplier.Result {
        var applier = try LayerApplier(into: layer.root, whiteouts: layer.whiteouts)
        return try applier.apply(TarReader(MemorySource(bytes)))
    }

    /// Commits a layer that `body` makes in the directory to be filled.
    func filled(_ name: String, parent: String?, _ body: (FilePath) throws -> Void) throws {
        let staged = try snapshotter.stage("staged-\(name)", parent: parent)
        try body(staged.root)
        let contents = LayerApplier.Result()
        try snapshotter.finish("staged-\(name)", contents: contents)
        try snapshotter.commit("staged-\(name)", as: name, parent: parent, contents: contents)
    }

    /// Mounts an active snapshot as a container's runtime does, and hands its root to `body`.
    func mounted<R>(_ name: String, isDisposable: Bool = false, _ body: (FilePath) throws -> R) throws -> R {
        let target = directory.appending("mnt")
        mkdir(target.string, 0o755)
        let mounts = try snapshotter.mounts(name, isDisposable: isDisposable)
        var places: [String] = []
        defer { for place in places.reversed() { umount2(place, Int32(MNT_DETACH)) } }
        for mount in mounts {
            try RootfsMount(type: mount.type, source: mount.source, options: mount.options, target: mount.target)
                .mount(on: target)
            places.append(mount.target ?? target.string)
        }
        return try body(target)
    }

    static func text(_ path: FilePath) -> String? {
        guard let file = fopen(path.string, "re") else { return nil }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        return String(decoding: buffer[..<fread(&buffer, 1, buffer.count, file)], as: UTF8.self)
    }

    static func write(_ text: String, to path: FilePath) throws {
        let file = try #require(fopen(path.string, "we"))
        fputs(text, file)
        fclose(file)
    }

    var directories: [String] {
        let path = directory.appending("snapshots").appending(snapshotter.driver)
        return ((try? DirectoryListing.names(of: path)) ?? []).map { String(decoding: $0, as: UTF8.self) }
            .filter { Int($0) != nil }.sorted()
    }
}

/// A driver as it is tested: with what the machine has to have for it.
struct TestedDriver: Sendable, CustomTestStringConvertible {
    let name: String
    var options: [String] = []
    /// Gets the data root ready.
    var prepare: @Sendable (FilePath) throws -> Void = { _ in }

    var testDescription: String { name }

    static let overlay = TestedDriver(name: "overlay")
    static let userOverlay = TestedDriver(name: "overlay", options: ["overlay2.userxattr=true"])
    static let vfs = TestedDriver(name: "vfs")
    static let deviceMapper = TestedDriver(
        name: "devicemapper", options: ["dm.loopdatasize=1G", "dm.loopmetadatasize=16M", "dm.basesize=200M"])
    static let erofs = TestedDriver(name: "erofs")
    static let btrfs = TestedDriver(name: "btrfs", prepare: { try mountImage("mkfs.btrfs", ["-q"], "btrfs", on: $0) })

    /// A file system of its own in a file beside the directory.
    static func mountImage(
        _ program: String, _ arguments: [String], _ type: String, on directory: FilePath, data: String? = nil
    ) throws {
        let image = FilePath(directory.string + ".image")
        let file = try Files.open(image, [.readWrite, .create, .exclusive], mode: 0o600)
        #expect(ftruncate(file.rawValue, 512 << 20) == 0)
        file.discard()
        let command = ([program] + arguments + [image.string]).joined(separator: " ")
        try #require(system("PATH=$PATH:/usr/sbin:/sbin \(command) >/dev/null") == 0, "\(command)")
        let device = try LoopDevice.attach(image, readOnly: false)
        defer { device.descriptor.discard() }
        try Mounts.mount(device.path.string, on: directory, type: type, data: data)
    }

    static func hasProgram(_ name: String) -> Bool {
        ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].contains { access("\($0)/\(name)", X_OK) == 0 }
    }
}
