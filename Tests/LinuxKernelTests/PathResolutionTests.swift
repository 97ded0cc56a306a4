import Glibc
import LinuxKernel
import SystemPackage
import Testing

@Suite("paths inside a root")
struct PathResolutionTests {
    private let directory: FilePath
    private let root: FileDescriptor

    init() throws {
        var template = Array("/tmp/masu-path-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
        directory = FilePath(String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
        for name in ["root/etc", "outside"] { try Files.makeDirectories(directory.appending(name)) }
        root = try Files.open(directory.appending("root"), [.path, .directory])
    }

    private func end() {
        root.discard()
        // Everything below is this test's own.
        Self.remove(directory)
    }

    private static func remove(_ path: FilePath) {
        if let status = try? FileStatus.of(path, followingSymlinks: false), status.isDirectory {
            for name in (try? Files.names(in: path)) ?? [] { remove(path.appending(name)) }
            try? Files.removeDirectory(path)
        } else {
            try? Files.remove(path)
        }
    }

    @Test("missing directories are made, and those that are there are used")
    func make() throws {
        defer { end() }
        for _ in 0..<2 { try root.makeDirectoriesInRoot("/etc/a/b").discard() }
        #expect(try FileStatus.of(directory.appending("root/etc/a/b")).isDirectory)
        try root.makeFileInRoot("/etc/made").discard()
        #expect(try FileStatus.of(directory.appending("root/etc/made")).kind == .regular)
    }

    @Test("a mode is that of the directory asked for, not of those made on the way to it")
    func modes() throws {
        defer { end() }
        let mask = umask(0)
        defer { umask(mask) }
        try root.makeDirectoriesInRoot("/etc/way/to/it", mode: 0o1777).discard()
        #expect(try FileStatus.of(directory.appending("root/etc/way/to/it")).mode & 0o7777 == 0o1777)
        #expect(try FileStatus.of(directory.appending("root/etc/way/to")).mode & 0o7777 == 0o755)
    }

    @Test("absolute links and .. stay inside", arguments: ["/", "../../../../../..", "/etc/.."])
    func links(_ target: String) throws {
        defer { end() }
        symlink(target, directory.appending("root/etc/link").string)
        let handle = try root.openInRoot("/etc/link/etc")
        defer { handle.discard() }
        #expect(try FileStatus.of(handle).inode == FileStatus.of(directory.appending("root/etc")).inode)
    }

    @Test("what a link to the outside leads to is made inside")
    func outside() throws {
        defer { end() }
        symlink(directory.appending("outside").string, directory.appending("root/etc/link").string)
        try root.makeDirectoriesInRoot("/etc/link/made").discard()
        #expect(try Files.names(in: directory.appending("outside")) == [])
        #expect(Files.exists(directory.appending("root").appending(directory.components).appending("outside/made")))
        symlink("loop", directory.appending("root/etc/loop").string)
        #expect(throws: Errno.self) { try root.makeDirectoriesInRoot("/etc/loop/made") }
    }

    @Test("links of procfs are not followed")
    func magic() throws {
        defer { end() }
        let host = try Files.open("/", [.path, .directory])
        defer { host.discard() }
        #expect(throws: Errno.tooManySymbolicLinkLevels) { try host.openInRoot("/proc/self/exe") }
        #expect(throws: Errno.tooManySymbolicLinkLevels) { try host.openInRoot("/proc/self/fd/\(host.rawValue)") }
    }
}
