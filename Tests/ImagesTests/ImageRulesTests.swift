import Glibc
import Images
import OCISpec
import SystemPackage
import Testing

/// Names, lists, removal: the rules and texts that Docker's clients know.
@Suite(.enabled(if: geteuid() == 0, "snapshots need root"))
struct ImageRulesTests {
    private func fixture() async throws -> (ImagesFixture, Digest) {
        let fixture = try ImagesFixture()
        let id = try await fixture.importing(Tar.text([("a", "1")]), as: "app:1", changes: ["LABEL tier=web"])
        return (fixture, id)
    }

    @Test("an image is found by name, full name, id, short id and digest")
    func resolving() async throws {
        let (fixture, id) = try await fixture()
        try await fixture.images.tag("app:1", as: ImageReference(parsing: "app"))
        for name in [
            "app:1", "app", "docker.io/library/app:1", "library/app", id.description, id.encoded, id.short,
            "sha256:" + id.short, String(id.encoded.prefix(3)),
        ] { #expect(try await fixture.images.resolve(name).id == id, "\(name)") }
    }

    @Test(
        "what is not there is told as Docker tells it",
        arguments: [
            ("nope", "No such image: nope:latest"), ("nope:2", "No such image: nope:2"),
            ("reg.io/x/y", "No such image: reg.io/x/y:latest"),
            (
                "sha256:" + String(repeating: "f", count: 64),
                "No such image: sha256:" + String(repeating: "f", count: 64)
            ),
            (String(repeating: "f", count: 64), "No such image: " + String(repeating: "f", count: 64)),
        ])
    func unknown(name: String, text: String) async throws {
        let (fixture, _) = try await fixture()
        let error = await #expect(throws: ImagesError.self) { _ = try await fixture.images.resolve(name) }
        #expect(error == ImagesError(.notFound, text))
    }

    @Test(
        "what is neither name nor id is refused",
        arguments: [
            ("UPPER", "invalid reference format: repository name (library/UPPER) must be lowercase"),
            ("", "invalid reference format"), ("a b", "invalid reference format"),
            ("busybox:sha256:" + String(repeating: "0", count: 64), "invalid reference format"),
        ])
    func noNames(name: String, text: String) async throws {
        let (fixture, _) = try await fixture()
        let error = await #expect(throws: ImagesError.self) { _ = try await fixture.images.resolve(name) }
        #expect(error == ImagesError(.invalid, text))
        let removal = await #expect(throws: ImagesError.self) {
            _ = try await fixture.images.remove(name, users: { _ in [] })
        }
        #expect(removal == ImagesError(.invalid, text))
    }

