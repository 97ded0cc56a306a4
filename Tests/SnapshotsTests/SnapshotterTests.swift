import Archive
import Glibc
import LinuxKernel
import Snapshots
import SystemPackage
import Testing

/// Every driver keeps every promise, where the machine can have it.
@Suite(.enabled(if: geteuid() == 0, "mounting needs root"), .serialized)
struct SnapshotterTests {
    @Suite struct Overlay {
        @Test("overlay keeps the promises of a snapshotter", arguments: SnapshotterPromise.all)
        func promises(_ promise: SnapshotterPromise) throws { try promise.check(SnapshotterFixture(.overlay)) }

        @Test("so it does with the attributes of a user namespace", arguments: SnapshotterPromise.all)
        func userNamespace(_ promise: SnapshotterPromise) throws { try promise.check(SnapshotterFixture(.userOverlay)) }

        @Test("an image of 130 layers below a long path is mounted")
        func manyLayers() throws {
            let fixture = try SnapshotterFixture(.overlay)
            var parent: String?
            for number in 1...130 {
                parent = try fixture.layer(
                    "layer-\(number)", parent: parent, ["file-\(number)": "\(number)", "last": "\(number)"])
            }
            try fixture.snapshotter.prepare("container", parent: parent)
            try fixture.mounted("container") { root in
                for number in [1, 2, 64, 129, 130] {
                    #expect(SnapshotterFixture.text(root.appending("file-\(number)")) == "\(number)")
                }
                #expect(SnapshotterFixture.text(root.appending("last")) == "130")
            }
        }

