import Archive
import Glibc
import LinuxKernel
import Snapshots
import SystemPackage
import Testing

/// One of the things that `Snapshotter` promises, for every driver alike.
struct SnapshotterPromise: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let check: @Sendable (SnapshotterFixture) throws -> Void

    private init(_ description: String, _ check: @escaping @Sendable (SnapshotterFixture) throws -> Void) {
        testDescription = description
        self.check = check
    }

    static let all = [
        SnapshotterPromise("a container sees all layers as one tree, and writes only to its own", layering),
        SnapshotterPromise("a snapshot upon nothing is an empty directory", scratch),
        SnapshotterPromise("names and states are kept apart", states),
        SnapshotterPromise("what fails leaves nothing", leftovers),
        SnapshotterPromise("opening removes what a crash left, and keeps the rest", recovery),
        SnapshotterPromise("a directory a layer only passes through looks like that of the layers below", implied),
        SnapshotterPromise("it keeps attributes and times, the root and whole trees included", impliedAttributes),
        SnapshotterPromise("a directory that comes anew has nothing of one that was hidden", hiddenModels),
        SnapshotterPromise("nothing inherits access lists from a directory", defaultAccessLists),
        SnapshotterPromise("a device that would be a whiteout is one with every driver", devices),
        SnapshotterPromise("what lies below a link lies where the link leads in the image", links),
        SnapshotterPromise("a directory of a layer hides a link to a directory that a layer below has", lowerLinks),
        SnapshotterPromise("links to the files that aufs kept apart are those files", aufs),
        SnapshotterPromise("zeros take no space", zeros),
        SnapshotterPromise("files keep all that belongs to them", attributes),
        SnapshotterPromise("a directory that a layer replaces has nothing of what was there", replacement),
        SnapshotterPromise("a container that is disposable can be mounted again", disposable),
        SnapshotterPromise("what a container added is counted, and not what it stands on", usage),
        SnapshotterPromise("a view shows committed and active snapshots, also while they are mounted", view),
        SnapshotterPromise("a directory of many names, and files of many sizes", sizes),
        SnapshotterPromise("what is captured of a container is a layer, and the container goes on upon it", capture),
        SnapshotterPromise("what cannot be captured is left as it is", refusedCapture),
        SnapshotterPromise("a container that is done becomes a layer itself", commitOfActive),
        SnapshotterPromise("what is retained stays until it is released", retention),
    ]

    private static func layering(_ fixture: SnapshotterFixture) throws {
        try fixture.layer("one", parent: nil, ["etc/a": "1", "etc/b": "1", "gone/x": "1", "gone/y": "1"])
        try fixture.layer("two", parent: "one", ["etc/b": "2", "gone/x": nil, "new": "2"])
        try fixture.snapshotter.prepare("container", parent: "two")
        try fixture.snapshotter.prepare("other", parent: "two")
        try fixture.mounted("container") { root in
            #expect(SnapshotterFixture.text(root.appending("etc/a")) == "1")
            #expect(SnapshotterFixture.text(root.appending("etc/b")) == "2")
            #expect(SnapshotterFixture.text(root.appending("gone/x")) == nil)
            #expect(SnapshotterFixture.text(root.appending("gone/y")) == "1")
            try SnapshotterFixture.write("mine", to: root.appending("etc/a"))
            #expect(unlink(root.appending("new").string) == 0)
            #expect(rename(root.appending("gone/y").string, root.appending("etc/y").string) == 0)
        }
        try fixture.mounted("container") { root in
            #expect(SnapshotterFixture.text(root.appending("etc/a")) == "mine")
            #expect(SnapshotterFixture.text(root.appending("new")) == nil)
            #expect(SnapshotterFixture.text(root.appending("etc/y")) == "1")
        }
        try fixture.mounted("other") { root in
            #expect(SnapshotterFixture.text(root.appending("etc/a")) == "1")
            #expect(SnapshotterFixture.text(root.appending("new")) == "2")
            #expect(SnapshotterFixture.text(root.appending("gone/y")) == "1")
        }
    }

    private static func scratch(_ fixture: SnapshotterFixture) throws {
        try fixture.snapshotter.prepare("container", parent: nil)
        #expect(try fixture.snapshotter.usage("container") == SnapshotUsage())
        try fixture.mounted("container") { root in
            #expect(try DirectoryListing.names(of: root).isEmpty)
            var status = stat()
            #expect(stat(root.string, &status) == 0 && status.st_mode & 0o7777 == 0o755)
            try SnapshotterFixture.write("x", to: root.appending("file"))
        }
        #expect(try fixture.snapshotter.usage("container") == SnapshotUsage(bytes: 1, inodes: 1))
    }

    private static func states(_ fixture: SnapshotterFixture) throws {
        let snapshotter = fixture.snapshotter
        try fixture.layer("one", parent: nil, ["a": "1"])
        try snapshotter.prepare("container", parent: "one")
        #expect(throws: SnapshotError.exists("container")) { try snapshotter.prepare("container", parent: "one") }
        #expect(throws: SnapshotError.notFound("no")) { try snapshotter.prepare("x", parent: "no") }
        #expect(throws: SnapshotError.wrongState("container", .active)) {
            try snapshotter.prepare("x", parent: "container")
        }
        #expect(throws: SnapshotError.wrongState("one", .committed)) { try snapshotter.mounts("one") }
        #expect(throws: SnapshotError.notFound("no")) { try snapshotter.mounts("no") }
        #expect(throws: SnapshotError.notFound("no")) { try snapshotter.view("no") }
        #expect(throws: SnapshotError.notFound("no")) { try snapshotter.remove("no") }
        #expect(throws: SnapshotError.inUse("one")) { try snapshotter.remove("one") }
        #expect(throws: SnapshotError.wrongState("container", .active)) {
            try snapshotter.commit("container", as: "x", parent: nil, contents: LayerApplier.Result())
        }
        #expect(try snapshotter.information("container")?.parent == "one")
        #expect(try snapshotter.information("x") == nil)
        #expect(try snapshotter.list().map(\.name) == ["one", "container"])
        #expect(fixture.directories.count == 2)  // what failed left no directory
        try snapshotter.remove("container")
        try snapshotter.remove("one")
        #expect(try snapshotter.list().isEmpty)
        #expect(fixture.directories.isEmpty)
    }

    private static func leftovers(_ fixture: SnapshotterFixture) throws {
        let snapshotter = fixture.snapshotter
        try fixture.layer("one", parent: nil, ["a": "1"])
        // A second layer of the same name, when somebody else was faster.
        let staged = try snapshotter.stage("again", parent: nil)
        try SnapshotterFixture.write("x", to: staged.root.appending("x"))
        try snapshotter.finish("again", contents: LayerApplier.Result())
        #expect(throws: SnapshotError.exists("one")) {
            try snapshotter.commit("again", as: "one", parent: nil, contents: LayerApplier.Result())
        }
        #expect(throws: SnapshotError.wrongState("again", .staged)) { try snapshotter.view("again") }
        #expect(throws: SnapshotError.wrongState("again", .staged)) { try snapshotter.prepare("x", parent: "again") }
        try snapshotter.remove("again")
        // One that is given up before it is finished.
        let half = try snapshotter.stage("half", parent: "one")
        try SnapshotterFixture.write("x", to: half.root.appending("x"))
        try snapshotter.remove("half")
        #expect(fixture.directories == ["1"])
        try snapshotter.prepare("container", parent: "one")
        try fixture.mounted("container") { #expect(SnapshotterFixture.text($0.appending("x")) == nil) }
    }

    private static func recovery(_ fixture: SnapshotterFixture) throws {
        try fixture.layer("one", parent: nil, ["a": "1"])
        try fixture.layer("two", parent: "one", ["b": "2"])
        try fixture.snapshotter.prepare("container", parent: "two")
        try fixture.mounted("container") { try SnapshotterFixture.write("mine", to: $0.appending("c")) }
        let staged = try fixture.snapshotter.stage("half", parent: "one")
        try SnapshotterFixture.write("x", to: staged.root.appending("x"))
        // Thin devices cannot be set aside: of any number but the next one it would be another database's, and refused.
        let isDevice = fixture.snapshotter.driver == "devicemapper"
        let orphan = fixture.directory.appending("snapshots").appending(fixture.snapshotter.driver)
            .appending(isDevice ? "5" : "999")
        mkdir(orphan.string, 0o700)
        if !isDevice { try SnapshotterFixture.write("x", to: orphan.appending("x")) }
        try fixture.reopen()
        #expect(try fixture.snapshotter.list().map(\.name) == ["one", "two", "container"])
        #expect(fixture.directories == ["1", "2", "3"])
        try fixture.mounted("container") { root in
            #expect(SnapshotterFixture.text(root.appending("a")) == "1")
            #expect(SnapshotterFixture.text(root.appending("b")) == "2")
            #expect(SnapshotterFixture.text(root.appending("c")) == "mine")
        }
    }

    private static func implied(_ fixture: SnapshotterFixture) throws {
        try fixture.filled("one", parent: nil) { root in
            mkdir(root.appending("tmp").string, 0o755)
            chmod(root.appending("tmp").string, 0o1777)
            chown(root.appending("tmp").string, 12, 34)
            chmod(root.string, 0o711)
        }
        try fixture.layer("two", parent: "one", ["tmp/file": "x"])
        try fixture.layer("three", parent: "two", ["tmp/other": "x"])
        try fixture.snapshotter.prepare("container", parent: "three")
        try fixture.mounted("container") { root in
            var status = stat()
            #expect(stat(root.appending("tmp").string, &status) == 0)
            #expect(status.st_mode & 0o7777 == 0o1777 && status.st_uid == 12 && status.st_gid == 34)
        }
    }

    private static func attributes(_ fixture: SnapshotterFixture) throws {
        try fixture.filled("one", parent: nil) { root in
            try SnapshotterFixture.write("x", to: root.appending("a"))
            link(root.appending("a").string, root.appending("b").string)
            try SnapshotterFixture.write("x", to: root.appending("sparse"))
            truncate(root.appending("sparse").string, 1 << 30)
            symlink("/nowhere", root.appending("link").string)
            mknod(root.appending("null").string, S_IFCHR | 0o666, 0x103)
            mkfifo(root.appending("pipe").string, 0o600)
            mkdir(root.appending("dir").string, 0o2775)
            chmod(root.appending("dir").string, 0o2775)
            try ExtendedAttributes.set("user.note", to: [1, 2], of: root.appending("a"))
            // cap_net_raw+ep, as setcap(8) writes it.
            try SnapshotterFixture.write("x", to: root.appending("ping"))
            try ExtendedAttributes.set("security.capability", to: capability, of: root.appending("ping"))
            try ExtendedAttributes.set("trusted.thing", to: Array("x".utf8), of: root.appending("link"))
            chown(root.appending("a").string, 70000, 80000)
            chmod(root.appending("a").string, 0o4750)
            for name in ["a", "link", "dir", "null"] {
                var times = [timespec(tv_sec: 5, tv_nsec: 6), timespec(tv_sec: 7, tv_nsec: 8)]
                utimensat(AT_FDCWD, root.appending(name).string, &times, AT_SYMLINK_NOFOLLOW)
            }
        }
        try fixture.snapshotter.prepare("container", parent: "one")
        try fixture.mounted("container") { copy throws in
            func status(_ name: String) -> stat {
                var status = stat()
                #expect(lstat(copy.appending(name).string, &status) == 0, "\(name)")
                return status
            }
            let a = status("a")
            #expect(a.st_ino == status("b").st_ino && a.st_nlink == 2 && a.st_mode == S_IFREG | 0o4750)
            #expect(a.st_uid == 70000 && a.st_gid == 80000)
            for name in ["a", "link", "dir", "null"] {
                let time = status(name).st_mtim
                #expect(time.tv_sec == 7 && time.tv_nsec == 8, "\(name)")
            }
            #expect(try ExtendedAttributes.get("user.note", of: copy.appending("a")) == [1, 2])
            #expect(try ExtendedAttributes.get("security.capability", of: copy.appending("ping")) == capability)
            #expect(try ExtendedAttributes.get("trusted.thing", of: copy.appending("link")) == Array("x".utf8))
            #expect(status("sparse").st_size == 1 << 30)
            #expect(status("null").st_rdev == 0x103 && status("null").st_mode & S_IFMT == S_IFCHR)
            #expect(status("pipe").st_mode == S_IFIFO | 0o600 && status("dir").st_mode == S_IFDIR | 0o2775)
            #expect(try FileDescriptor.workingDirectory.readSymlink(copy.appending("link").string) == "/nowhere")
            // Also where something is done to the file.
            #expect(chmod(copy.appending("sparse").string, 0o600) == 0)
            #expect(status("sparse").st_size == 1 << 30)
            #expect(SnapshotterFixture.text(copy.appending("b")) == "x")
        }
    }

    private static let capability: [UInt8] =
        [0, 0, 0, 2] + [0, 0x20, 0, 0].reversed().reversed() + [UInt8](repeating: 0, count: 12)

    private static func replacement(_ fixture: SnapshotterFixture) throws {
        try fixture.layer("one", parent: nil, ["d/a": "1", "d/b": "1", "e/a": "1", "f": "1"])
        try fixture.layer("two", parent: "one") { writer in
            try writer.add(TarEntry(kind: .directory, name: Array("d".utf8), mode: 0o755))
            try writer.add(TarEntry(kind: .file, name: Array("d/.wh..wh..opq".utf8), mode: 0o644))
            try writer.add(TarEntry(kind: .file, name: Array("d/c".utf8), mode: 0o644))
            try writer.add(TarEntry(kind: .file, name: Array("e".utf8), mode: 0o644))
            try writer.add(TarEntry(kind: .directory, name: Array("f".utf8), mode: 0o755))
        }
        try fixture.snapshotter.prepare("container", parent: "two")
        try fixture.mounted("container") { root in
            let names = try DirectoryListing.names(of: root.appending("d")).map { String(decoding: $0, as: UTF8.self) }
            #expect(names == ["c"])
            #expect(SnapshotterFixture.text(root.appending("e")) == "")
            #expect(try DirectoryListing.names(of: root.appending("f")).isEmpty)
        }
    }

    private static func disposable(_ fixture: SnapshotterFixture) throws {
        try fixture.layer("one", parent: nil, ["a": "1"])
        try fixture.snapshotter.prepare("container", parent: "one")
        for text in ["1", "2", "3"] {
            try fixture.mounted("container", isDisposable: true) { root in
                #expect(SnapshotterFixture.text(root.appending("a")) == text)
                try SnapshotterFixture.write("\((Int(text) ?? 0) + 1)", to: root.appending("a"))
            }
        }
    }

    private static func usage(_ fixture: SnapshotterFixture) throws {
        let large = String(repeating: "x", count: 100_000)
        try fixture.layer("one", parent: nil, ["large": large, "etc/small": "1", "gone": "1"])
        #expect(try fixture.snapshotter.usage("one") == SnapshotUsage(bytes: 100_002, inodes: 4))
        try fixture.snapshotter.prepare("container", parent: "one")
        #expect(try fixture.snapshotter.usage("container") == SnapshotUsage())
        try fixture.mounted("container") { root in
            try SnapshotterFixture.write("four", to: root.appending("etc/small"))
            try SnapshotterFixture.write("seven!!", to: root.appending("new"))
        }
        #expect(try fixture.snapshotter.usage("container").bytes == 11)
    }

    private static func view(_ fixture: SnapshotterFixture) throws {
        try fixture.layer("one", parent: nil, ["a": "1"])
        try fixture.snapshotter.prepare("container", parent: "one")
        func read(_ name: String, _ path: String) throws -> String? {
            let view = try fixture.snapshotter.view(name)
            return withExtendedLifetime(view) {
                view.layers.lazy.compactMap { SnapshotterFixture.text($0.appending(path)) }.first
            }
        }
        #expect(try read("one", "a") == "1")
        #expect(try read("container", "a") == "1")
        try fixture.mounted("container") { root in
            try SnapshotterFixture.write("mine", to: root.appending("a"))
            #expect(try read("container", "a") == "mine")
            #expect(try read("one", "a") == "1")
        }
        #expect(try read("container", "a") == "mine")
        try fixture.snapshotter.remove("container")
        try fixture.snapshotter.remove("one")
        #expect(fixture.directories.isEmpty)
    }

    /// Around the borders of blocks, and of what fits into one.
    private static func sizes(_ fixture: SnapshotterFixture) throws {
        let lengths = [0, 1, 31, 2000, 3900, 3968, 4000, 4031, 4032, 4033, 4095, 4096, 4097, 8191, 8192, 100_001]
        func content(_ length: Int) -> [UInt8] { (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ length) } }
        let names = (0..<1500).map { "name-\($0)-" + String(repeating: "n", count: $0 % 200) }
        try fixture.filled("one", parent: nil) { root in
            for length in lengths {
                let file = try Files.open(root.appending("file-\(length)"), [.writeOnly, .create], mode: 0o644)
                defer { file.discard() }
                try file.writeEntire(content(length))
            }
            mkdir(root.appending("many").string, 0o755)
            for name in names { try SnapshotterFixture.write(name, to: root.appending("many").appending(name)) }
            for length in [1, 1000, 4000, 4095] {
                #expect(symlink(String(repeating: "t", count: length), root.appending("link-\(length)").string) == 0)
            }
        }
        try fixture.snapshotter.prepare("container", parent: "one")
        try fixture.mounted("container") { root in
            for length in lengths {
                #expect(try Files.read(root.appending("file-\(length)")) == content(length), "\(length)")
            }
            let found = try DirectoryListing.names(of: root.appending("many")).map {
                String(decoding: $0, as: UTF8.self)
            }
            #expect(found.sorted() == names.sorted())
            for name in names.shuffled().prefix(300) {
                #expect(SnapshotterFixture.text(root.appending("many").appending(name)) == name)
            }
            #expect(SnapshotterFixture.text(root.appending("many").appending("nobody")) == nil)
            for length in [1, 1000, 4000, 4095] {
                let link = root.appending("link-\(length)").string
                #expect(try FileDescriptor.workingDirectory.readSymlink(link) == String(repeating: "t", count: length))
            }
        }
    }
}
