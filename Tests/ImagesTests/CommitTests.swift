import Archive
import GRDB
import Glibc
import Images
import LinuxKernel
import OCISpec
import Snapshots
import Synchronization
import SystemPackage
import Testing

/// Images of containers.
@Suite(.enabled(if: geteuid() == 0, "mounting needs root"))
struct CommitTests {
    /// A container's root file system to write to; it is mounted nowhere.
    private func root(_ fixture: ImagesFixture, _ key: String) throws -> FilePath {
        try #require(try fixture.images.snapshotter.information(key)).directory.appending("fs")
    }

    private func write(_ text: String, to path: FilePath) throws {
        let file = try Files.open(path, [.writeOnly, .create, .truncate], mode: 0o644)
        defer { file.discard() }
        try file.writeEntire(Array(text.utf8))
    }

    private func commit(_ fixture: ImagesFixture, _ key: String, of image: Digest) async throws -> Digest {
        let layer = try await fixture.images.capture(key: key, mountPoints: [])
        var description = CommitDescription(process: ImageProcess())
        description.reference = try ImageReference(parsing: "made:1")
        return try await fixture.images.commit(key: key, image: image, mountPoints: [], layer: layer, description)
    }

    private func lines(_ fixture: ImagesFixture, _ key: String) async throws -> [String] {
        try await fixture.images.changes(key: key, mountPoints: [], live: nil).map { change in
            "\(["C", "A", "D"][change.kind.rawValue]) \(String(decoding: change.path, as: UTF8.self))"
        }
    }

