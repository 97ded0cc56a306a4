import LinuxKernel
import OCISpec
import SystemPackage
import Testing

import Volumes

@Suite("Plugins for volumes", .timeLimit(.minutes(3)))
struct PluginTests {
    private func plugin(_ store: TestStore, _ name: String = "fake") throws -> FakePlugin {
        try FakePlugin(
            at: store.sockets.appending("\(name).sock"), root: store.directory.path.appending("elsewhere"))
    }

    @Test("a plugin makes, shows, mounts and removes a volume, with one id for a mount and its end")
    func life() async throws {
        let store = try await TestStore()
        let plugin = try plugin(store)
        defer { plugin.stop() }
        let (volume, isNew) = try await store.volumes.create(
            VolumeRequest(name: "data", driver: "fake", options: ["a": "b"], labels: ["l": "1"]))
        #expect(isNew)
        #expect(volume.driver == "fake")
        #expect(plugin.state.withLock { $0.volumes["data"] } == #"{"a":"b"}"#)
        let details = try await store.volumes.details("data")
        #expect(details.scope == .global)
        #expect(details.status == #"{"kept":"well"}"#)
        #expect(details.volume.createdAt == Timestamp("2026-01-02T03:04:05Z"))
        #expect(details.volume.labels == ["l": "1"])
        #expect(store.volumes.driverNames == ["fake", "local"])

        let place = store.directory.path.appending("elsewhere/data")
        #expect(try await store.volumes.acquire("data", for: "c1") == .directory(place))
        #expect(try await store.volumes.acquire("data", for: "c1") == .directory(place))
        #expect(plugin.calls.filter { $0.hasPrefix("Mount") } == ["Mount data c1"])
        await #expect(throws: VolumesError(.conflict, "remove data: volume is in use - [c1]")) {
            try await store.volumes.remove("data")
        }
        await store.volumes.release("data", for: "c1")
        await store.volumes.release("data", for: "c1")
        #expect(plugin.calls.filter { $0.hasPrefix("Unmount") } == ["Unmount data c1"])
        try await store.volumes.remove("data")
        #expect(plugin.state.withLock { $0.volumes.isEmpty })
        #expect(store.volumes.all.isEmpty)
    }

    @Test("a plugin that is not there is an error in Docker's words")
    func unknown() async throws {
        let store = try await TestStore()
        await #expect(
            throws: VolumesError(
                .notFound, "create data: error looking up volume plugin nope: plugin \"nope\" not found")
        ) { try await store.volumes.create(VolumeRequest(name: "data", driver: "nope")) }
    }

    @Test("what a plugin says that went wrong is told in its own words, and leaves nothing")
    func refusal() async throws {
        let store = try await TestStore()
        let plugin = try plugin(store)
        defer { plugin.stop() }
        plugin.state.withLock { $0.answers["Create"] = (200, #"{"Err":"disk on fire"}"#) }
        await #expect(throws: VolumesError(.system, "create data: disk on fire")) {
            try await store.volumes.create(VolumeRequest(name: "data", driver: "fake"))
        }
        plugin.state.withLock { $0.answers["Create"] = (500, #"{"Err":"still burning"}"#) }
        await #expect(throws: VolumesError(.system, "create data: VolumeDriver.Create: still burning")) {
            try await store.volumes.create(VolumeRequest(name: "data", driver: "fake"))
        }
        #expect(store.volumes.all.isEmpty)
        plugin.state.withLock { $0.answers = [:] }
        #expect(try await store.volumes.create(VolumeRequest(name: "data", driver: "fake")).isNew)
    }

    @Test("a mount that fails leaves no use behind; one whose answer was lost is given back")
    func failedMount() async throws {
        let store = try await TestStore()
        let plugin = try plugin(store)
        defer { plugin.stop() }
        _ = try await store.volumes.create(VolumeRequest(name: "data", driver: "fake"))
        plugin.state.withLock { $0.answers["Mount"] = (200, #"{"Err":"no"}"#) }
        await #expect(throws: VolumesError(.system, "no")) { try await store.volumes.acquire("data", for: "c1") }
        #expect(!plugin.calls.contains("Unmount data c1"))
        plugin.state.withLock { $0.hangsUp = ["VolumeDriver.Mount"] }
        await #expect(throws: VolumesError.self) { try await store.volumes.acquire("data", for: "c1") }
        #expect(plugin.calls.contains("Unmount data c1"))
        try await store.volumes.remove("data")
    }

    @Test("uses that a killed daemon left are given back, others stay")
    func recovery() async throws {
        let store = try await TestStore()
        let plugin = try plugin(store)
        defer { plugin.stop() }
        _ = try await store.volumes.create(VolumeRequest(name: "data", driver: "fake"))
        for user in ["gone", "running"] { _ = try await store.volumes.acquire("data", for: user) }
        try await store.reopen()
        await store.volumes.recover(["running"])
        #expect(plugin.calls.filter { $0.hasPrefix("Unmount") } == ["Unmount data gone"])
        #expect(
            try await store.volumes.acquire("data", for: "running")
                == .directory(store.directory.path.appending("elsewhere/data")))
        #expect(plugin.calls.filter { $0 == "Mount data running" }.count == 1)
        await store.volumes.release("data", for: "running")
        #expect(plugin.state.withLock { $0.mounted["data"] } == [])
    }

    @Test("lists have what others have made at a plugin, and a plugin that fails is a warning")
    func list() async throws {
        let store = try await TestStore()
        let plugin = try plugin(store)
        defer { plugin.stop() }
        _ = try await store.volumes.create(VolumeRequest(name: "here"))
        _ = try await store.volumes.create(VolumeRequest(name: "mine", driver: "fake"))
        plugin.state.withLock { $0.volumes["theirs"] = "{}" }
        let (volumes, warnings) = try await store.volumes.list()
        #expect(volumes.map(\.volume.name) == ["here", "mine", "theirs"])
        #expect(warnings.isEmpty)
        plugin.state.withLock { $0.answers["List"] = (200, #"{"Err":"tired"}"#) }
        let second = try await store.volumes.list()
        #expect(second.volumes.map(\.volume.name) == ["here", "mine"])
        #expect(second.warnings == ["list fake: tired"])
        // Whoever asks for one by its name finds it.
        #expect(try await store.volumes.details("theirs").volume.driver == "fake")
    }

    @Test("a name that one driver has is refused to another")
    func conflict() async throws {
        let store = try await TestStore()
        let plugin = try plugin(store)
        defer { plugin.stop() }
        _ = try await store.volumes.create(VolumeRequest(name: "data"))
        await #expect(
            throws: VolumesError(
                .conflict, "create data: driver 'local' already has volume 'data': volume name must be unique")
        ) { try await store.volumes.create(VolumeRequest(name: "data", driver: "fake")) }
        #expect(try await !store.volumes.create(VolumeRequest(name: "data")).isNew)
    }

    @Test("a volume whose plugin has gone is removed by force only")
    func goneForever() async throws {
        let store = try await TestStore()
        let plugin = try plugin(store)
        _ = try await store.volumes.create(VolumeRequest(name: "data", driver: "fake"))
        plugin.stop()
        let error = await #expect(throws: VolumesError.self) { try await store.volumes.remove("data") }
        #expect(error?.kind == .unavailable)
        #expect(store.volumes.all.map(\.name) == ["data"])
        try await store.volumes.remove("data", force: true)
        #expect(store.volumes.all.isEmpty)
    }

    @Test("files say where a plugin listens: an address, or a document")
    func files() async throws {
        let store = try await TestStore()
        let path = store.directory.path.appending("far.sock")
        let plugin = try FakePlugin(at: path, root: "/elsewhere")
        defer { plugin.stop() }
        try store.directory.write("etc/plugins/far.spec", "unix://\(path)\n")
        try store.directory.write("etc/plugins/deep/deep.json", #"{"Name":"deep","Addr":"unix://\#(path)"}"#)
        try store.directory.write("etc/plugins/tls.json", #"{"Addr":"https://h:1","TLSConfig":{"CAFile":"/ca"}}"#)
        for name in ["far", "deep"] {
            #expect(try await store.volumes.create(VolumeRequest(name: "in-\(name)", driver: name)).isNew)
        }
        let error = await #expect(throws: VolumesError.self) {
            try await store.volumes.create(VolumeRequest(name: "x1", driver: "tls"))
        }
        #expect(error?.kind == .notImplemented)
    }

    @Test("what is no answer is an error, and the plugin's volumes stay", arguments: ["", "[", "HTTP", "{\"Err\":1}"])
    func nonsense(body: String) async throws {
        let store = try await TestStore()
        let plugin = try plugin(store)
        defer { plugin.stop() }
        _ = try await store.volumes.create(VolumeRequest(name: "data", driver: "fake"))
        plugin.state.withLock { $0.answers["Remove"] = (200, body) }
        await #expect(throws: VolumesError.self) { try await store.volumes.remove("data") }
        #expect(store.volumes.all.map(\.name) == ["data"])
    }
}
