import Archive
import Glibc
import LinuxKernel
import Snapshots
import SystemPackage
import Testing

/// How what a container wrote becomes a layer, and who keeps it.
extension SnapshotterPromise {
    /// A container upon a layer, that has changed a bit of everything.
    private static func changedContainer(_ fixture: SnapshotterFixture) throws {
        try fixture.layer("one", parent: nil, ["a": "1", "d/x": "1", "e/x": "1", "e/y": "1", "gone": "1"])
        try fixture.snapshotter.prepare("container", parent: "one")
        try fixture.mounted("container") { root in
            try SnapshotterFixture.write("22", to: root.appending("a"))
            #expect(unlink(root.appending("gone").string) == 0)
            try TreeRemoval.remove(root.appending("d"))
            #expect(mkdir(root.appending("d").string, 0o750) == 0)
            try SnapshotterFixture.write("new", to: root.appending("d/new"))
            #expect(link(root.appending("d/new").string, root.appending("hard").string) == 0)
            #expect(unlink(root.appending("e/y").string) == 0)
            #expect(mkdir(root.appending("stub").string, 0o755) == 0)
        }
    }

    private static func changes(
        _ fixture: SnapshotterFixture, of name: String, since parent: String
    ) throws -> TreeChanges {
        let (own, below) = (try fixture.snapshotter.view(name), try fixture.snapshotter.view(parent))
        return try withExtendedLifetime((own, below)) {
            let top = try #require(own.layers.first)
            let old = try Files.open(try #require(below.layers.first), [.readOnly, .directory])
            let new = try Files.open(top, [.readOnly, .directory])
            defer {
                old.discard()
                new.discard()
            }
            let stub: Set<[UInt8]> = [Array("stub".utf8)]
            guard own.layers.count > 1 else { return try TreeChanges(from: old, to: new, mountPoints: stub) }
            return try #require(try TreeChanges(ofUpper: new, over: old, mountPoints: stub))
        }
    }

    private static func expectChanges(_ root: FilePath, _ label: String) throws {
        #expect(SnapshotterFixture.text(root.appending("a")) == "22", "\(label)")
        #expect(SnapshotterFixture.text(root.appending("gone")) == nil, "\(label)")
        let names = try DirectoryListing.names(of: root.appending("d")).map { String(decoding: $0, as: UTF8.self) }
        #expect(names == ["new"], "\(label)")
        #expect(SnapshotterFixture.text(root.appending("hard")) == "new", "\(label)")
        #expect(SnapshotterFixture.text(root.appending("e/x")) == "1", "\(label)")
        #expect(SnapshotterFixture.text(root.appending("e/y")) == nil, "\(label)")
        var status = stat()
        #expect(stat(root.appending("d").string, &status) == 0 && status.st_mode & 0o7777 == 0o750, "\(label)")
    }

    static func capture(_ fixture: SnapshotterFixture) throws {
        try changedContainer(fixture)
        let snapshotter = fixture.snapshotter
        let before = try snapshotter.list().map(\.name)
        let usage = try snapshotter.usage("container")
        let changes = try changes(fixture, of: "container", since: "one")
        guard case .captured = try snapshotter.capture("container", as: "two", changes) else {
            // A driver that cannot says so, and has done nothing.
            #expect(!snapshotter.captures)
            #expect(try snapshotter.list().map(\.name) == before)
            return try fixture.mounted("container") { try expectChanges($0, "not captured") }
        }
        #expect(snapshotter.captures)
        let information = try #require(try snapshotter.information("container"))
        #expect(information.state == .active && information.parent == "two" && information.origin == "one")
        #expect(try snapshotter.information("two")?.state == .committed)
        #expect(try snapshotter.information("two")?.parent == "one")
        #expect(try snapshotter.usage("two").bytes == 5)
        #expect(try snapshotter.usage("container").bytes == usage.bytes, "it counts from its origin")
        #expect(fixture.directories.count == 3)
        try snapshotter.prepare("other", parent: "two")
        try fixture.mounted("other") { root in
            try expectChanges(root, "of the layer")
            var status = stat()
            #expect(stat(root.appending("stub").string, &status) != 0, "what was no change is not in it")
        }
        try fixture.mounted("container") { root in
            try expectChanges(root, "of the container")
            // In place, also by the other name of the file.
            try SnapshotterFixture.write("container's", to: root.appending("a"))
            try SnapshotterFixture.write("container's", to: root.appending("hard"))
        }
        try fixture.mounted("other") { try expectChanges($0, "after a change of the container") }
        #expect(throws: SnapshotError.inUse("two")) { try snapshotter.remove("two") }
        try snapshotter.rename("two", to: "final")
        #expect(throws: SnapshotError.exists("one")) { try snapshotter.rename("final", to: "one") }
        #expect(throws: SnapshotError.wrongState("other", .active)) { try snapshotter.rename("other", to: "x") }
        try fixture.reopen()
        #expect(try fixture.snapshotter.information("container")?.parent == "final")
        #expect(try fixture.snapshotter.information("container")?.origin == "one")
        try fixture.mounted("container") { #expect(SnapshotterFixture.text($0.appending("a")) == "container's") }
        for name in ["container", "other", "final", "one"] { try fixture.snapshotter.remove(name) }
        #expect(fixture.directories.isEmpty)
    }

    static func refusedCapture(_ fixture: SnapshotterFixture) throws {
        try changedContainer(fixture)
        let snapshotter = fixture.snapshotter
        let plain = try changes(fixture, of: "container", since: "one")
        #expect(throws: SnapshotError.notFound("no")) { try snapshotter.capture("no", as: "x", plain) }
        #expect(throws: SnapshotError.wrongState("one", .committed)) {
            try snapshotter.capture("one", as: "x", plain)
        }
        #expect(throws: SnapshotError.exists("one")) { try snapshotter.capture("container", as: "one", plain) }
        try fixture.mounted("container") { root in
            #expect(mknod(root.appending("socket").string, S_IFSOCK | 0o600, 0) == 0)
        }
        let sockets = try changes(fixture, of: "container", since: "one")
        #expect(sockets.hasSockets)
        guard case .needsCopy = try snapshotter.capture("container", as: "x", sockets) else {
            Issue.record("a socket was captured")
            return
        }
        #expect(try snapshotter.list().map(\.name) == ["one", "container"])
        #expect(fixture.directories.count == 2)
        try fixture.mounted("container") { root in
            try expectChanges(root, "after what was refused")
            var status = stat()
            #expect(lstat(root.appending("socket").string, &status) == 0)
        }
    }

    static func commitOfActive(_ fixture: SnapshotterFixture) throws {
        try changedContainer(fixture)
        let snapshotter = fixture.snapshotter
        let usage = try snapshotter.usage("container")
        #expect(throws: SnapshotError.wrongState("container", .active)) {
            try snapshotter.commit("container", as: "two", parent: nil, contents: LayerApplier.Result())
        }
        try snapshotter.finish("container", contents: LayerApplier.Result())
        try snapshotter.commit("container", as: "two", parent: "one", contents: LayerApplier.Result())
        #expect(try snapshotter.information("container") == nil)
        #expect(try snapshotter.information("two")?.state == .committed)
        #expect(try snapshotter.usage("two") == usage)
        #expect(throws: SnapshotError.wrongState("two", .committed)) { try snapshotter.mounts("two") }
        try fixture.layer("three", parent: "two", ["late": "3"])
        for (name, parent) in [("b", "two"), ("c", "three")] {
            try snapshotter.prepare(name, parent: parent)
            try fixture.mounted(name) { root in
                try expectChanges(root, name)
                try SnapshotterFixture.write("mine", to: root.appending("a"))
            }
        }
        try fixture.reopen()
        try fixture.snapshotter.prepare("d", parent: "two")
        try fixture.mounted("d") { try expectChanges($0, "d") }
        for name in ["b", "c", "d", "three", "two", "one"] { try fixture.snapshotter.remove(name) }
        #expect(fixture.directories.isEmpty)
    }

