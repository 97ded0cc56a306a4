import Archive
import Distribution
import GRDB
import Glibc
import Images
import JSON
import LinuxKernel
import Logging
import OCISpec
import Snapshots
import SystemPackage
import Testing

/// Images in a directory of their own, removed when the test is done with it.
final class ImagesFixture: Sendable {
    let directory: FilePath
    let database: DatabasePool
    let images: Images

    init(
        driver: String = "overlay", directory given: FilePath? = nil, registries: RegistrySettings = .forTests
    ) throws {
        var template = Array("/tmp/masu-images-test-XXXXXX".utf8CString)
        directory = given ?? FilePath(String(cString: mkdtemp(&template)))
        (database, images) = try Self.open(directory, driver, registries)
    }

    static func open(
        _ directory: FilePath, _ driver: String, _ registries: RegistrySettings = .forTests
    ) throws -> (DatabasePool, Images) {
        var configuration = Configuration()
        // As the daemon's: the restart of the write-ahead log may make the writer wait for a reader for a moment.
        configuration.busyMode = .timeout(10)
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = NORMAL") }
        let path = directory.appending("masu.db").string
        let database = try DatabasePool(path: path, configuration: configuration)
        var migrator = DatabaseMigrator()
        Snapshots.registerMigrations(in: &migrator)
        Images.registerMigrations(in: &migrator)
        try migrator.migrate(database)
        let snapshotter = try Snapshots.open(driver: driver, directory: directory, database: database)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        // Images settle when a test is long over: none depends on how long it takes.
        let images = try Images(
            directory: directory, database: database, snapshotter: snapshotter, logger: logger,
            settlingDelay: .seconds(86400), registries: Registries(registries))
        return (database, images)
    }

    deinit {
        // What cannot be removed stays in /tmp; the test has already said what it had to say.
        try? TreeRemoval.remove(directory)
    }

    /// Runs `body` with a pipe that the bytes come out of.
    static func streaming<R: Sendable>(
        _ bytes: [UInt8], _ body: (FileDescriptor) async throws -> R
    ) async throws -> R {
        let (read, write) = try FileDescriptor.makePipe()
        let writer = try JoinableThread(name: "test-writer") {
            signal(SIGPIPE, SIG_IGN)
            _ = try? write.writeAll(bytes)  // the reader may have gone
            try write.close()
        }
        let result: Result<R, any Error>
        do { result = .success(try await body(read)) } catch { result = .failure(error) }
        try read.close()
        try writer.join()
        return try result.get()
    }

    @discardableResult
    func importing(
        _ bytes: [UInt8], as name: String? = nil, changes: [String] = [], message: String = ""
    ) async throws -> Digest {
        let reference = try name.map { try ImageReference(parsing: $0) }
        return try await Self.streaming(bytes) {
            try await self.images.importImage(from: $0, reference: reference, changes: changes, message: message)
        }
    }

    /// The archive of `docker save`.
    func saving(_ name: String) async throws -> [UInt8] { try await Self.saving(name, of: images) }

    static func saving(_ name: String, of images: Images) async throws -> [UInt8] {
        let file = try MemoryFile.create("saved")
        defer { file.discard() }
        try await images.save([name], to: file)
        try file.seek(offset: 0, from: .start)
        return try file.readToEnd()
    }

    @discardableResult
    func loading(_ bytes: [UInt8]) async throws -> [LoadedImage] {
        try await Self.streaming(bytes) { try await self.images.load(from: $0) }
    }

    /// All that is on disk and in the database, to compare before and after.
    func inventory() async throws -> [String] {
        await images.finishDisposal()
        var all: [String] = []
        for folder in ["content/blobs/sha256", "content/ingest", "snapshots/\(images.snapshotter.driver)"] {
            let names = try DirectoryListing.names(of: directory.appending(folder))
            all += names.map { folder + "/" + String(decoding: $0, as: UTF8.self) }
        }
        return try await all.sorted()
            + database.read { database in
                try ["image", "imageBlob", "imageLayer", "imageReference", "snapshot"].map { table in
                    "\(table): \(try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM \(table)") ?? -1)"
                }
            }
    }
}

extension RegistrySettings {
    /// Failures are tried again at once.
    static var forTests: RegistrySettings {
        var settings = RegistrySettings()
        settings.retries.firstDelay = .milliseconds(1)
        return settings
    }

    /// What fails, fails.
    static var withoutRetries: RegistrySettings {
        var settings = RegistrySettings.forTests
        settings.retries.attempts = 1
        return settings
    }
}

/// Archives made of paths and contents.
enum Tar {
    static func make(_ files: [(String, [UInt8])], endsProperly: Bool = true) throws -> [UInt8] {
        nonisolated(unsafe) var bytes: [UInt8] = []
        var writer = TarWriter { bytes += $0 }
        for (path, data) in files {
            var entry = TarEntry(kind: .file, name: Array(path.utf8), mode: 0o644)
            entry.size = Int64(data.count)
            try writer.add(entry)
            try writer.write(data)
        }
        if endsProperly { try writer.finish() }
        return bytes
    }

    static func text(_ files: [(String, String)]) throws -> [UInt8] { try make(files.map { ($0.0, Array($0.1.utf8)) }) }

    /// The bytes after they went through a program.
    static func through(_ command: String, _ bytes: [UInt8]) throws -> [UInt8] {
        var template = Array("/tmp/masu-images-test-XXXXXX".utf8CString)
        let directory = FilePath(String(cString: mkdtemp(&template)))
        defer { try? TreeRemoval.remove(directory) }
        let (source, target) = (directory.appending("in"), directory.appending("out"))
        let file = try FileDescriptor.open(
            source, .writeOnly, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
        try file.writeAll(bytes)
        try file.close()
        try #require(system("\(command) < \(source) > \(target)") == 0)
        let result = try FileDescriptor.open(target, .readOnly, options: .closeOnExec)
        defer { try? result.close() }
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = try buffer.withUnsafeMutableBytes { try result.read(into: $0) }
            if count == 0 { return all }
            all += buffer[..<count]
        }
    }
}
