import Archive
import Glibc
import LinuxKernel
import SystemPackage
import TemporaryDirectories
import Testing

@Suite(.enabled(if: geteuid() == 0, "owners, devices and attributes need root"))
struct TreeArchiverTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func archive(
        _ name: String, as path: [UInt8]? = nil, sparseFiles: TreeArchiver.SparseFiles = .filled
    ) throws -> [UInt8] {
        let root = try FileDescriptor.open(
            directory.path.appending(name), .readOnly, options: [.directory, .closeOnExec])
        defer { try? root.close() }
        nonisolated(unsafe) var bytes: [UInt8] = []
        let archiver = TreeArchiver(sparseFiles: sparseFiles) { bytes += $0 }
        try archiver.add(contentsOf: root, as: path)
        try archiver.finish()
        return bytes
    }

    private func entries(_ bytes: [UInt8]) throws -> [TarEntry] {
        let reader = TarReader(MemorySource(bytes))
        var all: [TarEntry] = []
        while let entry = try reader.next() { all.append(entry) }
        return all
    }

    private func path(_ name: String) -> String { directory.path.appending(name).string }

    @Test("everything a layer can keep of a tree survives going out and coming in")
    func roundTrip() throws {
        mkdir(path("in"), 0o755)
        mkdir(path("in/d"), 0o755)
        chmod(path("in/d"), 0o1770)
        try directory.write("in/d/file", Array("content".utf8))
        chown(path("in/d/file"), 1000, 2000)
        chmod(path("in/d/file"), 0o4751)
        link(path("in/d/file"), path("in/hard"))
        symlink("/nowhere/../else", path("in/link"))
        mknod(path("in/null"), S_IFCHR | 0o666, 0x103)
        mknod(path("in/block"), S_IFBLK | 0o600, 0x801)
        mkfifo(path("in/pipe"), 0o640)
        let long = String(repeating: "long-", count: 50)
        try directory.write("in/\(long)", [])
        let capability: [UInt8] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        try ExtendedAttributes.set("security.capability", to: capability, of: directory.path.appending("in/\(long)"))
        try ExtendedAttributes.set("user.note", to: [0, 255, 10], of: directory.path.appending("in/d"))
        let list: [UInt8] = [
            2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 4, 0, 232, 3, 0, 0, 4, 0, 5, 0, 255, 255, 255,
            255, 16, 0, 5, 0, 255, 255, 255, 255, 32, 0, 5, 0, 255, 255, 255, 255,
        ]
        try ExtendedAttributes.set("system.posix_acl_access", to: list, of: directory.path.appending("in/null"))
        var times = [timespec(tv_sec: 1, tv_nsec: 2), timespec(tv_sec: 1_234_567_890, tv_nsec: 123_456_789)]
        utimensat(AT_FDCWD, path("in/d/file"), &times, 0)
        utimensat(AT_FDCWD, path("in/link"), &times, AT_SYMLINK_NOFOLLOW)
        utimensat(AT_FDCWD, path("in/d"), &times, 0)

        try directory.apply(archive("in"))
        let file = try #require(directory.status("root/d/file"))
        #expect(file.st_uid == 1000 && file.st_gid == 2000 && file.st_mode == S_IFREG | 0o4751 && file.st_nlink == 2)
        #expect(file.st_mtim.tv_sec == 1_234_567_890 && file.st_mtim.tv_nsec == 123_456_789)
        #expect(directory.status("root/hard")?.st_ino == file.st_ino)
        #expect(directory.text("root/hard") == "content")
        #expect(directory.target(of: "root/link") == "/nowhere/../else")
        #expect(directory.status("root/link")?.st_mtim.tv_nsec == 123_456_789)
        #expect(directory.status("root/d")?.st_mtim.tv_nsec == 123_456_789)
        #expect(directory.status("root/d")?.st_mode == S_IFDIR | 0o1770)
        #expect(directory.status("root/null")?.st_rdev == 0x103)
        #expect(directory.status("root/block")?.st_rdev == 0x801)
        #expect(directory.status("root/pipe")?.st_mode == S_IFIFO | 0o640)
        let root = directory.path.appending("root")
        #expect(try ExtendedAttributes.get("security.capability", of: root.appending(long)) == capability)
        #expect(try ExtendedAttributes.get("user.note", of: root.appending("d")) == [0, 255, 10])
        #expect(try ExtendedAttributes.get("system.posix_acl_access", of: root.appending("null")) == list)
    }

    @Test("GNU tar reads the same")
    func gnuTar() throws {
        mkdir(path("in"), 0o755)
        let long = String(repeating: "x", count: 200)
        try directory.write("in/\(long)", Array("a".utf8))
        try directory.write("in/b", [UInt8](repeating: 7, count: 5000))
        symlink(long, path("in/c"))
        try directory.write("archive.tar", archive("in"))
        mkdir(path("out"), 0o755)
        try #require(system("tar -C \(path("out")) -xf \(path("archive.tar"))") == 0)
        #expect(system("diff -r --no-dereference \(path("in")) \(path("out"))") == 0)
    }

    @Test("the same tree makes the same bytes, in whatever order its files were made")
    func deterministic() throws {
        for (folder, names) in [("one", ["b", "a", "c"]), ("two", ["c", "b", "a"])] {
            mkdir(path(folder), 0o755)
            for name in names { try directory.write("\(folder)/\(name)", Array(name.utf8)) }
            for name in names {
                var times = [timespec(tv_sec: 5, tv_nsec: 0), timespec(tv_sec: 5, tv_nsec: 0)]
                utimensat(AT_FDCWD, path("\(folder)/\(name)"), &times, 0)
            }
        }
        #expect(try archive("one") == archive("two"))
        #expect(try entries(archive("one")).map(\.displayName) == ["a", "b", "c"])
    }

    @Test("holes are zeros in the archive; what the file says its size is, is there")
    func sparse() throws {
        mkdir(path("in"), 0o755)
        let file = try FileDescriptor.open(
            directory.path.appending("in/sparse"), .writeOnly, options: [.create, .closeOnExec],
            permissions: .ownerReadWrite)
        try file.seek(offset: 1 << 20, from: .start)
        try file.writeAll([1, 2, 3])
        try #require(ftruncate(file.rawValue, 3 << 20) == 0)
        try file.close()
        let bytes = try archive("in")
        let reader = TarReader(MemorySource(bytes))
        let entry = try #require(try reader.next())
        var content: [UInt8] = []
        while let chunk = try reader.nextChunk() { content += chunk }
        #expect(entry.size == 3 << 20 && content.count == 3 << 20)
        #expect(content[(1 << 20)..<((1 << 20) + 3)] == [1, 2, 3] && content.count { $0 != 0 } == 3)
    }

    @Test("files with large holes become sparse entries where that is asked for, and GNU tar and Python read them")
    func sparseEntries() throws {
        for name in ["in", "gnu", "python", "root"] { mkdir(path(name), 0o755) }
        let names = ["begin", "middle", "end", String(repeating: "n", count: 200), "empty"]
        for (index, name) in names.enumerated() {
            let file = try Files.open(directory.path.appending("in/\(name)"), [.writeOnly, .create], mode: 0o644)
            defer { file.discard() }
            try #require(ftruncate(file.rawValue, 40 << 20) == 0)
            guard name != "empty" else { continue }
            for place in [index * (20 << 20), 39 << 20] where place < 40 << 20 {
                #expect(pwrite(file.rawValue, "data", 4, place) == 4)
            }
        }
        let few = try Files.open(directory.path.appending("in/few"), [.writeOnly, .create], mode: 0o644)
        try #require(ftruncate(few.rawValue, 1 << 20) == 0)
        few.discard()
        let bytes = try archive("in", sparseFiles: .sparseWhereLarge)
        #expect(bytes.count < 2 << 20)
        for entry in try entries(bytes) {
            #expect((entry.extents == nil) == (entry.displayName == "few"), "\(entry.displayName)")
            #expect(entry.size == (entry.displayName == "few" ? 1 << 20 : 40 << 20))
        }
        try directory.apply(bytes)
        try directory.write("archive.tar", bytes)
        #expect(system("tar -C \(path("gnu")) -xf \(path("archive.tar"))") == 0)
        let script = "import tarfile; tarfile.open('\(path("archive.tar"))').extractall('\(path("python"))')"
        #expect(system("python3 -W ignore -c \"\(script)\"") == 0)
        for copy in ["root", "gnu", "python"] {
            #expect(system("diff -r \(path("in")) \(path(copy))") == 0, "\(copy)")
            #expect((directory.status("\(copy)/middle")?.st_blocks ?? .max) * 512 < 1 << 20, "\(copy)")
        }
    }

    @Test("names at the top: none, a name, the root's")
    func names() throws {
        mkdir(path("in"), 0o755)
        try directory.write("in/f", [])
        #expect(try entries(archive("in")).map(\.displayName) == ["f"])
        #expect(try entries(archive("in", as: Array(".".utf8))).map(\.displayName) == ["./", "./f"])
        #expect(try entries(archive("in", as: Array("top".utf8))).map(\.displayName) == ["top/", "top/f"])
        #expect(try entries(archive("in", as: [])).map(\.displayName) == ["/", "/f"])
    }

    @Test("sockets have no place in an archive, and overlayfs' attributes are not the file's")
    func leftOut() throws {
        mkdir(path("in"), 0o755)
        mknod(path("in/socket"), S_IFSOCK | 0o600, 0)
        mkdir(path("in/d"), 0o755)
        try ExtendedAttributes.set("trusted.overlay.opaque", to: [0x79], of: directory.path.appending("in/d"))
        let found = try entries(archive("in"))
        #expect(found.map(\.displayName) == ["d/"] && found[0].extendedAttributes.isEmpty)
    }
}

