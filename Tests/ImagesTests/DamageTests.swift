import Archive
import Distribution
import FaultyRegistry
import GRDB
import Glibc
import Images
import LinuxKernel
import OCISpec
import Synchronization
import SystemPackage
import Testing

/// Files that were damaged, databases that were lost, disks that are full: what is left goes on working, and nothing is
/// deleted on a mere suspicion.
@Suite(.enabled(if: geteuid() == 0, "snapshots need root"))
struct DamageTests {
    enum Part: String, CaseIterable, Sendable {
        case configuration
        case manifest
    }

    private static func blob(_ part: Part, of record: ImageRecord) -> Digest {
        part == .configuration ? record.id : record.manifest
    }

    @Test(
        "an image whose manifest or configuration was emptied is named and can be removed; all others work",
        arguments: Part.allCases)
    func emptiedDocument(_ part: Part) async throws {
        let fixture = try ImagesFixture()
        let broken = try await fixture.importing(Tar.text([("a", "1")]), as: "broken:1")
        let whole = try await fixture.importing(Tar.text([("b", "2")]), as: "whole:1")
        let record = try #require(try await fixture.images.record(broken))
        let digest = Self.blob(part, of: record)
        try #require(truncate(fixture.images.content.path(of: digest).string, 0) == 0)

        let (_, images) = try ImagesFixture.open(fixture.directory, "overlay")
        let listed = try await images.list().map(\.record)
        #expect(Set(listed.map(\.id)) == [broken, whole])
        let damage = listed.first { $0.id == broken }?.damage
        #expect(damage?.hasPrefix("cannot read its \(part.rawValue) \(digest): ") == true, "\(damage ?? "")")
        #expect(listed.first { $0.id == whole }?.damage == nil)
        for action in ["inspect", "create"] {
            let error = await #expect(throws: ImagesError.self, "\(action)") {
                if action == "inspect" {
                    _ = try await images.inspect("broken:1")
                } else {
                    try await images.prepareContainerSnapshot(key: "c", image: broken)
                }
            }
            #expect(error?.message.hasPrefix("image broken:1 (\(broken.short)) is damaged: ") == true)
        }
        let problems = Mutex<[String]>([])
        _ = try await images.check(containers: [], presence: { _ in .none }) { problem in
            problems.withLock { $0.append(problem) }
        }
        #expect(
            problems.withLock { $0.sorted() } == [
                "blob \(digest) is damaged: its bytes have another digest",
                "image broken:1 (\(broken.short)): blob \(digest) is damaged",
            ])
        try await images.prepareContainerSnapshot(key: "c", image: whole)
        let index = try Files.readText(fixture.directory.appending("content/index.json"))
        #expect(index.contains("whole:1") && !index.contains("broken:1"))

        let done = try await images.remove("broken:1", users: { _ in [] })
        #expect(done.prefix(2) == [.untagged("broken:1"), .deleted(broken.description)] && done.count == 3)
        #expect(images.content.size(of: digest) == nil)
        #expect(try await images.list().map(\.record.id) == [whole])
    }

    @Test("prune takes a damaged image without a name along")
    func prune() async throws {
        let fixture = try ImagesFixture()
        let broken = try await fixture.importing(Tar.text([("a", "1")]))
        try #require(truncate(fixture.images.content.path(of: broken).string, 0) == 0)
        let (_, images) = try ImagesFixture.open(fixture.directory, "overlay")
        #expect(try await images.prune(PruneFilters(), users: { _ in [] }).images == [broken])
    }

    @Test("pulling a damaged image again mends it", arguments: Part.allCases)
    func pullAgain(_ part: Part) async throws {
        let fixture = try ImagesFixture()
        try await FaultyRegistry.run { registry in
            try registry.add(image: [try PullTests.layer("a", 1000)], to: "app", as: "1")
            let reference = try PullTests.name(registry)
            _ = try await PullTests.pull(fixture.images, reference)
            let record = try await fixture.images.resolve(reference.description)
            try await fixture.images.tag(reference.description, as: ImageReference(parsing: "other:2"))
            try #require(
                truncate(fixture.images.content.path(of: Self.blob(part, of: record)).string, 0) == 0)
            let (_, images) = try ImagesFixture.open(fixture.directory, "overlay")
            await #expect(throws: ImagesError.self) { _ = try await images.resolve("other:2") }
            _ = try await PullTests.pull(images, reference)
            let mended = try await images.resolve("other:2")
            #expect(mended.id == record.id && mended.references.count == 3)
            let problems = Mutex<[String]>([])
            _ = try await images.check(containers: [], presence: { _ in .none }) { problem in
                problems.withLock { $0.append(problem) }
            }
            #expect(problems.withLock { $0 } == [])
        }
    }

    @Test("a database that was lost costs no blob and no layer: they are set aside, where they can be loaded from")
    func lostDatabase() async throws {
        let fixture = try ImagesFixture()
        let id = try await fixture.importing(Tar.text([("a", "1")]), as: "app:1")
        try await fixture.images.prepareContainerSnapshot(key: "c", image: id)
        let root = try #require(try fixture.images.snapshotter.information("c")?.directory.appending("fs"))
        try FileDescriptor.open(
            root.appending("own"), .writeOnly, options: [.create, .closeOnExec], permissions: .ownerReadWrite
        )
        .close()
        let before = try DirectoryListing.names(of: fixture.directory.appending("snapshots/overlay")).count
        for suffix in ["", "-wal", "-shm"] { unlink(fixture.directory.appending("masu.db" + suffix).string) }

        let (_, images) = try ImagesFixture.open(fixture.directory, "overlay")
        #expect(try await images.list().isEmpty)
        let stamps = try DirectoryListing.names(of: fixture.directory.appending("set-aside"))
        let place = fixture.directory.appending("set-aside").appending(
            String(decoding: try #require(stamps.first), as: UTF8.self))
        #expect(try DirectoryListing.names(of: place.appending("snapshots/overlay")).count == before)
        let archive = try Tar.through("tar -cC \(place.appending("content")) .", [])
        let loaded = try await ImagesFixture.streaming(archive) { try await images.load(from: $0) }
        #expect(loaded.map(\.id) == [id] && loaded.first?.references.map(\.familiar) == ["app:1"])
        // What is made now does not get in the way of what is aside.
        try await images.prepareContainerSnapshot(key: "c", image: id)
        let (_, again) = try ImagesFixture.open(fixture.directory, "overlay")
        #expect(try await again.list().count == 1)
        #expect(try DirectoryListing.names(of: place.appending("snapshots/overlay")).count == before)
    }

    @Test("a store of an earlier version, which has no name, is taken over")
    func earlierVersion() async throws {
        let fixture = try ImagesFixture()
        let id = try await fixture.importing(Tar.text([("a", "1")]), as: "app:1")
        try await fixture.database.write { try $0.execute(sql: "DELETE FROM imageStore") }
        unlink(fixture.directory.appending("content/identity").string)
        let (database, images) = try ImagesFixture.open(fixture.directory, "overlay")
        #expect(try await images.resolve("app:1").id == id)
        #expect(!Files.exists(fixture.directory.appending("set-aside")))
        let identity = try await database.read { try String.fetchOne($0, sql: "SELECT identity FROM imageStore") }
        #expect(identity == (try Files.readText(fixture.directory.appending("content/identity"))))
    }

    @Test("on a full disk containers' snapshots and images are removed and pruned, and that frees the disk")
    func fullDisk() async throws {
        let disk = try SmallDisk("40m")
        defer { disk.remove() }
        let fixture = try ImagesFixture(driver: "vfs", directory: disk.path)
        // As the daemon has it.
        try ReservedSpace.reserve(1 << 20, for: disk.path.appending("masu.db-wal"))
        let one = try await fixture.importing(PullTests.layer("a", 4 << 20), as: "one")
        let two = try await fixture.importing(PullTests.layer("b", 4 << 20))
        try await fixture.images.prepareContainerSnapshot(key: "c", image: two)
        let filler = try FileDescriptor.open(
            disk.path.appending("filler"), .writeOnly, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
        defer { try? filler.close() }
        for size in [1 << 20, 4096, 1] {
            let piece = [UInt8](repeating: 1, count: size)
            while (try? filler.writeAll(piece)) != nil {}
        }
        await #expect(throws: ImagesError.self) { _ = try await fixture.importing(Tar.text([("c", "3")])) }
        try await fixture.images.removeSnapshot(key: "c")
        while (try? filler.writeAll([UInt8](repeating: 1, count: 4096))) != nil {}
        let done = try await fixture.images.remove("one", users: { _ in [] })
        #expect(done.contains(.deleted(one.description)))
        await fixture.images.finishDisposal()
        var status = statvfs()
        try #require(statvfs(disk.path.string, &status) == 0)
        #expect(status.f_bavail * status.f_bsize > 6 << 20)
        for _ in 0..<2 {
            let piece = [UInt8](repeating: 1, count: 4096)
            while (try? filler.writeAll(piece)) != nil {}
        }
        #expect(try await fixture.images.prune(PruneFilters(), users: { _ in [] }).images == [two])
        #expect(try await fixture.images.list().isEmpty)
    }

    @Test("where not even the note that an image is gone has room, its blobs go first")
    func deletesFirst() async throws {
        let disk = try SmallDisk("40m")
        defer { disk.remove() }
        let fixture = try ImagesFixture(driver: "vfs", directory: disk.path)
        let one = try await fixture.importing(PullTests.layer("a", 4 << 20), as: "one")
        let two = try await fixture.importing(PullTests.layer("b", 4 << 20), as: "two")
        // Nothing is reserved, and the log has no blocks of its own.
        try await fixture.database.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
        try #require(try FileStatus.of(disk.path.appending("masu.db-wal")).size == 0)
        let filler = try FileDescriptor.open(
            disk.path.appending("filler"), .writeOnly, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
        defer { try? filler.close() }
        for size in [1 << 20, 4096, 1] {
            let piece = [UInt8](repeating: 1, count: size)
            while (try? filler.writeAll(piece)) != nil {}
        }
        let refused = await #expect(throws: DatabaseError.self) {
            try await fixture.database.write { try $0.execute(sql: "UPDATE image SET id = id") }
        }
        #expect(refused?.resultCode == .SQLITE_FULL)
        let done = try await fixture.images.remove("one", users: { _ in [] })
        #expect(done.contains(.deleted(one.description)))
        await fixture.images.finishDisposal()
        var status = statvfs()
        try #require(statvfs(disk.path.string, &status) == 0)
        #expect(status.f_bavail * status.f_bsize > 6 << 20)
        // And the other one is whole, also for the next daemon.
        let (_, images) = try ImagesFixture.open(disk.path, "vfs")
        #expect(try await images.resolve("two").id == two)
        #expect(try await images.list().count == 1)
        for digest in try images.content.list() { #expect(try images.content.verify(digest)) }
    }

    @Test("the layers of a removed image are gone with the answer, and a crash before their files are costs nothing")
    func crashWhileDisposing() async throws {
        let fixture = try ImagesFixture()
        try await fixture.importing(Tar.text([("a", "1")]), as: "app")
        let id = try await fixture.importing(Tar.text([("b", "2")]), as: "other")
        let top = try #require(try await fixture.images.record(id)?.topSnapshot)
        // As far as a removal is when it answers: no row, but all the files.
        _ = try await fixture.images.remove("app", users: { _ in [] })
        await fixture.images.finishDisposal()
        try await fixture.database.write { database in
            try database.execute(sql: "DELETE FROM image WHERE id = ?", arguments: [id.description])
            try database.execute(sql: "DELETE FROM snapshot WHERE name = ?", arguments: [top])
        }
        let (_, images) = try ImagesFixture.open(fixture.directory, "overlay")
        await images.finishDisposal()
        #expect(try await fixture.inventory().allSatisfy { $0.hasSuffix(": 0") })
    }

    @Test("what was removed counts as long as it is on the disk, and a layer of the same name is another one")
    func removedAndMadeAgain() async throws {
        let fixture = try ImagesFixture()
        let layer = try Tar.text([("a", String(repeating: "x", count: 1000))])
        for _ in 0..<3 {
            let id = try await fixture.importing(layer, as: "app")
            let top = try #require(try await fixture.images.record(id)?.topSnapshot)
            _ = try await fixture.images.remove("app", users: { _ in [] })
            #expect(try fixture.images.snapshotter.information(top) == nil)
        }
        await fixture.images.finishDisposal()
        #expect(try await fixture.images.usage().layersSize == 0)
        #expect(try await fixture.inventory().allSatisfy { $0.hasSuffix(": 0") })
    }
}