        @Test("a tree deeper than any path is measured and removed")
        func deep() throws {
            let fixture = try SnapshotterFixture(.overlay)
            try fixture.snapshotter.prepare("container", parent: nil)
            try fixture.mounted("container") { root in
                var directory = open(root.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                for _ in 0..<2000 {
                    #expect(mkdirat(directory, "deep-directory", 0o755) == 0)
                    let next = openat(directory, "deep-directory", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                    close(directory)
                    directory = next
                }
                close(directory)
            }
            _ = try fixture.snapshotter.usage("container")
            try fixture.snapshotter.remove("container")
            #expect(fixture.directories.isEmpty)
        }
    }

    @Suite struct Copying {
        @Test("vfs keeps the promises of a snapshotter", arguments: SnapshotterPromise.all)
        func promises(_ promise: SnapshotterPromise) throws { try promise.check(SnapshotterFixture(.vfs)) }

        @Test("a copy keeps holes, and links whose names are no text")
        func holes() throws {
            let fixture = try SnapshotterFixture(.vfs)
            let name: [CChar] = [0x66, -1, 0]
            try fixture.filled("one", parent: nil) { root in
                try SnapshotterFixture.write("x", to: root.appending("sparse"))
                truncate(root.appending("sparse").string, 1 << 30)
                let directory = open(root.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                defer { close(directory) }
                close(openat(directory, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644))
                #expect(linkat(directory, name, directory, "other", 0) == 0)
            }
            try fixture.snapshotter.prepare("container", parent: "one")
            try fixture.mounted("container") { copy in
                var status = stat()
                #expect(lstat(copy.appending("sparse").string, &status) == 0)
                #expect(status.st_size == 1 << 30 && status.st_blocks < 100)
                #expect(lstat(copy.appending("other").string, &status) == 0 && status.st_nlink == 2)
            }
        }

        @Test(
            "a copy shares its blocks where the file system can do so",
            .enabled(if: TestedDriver.canHaveBtrfs, "this machine has no btrfs or no mkfs.btrfs"))
        func reflinks() throws {
            let driver = TestedDriver(name: "vfs", prepare: TestedDriver.btrfs.prepare)
            let fixture = try SnapshotterFixture(driver)
            func used() -> UInt64 {
                sync()
                var status = statvfs()
                #expect(statvfs(fixture.directory.string, &status) == 0)
                return UInt64(status.f_blocks - status.f_bfree) * UInt64(status.f_frsize)
            }
            try fixture.layer("one", parent: nil, ["large": String(repeating: "masu", count: 10 << 20)])
            let before = used()
            for number in 1...3 { try fixture.snapshotter.prepare("container-\(number)", parent: "one") }
            #expect(used() < before + 20 << 20)
        }
    }

    @Suite(.enabled(if: TestedDriver.canHaveBtrfs, "this machine has no btrfs or no mkfs.btrfs"))
    struct Btrfs {
        @Test("btrfs keeps the promises of a snapshotter", arguments: SnapshotterPromise.all)
        func promises(_ promise: SnapshotterPromise) throws { try promise.check(SnapshotterFixture(.btrfs)) }

        @Test("subvolumes that a container made go with it, and a committed layer cannot be changed")
        func subvolumes() throws {
            let fixture = try SnapshotterFixture(.btrfs)
            try fixture.layer("one", parent: nil, ["a": "1"])
            try fixture.snapshotter.prepare("container", parent: "one")
            try fixture.mounted("container") { root in
                try BtrfsSubvolume.create(root.appending("nested"))
                mkdir(root.appending("nested/directory").string, 0o755)
                try BtrfsSubvolume.create(root.appending("nested/directory/deeper"))
                try SnapshotterFixture.write("x", to: root.appending("nested/directory/deeper/file"))
                try BtrfsSubvolume.setReadOnly(root.appending("nested"), true)
            }
            let layer = try #require(try fixture.snapshotter.view("one").layers.first)
            #expect(open(layer.appending("b").string, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644) == -1 && errno == EROFS)
            try fixture.snapshotter.remove("container")
            #expect(fixture.directories == ["1"])
        }
    }

    @Suite(.enabled(if: TestedDriver.canHaveErofs, "this kernel has no erofs"))
    struct Erofs {
        @Test("erofs keeps the promises of a snapshotter", arguments: SnapshotterPromise.all)
        func promises(_ promise: SnapshotterPromise) throws { try promise.check(SnapshotterFixture(.erofs)) }

        @Test("a layer that two images have is one file, until neither has it")
        func sharing() throws {
            let fixture = try SnapshotterFixture(.erofs)
            let root = fixture.directory.appending("snapshots/erofs")
            try fixture.layer("a", parent: nil, ["base": "a"])
            try fixture.layer("b", parent: nil, ["base": "b"])
            for parent in ["a", "b"] {
                try fixture.layer("\(parent)-same", parent: parent, ["file": String(repeating: "x", count: 10000)])
            }
            let inodes = try (1...4).map { try FileStatus.of(root.appending("\($0)/layer.erofs")).inode }
            #expect(inodes[2] == inodes[3] && Set(inodes).count == 3)
            try fixture.snapshotter.remove("a-same")
            try fixture.snapshotter.prepare("container", parent: "b-same")
            try fixture.mounted("container") { #expect(SnapshotterFixture.text($0.appending("base")) == "b") }
            try fixture.snapshotter.remove("container")
            try fixture.snapshotter.remove("b-same")
            #expect(try Files.names(in: root.appending("shared")).count == 2)
        }

        @Test("a directory gets attributes beside its own when its image is written already, up to 30")
        func completion() throws {
            let fixture = try SnapshotterFixture(.erofs)
            for (name, count) in [("few", 30), ("many", 31)] {
                try fixture.layer(name, parent: nil) { writer in
                    var entry = TarEntry(kind: .directory, name: Array("d".utf8), mode: 0o750)
                    entry.extendedAttributes = (0..<count).map {
                        .init(name: Array("user.\($0)".utf8), value: [UInt8](repeating: UInt8($0), count: $0 * 3))
                    }
                    try writer.add(entry)
                    try writer.add(TarEntry(kind: .file, name: Array("d/hidden".utf8), mode: 0o644))
                }
            }
            try fixture.layer("opaque", parent: "few", ["d/.wh..opq": nil, "d/new": "x"])
            let image = fixture.directory.appending("snapshots/erofs/3/layer.erofs")
            if TestedDriver.hasProgram("fsck.erofs") {
                #expect(system("PATH=$PATH:/usr/sbin fsck.erofs \(image) >/dev/null") == 0)
            }
            try fixture.snapshotter.prepare("container", parent: "opaque")
            try fixture.mounted("container") { root throws in
                let names = try DirectoryListing.names(of: root.appending("d"))
                #expect(names.map { String(decoding: $0, as: UTF8.self) } == ["new"])
                for number in [0, 1, 29] {
                    let value = try ExtendedAttributes.get("user.\(number)", of: root.appending("d"))
                    #expect(value == [UInt8](repeating: UInt8(number), count: number * 3))
                }
                #expect(
                    try ExtendedAttributes.names(of: root.appending("d")).filter { $0.hasPrefix("user.") }.count == 30)
            }
            let error = #expect(throws: SnapshotError.self) { try fixture.layer("x", parent: "many", ["d/new": "x"]) }
            #expect(error?.description.hasSuffix("Argument list too long") == true)
        }

        @Test("files of equal content are stored once in an image")
        func deduplication() throws {
            let fixture = try SnapshotterFixture(.erofs)
            let large = String(repeating: "0123456789", count: 100_000)
            try fixture.layer("one", parent: nil, ["a": large, "b": large, "c/d": large, "e": large + "x"])
            let image = fixture.directory.appending("snapshots/erofs/1/layer.erofs")
            #expect(try FileStatus.of(image).size < 2_100_000)
            try fixture.snapshotter.prepare("container", parent: "one")
            try fixture.mounted("container") { root throws in
                for name in ["a", "b", "c/d"] {
                    #expect(try Files.read(root.appending(name)) == Array(large.utf8), "\(name)")
                }
            }
        }

        @Test("an image of 130 layers is mounted, from 130 files")
        func manyLayers() throws {
            let fixture = try SnapshotterFixture(.erofs)
            var parent: String?
            for number in 1...130 {
                parent = try fixture.layer(
                    "layer-\(number)", parent: parent, ["file-\(number)": "\(number)", "last": "\(number)"])
            }
            try fixture.snapshotter.prepare("container", parent: parent)
            try fixture.mounted("container") { root in
                for number in [1, 2, 64, 129, 130] {
                    #expect(SnapshotterFixture.text(root.appending("file-\(number)")) == "\(number)")
                }
                #expect(SnapshotterFixture.text(root.appending("last")) == "130")
            }
        }

        @Test(
            "an image has every file of a real tree, and another program finds nothing wrong with it",
            .enabled(if: TestedDriver.hasProgram("fsck.erofs"), "erofs-utils are not installed"))
        func realTree() throws {
            let fixture = try SnapshotterFixture(.erofs)
            try fixture.filled("one", parent: nil) { root in
                try #require(
                    system("cp -a /usr/lib/x86_64-linux-gnu/perl* /usr/share/perl* /etc/ssl \(root) 2>/dev/null; true")
                        == 0)
                // Holes at the beginning, in the middle and at the end.
                let holes = try Files.open(root.appending("holes"), [.writeOnly, .create], mode: 0o644)
                defer { holes.discard() }
                for offset in [70_000, 5_000_000, 90_000_000] {
                    #expect(pwrite(holes.rawValue, "data", 4, off_t(offset)) == 4)
                }
                #expect(ftruncate(holes.rawValue, 200_000_001) == 0)
                try #require(system("cp -a \(root) \(fixture.directory)/original") == 0)
            }
            let image = fixture.directory.appending("snapshots/erofs/1/layer.erofs")
            #expect(system("PATH=$PATH:/usr/sbin fsck.erofs \(image) >/dev/null") == 0)
            #expect(try FileStatus.of(image).blocks * 512 < 150 << 20)
            try fixture.snapshotter.prepare("container", parent: "one")
            try fixture.mounted("container") { root in
                let script = """
                    list() {
                        cd "$1" || exit 1
                        find . -mindepth 1 -type d -printf '%p %m %U %G %T@\\n' | sort
                        find . ! -type d -printf '%p %y %m %U %G %n %s %T@ %l\\n' | sort
                        find . -type f -print0 | sort -z | xargs -0 sha256sum
                    }
                    diff <(list \(fixture.directory)/original) <(list \(root)) | head
                    """
                let file = fixture.directory.appending("compare")
                try SnapshotterFixture.write(script, to: file)
                #expect(system("bash \(file) >\(file).out") == 0)
                #expect(SnapshotterFixture.text(FilePath("\(file).out")) == "")
            }
        }
    }

    @Suite(.enabled(if: TestedDriver.canHaveThinDevices, "this kernel has no device mapper, or mkfs.ext4 is missing"))
    struct ThinDevices {
        @Test("devicemapper keeps the promises of a snapshotter", arguments: SnapshotterPromise.all)
        func promises(_ promise: SnapshotterPromise) throws { try promise.check(SnapshotterFixture(.deviceMapper)) }

        @Test("the pool goes with the last user, is found again with all layers, and blocks are given back")
        func pool() throws {
            let others = try Files.names(in: "/sys/block").filter { $0.hasPrefix("dm-") }
            let fixture = try SnapshotterFixture(.deviceMapper)
            func row(_ title: String) -> String? { fixture.snapshotter.status.first { $0.title == title }?.value }
            let empty = row("Data Space Used")
            try fixture.layer("one", parent: nil, ["large": String(repeating: "x", count: 10 << 20)])
            try fixture.snapshotter.prepare("container", parent: "one")
            try fixture.mounted("container") { root in
                try SnapshotterFixture.write("mine", to: root.appending("file"))
                // As when the daemon goes while a container runs: its device stays.
                fixture.snapshotter.close()
                try fixture.reopen()
                try SnapshotterFixture.write("more", to: root.appending("file"))
            }
            fixture.snapshotter.close()
            #expect(try Files.names(in: "/sys/block").filter { $0.hasPrefix("dm-") } == others)
            try fixture.reopen()
            try fixture.mounted("container") { root throws in
                #expect(SnapshotterFixture.text(root.appending("file")) == "more")
                #expect(try FileStatus.of(root.appending("large")).size == 10 << 20)
            }
            #expect(row("Data Space Used") != empty)
            try fixture.snapshotter.remove("container")
            try fixture.snapshotter.remove("one")
            #expect(row("Data Space Used") == empty)
        }

        @Test("a pool that is nearly full takes no new snapshots, and says so in one line")
        func full() throws {
            var driver = TestedDriver.deviceMapper
            driver.options = [
                "dm.loopdatasize=32M", "dm.loopmetadatasize=8M", "dm.basesize=100M", "dm.min_free_space=50%",
            ]
            let fixture = try SnapshotterFixture(driver)
            try fixture.layer("one", parent: nil, ["large": String(repeating: "x", count: 16 << 20)])
            let error = #expect(throws: SnapshotError.self) {
                try fixture.snapshotter.prepare("container", parent: "one")
            }
            #expect(error?.description.contains("dm.min_free_space=50%") == true)
            #expect(fixture.directories == ["1"])
            try fixture.snapshotter.remove("one")
            try fixture.snapshotter.prepare("container", parent: nil)
        }
    }

