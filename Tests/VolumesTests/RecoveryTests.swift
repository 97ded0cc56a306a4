import GRDB
import LinuxKernel
import SystemPackage
import Testing

import Volumes

@Suite("What a start finds of volumes")
struct RecoveryTests {
    @Test("volumes are there again, with all that was said of them")
    func restart() async throws {
        let store = try await TestStore()
        let volume = try await store.volumes.create(
            VolumeRequest(name: "data", options: ["type": "tmpfs", "device": "x"], labels: ["a": "b"])
        ).volume
        try await store.reopen()
        #expect(store.volumes.all == [volume])
    }

    @Test("a creation that had not answered leaves no directory")
    func halfCreation() async throws {
        let store = try await TestStore()
        for name in ["half", "third"] { try Files.makeDirectory(store.root.appending(name)) }
        try Files.makeDirectory(store.root.appending("half/_data"))
        try await store.reopen()
        #expect(store.volumes.all.isEmpty)
        #expect(try Files.names(in: store.root).isEmpty)
    }

    @Test("a directory with files becomes a volume, and what is none is left alone")
    func adoption() async throws {
        let store = try await TestStore()
        for path in ["old/_data", "lost+found", "stray"] {
            try Files.makeDirectories(store.root.appending(path))
        }
        try store.directory.write("data/volumes/old/_data/file", "x")
        try store.directory.write("data/volumes/stray/file", "x")
        try store.directory.write("data/volumes/metadata.db", "x")
        try await store.reopen()
        #expect(store.volumes.all.map(\.name) == ["old"])
        #expect(try Files.names(in: store.root).sorted() == ["lost+found", "metadata.db", "old", "stray"])
        try await store.reopen()
        #expect(store.volumes.all.map(\.name) == ["old"])
        let error = await #expect(throws: VolumesError.self) {
            try await store.volumes.create(VolumeRequest(name: "stray"))
        }
        #expect(error?.kind == .conflict)
        #expect(Files.exists(store.root.appending("stray/file")))
    }

    @Test("a volume that Docker has made keeps its options")
    func dockerOptions() async throws {
        let store = try await TestStore()
        try Files.makeDirectories(store.root.appending("nfs/_data"))
        try store.directory.write(
            "data/volumes/nfs/opts.json",
            #"{"MountType":"nfs","MountOpts":"addr=192.0.2.1,rw","MountDevice":":/x","Quota":{"Size":0}}"#)
        try await store.reopen()
        #expect(store.volumes.all.first?.options == ["type": "nfs", "o": "addr=192.0.2.1,rw", "device": ":/x"])
        guard case .fileSystem(let mount) = try await store.volumes.acquire("nfs", for: "c") else {
            Issue.record("no mount")
            return
        }
        #expect(mount.options == ["addr=192.0.2.1", "rw"])
    }

    @Test("a row without a directory stays, and who needs the files is told")
    func missingDirectory() async throws {
        let store = try await TestStore()
        _ = try await store.volumes.create(VolumeRequest(name: "data"))
        try TreeRemoval.remove(store.root.appending("data"))
        try await store.reopen()
        #expect(store.volumes.all.map(\.name) == ["data"])
        let error = await #expect(throws: VolumesError.self) { try await store.volumes.acquire("data", for: "c") }
        #expect(error?.message.contains("is missing") == true)
        try await store.volumes.remove("data")
        #expect(store.volumes.all.isEmpty)
    }

    @Test(
        "a removal that had begun is finished, wherever the daemon died",
        arguments: ["before it moved the directory", "before it deleted the files", "before it deleted the row"])
    func halfRemoval(moment: String) async throws {
        let store = try await TestStore()
        _ = try await store.volumes.create(VolumeRequest(name: "data"))
        _ = try await store.volumes.create(VolumeRequest(name: "other"))
        try store.directory.write("data/volumes/data/_data/file", "x")
        try await store.database.write { try $0.execute(sql: "UPDATE volume SET isRemoving = 1 WHERE name = 'data'") }
        switch moment {
        case "before it moved the directory": break
        case "before it deleted the files":
            try Files.rename(store.root.appending("data"), to: store.root.appending(".removed-1"))
        default: try TreeRemoval.remove(store.root.appending("data"))
        }
        try await store.reopen()
        #expect(store.volumes.all.map(\.name) == ["other"])
        await store.volumes.cleaned()
        #expect(store.volumes.all.map(\.name) == ["other"])
        #expect(try Files.names(in: store.root) == ["other"])
        #expect(try await store.database.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM volume") } == 1)
    }

    @Test("who makes a volume of a name whose removal is not finished gets a new one")
    func removalBehind() async throws {
        let store = try await TestStore()
        _ = try await store.volumes.create(VolumeRequest(name: "data"))
        for number in 0..<200 { try store.directory.write("data/volumes/data/_data/\(number % 20)/\(number)", "x") }
        try await store.database.write { try $0.execute(sql: "UPDATE volume SET isRemoving = 1") }
        try await store.reopen()
        #expect(try await store.volumes.create(VolumeRequest(name: "data")).isNew)
        await store.volumes.cleaned()
        #expect(store.volumes.all.map(\.name) == ["data"])
        #expect(try Files.names(in: store.root.appending("data/_data")).isEmpty)
        #expect(try Files.names(in: store.root) == ["data"])
    }

    @Test("a volume that has to be mounted to be looked at is known to be half filled, by the next daemon as well")
    func halfFilled() async throws {
        let store = try await TestStore()
        let options = ["type": "nfs", "o": "addr=192.0.2.1", "device": ":/x"]
        _ = try await store.volumes.create(VolumeRequest(name: "share", options: options))
        #expect(!store.volumes.isHalfFilled("share"))
        try store.volumes.beginFilling("share")
        try await store.reopen()
        #expect(store.volumes.isHalfFilled("share"))
        // Twice, as two containers may do it.
        for _ in 0..<2 { store.volumes.endFilling("share") }
        #expect(!store.volumes.isHalfFilled("share"))
        try store.volumes.beginFilling("share")
        try await store.volumes.remove("share")
        #expect(try Files.names(in: store.root).isEmpty)
    }

    @Test("a volume whose files are elsewhere is filled without its directory, which comes back and goes with it")
    func filledWithoutDirectory() async throws {
        let store = try await TestStore()
        let options = ["type": "nfs", "o": "addr=192.0.2.1", "device": ":/x"]
        _ = try await store.volumes.create(VolumeRequest(name: "share", options: options))
        try TreeRemoval.remove(store.root.appending("share"))
        try store.volumes.beginFilling("share")
        try await store.reopen()
        #expect(store.volumes.isHalfFilled("share"))
        #expect(store.volumes.volume("share")?.options == options)
        store.volumes.endFilling("share")
        try await store.volumes.remove("share")
        #expect(try Files.names(in: store.root).isEmpty)
    }

    @Test("rows that the first daemon with volumes has written are volumes")
    func oldRows() async throws {
        let store = try await TestStore()
        let rows = [
            "data": #"""
            {"name":"data","driver":"local","createdAt":"2026-11-30T16:18:00Z","definition":{"local":{"_0":{}}}}
            """#,
            "share": #"""
            {"name":"share","driver":"local","createdAt":"2026-11-30T16:18:00Z","labels":{"a":"b"},"options":
            {"type":"nfs","o":"addr=192.0.2.1,rw","device":":/x"},"definition":{"local":{"_0":{"mount":{"type":"nfs",
            "device":":/x","options":["addr=192.0.2.1","rw"]}}}}}
            """#,
            "small": #"""
            {"name":"small","driver":"local","createdAt":"2026-11-30T16:18:00Z","options":{"size":"1m"},
            "definition":{"local":{"_0":{"size":1048576,"project":1298202624}}}}
            """#,
            "net": #"{"name":"net","driver":"net","definition":{"plugin":{}}}"#,
        ]
        try await store.database.write { database in
            for (name, document) in rows {
                try database.execute(
                    sql: "INSERT INTO volume (name, document) VALUES (?, ?)", arguments: [name, document])
            }
            try database.execute(sql: "INSERT INTO volumeUse VALUES ('net', 'c1', '/mnt/net')")
        }
        for name in ["data", "share", "small"] {
            try Files.makeDirectories(store.root.appending("\(name)/_data"))
        }
        try await store.reopen()
        #expect(store.volumes.all.map(\.name) == ["data", "net", "share", "small"])
        #expect(store.volumes.volume("data")?.isPlain == true && store.volumes.volume("net")?.definition == .plugin)
        let limited = LocalOptions(size: 1 << 20, project: 1_298_202_624)
        #expect(store.volumes.volume("small")?.definition == .local(limited))
        guard case .fileSystem(let mount) = try await store.volumes.acquire("share", for: "c") else {
            Issue.record("no mount")
            return
        }
        #expect(mount.options == ["addr=192.0.2.1", "rw"])
        // What somebody uses is not removed.
        await #expect(throws: VolumesError.self) { try await store.volumes.remove("net") }
    }

    @Test("a row that cannot be read costs nobody else, and its files stay")
    func damagedRow() async throws {
        let store = try await TestStore()
        for name in ["bad", "good"] { _ = try await store.volumes.create(VolumeRequest(name: name)) }
        try store.directory.write("data/volumes/bad/_data/file", "x")
        try await store.database.write { try $0.execute(sql: "UPDATE volume SET document = '{' WHERE name = 'bad'") }
        try await store.reopen()
        #expect(store.volumes.all.map(\.name) == ["good"])
        #expect(Files.exists(store.root.appending("bad/_data/file")))
    }
}
