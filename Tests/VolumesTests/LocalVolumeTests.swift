import Failure
import GRDB
import Glibc
import JSON
import LinuxKernel
import SystemPackage
import Testing

import Volumes

@Suite("Volumes of the driver local")
struct LocalVolumeTests {
    @Test("a volume is a directory named after it, for root only, with _data in it for all")
    func directory() async throws {
        let store = try await TestStore()
        let (volume, isNew) = try await store.volumes.create(VolumeRequest(name: "data"))
        #expect(isNew)
        #expect(volume.driver == "local")
        #expect(try FileStatus.of(store.root.appending("data")).mode & 0o777 == 0o701)
        #expect(try FileStatus.of(store.root.appending("data/_data")).mode & 0o777 == 0o755)
        let details = try await store.volumes.details("data")
        #expect(details.mountpoint == store.root.appending("data/_data").string)
        #expect(details.scope == .local)
        #expect(try await store.volumes.acquire("data", for: "c1") == .directory(store.root.appending("data/_data")))
    }

    @Test("a volume that is there is found again, with its own labels, and no second one is made")
    func idempotence() async throws {
        let store = try await TestStore()
        _ = try await store.volumes.create(VolumeRequest(name: "data", labels: ["a": "b"]))
        let again = try await store.volumes.create(VolumeRequest(name: "data", labels: ["c": "d"]))
        #expect(!again.isNew)
        #expect(again.volume.labels == ["a": "b"])
    }

    @Test("a volume that nobody gives a name gets 64 digits, and the label by which a prune knows it")
    func anonymous() async throws {
        let store = try await TestStore()
        let volume = try await store.volumes.create(VolumeRequest(labels: ["a": "b"])).volume
        #expect(volume.name.count == 64)
        #expect(volume.labels == ["a": "b", "com.docker.volume.anonymous": ""])
        #expect(volume.isAnonymous)
    }

