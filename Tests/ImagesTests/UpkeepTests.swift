import Archive
import Glibc
import Images
import LinuxKernel
import OCISpec
import SystemPackage
import Synchronization
import Testing

/// Images of containers, making room, and looking whether all is as it should be.
@Suite(.enabled(if: geteuid() == 0, "snapshots need root"))
struct UpkeepTests {
    private func problems(_ fixture: ImagesFixture, containers: Set<String> = []) async throws -> [String] {
        let found = Mutex<[String]>([])
        _ = try await fixture.images.check(
            containers: containers, presence: { containers.contains($0) ? .whole : .none }
        ) { problem in found.withLock { $0.append(problem) } }
        return found.withLock { $0.sorted() }
    }

    /// Runs `body` in a container's root.
    private func working(in key: String, _ fixture: ImagesFixture, _ command: String) async throws {
        let mounts = try await fixture.images.mounts(key: key)
        let status = try PrivateTree.run(mounts, command)
        try #require(status == 0)
    }

    @Test("a container's changes become a layer of their own upon the image's", arguments: ["overlay", "vfs"])
    func commit(driver: String) async throws {
        let fixture = try ImagesFixture(driver: driver)
        let base = try await fixture.importing(Tar.text([("a", "1"), ("b", "2")]), as: "base", changes: ["CMD run"])
        try await fixture.images.prepareContainerSnapshot(key: "c", image: base)
        #expect(try await fixture.images.changes(key: "c", mountPoints: [], live: nil) == [])
        try await working(in: "c", fixture, "echo new > c; rm a")
        let changes = try await fixture.images.changes(key: "c", mountPoints: [], live: nil)
        #expect(changes == [TreeChange(.deleted, Array("a".utf8)), TreeChange(.added, Array("c".utf8))])
        var description = CommitDescription(process: ImageProcess())
        description.reference = try ImageReference(parsing: "made:1")
        description.author = "me"
        description.comment = "why"
        description.createdBy = "sh -c x"
        let id = try await fixture.images.commit(
            key: "c", image: base, mountPoints: [], layer: .copied(live: nil), description)
        let record = try await fixture.images.resolve("made:1")
        #expect(record.id == id && record.configuration.rootfs.diffIDs.count == 2)
        let history = try await fixture.images.history("made:1")
        #expect(
            history.map(\.createdBy) == ["sh -c x", ""] && history[0].comment == "why" && history[0].tags == ["made:1"])
        #expect(record.configuration.author == "me")
        try await fixture.images.prepareContainerSnapshot(key: "d", image: id)
        try await working(in: "d", fixture, "test ! -e a && test -e b && grep -q new c")
        #expect(try await problems(fixture, containers: ["c", "d"]) == [])
    }

    @Test("a commit of a container that changed nothing has no layer of its own")
    func emptyCommit() async throws {
        let fixture = try ImagesFixture()
        let base = try await fixture.importing(Tar.text([("a", "1")]), as: "base")
        try await fixture.images.prepareContainerSnapshot(key: "c", image: base)
        let id = try await fixture.images.commit(
            key: "c", image: base, mountPoints: [], layer: .copied(live: nil),
            CommitDescription(process: ImageProcess()))
        let record = try #require(try await fixture.images.record(id))
        #expect(
            record.configuration.rootfs.diffIDs.count == 1 && record.configuration.history?.last?.emptyLayer == true)
    }

    @Test("a commit that fails leaves nothing behind")
    func failedCommit() async throws {
        let fixture = try ImagesFixture()
        let base = try await fixture.importing(Tar.text([("a", "1")]), as: "base")
        try await fixture.images.prepareContainerSnapshot(key: "c", image: base)
        try await working(in: "c", fixture, "echo new > c")
        let before = try await fixture.inventory()
        // The blob that the new image's manifest needs is not there any more.
        let record = try #require(try await fixture.images.record(base))
        try fixture.images.content.remove(record.manifest)
        await #expect(throws: ImagesError.self) {
            _ = try await fixture.images.commit(
                key: "c", image: base, mountPoints: [], layer: .copied(live: nil),
                CommitDescription(process: ImageProcess()))
        }
        #expect(try await fixture.inventory() == before.filter { !$0.contains(record.manifest.encoded) })
    }

    @Test("prune removes what has no tag, or with all what nobody uses, and counts shared layers once")
    func prune() async throws {
        let fixture = try ImagesFixture()
        let layer = try Tar.text([("a", String(repeating: "x", count: 1000))])
        let dangling = try await fixture.importing(layer, message: "dangling")
        try await fixture.importing(layer, as: "tagged", message: "tagged")
        let used = try await fixture.importing(Tar.text([("b", "2")]), as: "used")
        let users: @Sendable (Digest) throws -> [ImageUser] = { id in
            id == used ? [ImageUser(containerID: "c", isRunning: false)] : []
        }
        let usage = try await fixture.images.usage()
        #expect(usage.layersSize == 1001, "the layer of two images counts once")
        let first = try await fixture.images.prune(PruneFilters(), users: users)
        #expect(first.images == [dangling] && first.reclaimed == 0, "its layer is another image's as well")
        let filters = try PruneFilters(["dangling": ["false"]], accepting: PruneFilters.forImages)
        let second = try await fixture.images.prune(filters, users: users)
        #expect(second.deletions.first == .untagged("tagged:latest") && second.reclaimed == 1000)
        #expect(try await fixture.images.list().map(\.record.id) == [used])
        #expect(try await problems(fixture) == [])
    }

    @Test("where snapshots are whole trees, they are compared with all layers together")
    func checkOfCopies() async throws {
        let fixture = try ImagesFixture(driver: "vfs")
        let base = try await fixture.importing(Tar.text([("a", "1"), ("d/x", "2"), ("d/y", "3")]), as: "base")
        try await fixture.images.prepareContainerSnapshot(key: "c", image: base)
        try await working(in: "c", fixture, "rm -r d a; echo f > d; echo a2 > a")
        let id = try await fixture.images.commit(
            key: "c", image: base, mountPoints: [], layer: .copied(live: nil),
            CommitDescription(process: ImageProcess()))
        #expect(try await problems(fixture, containers: ["c"]) == [])
        let top = try #require(try await fixture.images.record(id)?.topSnapshot)
        let layer = try #require(try fixture.images.snapshotter.information(top))
        #expect(unlink(layer.directory.appending("fs/d").string) == 0)
        #expect(try await problems(fixture, containers: ["c"]) == ["snapshot \(top): d is missing"])
    }

    @Test("prune's filters are Docker's")
    func filters() throws {
        let labels = try PruneFilters(
            ["label": ["a", "b=2"], "label!": ["keep"]], accepting: PruneFilters.forContainers)
        #expect(labels.admit(labels: ["a": "", "b": "2"], created: .now()))
        #expect(!labels.admit(labels: ["a": "", "b": "3"], created: .now()))
        #expect(!labels.admit(labels: ["a": "", "b": "2", "keep": ""], created: .now()))
        let until = try PruneFilters(["until": ["1h"]], accepting: PruneFilters.forContainers)
        #expect(!until.admit(labels: [:], created: .now()))
        #expect(until.admit(labels: [:], created: Timestamp(seconds: 0)))
        #expect(throws: ImagesError(.invalid, "more than one until filter specified")) {
            try PruneFilters(["until": ["1h", "2h"]], accepting: PruneFilters.forContainers)
        }
        #expect(throws: ImagesError(.invalid, "invalid filter 'dangling'")) {
            try PruneFilters(["dangling": ["true"]], accepting: PruneFilters.forContainers)
        }
    }

    @Test("a check finds nothing in a sound store, and each damage in another")
    func check() async throws {
        let fixture = try ImagesFixture()
        let id = try await fixture.importing(
            Tar.through("gzip", Tar.text([("a", "1"), ("b", "2")])), as: "app")
        let plain = try await fixture.importing(Tar.text([("c", "3")]), as: "plain")
        try await fixture.images.prepareContainerSnapshot(key: "c1", image: id)
        #expect(try await problems(fixture, containers: ["c1"]) == [])

        let top = try #require(try await fixture.images.record(id)?.topSnapshot)
        let layer = try #require(try fixture.images.snapshotter.information(top))
        #expect(unlink(layer.directory.appending("fs/a").string) == 0)
        let (stray, _) = try fixture.images.content.store(Array("stray".utf8))
        let record = try #require(try await fixture.images.record(plain))
        try fixture.images.content.remove(record.manifest)
        let file = try FileDescriptor.open(
            fixture.images.content.path(of: plain), .writeOnly, options: .closeOnExec)
        try file.writeAll(Array("X".utf8))
        try file.close()
        let leftover = try FileDescriptor.open(
            fixture.directory.appending("content/ingest/1-1"), .writeOnly, options: [.create, .closeOnExec],
            permissions: .ownerReadWrite)
        try leftover.close()
        let found = try await problems(fixture, containers: ["c2"])
        #expect(
            found
                == [
                    "\(fixture.directory.appending("content/ingest/1-1")) was left behind by an earlier daemon",
                    "blob \(plain) is damaged: its bytes have another digest",
                    "blob \(stray) belongs to no image",
                    "container c2: its root file system is missing",
                    "image plain:latest (\(plain.short)): blob \(plain) is damaged",
                    "image plain:latest (\(plain.short)): blob \(record.manifest) is missing",
                    "snapshot c1 belongs to no container",
                    "snapshot \(layer.name): a is missing",
                ].sorted())
    }
}
