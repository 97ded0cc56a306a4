import Engine
import LinuxKernel
import OCISpec
import Testing
import Volumes

@Suite("Volumes of an engine")
struct VolumeTests {
    @Test("volumes are made once, told of by events, measured and removed")
    func life() async throws {
        let fixture = try await EngineFixture()
        var filter = EventFilter()
        filter.kinds = [.volume]
        let start = Timestamp.now()
        for _ in 0..<2 { _ = try await fixture.engine.createVolume(VolumeRequest(name: "data")) }
        try fixture.directory.write("data/volumes/data/_data/file", "12345")
        let usage = try await fixture.engine.volumeUsage()
        #expect(usage.map(\.size) == [5])
        #expect(usage.map(\.references) == [0])
        try await fixture.engine.removeVolume("data", force: false)
        try await fixture.engine.removeVolume("data", force: true)
        await #expect(throws: EngineError(.notFound, "get data: no such volume")) {
            try await fixture.engine.removeVolume("data", force: false)
        }
        var told: [String] = []
        for await event in try await fixture.engine.events(filter, since: start, until: .now()) {
            told.append("\(event.action) \(event.actorID) \(event.attributes["driver"] ?? "")")
        }
        #expect(told == ["create data local", "destroy data local"])
    }

    @Test("a prune leaves what a container names")
    func prune() async throws {
        let fixture = try await EngineFixture()
        for name in ["used", "unused"] { _ = try await fixture.engine.createVolume(VolumeRequest(name: name)) }
        try fixture.volumes.addReference(to: "used", by: "c1")
        var filter = VolumePruneFilter()
        filter.includesNamed = true
        #expect(try await fixture.engine.pruneVolumes(filter).names == ["unused"])
        var dangling = VolumeFilter()
        dangling.isDangling = false
        #expect(try await fixture.engine.volumes(dangling).volumes.map(\.volume.name) == ["used"])
    }

    @Test("nothing is pruned as long as there is a container that may have any volume")
    func pruneBesideDamage() async throws {
        let fixture = try await EngineFixture()
        _ = try await fixture.engine.createVolume(VolumeRequest(name: "data"))
        _ = try await fixture.engine.create(ContainerConfiguration(image: "box"), name: "hurt")
        try await fixture.database.write { try $0.execute(sql: "UPDATE container SET configuration = '['") }
        let next = try fixture.restarted()
        try await next.recover()
        var filter = VolumePruneFilter()
        filter.includesNamed = true
        let error = await #expect(throws: EngineError.self) { try await next.pruneVolumes(filter) }
        #expect(error?.kind == .conflict && error?.message.contains("container hurt") == true)
        #expect(fixture.volumes.all.map(\.name) == ["data"])
        try await next.remove("hurt")
        #expect(try await next.pruneVolumes(filter).names == ["data"])
    }
}