@Suite(.enabled(if: geteuid() == 0, "whiteouts need root"))
struct TreeChangesTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func path(_ name: String) -> String { directory.path.appending(name).string }

    private func open(_ name: String) throws -> FileDescriptor {
        try FileDescriptor.open(directory.path.appending(name), .readOnly, options: [.directory, .closeOnExec])
    }

    private func lines(_ changes: [TreeChange]) -> [String] {
        changes.map { "\(["C", "A", "D"][$0.kind.rawValue]) \(String(decoding: $0.path, as: UTF8.self))" }
    }

    /// A lower directory, an upper one over it, and what they look like together.
    private func makeTrees() throws {
        for name in ["lower", "upper", "work", "merged"] { mkdir(path(name), 0o755) }
        for name in ["keep", "gone", "olddir"] { mkdir(path("lower/\(name)"), 0o755) }
        try directory.write("lower/keep/same", Array("s".utf8))
        try directory.write("lower/keep/changed", Array("1".utf8))
        try directory.write("lower/gone/x", Array("x".utf8))
        try directory.write("lower/olddir/old", Array("o".utf8))
        try directory.write("lower/file", Array("f".utf8))
    }

    private static let expected = [
        "C file", "D gone", "C keep", "C keep/changed", "A keep/new", "C olddir", "A olddir/fresh", "D olddir/old",
        "A top", "A top/inner",
    ]

    /// Changes the merged tree as a container would.
    private func change(_ root: String) throws {
        try directory.write("\(root)/keep/changed", Array("22".utf8))
        try directory.write("\(root)/keep/new", Array("n".utf8))
        try TreeRemoval.remove(directory.path.appending("\(root)/gone"))
        try TreeRemoval.remove(directory.path.appending("\(root)/olddir"))
        mkdir(path("\(root)/olddir"), 0o755)
        try directory.write("\(root)/olddir/fresh", Array("z".utf8))
        unlink(path("\(root)/file"))
        mkdir(path("\(root)/file"), 0o755)
        mkdir(path("\(root)/top"), 0o755)
        try directory.write("\(root)/top/inner", [])
    }

    /// Runs `body` while the merged tree is mounted, which nobody else sees.
    private func mounted<R: Sendable>(_ body: @escaping @Sendable () throws -> R) throws -> R {
        let (lower, upper, work, merged) = (
            path("lower"), path("upper"), path("work"), directory.path.appending("merged")
        )
        return try JoinableThread(name: "merged") {
            try Namespaces.mount.unshare()
            try Mounts.mount(nil, on: "/", flags: [.recursive, .private])
            try Mounts.mount(
                "overlay", on: merged, type: "overlay",
                data: "lowerdir=\(lower),upperdir=\(upper),workdir=\(work),index=off")
            return try body()
        }.join()
    }

    @Test("an upper directory of overlayfs and a comparison of the trees say the same")
    func bothWays() throws {
        try makeTrees()
        let compared = try mounted {
            try change("merged")
            let (old, new) = (try open("lower"), try open("merged"))
            defer {
                try? old.close()
                try? new.close()
            }
            return try TreeChanges(from: old, to: new).all
        }
        #expect(lines(compared) == Self.expected)
        let (old, upper) = (try open("lower"), try open("upper"))
        defer {
            try? old.close()
            try? upper.close()
        }
        let read = try #require(try TreeChanges(ofUpper: upper, over: old))
        #expect(lines(read.all) == Self.expected)
    }

    @Test("the layer made of the changes makes the new tree of the old one")
    func layer() throws {
        try makeTrees()
        try mounted { try change("merged") }
        let (old, upper) = (try open("lower"), try open("upper"))
        defer {
            try? old.close()
            try? upper.close()
        }
        let changes = try #require(try TreeChanges(ofUpper: upper, over: old))
        nonisolated(unsafe) var bytes: [UInt8] = []
        let archiver = TreeArchiver { bytes += $0 }
        try archiver.add(changes.all, in: upper)
        try archiver.finish()
        mkdir(path("upper2"), 0o755)
        try TreeCopy.copy(directory.path.appending("lower"), to: directory.path.appending("upper2"))
        try directory.apply(bytes, whiteouts: .remove, into: "upper2")
        let difference = try mounted { system("diff -r \(path("merged")) \(path("upper2"))") }
        #expect(difference == 0)
    }

    @Test("what the runtime makes to mount on is no change as long as it is empty")
    func mountPoints() throws {
        for name in ["lower", "upper"] { mkdir(path(name), 0o755) }
        mkdir(path("lower/etc"), 0o755)
        mkdir(path("upper/etc"), 0o755)
        mkdir(path("upper/proc"), 0o755)
        mkdir(path("upper/dev"), 0o755)
        try directory.write("upper/etc/hosts", [])
        let points = Set(["etc/hosts", "proc", "dev"].map { Array($0.utf8) })
        func changes() throws -> [String] {
            let (old, upper) = (try open("lower"), try open("upper"))
            defer {
                try? old.close()
                try? upper.close()
            }
            let read = try #require(try TreeChanges(ofUpper: upper, over: old, mountPoints: points)).all
            #expect(try TreeChanges(from: old, to: upper, mountPoints: points).all == read)
            return lines(read)
        }
        #expect(try changes() == [])
        try directory.write("upper/etc/hosts", Array("mine".utf8))
        try directory.write("upper/dev/node", [])
        #expect(try changes() == ["A dev", "A dev/node", "C etc", "A etc/hosts"])
    }

    @Test("a change that keeps size and time of modification is found by the time of the last change, and by the bytes")
    func sameSizeAndTime() throws {
        for name in ["lower", "upper"] { mkdir(path(name), 0o755) }
        for name in ["same", "changed", "touched", "sparse"] {
            try directory.write("lower/\(name)", Array("aaaa".utf8))
            truncate(path("lower/\(name)"), 1 << 20)
        }
        try TreeCopy.copy(directory.path.appending("lower"), to: directory.path.appending("upper"))
        let (old, upper) = (try open("lower"), try open("upper"))
        defer {
            try? old.close()
            try? upper.close()
        }
        // All files of the copy are older than this.
        var copied = try FileStatus.of(directory.path.appending("upper/sparse")).modified
        repeat {
            try directory.write("clock", [])
            copied = try FileStatus.of(directory.path.appending("clock")).modified
        } while try changedAt("upper/same") >= copied || changedAt("upper/sparse") >= copied
        func rewrite(_ name: String, _ text: String, at offset: Int) throws {
            let status = try #require(directory.status("upper/\(name)"))
            let file = try Files.open(directory.path.appending("upper/\(name)"), .writeOnly)
            #expect(pwrite(file.rawValue, text, text.utf8.count, offset) == text.utf8.count)
            file.discard()
            var times = [status.st_atim, status.st_mtim]
            #expect(utimensat(AT_FDCWD, path("upper/\(name)"), &times, 0) == 0)
        }
        try rewrite("changed", "b", at: 2)
        try rewrite("sparse", "b", at: 900_000)
        try rewrite("touched", "aaaa", at: 0)
        for madeAt in [nil, copied] {
            let changes = try TreeChanges(from: old, to: upper, madeAt: madeAt).all
            #expect(lines(changes) == ["C changed", "C sparse"], "\(String(describing: madeAt))")
        }
        // What has not changed since is not read.
        let late = (copied.seconds + 3600, copied.nanoseconds)
        #expect(try TreeChanges(from: old, to: upper, madeAt: late).all.isEmpty)
    }

    private func changedAt(_ name: String) throws -> (seconds: Int64, nanoseconds: Int64) {
        let time = try #require(directory.status(name)).st_ctim
        return (Int64(time.tv_sec), Int64(time.tv_nsec))
    }

    @Test("an upper directory that refers to the lower ones by name has to be compared")
    func redirect() throws {
        for name in ["lower", "upper"] { mkdir(path(name), 0o755) }
        mkdir(path("upper/moved"), 0o755)
        try ExtendedAttributes.set(
            "trusted.overlay.redirect", to: Array("/old".utf8), of: directory.path.appending("upper/moved"))
        let (old, upper) = (try open("lower"), try open("upper"))
        defer {
            try? old.close()
            try? upper.close()
        }
        #expect(try TreeChanges(ofUpper: upper, over: old) == nil)
    }
}