    static func retention(_ fixture: SnapshotterFixture) throws {
        try fixture.layer("one", parent: nil, ["a": "1"])
        try fixture.layer("two", parent: "one", ["b": "2"])
        try fixture.snapshotter.prepare("container", parent: "two")
        let snapshotter = fixture.snapshotter
        for holder in ["test/a", "test/a", "test/b"] { try snapshotter.retain("two", for: holder) }
        try snapshotter.retain("one", for: "test/a")
        #expect(throws: SnapshotError.wrongState("container", .active)) {
            try snapshotter.retain("container", for: "x")
        }
        #expect(throws: SnapshotError.notFound("no")) { try snapshotter.retain("no", for: "x") }
        try snapshotter.remove("container")
        #expect(throws: SnapshotError.self) { try snapshotter.remove("two") }
        try fixture.reopen()
        let reopened = fixture.snapshotter
        #expect(try reopened.retained(for: "test/a").sorted() == ["one", "two"])
        #expect(try reopened.retained(for: "test/b") == ["two"])
        #expect(try reopened.retained(for: "test") == [])
        try reopened.rename("two", to: "second")
        try reopened.release("second", for: "test/a")
        try reopened.release("second", for: "never")
        #expect(throws: SnapshotError.retained("second", by: "test/b")) { try reopened.remove("second") }
        try reopened.release("second", for: "test/b")
        try reopened.release("no", for: "test/b")
        try reopened.remove("second")
        #expect(throws: SnapshotError.retained("one", by: "test/a")) { try reopened.remove("one") }
        for name in try reopened.retained(for: "test/a") { try reopened.release(name, for: "test/a") }
        try reopened.remove("one")
        #expect(fixture.directories.isEmpty)
    }
}