    @Test(
        "devicemapper refuses the snapshots of another database, as their devices cannot be set aside",
        arguments: [(["7"], [], 1), (["1"], ["1"], 1), (["1", "2", "3"], [], 2)] as [([String], [String], Int)])
    func foreignDevices(_ names: [String], _ marked: [String], _ count: Int) throws {
        let fixture = try SnapshotterFixture(.vfs)
        let root = fixture.directory.appending("snapshots").appending("devicemapper")
        for name in names {
            try Files.makeDirectories(root.appending(name), mode: 0o700)
            if marked.contains(name) { #expect(chmod(root.appending(name).string, 0o1700) == 0) }
        }
        let error = #expect(throws: SnapshotError.self) {
            try Snapshots.open(driver: "devicemapper", directory: fixture.directory, database: fixture.database)
        }
        #expect(error?.description.contains("has \(count) snapshots that the database does not know") == true)
        #expect(try Files.names(in: root).sorted() == names)
    }

    @Test(
        "a creation that a crash cut short is no snapshot of another database",
        .enabled(if: !TestedDriver.canHaveThinDevices, "this machine can have it, and goes on"))
    func unfinishedDevice() throws {
        let fixture = try SnapshotterFixture(.vfs)
        let root = fixture.directory.appending("snapshots").appending("devicemapper")
        try Files.makeDirectories(root.appending("1"), mode: 0o700)
        let error = #expect(throws: SnapshotError.self) {
            try Snapshots.open(driver: "devicemapper", directory: fixture.directory, database: fixture.database)
        }
        #expect(error?.description.contains("load the module dm_mod") == true)
    }

