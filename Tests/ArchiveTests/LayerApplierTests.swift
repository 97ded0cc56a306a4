import Archive
import Glibc
import LinuxKernel
import SystemPackage
import TemporaryDirectories
import Testing

@Suite(.enabled(if: geteuid() == 0, "unpacking owners, devices and whiteouts needs root"))
struct LayerApplierTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test("files, directories, links and devices come out as the archive has them")
    func everything() throws {
        let result = try directory.apply(
            TarFixture.build {
                $0.directory("./", mode: "700")
                $0.directory("etc", mode: "1775")
                $0.header("etc/passwd", size: "2", mode: "4640", owner: "1750", modified: "14726262700")
                $0.data(Array("hi".utf8))
                $0.pax([("mtime", Array("1700000000.987654321".utf8)), ("SCHILY.xattr.user.note", Array("n".utf8))])
                $0.file("etc/note", "text")
                $0.symbolicLink("etc/link", to: "/absolute/../target")
                $0.hardLink("etc/hard", to: "/etc/passwd")
                $0.header("null", type: "3", mode: "666", device: ("1", "3"))
                $0.header("pipe", type: "6", mode: "600")
                $0.file("a/b/c", "deep")
            })
        #expect(directory.text("root/etc/passwd") == "hi")
        let passwd = try #require(directory.status("root/etc/passwd"))
        #expect(passwd.st_mode & 0o7777 == 0o4640 && passwd.st_uid == 1000 && passwd.st_gid == 1000)
        #expect(passwd.st_nlink == 2 && directory.status("root/etc/hard")?.st_ino == passwd.st_ino)
        #expect(passwd.st_mtim.tv_sec == 0o14726262700)
        let note = try #require(directory.status("root/etc/note"))
        #expect(note.st_mtim.tv_sec == 1_700_000_000 && note.st_mtim.tv_nsec == 987_654_321)
        #expect(directory.target(of: "root/etc/link") == "/absolute/../target")
        #expect(directory.status("root/etc")?.st_mode == S_IFDIR | 0o1775)
        #expect(directory.status("root/etc")?.st_mtim.tv_sec == 0)
        #expect(directory.status("root")?.st_mode == S_IFDIR | 0o700)
        #expect(directory.status("root/null")?.st_rdev == 0x103)
        #expect(directory.status("root/pipe")?.st_mode == S_IFIFO | 0o600)
        #expect(directory.text("root/a/b/c") == "deep")
        #expect(result.impliedDirectories == ["a", "a/b"])
        #expect(result.bytes == 10)
    }

    @Test("a file belongs to whom the archive says, also below a set-group-id directory")
    func setGroup() throws {
        try directory.apply(
            TarFixture.build {
                $0.header("d", type: "5", mode: "2775", owner: "62")
                $0.file("d/f", "x")
                $0.directory("d/sub")
            })
        #expect(directory.status("root/d/f")?.st_gid == 0)
        #expect(directory.status("root/d/sub")?.st_gid == 0)
        #expect(directory.status("root/d/sub").map { $0.st_mode & 0o7777 } == 0o755)
    }

    @Test("a later entry takes the place of an earlier one, of whatever kind")
    func replacing() throws {
        try directory.apply(
            TarFixture.build {
                $0.file("a", "1")
                $0.file("a", "2")
                $0.directory("b")
                $0.file("b/x", "1")
                $0.file("b", "file")
                $0.symbolicLink("c", to: "a")
                $0.directory("c")
                $0.file("c/y", "1")
                $0.file("d", "x")
                $0.symbolicLink("d", to: "a")
            })
        #expect(directory.text("root/a") == "2")
        #expect(directory.text("root/b") == "file")
        #expect(directory.text("root/c/y") == "1")
        #expect(directory.target(of: "root/d") == "a")
    }

    @Test("whiteouts are left in the form overlayfs understands")
    func overlayWhiteouts() throws {
        try directory.apply(
            TarFixture.build {
                $0.directory("d")
                $0.file("d/.wh.gone", "")
                $0.directory("o")
                $0.file("o/.wh..wh..opq", "")
                $0.file("o/own", "x")
                $0.file("d/.wh.again", "")
                $0.directory("d/again")
                $0.directory("later")
                $0.file(".wh.later", "")
                $0.directory(".wh..wh.plnk")
                $0.file(".wh..wh.plnk/1.2", "aufs")
            })
        let gone = try #require(directory.status("root/d/gone"))
        #expect(gone.st_mode & S_IFMT == S_IFCHR && gone.st_rdev == 0)
        for name in ["o", "d/again", "later"] {
            let path = directory.path.appending("root").appending(name)
            #expect(try ExtendedAttributes.get("trusted.overlay.opaque", of: path) == Array("y".utf8), "\(name)")
        }
        #expect(directory.status("root/.wh..wh.plnk") == nil)
        #expect(directory.status("root/d/.wh.gone") == nil)
    }

    @Test("whiteouts are carried out where the layers below are in the same directory, and spare the layer's own files")
    func carriedOut() throws {
        try directory.apply(
            TarFixture.build {
                $0.file("d/gone", "1")
                $0.file("d/kept", "1")
                $0.file("tree/x/y", "1")
                $0.file("o/old/deep", "1")
                $0.file("o/old2", "1")
            }, whiteouts: .remove)
        try directory.apply(
            TarFixture.build {
                $0.file("d/.wh.gone", "")
                $0.file(".wh.tree", "")
                $0.directory("o")
                $0.directory("o/old")
                $0.file("o/old/new", "2")
                $0.file("o/.wh..wh..opq", "")
                $0.file("o/after", "2")
                $0.file("d/.wh.never-was", "")
            }, whiteouts: .remove)
        #expect(directory.status("root/d/gone") == nil && directory.text("root/d/kept") == "1")
        #expect(directory.status("root/tree") == nil)
        #expect(directory.status("root/o/old/deep") == nil && directory.status("root/o/old2") == nil)
        #expect(directory.text("root/o/old/new") == "2" && directory.text("root/o/after") == "2")
    }

    @Test("a sparse file stays sparse, whatever size it claims")
    func sparse() throws {
        try directory.apply(
            TarFixture.build {
                $0.pax([
                    ("GNU.sparse.size", Array("10737418240".utf8)),
                    ("GNU.sparse.map", Array("5368709120,4,10737418240,0".utf8)),
                ])
                $0.header("huge", size: "4")
                $0.data(Array("data".utf8))
            })
        let huge = try #require(directory.status("root/huge"))
        #expect(huge.st_size == 10_737_418_240)
        #expect(huge.st_blocks * 512 <= 1 << 20)
    }

    @Test("long runs of zeros become holes", arguments: [0, 100, 4096])
    func zeros(offset: Int) throws {
        var bytes = [UInt8](repeating: 0, count: 3 << 20)
        for place in [offset, 1 << 20, bytes.count - 70_001] { bytes[place] = 7 }
        let content = bytes
        let result = try directory.apply(
            TarFixture.build {
                $0.header("zeros", size: String(content.count, radix: 8))
                $0.data(content)
                // A run as short as this is not worth an extent.
                $0.header("small", size: String(32768, radix: 8))
                $0.data([UInt8](repeating: 0, count: 32768))
            })
        #expect(try Files.read(directory.path.appending("root/zeros")) == content)
        let file = try #require(directory.status("root/zeros"))
        #expect(file.st_size == content.count && file.st_blocks * 512 <= 512 << 10)
        #expect(directory.status("root/small")?.st_size == 32768)
        #expect(result.bytes == Int64(file.st_blocks * 512) + 32768 || result.bytes < 1 << 20)
    }

    @Test(
        "files that aufs kept apart have the names that link to them", arguments: [WhiteoutForm.overlay, .remove])
    func aufs(whiteouts: WhiteoutForm) throws {
        let result = try directory.apply(
            TarFixture.build {
                $0.directory(".")
                $0.file(".wh..wh.aufs", "")
                $0.directory(".wh..wh.orph")
                $0.file(".wh..wh.orph/lost", "x")
                $0.directory(".wh..wh.plnk")
                $0.file(".wh..wh.plnk/292.1436735", "both")
                $0.file(".wh..wh.plnk/293.1", "nobody's")
                $0.directory("o")
                $0.hardLink("o/one", to: ".wh..wh.plnk/292.1436735")
                $0.hardLink("two", to: "./.wh..wh.plnk/292.1436735")
            }, whiteouts: whiteouts)
        let (one, two) = (directory.status("root/o/one"), directory.status("root/two"))
        #expect(directory.text("root/two") == "both")
        #expect(one?.st_ino == two?.st_ino && one?.st_nlink == 2)
        let names = try DirectoryListing.names(of: directory.path.appending("root"))
        #expect(Set(names.map { String(decoding: $0, as: UTF8.self) }) == ["o", "two"])
        #expect(result.bytes == 4 && result.inodes == 2)
        #expect(!result.impliedDirectories.contains(".wh..wh.plnk"))
        #expect(throws: ArchiveError.self) {
            try directory.apply(TarFixture.build { $0.hardLink("l", to: ".wh..wh.plnk/292.1436735") })
        }
    }

    @Test("overlayfs' own attributes do not get in by an archive")
    func overlayAttributes() throws {
        try directory.apply(
            TarFixture.build {
                $0.pax([("SCHILY.xattr.trusted.overlay.redirect", Array("/etc".utf8)), ("SCHILY.xattr.user.a", [1])])
                $0.directory("d")
            })
        #expect(try ExtendedAttributes.names(of: directory.path.appending("root/d")) == ["user.a"])
    }

    // MARK: Hostile archives

    struct Hostile: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]
        /// What the error says; `nil`: it is unpacked, and stays inside.
        let expected: String?
    }

    static let hostile: [Hostile] = [
        Hostile(
            testDescription: "a name that goes up", bytes: TarFixture.build { $0.file("../outside", "x") },
            expected: "leads out"),
        Hostile(
            testDescription: "a name that goes up in the middle",
            bytes: TarFixture.build { $0.file("a/../../outside", "x") }, expected: "leads out"),
        Hostile(
            testDescription: "an absolute name that goes up", bytes: TarFixture.build { $0.file("/../outside", "x") },
            expected: "leads out"),
        Hostile(
            testDescription: "a directory above", bytes: TarFixture.build { $0.directory("..") },
            expected: "leads out"),
        Hostile(
            testDescription: "a whiteout above", bytes: TarFixture.build { $0.file("../.wh.outside", "x") },
            expected: "leads out"),
        Hostile(
            testDescription: "a whiteout of the directory above", bytes: TarFixture.build { $0.file(".wh...", "x") },
            expected: "has no name to hide"),
        Hostile(
            testDescription: "a whiteout of nothing", bytes: TarFixture.build { $0.file(".wh.", "x") },
            expected: "has no name to hide"),
        Hostile(
            testDescription: "an absolute name", bytes: TarFixture.build { $0.file("/outside", "x") }, expected: nil),
        Hostile(
            testDescription: "a symbolic link to the host's root, and a file through it",
            bytes: TarFixture.build {
                $0.symbolicLink("l", to: "/")
                $0.file("l/outside", "x")
            }, expected: nil),
        Hostile(
            testDescription: "a symbolic link that goes up, and a file through it",
            bytes: TarFixture.build {
                $0.symbolicLink("l", to: "../../../../..")
                $0.file("l/outside", "x")
            }, expected: nil),
        Hostile(
            testDescription: "a symbolic link as the last component",
            bytes: TarFixture.build {
                $0.symbolicLink("l", to: "../outside")
                $0.file("l", "x")
            }, expected: nil),
        Hostile(
            testDescription: "a symbolic link to /proc, and a directory through it",
            bytes: TarFixture.build {
                $0.symbolicLink("l", to: "/proc/self/cwd")
                $0.file("l/outside", "x")
            }, expected: nil),
        Hostile(
            testDescription: "links that lead to each other",
            bytes: TarFixture.build {
                $0.symbolicLink("a", to: "b")
                $0.symbolicLink("b", to: "a")
                $0.file("a/x", "x")
            }, expected: "symbolic links"),
        Hostile(
            testDescription: "a hard link that goes up", bytes: TarFixture.build { $0.hardLink("h", to: "../outside") },
            expected: "outside of the root"),
        Hostile(
            testDescription: "a hard link to a file of the host",
            bytes: TarFixture.build { $0.hardLink("h", to: "/etc/passwd") }, expected: "does not exist"),
        Hostile(
            testDescription: "a hard link in the place of the directory that its target is in",
            bytes: TarFixture.build {
                $0.file("a/b/c", "x")
                $0.hardLink("a", to: "a/b/c")
            }, expected: "does not exist"),
        Hostile(
            testDescription: "a hard link to what the layer hides",
            bytes: TarFixture.build {
                $0.file(".wh.x", "")
                $0.hardLink("h", to: "x")
            }, expected: "does not exist"),
        Hostile(
            testDescription: "a hard link through a symbolic link",
            bytes: TarFixture.build {
                $0.symbolicLink("l", to: "/etc")
                $0.hardLink("h", to: "l/passwd")
            }, expected: "does not exist"),
        Hostile(
            testDescription: "a hard link to a symbolic link is to the link itself",
            bytes: TarFixture.build {
                $0.symbolicLink("l", to: "/etc/passwd")
                $0.hardLink("h", to: "l")
                $0.file("h", "x")
            }, expected: nil),
        Hostile(
            testDescription: "a hard link to the root", bytes: TarFixture.build { $0.hardLink("h", to: "/") },
            expected: "outside of the root"),
        Hostile(
            testDescription: "the root as a file",
            bytes: TarFixture.build {
                $0.file("./", ""); $0.header(".", size: "0")
            }, expected: "root"),
        Hostile(
            testDescription: "a directory's times through a link that replaced its parent",
            bytes: TarFixture.build {
                $0.directory("a")
                $0.directory("a/b")
                $0.symbolicLink("a", to: "/")
            }, expected: nil),
        Hostile(
            testDescription: "a name longer than the kernel takes",
            bytes: TarFixture.build {
                $0.pax([("path", [UInt8](repeating: 0x61, count: 300))])
                $0.header("a")
            }, expected: "name too long"),
        Hostile(
            testDescription: "a path longer than the kernel takes",
            bytes: TarFixture.build {
                $0.pax([("path", Array(String(repeating: "d/", count: 3000).utf8) + [0x61])])
                $0.header("a")
            }, expected: "name too long"),
        Hostile(
            testDescription: "a link to nothing", bytes: TarFixture.build { $0.symbolicLink("l", to: "") },
            expected: "has no target"),
    ]

    @Test("a hostile archive is refused or kept inside", arguments: hostile)
    func contained(example: Hostile) throws {
        try directory.write("outside", Array("safe".utf8))
        let before = directory.status("outside")
        let passwd = status("/etc/passwd")
        if let expected = example.expected {
            let error = try #require(throws: ArchiveError.self) { try directory.apply(example.bytes) }
            #expect(error.description.lowercased().contains(expected.lowercased()), "\(error)")
        } else {
            try directory.apply(example.bytes)
        }
        #expect(directory.text("outside") == "safe")
        #expect(
            directory.status("outside")?.st_nlink == 1
                && directory.status("outside")?.st_mtim.tv_nsec == before?.st_mtim.tv_nsec)
        #expect(status("/etc/passwd")?.st_nlink == passwd?.st_nlink)
        #expect(status("/outside") == nil)
    }

    private func status(_ path: String) -> stat? {
        var status = stat()
        return lstat(path, &status) == 0 ? status : nil
    }

    @Test("an archive with random damage is unpacked or refused, never a crash, never outside")
    func damaged() throws {
        let bytes = TarFixture.build {
            $0.directory("d")
            $0.pax([("path", Array("d/long".utf8)), ("SCHILY.xattr.user.x", [1]), ("mtime", Array("1.5".utf8))])
            $0.file("x", "hello")
            $0.symbolicLink("d/l", to: "../../x")
            $0.hardLink("h", to: "d/long")
            $0.pax([("GNU.sparse.size", Array("9000".utf8)), ("GNU.sparse.map", Array("100,3,8000,2".utf8))])
            $0.header("s", size: "5")
            $0.data([1, 2, 3, 4, 5])
            $0.file("d/.wh.gone", "")
        }
        var random = SystemRandomNumberGenerator()
        for round in 0..<400 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let index = Int.random(in: 0..<damaged.count, using: &random)
                damaged[index] = UInt8.random(in: 0...255, using: &random)
                // The checksum made right again, so that the damage is seen.
                let header = index / 512 * 512
                for position in 148..<156 { damaged[header + position] = 0x20 }
                let sum = damaged[header..<header + 512].reduce(0) { $0 + Int($1) }
                let digits = String(sum, radix: 8)
                damaged.replaceSubrange(header + 148..<header + 148 + digits.utf8.count, with: digits.utf8)
            }
            _ = try? directory.apply(damaged, into: "root\(round)")
        }
        #expect(try DirectoryListing.names(of: directory.path).count == 400)
    }

    @Test("a hundred thousand entries are unpacked, and no descriptor is left open")
    func manyEntries() throws {
        var fixture = TarFixture()
        for index in 0..<100_000 { fixture.header("d\(index % 300)/f\(index)") }
        fixture.end()
        let result = try directory.apply(fixture.bytes)
        #expect(result.inodes == 100_300)
        #expect(descriptorsIntoDirectory() == [])
    }

    /// What this process has open below the test's own directory: other tests run at the same time and have open what
    /// they like.
    private func descriptorsIntoDirectory() -> [String] {
        guard let stream = opendir("/proc/self/fd") else { return ["/proc/self/fd cannot be read"] }
        defer { closedir(stream) }
        var found: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            var target = [UInt8](repeating: 0, count: 4096)
            let length = readlink("/proc/self/fd/\(name)", &target, target.count)
            guard length > 0 else { continue }
            let path = String(decoding: target[..<length], as: UTF8.self)
            if path.hasPrefix(directory.path.string) { found.append(path) }
        }
        return found
    }
}