@Suite(.enabled(if: geteuid() == 0, "layers need root"))
struct LayerComparisonTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private static let layer = TarFixture.build {
        $0.directory("d")
        $0.file("d/f", "content")
        $0.file("e", "first")
        $0.file("e", "second")
        $0.symbolicLink("l", to: "d/f")
        $0.hardLink("h", to: "d/f")
        $0.file(".wh.hidden", "")
        $0.directory("o")
        $0.file("o/.wh..wh..opq", "")
    }

    private func problems() throws -> [String] {
        var comparison = LayerComparison()
        try comparison.read(TarReader(MemorySource(Self.layer)))
        var problems: [String] = []
        try comparison.compare(with: directory.path.appending("root")) { problems.append($0) }
        return problems
    }

    @Test("a layer just unpacked is as it should be")
    func fresh() throws {
        try directory.apply(Self.layer)
        #expect(try problems() == [])
    }

    @Test("each kind of damage is told")
    func damage() throws {
        try directory.apply(Self.layer)
        let root = directory.path.appending("root").string
        try directory.write("root/e", Array("Second".utf8))
        var times = [timespec(tv_sec: 0, tv_nsec: 0), timespec(tv_sec: 0, tv_nsec: 0)]
        utimensat(AT_FDCWD, root + "/e", &times, 0)
        unlink(root + "/h")
        unlink(root + "/l")
        symlink("elsewhere", root + "/l")
        utimensat(AT_FDCWD, root + "/l", &times, AT_SYMLINK_NOFOLLOW)
        chmod(root + "/d", 0o700)
        unlink(root + "/hidden")
        try ExtendedAttributes.remove("trusted.overlay.opaque", of: FilePath(root + "/o"))
        #expect(
            try problems() == [
                "d has the mode 700 instead of 755", "e has other content", "h is missing", "l leads elsewhere",
                "hidden is no longer hidden", "o no longer hides the files of lower layers",
            ])
    }
}