    @Test(
        "names that are none of a directory's are refused in Docker's words",
        arguments: [
            ("a", "create a: volume name is too short, names should be at least two alphanumeric characters"),
            (
                "../x",
                "create ../x: \"../x\" includes invalid characters for a local volume name, only "
                    + "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use "
                    + "absolute path"
            ),
            (
                ".hidden",
                "create .hidden: \".hidden\" includes invalid characters for a local volume name, only "
                    + "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use "
                    + "absolute path"
            ),
        ])
    func names(name: String, words: String) async throws {
        let store = try await TestStore()
        await #expect(throws: VolumesError(.invalid, words)) {
            try await store.volumes.create(VolumeRequest(name: name))
        }
        #expect(try Files.names(in: store.root).isEmpty)
    }

    @Test(
        "options are refused in Docker's words where one is unknown, or needs another",
        arguments: [
            (["nope": "1"], "create v1: invalid option: \"nope\""),
            (["o": "bind"], "create v1: missing required option: \"device\""),
            (["type": "none", "o": "bind"], "create v1: missing required option: \"device\""),
            (["device": "/x"], "create v1: missing required option: \"type\""),
            (["type": "tmpfs"], "create v1: missing required option: \"device\""),
            (["size": "many"], "create v1: invalid size: 'many'"),
            (
                ["type": "cifs", "device": "//host:445/share"],
                "create v1: port not allowed in CIFS device URL, include 'port' in 'o='"
            ),
        ])
    func options(options: [String: String], words: String) async throws {
        let store = try await TestStore()
        await #expect(throws: VolumesError(.invalid, words)) {
            try await store.volumes.create(VolumeRequest(name: "v1", options: options))
        }
        #expect(try Files.names(in: store.root).isEmpty)
        #expect(store.volumes.all.isEmpty)
    }

    @Test("a mount is handed over as a container mounts it, without what is meant for other programs")
    func mounts() async throws {
        let store = try await TestStore()
        _ = try await store.volumes.create(
            VolumeRequest(
                name: "shared",
                options: ["type": "nfs", "device": ":/exports", "o": "addr=192.0.2.7,nfsvers=4,_netdev,nolock,rw"]))
        #expect(
            try await store.volumes.acquire("shared", for: "c1")
                == .fileSystem(
                    FileSystemMount(
                        type: "nfs", source: ":/exports", options: ["addr=192.0.2.7", "vers=4", "nolock", "rw"])))
        _ = try await store.volumes.create(
            VolumeRequest(
                name: "memory", options: ["type": "tmpfs", "device": "tmpfs", "o": "size=8m,uid=1000"]))
        #expect(
            try await store.volumes.acquire("memory", for: "c1")
                == .fileSystem(FileSystemMount(type: "tmpfs", source: "tmpfs", options: ["size=8m", "uid=1000"])))
    }

    @Test("a server's name becomes its address, whether it stands in addr= or in the device")
    func serverNames() async throws {
        let store = try await TestStore()
        _ = try await store.volumes.create(
            VolumeRequest(name: "v1", options: ["type": "nfs", "device": ":/x", "o": "addr=localhost"]))
        _ = try await store.volumes.create(
            VolumeRequest(name: "v2", options: ["type": "nfs", "device": "localhost:/x"]))
        _ = try await store.volumes.create(
            VolumeRequest(name: "v3", options: ["type": "cifs", "device": "//localhost/share", "o": "username=u"]))
        for name in ["v1", "v2"] {
            guard case .fileSystem(let mount) = try await store.volumes.acquire(name, for: "c") else {
                Issue.record("no mount")
                continue
            }
            #expect(["addr=127.0.0.1", "addr=::1"].contains(mount.options.last))
        }
        guard case .fileSystem(let share) = try await store.volumes.acquire("v3", for: "c") else { return }
        #expect(["//127.0.0.1/share", "//::1/share"].contains(share.source))
        #expect(share.options == ["username=u"])
    }

    @Test("a server that nobody knows is an error in Docker's words")
    func unknownServer() async throws {
        let store = try await TestStore()
        _ = try await store.volumes.create(
            VolumeRequest(name: "v1", options: ["type": "nfs", "device": ":/x", "o": "addr=no.such.host.invalid"]))
        let error = await #expect(throws: VolumesError.self) { try await store.volumes.acquire("v1", for: "c") }
        #expect(
            error?.message.hasPrefix("error resolving passed in network volume address: lookup no.such.host.invalid")
                == true)
    }

    @Test("passwords are asterisks in what is told")
    func passwords() {
        let mount = FileSystemMount(type: "cifs", source: "//h/s", options: ["username=u", "password=pa,ss"])
        #expect(
            mount.hidingSecrets(in: "mount: username=u,password=pa,ss: failed")
                == "mount: username=u,password=********: failed")
    }

    @Test("a directory that is to be bound and is not there is told in Docker's words")
    func missingDevice() async throws {
        let store = try await TestStore()
        _ = try await store.volumes.create(
            VolumeRequest(name: "v1", options: ["type": "none", "device": "/no/such/dir", "o": "bind"]))
        let target = store.root.appending("v1/_data")
        await #expect(
            throws: VolumesError(
                .system,
                "failed to mount local volume: mount /no/such/dir:\(target), flags: 0x1000: no such file or directory")
        ) { try await store.volumes.acquire("v1", for: "c") }
    }

    // MARK: Removal

    @Test("a removed volume leaves nothing, and neither does a link in it lead anywhere")
    func removal() async throws {
        let store = try await TestStore()
        _ = try await store.volumes.create(VolumeRequest(name: "data"))
        let outside = store.directory.path.appending("outside")
        try Files.makeDirectory(outside)
        try store.directory.write("outside/file", "keep")
        let data = store.root.appending("data/_data")
        try store.directory.write("data/volumes/data/_data/file", "x")
        symlink(outside.string, data.appending("link").string)
        try await store.volumes.remove("data")
        #expect(try Files.names(in: store.root).isEmpty)
        #expect(Files.exists(outside.appending("file")))
        #expect(store.volumes.all.isEmpty)
        await #expect(throws: VolumesError(.notFound, "get data: no such volume")) {
            try await store.volumes.remove("data")
        }
    }

    @Test("a volume that somebody names is not removed, and the error says who")
    func inUse() async throws {
        let store = try await TestStore()
        _ = try await store.volumes.create(VolumeRequest(name: "data"), for: "c2")
        try store.volumes.addReference(to: "data", by: "c1")
        await #expect(throws: VolumesError(.conflict, "remove data: volume is in use - [c1, c2]")) {
            try await store.volumes.remove("data")
        }
        #expect(Files.exists(store.root.appending("data/_data")))
        store.volumes.removeReference(to: "data", by: "c1")
        store.volumes.removeReference(to: "data", by: "c2")
        try await store.volumes.remove("data")
    }

    @Test("references to a volume that is not there yet count when it is made")
    func earlyReference() async throws {
        let store = try await TestStore()
        try store.volumes.addReference(to: "data", by: "c1")
        _ = try await store.volumes.create(VolumeRequest(name: "data"))
        #expect(store.volumes.references(to: "data") == ["c1"])
        await #expect(throws: VolumesError.self) { try await store.volumes.remove("data") }
    }

    @Test("many who want one name get one volume", .timeLimit(.minutes(2)))
    func race() async throws {
        let store = try await TestStore()
        let volumes = store.volumes
        let made = try await withThrowingTaskGroup(of: Bool.self) { tasks in
            for index in 0..<32 {
                tasks.addTask { try await volumes.create(VolumeRequest(name: "data"), for: "c\(index)").isNew }
            }
            return try await tasks.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(made == 1)
        #expect(store.volumes.references(to: "data").count == 32)
    }

    @Test("what is mounted below a volume is not removed with it", .enabled(if: geteuid() == 0, "needs root"))
    func mountInside() async throws {
        let store = try await TestStore()
        _ = try await store.volumes.create(VolumeRequest(name: "data"))
        let place = store.root.appending("data/_data/disk")
        try Files.makeDirectory(place)
        try Mounts.mount("tmpfs", on: place, type: "tmpfs")
        defer { try? Mounts.unmount(place) }
        let error = await #expect(throws: VolumesError.self) { try await store.volumes.remove("data") }
        #expect(error?.kind == .conflict)
        #expect(error?.message.contains(place.string) == true)
        #expect(Files.exists(place))
        try Mounts.unmount(place)
        try await store.volumes.remove("data")
        #expect(try Files.names(in: store.root).isEmpty)
    }

    @Test("the bytes of a volume are counted, each file once")
    func size() async throws {
        let store = try await TestStore()
        let volume = try await store.volumes.create(VolumeRequest(name: "data")).volume
        try store.directory.write("data/volumes/data/_data/file", String(repeating: "x", count: 1000))
        link(
            store.root.appending("data/_data/file").string, store.root.appending("data/_data/second").string)
        #expect(await store.volumes.size(of: volume) == 1000)
    }
}
