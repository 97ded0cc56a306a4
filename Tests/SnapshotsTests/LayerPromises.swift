import Archive
import Glibc
import LinuxKernel
import SystemPackage
import Testing

/// What layers promise each other: what one says of a directory holds in those upon it, unless they say something else.
extension SnapshotterPromise {
    static func impliedAttributes(_ fixture: SnapshotterFixture) throws {
        try fixture.layer("one", parent: nil) { writer in
            try writer.add(directory("./", 0o751, owner: 13, group: 14, seconds: 1_400_000_000))
            var entry = directory("d/", 0o750, owner: 15, group: 16, seconds: 1_450_000_000)
            entry.extendedAttributes = [
                .init(name: Array("user.note".utf8), value: [0, 1, 255]),
                .init(name: Array("system.posix_acl_access".utf8), value: accessList(7, 5, 5, 5, 0)),
                .init(name: Array("system.posix_acl_default".utf8), value: accessList(7, 5, 5, 5, 5)),
            ]
            try writer.add(entry)
            try writer.add(directory("d/deep/", 0o700, owner: 17, group: 18, seconds: 1_450_000_001))
            try writer.add(TarEntry(kind: .file, name: Array("d/gone".utf8), mode: 0o644))
        }
        try fixture.layer("two", parent: "one", ["d/file": "2"])
        try fixture.layer("three", parent: "two", ["d/deep/file": "3", "d/gone": nil])
        try fixture.snapshotter.prepare("container", parent: "three")
        for (layer, names) in [("two", ["", "d"]), ("three", ["", "d", "d/deep"])] {
            let view = try fixture.snapshotter.view(layer)
            let top = try #require(view.layers.first)
            try withExtendedLifetime(view) {
                for name in names {
                    let path = name.isEmpty ? top : top.appending(name)
                    try expectUnchanged(path, "\(layer): /\(name)", name)
                }
            }
        }
        try fixture.mounted("container") { root throws in
            try expectUnchanged(root.appending("d"), "/d", "d")
            var status = stat()
            #expect(stat(root.string, &status) == 0)
            #expect(status.st_mode & 0o7777 == 0o751 && status.st_uid == 13 && status.st_gid == 14)
            #expect(status.st_mtim.tv_sec == 1_400_000_000 && status.st_mtim.tv_nsec == 123_456_789)
            #expect(SnapshotterFixture.text(root.appending("d/file")) == "2")
            #expect(SnapshotterFixture.text(root.appending("d/deep/file")) == "3")
            #expect(SnapshotterFixture.text(root.appending("d/gone")) == nil)
        }
    }

