import Engine
import Glibc
import LinuxKernel
import SystemPackage
import TemporaryDirectories
import Testing

/// What an empty volume gets of an image.
@Suite("Population of volumes", .enabled(if: geteuid() == 0, "owners need root")) struct VolumePopulationTests {
    private let image: TemporaryDirectory
    private let volume: TemporaryDirectory

    init() throws {
        image = try TemporaryDirectory()
        volume = try TemporaryDirectory()
    }

    private func fill(_ path: String = "/data") throws {
        let root = try Files.open(image.path, [.path, .directory])
        defer { root.discard() }
        let directory = try Files.open(volume.path, [.path, .directory])
        defer { directory.discard() }
        try VolumePopulation.fill(directory, from: path, in: root)
    }

    private func status(_ directory: TemporaryDirectory, _ name: String = "") throws -> FileStatus {
        try FileStatus.of(name.isEmpty ? directory.path : directory.path.appending(name), followingSymlinks: false)
    }

    private var names: [String] { get throws { try Files.names(in: volume.path).sorted() } }

    @Test("files come with owner, mode, attributes, times and links; the volume itself gets the directory's")
    func everything() throws {
        try image.write("data/file", "content")
        try image.write("data/sub/deep", "below")
        try image.link("data/link", to: "/etc/passwd")
        let file = image.path.appending("data/file")
        #expect(chown(file.string, 12, 34) == 0 && chmod(file.string, 0o4751) == 0)
        try Files.link(file, as: image.path.appending("data/again"))
        try ExtendedAttributes.set("user.note", to: Array("x".utf8), of: file)
        #expect(mkfifo(image.path.appending("data/pipe").string, 0o620) == 0)
        let data = image.path.appending("data").string
        #expect(chown(data, 5, 6) == 0 && chmod(data, 0o2770) == 0)
        try fill()
        #expect(try names == ["again", "file", "link", "pipe", "sub"])
        let copy = try status(volume, "file")
        #expect(copy.uid == 12 && copy.gid == 34 && copy.mode & 0o7777 == 0o4751 && copy.links == 2)
        #expect(try copy.inode == status(volume, "again").inode)
        #expect(try copy.modified == status(image, "data/file").modified)
        #expect(try ExtendedAttributes.get("user.note", of: volume.path.appending("file")) == Array("x".utf8))
        #expect(volume.text("file") == "content" && volume.text("sub/deep") == "below")
        #expect(volume.target(of: "link") == "/etc/passwd")
        #expect(try status(volume, "pipe").kind == .fifo)
        let root = try status(volume)
        #expect(root.uid == 5 && root.gid == 6 && root.mode & 0o7777 == 0o2770)
    }

    @Test("an empty directory gives its owner and mode")
    func emptyDirectory() throws {
        try Files.makeDirectory(image.path.appending("data"))
        #expect(chown(image.path.appending("data").string, 7, 8) == 0)
        #expect(chmod(image.path.appending("data").string, 0o1777) == 0)
        try fill()
        #expect(try names.isEmpty)
        let root = try status(volume)
        #expect(root.uid == 7 && root.gid == 8 && root.mode & 0o7777 == 0o1777)
    }

    @Test("a volume with anything in it stays as it is")
    func notEmpty() throws {
        try image.write("data/file", "image's")
        try volume.write("own", "volume's")
        try fill()
        #expect(try names == ["own"])
        #expect(try status(volume).mode & 0o7777 == 0o700)
    }

    @Test("only a directory is copied", arguments: ["/file", "/nowhere", "/file/x"])
    func noDirectory(_ path: String) throws {
        try image.write("file", "x")
        try fill(path)
        #expect(try names.isEmpty)
    }

    @Test("links on the way are the image's own: they do not lead to the host's files")
    func links() throws {
        try image.link("data", to: "/real")
        try image.write("real/file", "image's")
        try image.link("out", to: "../../../../../../../../etc")
        try fill("/data")
        #expect(volume.text("file") == "image's")
        try Files.remove(volume.path.appending("file"))
        try fill("/out")
        #expect(try names.isEmpty)
    }

    @Test("a copy that a crash has cut short is made once more, without what has arrived")
    func crash() throws {
        try image.write("data/one", "one")
        try image.write("data/two", "two")
        try volume.write(".masu-copy/one", "o")
        try volume.write("two", "changed by its first user")
        try fill()
        #expect(try names == ["one", "two"])
        #expect(volume.text("one") == "one" && volume.text("two") == "changed by its first user")
        // Where the image has nothing, there is nothing to be taken up.
        try Files.remove(volume.path.appending("one"))
        try Files.remove(volume.path.appending("two"))
        try volume.write(".masu-copy/x", "x")
        try fill("/nowhere")
        #expect(try names.isEmpty)
    }
}
