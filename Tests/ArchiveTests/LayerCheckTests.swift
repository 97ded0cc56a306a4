import Archive
import Glibc
import LinuxKernel
import SystemPackage
import TemporaryDirectories
import Testing

/// What `system check` makes of a layer and what lies on disk.
@Suite(.enabled(if: geteuid() == 0, "unpacking owners needs root"))
struct LayerCheckTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func problems(_ bytes: [UInt8], _ change: (FilePath) -> Void = { _ in }) throws -> [String] {
        try directory.apply(bytes)
        change(directory.path.appending("root"))
        var comparison = LayerComparison()
        try comparison.read(TarReader(MemorySource(bytes)))
        var problems: [String] = []
        try comparison.compare(with: directory.path.appending("root")) { problems.append($0) }
        return problems
    }

    private static func dated(_ time: String) -> [UInt8] {
        TarFixture.build {
            $0.pax([("mtime", Array(time.utf8))])
            $0.file("f", "x")
        }
    }

    @Test(
        "a time that the file system cannot keep is no change",
        arguments: ["1700000000", "5000000000", "-86400", "999999999999", "-99999999999", "9000000000000000000"])
    func range(time: String) throws {
        #expect(try problems(Self.dated(time)) == [])
    }

    @Test("a change is found, also of a file with a time that cannot be kept", arguments: ["1", "999999999999"])
    func changed(time: String) throws {
        #expect(
            try problems(Self.dated(time)) { root in
                utimensat(AT_FDCWD, root.appending("f").string, nil, 0)
            } == ["f was modified"])
    }

    @Test("a device that is a whiteout hides a name")
    func device() throws {
        let bytes = TarFixture.build { $0.header("f", type: "3", mode: "640", owner: "7") }
        #expect(try problems(bytes) == [])
        #expect(try problems(bytes) { unlink($0.appending("f").string) } == ["f is no longer hidden"])
    }
}