    private static func expectUnchanged(_ path: FilePath, _ label: String, _ name: String) throws {
        let expected: (mode: mode_t, owner: uid_t, seconds: Int) =
            switch name {
            case "": (0o751, 13, 1_400_000_000)
            case "d": (0o750, 15, 1_450_000_000)
            default: (0o700, 17, 1_450_000_001)
            }
        var status = stat()
        #expect(stat(path.string, &status) == 0)
        #expect(status.st_mode & 0o7777 == expected.mode, "mode of \(label)")
        #expect(status.st_uid == expected.owner && status.st_gid == expected.owner + 1, "owner of \(label)")
        #expect(
            status.st_mtim.tv_sec == expected.seconds && status.st_mtim.tv_nsec == 123_456_789, "time of \(label)")
        let attributes = try ExtendedAttributes.names(of: path).filter { !$0.contains(".overlay.") }.sorted()
        guard name == "d" else {
            #expect(attributes == [], "attributes of \(label)")
            return
        }
        let names = ["system.posix_acl_access", "system.posix_acl_default", "user.note"]
        #expect(attributes == names, "attributes of \(label)")
        guard attributes == names else { return }
        #expect(try ExtendedAttributes.get("user.note", of: path) == [0, 1, 255])
        #expect(try ExtendedAttributes.get(names[1], of: path) == accessList(7, 5, 5, 5, 5))
    }

    static func hiddenModels(_ fixture: SnapshotterFixture) throws {
        try fixture.layer("one", parent: nil) { writer in
            for name in ["gone/", "gone/sub/", "opaque/", "opaque/sub/", "file/", "same/", "same/sub/", "again/"] {
                try writer.add(directory(name, 0o700, owner: 15, group: 16, seconds: 1_450_000_000))
            }
        }
        try fixture.layer("two", parent: "one") { writer in
            for name in [".wh.gone", "opaque/.wh..wh..opq", "file"] {
                try writer.add(TarEntry(kind: .file, name: Array(name.utf8), mode: 0o644))
            }
        }
        try fixture.layer("three", parent: "two") { writer in
            for name in [
                ".wh.file", "gone/sub/new", "opaque/sub/new", "same/.wh..wh..opq", "same/sub/new", ".wh.again",
                "again/new",
            ] {
                try writer.add(TarEntry(kind: .file, name: Array(name.utf8), mode: 0o644))
            }
        }
        try fixture.layer("four", parent: "three", ["file/new": "4"])
        try fixture.snapshotter.prepare("container", parent: "four")
        try fixture.mounted("container") { root in
            for name in ["gone", "gone/sub", "opaque/sub", "file", "same/sub", "again"] {
                var status = stat()
                #expect(stat(root.appending(name).string, &status) == 0, "\(name)")
                #expect(status.st_mode == S_IFDIR | 0o755 && status.st_uid == 0 && status.st_gid == 0, "\(name)")
            }
            // Their own attributes are not hidden with what is in them.
            for name in ["opaque", "same"] {
                var status = stat()
                #expect(stat(root.appending(name).string, &status) == 0)
                #expect(status.st_mode == S_IFDIR | 0o700 && status.st_uid == 15 && status.st_gid == 16, "\(name)")
            }
        }
    }

    static func defaultAccessLists(_ fixture: SnapshotterFixture) throws {
        let access = TarEntry.ExtendedAttribute(
            name: Array("system.posix_acl_access".utf8), value: accessList(6, 4, 4, 4, 0))
        func fill(_ writer: inout TarWriter, _ suffix: String) throws {
            try writer.add(TarEntry(kind: .file, name: Array("d/file\(suffix)".utf8), mode: 0o644))
            try writer.add(TarEntry(kind: .fifo, name: Array("d/fifo\(suffix)".utf8), mode: 0o644))
            try writer.add(directory("d/sub\(suffix)/", 0o755, owner: 0, group: 0, seconds: 7))
            try writer.add(TarEntry(kind: .file, name: Array("d/implied\(suffix)/file".utf8), mode: 0o644))
            var own = TarEntry(kind: .file, name: Array("d/own\(suffix)".utf8), mode: 0o640)
            own.extendedAttributes = [access]
            try writer.add(own)
        }
        try fixture.layer("one", parent: nil) { writer in
            var entry = directory("d/", 0o755, owner: 0, group: 0, seconds: 7)
            entry.extendedAttributes = [
                .init(name: Array("system.posix_acl_default".utf8), value: accessList(7, 5, 5, 5, 0))
            ]
            try writer.add(entry)
            try fill(&writer, "1")
        }
        try fixture.layer("two", parent: "one") { try fill(&$0, "2") }
        try fixture.layer("three", parent: "two") { writer in
            // Named again, and without an access list.
            try writer.add(directory("d/sub1/", 0o755, owner: 0, group: 0, seconds: 7))
            try writer.add(directory("d/", 0o755, owner: 0, group: 0, seconds: 7))
            try fill(&writer, "3")
        }
        try fixture.snapshotter.prepare("container", parent: "three")
        try fixture.mounted("container") { root throws in
            func expect(_ name: String, _ mode: mode_t, _ attributes: [String]) throws {
                var status = stat()
                #expect(lstat(root.appending(name).string, &status) == 0, "\(name)")
                #expect(status.st_mode & 0o7777 == mode, "mode of \(name)")
                let found = try ExtendedAttributes.names(of: root.appending(name)).filter { !$0.contains(".overlay.") }
                #expect(found == attributes, "attributes of \(name)")
            }
            for suffix in ["1", "2", "3"] {
                try expect("d/file\(suffix)", 0o644, [])
                try expect("d/fifo\(suffix)", 0o644, [])
                try expect("d/sub\(suffix)", 0o755, [])
                try expect("d/implied\(suffix)", 0o755, [])
                try expect("d/implied\(suffix)/file", 0o644, [])
                try expect("d/own\(suffix)", 0o640, ["system.posix_acl_access"])
            }
            try expect("d", 0o755, [])
        }
    }

    static func devices(_ fixture: SnapshotterFixture) throws {
        try fixture.layer("one", parent: nil, ["f": "1", "d/a": "1"])
        try fixture.layer("two", parent: "one") { writer in
            for name in ["f", "d", "nothing"] {
                try writer.add(
                    TarEntry(kind: .characterDevice(major: 0, minor: 0), name: Array(name.utf8), mode: 0o600))
            }
        }
        try fixture.layer("three", parent: "two", ["d/b": "3"])
        try fixture.snapshotter.prepare("container", parent: "three")
        try fixture.mounted("container") { root in
            let names = try DirectoryListing.names(of: root).map { String(decoding: $0, as: UTF8.self) }
            #expect(names == ["d"])
            #expect(SnapshotterFixture.text(root.appending("d/a")) == nil)
            #expect(SnapshotterFixture.text(root.appending("d/b")) == "3")
        }
    }

    static func links(_ fixture: SnapshotterFixture) throws {
        try fixture.layer("one", parent: nil) { writer in
            for name in ["a/", "b/", "c/", "c/deep/"] {
                try writer.add(directory(name, 0o750, owner: 15, group: 16, seconds: 1_450_000_000))
            }
            for name in ["a/old", "b/old", "b/gone", "c/deep/old"] {
                try writer.add(TarEntry(kind: .file, name: Array(name.utf8), mode: 0o644))
            }
        }
        try fixture.layer("two", parent: "one") { writer in
            for (name, target) in [("a", "/b"), ("l", "c/deep"), ("m", "l/../new"), ("n", "/nowhere/at/all")] {
                var link = TarEntry(kind: .symbolicLink, name: Array(name.utf8), mode: 0o777)
                link.linkName = Array(target.utf8)
                try writer.add(link)
            }
            for name in ["a/.wh.gone", "a/x", "l/x", "n/x"] {
                try writer.add(TarEntry(kind: .file, name: Array(name.utf8), mode: 0o644))
            }
        }
        try fixture.snapshotter.prepare("container", parent: "two")
        try fixture.mounted("container") { root in
            for name in ["b/old", "b/x", "a/x", "c/deep/old", "c/deep/x", "l/x", "nowhere/at/all/x"] {
                let target = try FileDescriptor.workingDirectory.open(root.string, [.path, .directory])
                defer { target.discard() }
                let file = try #require(try? target.openInRoot(name), "\(name)")
                file.discard()
            }
            for name in ["b/gone", "a/old"] {
                var status = stat()
                #expect(lstat(root.appending("b").appending(name).string, &status) != 0, "\(name)")
            }
            #expect(try FileDescriptor.workingDirectory.readSymlink(root.appending("a").string) == "/b")
            for name in ["b", "c/deep"] {
                var status = stat()
                #expect(stat(root.appending(name).string, &status) == 0)
                #expect(status.st_mode == S_IFDIR | 0o750 && status.st_uid == 15 && status.st_gid == 16, "\(name)")
            }
        }
    }

    /// `lib -> usr/lib` is below, and a layer has `lib/x`: Docker and containerd make a directory that hides the link.
    static func lowerLinks(_ fixture: SnapshotterFixture) throws {
        func link(_ name: String, _ target: String, _ writer: inout TarWriter) throws {
            var link = TarEntry(kind: .symbolicLink, name: Array(name.utf8), mode: 0o777)
            link.linkName = Array(target.utf8)
            try writer.add(link)
        }
        try fixture.layer("one", parent: nil) { writer in
            for name in ["usr/", "usr/lib/", "usr/lib/deep/", "w/"] {
                try writer.add(directory(name, 0o750, owner: 15, group: 16, seconds: 1_450_000_000))
            }
            for name in ["usr/lib/old", "usr/lib/deep/old", "w/old"] {
                try writer.add(TarEntry(kind: .file, name: Array(name.utf8), mode: 0o644))
            }
            for (name, target) in [
                ("lib", "usr/lib"), ("lib64", "/usr/lib"), ("far", "usr/lib/deep"), ("loop", "loop"),
                ("gone", "nowhere"),
                ("w2", "w"), ("named", "usr"),
            ] { try link(name, target, &writer) }
        }
        try fixture.layer("two", parent: "one") { writer in
            // One of its own, which is followed, through one that is not.
            try link("own", "lib64/new", &writer)
            for name in ["lib/x", "lib/deep/y", "far/.wh.old", "loop/x", "gone/x", "own/z", "w2/.wh..wh..opq", "w2/x"] {
                try writer.add(TarEntry(kind: .file, name: Array(name.utf8), mode: 0o644))
            }
            try writer.add(directory("named/", 0o700, owner: 3, group: 4, seconds: 1_450_000_000))
        }
        try fixture.layer("three", parent: "two", ["lib/third": "3", "own/third": "3"])
        try fixture.snapshotter.prepare("container", parent: "three")
        try fixture.mounted("container") { root in
            func kind(_ path: String) -> mode_t {
                var status = stat()
                return lstat(root.appending(path).string, &status) == 0 ? status.st_mode : 0
            }
            for name in ["lib", "lib64", "far", "loop", "gone", "w2", "own"] {
                #expect(kind(name) == S_IFDIR | 0o755, "\(name)")
            }
            #expect(kind("named") == S_IFDIR | 0o700)
            let expected = [
                "lib": ["deep", "third", "x"], "lib/deep": ["y"], "lib64": ["new"], "lib64/new": ["z"],
                "own": ["third"], "far": [], "loop": ["x"], "gone": ["x"], "w2": ["x"], "named": [],
                // Where the links led nothing has changed.
                "usr/lib": ["deep", "old"], "usr/lib/deep": ["old"], "w": ["old"],
            ]
            for (path, wanted) in expected {
                let found = try DirectoryListing.names(of: root.appending(path)).map {
                    String(decoding: $0, as: UTF8.self)
                }
                // Overlayfs lists a whiteout of what is in none of its layers; nothing can be done with it.
                #expect(found.sorted().filter { kind("\(path)/\($0)") != 0 } == wanted, "\(path)")
            }
            #expect(kind("nowhere") == 0 && kind("usr/lib") == S_IFDIR | 0o750)
        }
    }

    static func aufs(_ fixture: SnapshotterFixture) throws {
        try fixture.layer("one", parent: nil, ["o/old": "1"])
        try fixture.layer("two", parent: "one") { writer in
            try writer.add(directory(".wh..wh.plnk/", 0o700, owner: 0, group: 0, seconds: 7))
            var file = TarEntry(kind: .file, name: Array(".wh..wh.plnk/1.2".utf8), mode: 0o644)
            file.size = 4
            try writer.add(file)
            try writer.write(Array("both".utf8))
            for name in ["o/one", "two"] {
                var link = TarEntry(kind: .hardLink, name: Array(name.utf8), mode: 0o644)
                link.linkName = Array(".wh..wh.plnk/1.2".utf8)
                try writer.add(link)
            }
        }
        try fixture.snapshotter.prepare("container", parent: "two")
        try fixture.mounted("container") { root in
            #expect(SnapshotterFixture.text(root.appending("o/one")) == "both")
            #expect(SnapshotterFixture.text(root.appending("two")) == "both")
            let names = try DirectoryListing.names(of: root).map { String(decoding: $0, as: UTF8.self) }
            #expect(names.filter { $0 != "lost+found" }.sorted() == ["o", "two"])
        }
    }

    static func zeros(_ fixture: SnapshotterFixture) throws {
        try fixture.layer("one", parent: nil) { writer in
            var file = TarEntry(kind: .file, name: Array("zeros".utf8), mode: 0o644)
            file.size = 32 << 20
            try writer.add(file)
            for _ in 0..<32 { try writer.write([UInt8](repeating: 0, count: 1 << 20)) }
        }
        #expect(try fixture.snapshotter.usage("one").bytes < 1 << 20)
        try fixture.snapshotter.prepare("container", parent: "one")
        try fixture.mounted("container") { root in
            var status = stat()
            #expect(stat(root.appending("zeros").string, &status) == 0)
            #expect(status.st_size == 32 << 20)
            // Of its own files erofs says that they have no holes, whatever its image has.
            #expect(fixture.driver.name == "erofs" || status.st_blocks * 512 < 1 << 20)
        }
    }

    private static func directory(
        _ name: String, _ mode: UInt32, owner: UInt32, group: UInt32, seconds: Int64
    ) -> TarEntry {
        var entry = TarEntry(kind: .directory, name: Array(name.utf8), mode: mode)
        (entry.owner, entry.group) = (owner, group)
        entry.modified = (seconds, 123_456_789)
        return entry
    }

    /// An access list as the kernel has it (`posix_acl_xattr.h`): owner, the user 1234, group, mask, others.
    private static func accessList(
        _ owner: UInt16, _ user: UInt16, _ group: UInt16, _ mask: UInt16, _ other: UInt16
    ) -> [UInt8] {
        var bytes: [UInt8] = [2, 0, 0, 0]
        let entries: [(UInt16, UInt16, UInt32)] = [
            (1, owner, .max), (2, user, 1234), (4, group, .max), (16, mask, .max), (32, other, .max),
        ]
        for (tag, bits, id) in entries {
            bytes += [UInt8(tag), 0, UInt8(bits), 0]
            bytes += (0..<4).map { UInt8(truncatingIfNeeded: id >> ($0 * 8)) }
        }
        return bytes
    }
}