    @Test("a directory that a crash cut short before it had anything is removed, and nothing is set aside")
    func unfinishedDirectory() throws {
        let fixture = try SnapshotterFixture(.vfs)
        let directory = fixture.directory.appending("snapshots").appending("vfs").appending("9")
        try Files.makeDirectories(directory, mode: 0o700)
        _ = try Snapshots.open(driver: "vfs", directory: fixture.directory, database: fixture.database)
        #expect(!Files.exists(directory))
        #expect(try !Files.names(in: fixture.directory).contains("set-aside"))
    }

    @Test(
        "devicemapper says what it needs where it cannot be",
        .enabled(if: !TestedDriver.canHaveThinDevices, "this machine can have it"))
    func noDeviceMapper() throws {
        let fixture = try SnapshotterFixture(.vfs)
        let error = #expect(throws: SnapshotError.self) {
            try Snapshots.open(driver: "devicemapper", directory: fixture.directory, database: fixture.database)
        }
        #expect(error?.description.contains("load the module dm_mod, or use overlay2") == true)
    }

    @Test(
        "options that make no sense are refused",
        arguments: [
            "dm.fs=ntfs", "dm.basesize=big", "dm.min_free_space=10", "dm.datadev=/dev/null", "dm.nosuch=1", "size=1G",
        ])
    func options(_ option: String) throws {
        let fixture = try SnapshotterFixture(.vfs)
        let error = #expect(throws: SnapshotError.self) {
            try Snapshots.open(
                driver: "devicemapper", directory: fixture.directory, database: fixture.database, options: [option])
        }
        guard case .option = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("without a driver named, overlay is taken where it works; an unknown one is refused")
    func choice() throws {
        let fixture = try SnapshotterFixture(.vfs)
        func open(_ driver: String?, _ options: [String] = []) throws -> any Snapshotter {
            try Snapshots.open(
                driver: driver, directory: fixture.directory, database: fixture.database, options: options)
        }
        #expect(try open(nil).driver == "overlay")
        #expect(throws: SnapshotError.unknownDriver("zfs")) { try open("zfs") }
        #expect(throws: SnapshotError.self) { try open("vfs", ["dm.basesize=1G"]) }
        #expect(try DirectoryListing.names(of: fixture.directory.appending("snapshots")).count == 2)
    }

    @Test("where overlayfs cannot be, copies are made instead, and to insist on it is refused")
    func fallback() throws {
        // overlayfs takes no upper directory on overlayfs.
        let driver = TestedDriver(
            name: "vfs",
            prepare: { directory in
                for name in ["lower", "upper", "work", "merged"] { mkdir(directory.appending(name).string, 0o755) }
                let names = "lowerdir=\(directory)/lower,upperdir=\(directory)/upper,workdir=\(directory)/work"
                try Mounts.mount("overlay", on: directory.appending("merged"), type: "overlay", data: names)
            })
        let fixture = try SnapshotterFixture(driver)
        let directory = fixture.directory.appending("merged")
        defer { umount2(directory.string, Int32(MNT_DETACH)) }
        #expect(try Snapshots.open(driver: nil, directory: directory, database: fixture.database).driver == "vfs")
        let error = #expect(throws: SnapshotError.self) {
            try Snapshots.open(driver: "overlay2", directory: directory, database: fixture.database)
        }
        #expect(
            error?.description.contains("--storage-driver vfs") == true && error?.description.contains("\n") == false)
    }

    @Test("btrfs says what it needs where it cannot be")
    func noBtrfs() throws {
        let fixture = try SnapshotterFixture(.vfs)
        let error = #expect(throws: SnapshotError.self) {
            try Snapshots.open(driver: "btrfs", directory: fixture.directory, database: fixture.database)
        }
        #expect(error?.description.contains("mount a btrfs file system there") == true)
    }
}

extension TestedDriver {
    static let canHaveThinDevices =
        geteuid() == 0 && access("/dev/mapper/control", R_OK) == 0 && hasProgram("mkfs.ext4")
    static let canHaveErofs = geteuid() == 0 && Mounts.hasFileSystem("erofs")
    static let canHaveBtrfs =
        geteuid() == 0 && Mounts.hasFileSystem("btrfs") && hasProgram("mkfs.btrfs")
        && access("/dev/loop-control", R_OK) == 0
}