    @Test("removing what an image has for a platform that it is not for removes nothing")
    func removingPlatforms() async throws {
        let (fixture, id) = try await fixture()
        let other = Platform(os: "linux", architecture: "s390x")
        for platforms in [[other], [Platform.host, other]] {
            let error = await #expect(throws: ImagesError.self) {
                _ = try await fixture.images.remove("app:1", platforms: platforms, users: { _ in [] })
            }
            #expect(error?.kind == .notFound && error?.message.contains("specified platform (linux/s390x)") == true)
        }
        #expect(try await fixture.images.resolve("app:1").id == id)
        let done = try await fixture.images.remove("app:1", platforms: [.host], users: { _ in [] })
        #expect(done.contains(.deleted(id.description)))
    }

    @Test("a name is one of several: only it goes; the last takes the image along, with all of its files")
    func untagging() async throws {
        let (fixture, id) = try await fixture()
        try await fixture.images.tag("app:1", as: ImageReference(parsing: "other:2"))
        #expect(try await fixture.images.remove("app:1", users: { _ in [] }) == [.untagged("app:1")])
        let done = try await fixture.images.remove("other:2", users: { _ in [] })
        #expect(done.prefix(2) == [.untagged("other:2"), .deleted(id.description)])
        #expect(done.count == 3)
        #expect(try await fixture.inventory().allSatisfy { $0.hasSuffix(": 0") })
    }

    @Test("an id with names in several repositories needs force")
    func several() async throws {
        let (fixture, id) = try await fixture()
        try await fixture.images.tag("app:1", as: ImageReference(parsing: "other:2"))
        let error = await #expect(throws: ImagesError.self) {
            _ = try await fixture.images.remove(id.short, users: { _ in [] })
        }
        #expect(
            error
                == ImagesError(
                    .conflict,
                    "conflict: unable to delete \(id.short) (must be forced) - image is referenced in multiple "
                        + "repositories"
                ))
        let done = try await fixture.images.remove(id.short, force: true, users: { _ in [] })
        #expect(done.prefix(3) == [.untagged("app:1"), .untagged("other:2"), .deleted(id.description)])
    }

    @Test("containers keep an image: stopped ones until it is forced, running ones always")
    func inUse() async throws {
        let (fixture, id) = try await fixture()
        let container = String(repeating: "c", count: 64)
        func refused(_ name: String, force: Bool, running: Bool) async -> String? {
            await #expect(throws: ImagesError.self) {
                _ = try await fixture.images.remove(
                    name, force: force, users: { _ in [ImageUser(containerID: container, isRunning: running)] })
            }?.message
        }
        #expect(
            await refused("app:1", force: false, running: false)
                == "conflict: unable to remove repository reference \"app:1\" (must force) - container cccccccccccc is using its "
                + "referenced image \(id.short)")
        #expect(
            await refused(id.short, force: false, running: false)
                == "conflict: unable to delete \(id.short) (must be forced) - image is being used by stopped container cccccccccccc"
        )
        #expect(
            await refused(id.short, force: true, running: true)
                == "conflict: unable to delete \(id.short) (cannot be forced) - image is being used by running container cccccccccccc"
        )
        // By name and with force the name goes, and the running container keeps the image.
        let done = try await fixture.images.remove(
            "app:1", force: true, users: { _ in [ImageUser(containerID: container, isRunning: true)] })
        #expect(done == [.untagged("app:1")])
        #expect(try await fixture.images.resolve(id.short).isDangling)
    }

    @Test("layers a container stands on outlive their image, and go with the container")
    func layersInUse() async throws {
        let (fixture, id) = try await fixture()
        try await fixture.images.prepareContainerSnapshot(key: "c", image: id)
        let done = try await fixture.images.remove(
            "app:1", force: true, users: { _ in [ImageUser(containerID: "c", isRunning: false)] })
        #expect(done == [.untagged("app:1"), .deleted(id.description)])
        #expect(try await fixture.images.mounts(key: "c").count == 1)
        try await fixture.images.removeSnapshot(key: "c")
        #expect(try await fixture.inventory().allSatisfy { $0.hasSuffix(": 0") })
    }

    @Test("lists are newest first, and filtered as Docker does")
    func listing() async throws {
        let (fixture, first) = try await fixture()
        let second = try await fixture.importing(Tar.text([("a", "2")]), as: "me/tool:dev")
        func ids(_ filters: [String: [String]]) async throws -> [Digest] {
            try await fixture.images.list(ImageFilters(filters)).map(\.record.id)
        }
        #expect(try await ids([:]) == [second, first])
        #expect(try await ids(["reference": ["app"]]) == [first])
        #expect(try await ids(["reference": ["app:*"]]) == [first])
        #expect(try await ids(["reference": ["*"]]) == [first])
        #expect(try await ids(["reference": ["*/*:d?v", "nothing"]]) == [second])
        #expect(try await ids(["reference": ["me/[a-t]ool"]]) == [second])
        #expect(try await ids(["reference": ["docker.io/library/app"]]) == [first])
        #expect(try await ids(["reference": ["docker.io/library/app:*"]]) == [first])
        #expect(try await ids(["reference": ["docker.io/me/tool"]]) == [second])
        #expect(try await ids(["reference": ["docker.io/me/tool:dev"]]) == [second])
        #expect(try await ids(["until": ["0s", "1h"]]) == [second, first], "the latest counts")
        #expect(try await ids(["until": ["2h", "1h"]]).isEmpty)
        #expect(try await ids(["label": ["tier"]]) == [first])
        #expect(try await ids(["label": ["tier=web"]]) == [first])
        #expect(try await ids(["label": ["tier=db"]]).isEmpty)
        #expect(try await ids(["before": ["me/tool:dev"]]) == [first])
        #expect(try await ids(["since": [first.short]]) == [second])
        #expect(try await ids(["dangling": ["true"]]).isEmpty)
        #expect(try await ids(["until": ["1h"]]).isEmpty)
        #expect(try await ids(["until": ["0s"]]) == [second, first])
    }

    @Test(
        "a wrong filter is refused",
        arguments: [["foo": ["bar"]], ["dangling": ["perhaps"]], ["until": ["soon"]], ["until": ["1h", "later"]]])
    func wrongFilter(filters: [String: [String]]) {
        let error = #expect(throws: ImagesError.self) { try ImageFilters(filters) }
        #expect(error?.kind == .invalid)
    }

    @Test("all of it is still there after a restart, and what belongs to no image is swept away")
    func restart() async throws {
        let (fixture, id) = try await fixture()
        let before = try await fixture.inventory()
        let stray = fixture.directory.appending("content/blobs/sha256").appending(String(repeating: "0", count: 64))
        try FileDescriptor.open(stray, .writeOnly, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
            .close()
        try FileDescriptor.open(
            fixture.directory.appending("content/ingest/x"), .writeOnly, options: [.create, .closeOnExec],
            permissions: .ownerReadWrite
        ).close()
        let (_, images) = try ImagesFixture.open(fixture.directory, "overlay")
        #expect(try await images.resolve("app:1").id == id)
        #expect(try await fixture.inventory() == before)
    }

    @Test("an image that came by way of another storage driver is unpacked when it is first used")
    func otherDriver() async throws {
        let (fixture, id) = try await fixture()
        let (_, images) = try ImagesFixture.open(fixture.directory, "vfs")
        try await images.prepareContainerSnapshot(key: "c", image: id)
        let root = FilePath(try #require(try await images.mounts(key: "c").first).source)
        #expect(access(root.appending("a").string, F_OK) == 0)
    }

    @Test("an image that was not settled when the machine stopped is dropped at the next start")
    func unsettled() async throws {
        let (fixture, _) = try await fixture()
        try await fixture.database.write { try $0.execute(sql: "UPDATE image SET unsettledBoot = 'another boot'") }
        let (_, images) = try ImagesFixture.open(fixture.directory, "overlay")
        await images.finishDisposal()
        #expect(try await fixture.inventory().allSatisfy { $0.hasSuffix(": 0") })
    }

    @Test("making and removing a container's snapshot leaves nothing, also many at once")
    func containerSnapshots() async throws {
        let (fixture, id) = try await fixture()
        let before = try await fixture.inventory()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<50 {
                group.addTask {
                    try await fixture.images.prepareContainerSnapshot(key: "c\(index)", image: id)
                    _ = try await fixture.images.mounts(key: "c\(index)")
                    try await fixture.images.removeSnapshot(key: "c\(index)")
                    try await fixture.images.removeSnapshot(key: "c\(index)")
                }
            }
            try await group.waitForAll()
        }
        #expect(try await fixture.inventory() == before)
    }
}