    @Test(
        "a commit is the container's files, as often as it is made, and is saved as what it says it is",
        arguments: ["overlay", "vfs"])
    func commits(driver: String) async throws {
        let fixture = try ImagesFixture(driver: driver)
        let image = try await fixture.importing(Tar.text([("a", "1"), ("d/x", "1")]), as: "base")
        try await fixture.images.prepareContainerSnapshot(key: "c", image: image)
        // Nothing changed: the same layers.
        let same = try await commit(fixture, "c", of: image)
        #expect(try await fixture.images.record(same)?.configuration.rootfs.diffIDs.count == 1)
        let root = try root(fixture, "c")
        try write("22", to: root.appending("a"))
        try write("new", to: root.appending("new"))
        #expect(truncate(root.appending("new").string, 40 << 20) == 0)
        #expect(try await lines(fixture, "c") == ["C a", "A new"])
        let first = try await commit(fixture, "c", of: image)
        let record = try #require(try await fixture.images.record(first))
        #expect(record.configuration.rootfs.diffIDs.count == 2 && record.parent == image)
        // The container is as it was, and what it was made from.
        #expect(try await lines(fixture, "c") == ["C a", "A new"])
        let second = try await commit(fixture, "c", of: image)
        let again = try #require(try await fixture.images.record(second))
        #expect(again.configuration.rootfs.diffIDs == record.configuration.rootfs.diffIDs)
        // Another container upon the new image, and an image of that.
        try await fixture.images.prepareContainerSnapshot(key: "e", image: first)
        try write("333", to: try self.root(fixture, "e").appending("third"))
        let third = try await commit(fixture, "e", of: first)
        #expect(try await fixture.images.record(third)?.configuration.rootfs.diffIDs.count == 3)
        // What is saved is what the manifest says, and makes the same image elsewhere.
        let saved = try await fixture.saving("made:1")
        let other = try ImagesFixture(driver: driver)
        try await other.loading(saved)
        #expect(try await other.images.resolve("made:1").id == third)
        for digest in try fixture.images.content.list() { #expect(try fixture.images.content.verify(digest)) }
        for layer in record.configuration.rootfs.diffIDs { #expect(fixture.images.content.size(of: layer) != nil) }
    }

    @Test("a blob that was not written before the daemon ended is written by the next one")
    func lateBlob() async throws {
        let fixture = try ImagesFixture()
        let image = try await fixture.importing(Tar.text([("a", "1")]), as: "base")
        try await fixture.images.prepareContainerSnapshot(key: "c", image: image)
        try write("22", to: try root(fixture, "c").appending("a"))
        let id = try await commit(fixture, "c", of: image)
        let layer = try #require(try await fixture.images.record(id)?.configuration.rootfs.diffIDs.last)
        _ = try await fixture.saving("made:1")
        // As after a crash in the middle: half a blob, and the note that it is missing.
        let chain = try #require(try await fixture.images.record(id)?.topSnapshot)
        try await fixture.database.write { database in
            try database.execute(
                sql: "INSERT INTO imageLateBlob (layer, snapshot) VALUES (?, ?)",
                arguments: [layer.description, chain])
        }
        try Files.write("half", to: fixture.images.content.path(of: layer))
        let (_, images) = try ImagesFixture.open(fixture.directory, "overlay")
        _ = try await ImagesFixture.saving("made:1", of: images)
        #expect(try images.content.verify(layer))
        // One whose image went meanwhile is nobody's.
        try await images.removeSnapshot(key: "c")
        _ = try await images.remove("made:1") { _ in [] }
        try await fixture.database.write { database in
            try database.execute(
                sql: "INSERT INTO imageLateBlob (layer, snapshot) VALUES (?, ?)",
                arguments: [layer.description, chain])
        }
        let (database, last) = try ImagesFixture.open(fixture.directory, "overlay")
        for _ in 0..<4000 {
            let count = try await database.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM imageLateBlob") }
            if count == 0 { break }
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(try await database.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM imageLateBlob") } == 0)
        #expect(last.content.size(of: layer) == nil)
    }

    @Test(
        "a driver that has to copy is asked for no changes while the container is held",
        arguments: ["overlay", "vfs"])
    func copies(driver: String) async throws {
        let fixture = try ImagesFixture(driver: driver)
        let image = try await fixture.importing(Tar.text([("a", "1")]), as: "base")
        try await fixture.images.prepareContainerSnapshot(key: "c", image: image)
        let layer = try await fixture.images.capture(key: "c", mountPoints: [])
        // Only who has looked knows that there are none.
        if case .unchanged = layer {
            #expect(driver == "overlay")
        } else {
            #expect(driver == "vfs" && layer.isCopied)
        }
    }

    @Test("saving waits for the blobs of its own image, a check for none")
    func othersBlobs() async throws {
        let fixture = try ImagesFixture()
        let image = try await fixture.importing(Tar.text([("a", "1")]), as: "base")
        try await fixture.images.prepareContainerSnapshot(key: "c", image: image)
        try write("22", to: try root(fixture, "c").appending("a"))
        let record = try #require(try await fixture.images.record(try await commit(fixture, "c", of: image)))
        let layer = try #require(record.configuration.rootfs.diffIDs.last)
        let top = try #require(record.topSnapshot)
        // First what is written in the background comes to its end, then the blob is late again.
        _ = try await fixture.saving("made:1")
        try fixture.images.content.remove(layer)
        try await fixture.database.write { database in
            try database.execute(
                sql: "INSERT INTO imageLateBlob (layer, snapshot) VALUES (?, ?)", arguments: [layer.description, top])
        }
        _ = try await fixture.saving("base")
        let problems = Mutex<[String]>([])
        _ = try await fixture.images.check(containers: ["c"], presence: { _ in .whole }) { problem in
            problems.withLock { $0.append(problem) }
        }
        #expect(problems.withLock { $0 } == [])
        #expect(fixture.images.content.size(of: layer) == nil)
        _ = try await fixture.saving("made:1")
        #expect(try fixture.images.content.verify(layer))
    }

    @Test("layers that a build retains outlive images, restarts and the search for what is nobody's")
    func retained() async throws {
        let fixture = try ImagesFixture()
        let image = try await fixture.importing(Tar.text([("a", "1")]), as: "base")
        let top = try #require(try await fixture.images.record(image)?.topSnapshot)
        try fixture.images.snapshotter.retain(top, for: "build/x")
        _ = try await fixture.images.remove("base") { _ in [] }
        #expect(try fixture.images.snapshotter.information(top) != nil)
        let (_, images) = try ImagesFixture.open(fixture.directory, "overlay")
        #expect(try images.snapshotter.retained(for: "build/x") == [top])
        try images.snapshotter.release(top, for: "build/x")
        let (_, last) = try ImagesFixture.open(fixture.directory, "overlay")
        #expect(try last.snapshotter.information(top) == nil)
    }
}
