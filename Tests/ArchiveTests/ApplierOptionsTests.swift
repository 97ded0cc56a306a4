import Archive
import Glibc
import LinuxKernel
import SystemPackage
import TemporaryDirectories
import Testing

/// Unpacking into a tree that is there already: what `cp` needs and layers do not.
@Suite(.enabled(if: geteuid() == 0, "owners need root"))
struct ApplierOptionsTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func path(_ name: String) -> String { directory.path.appending(name).string }

    private func apply(_ bytes: [UInt8], _ change: (inout LayerApplier.Options) -> Void) throws {
        var options = LayerApplier.Options()
        options.replacesDirectories = false
        options.isContested = true
        change(&options)
        var applier = try LayerApplier(
            into: directory.path.appending("root"), whiteouts: .literal, options: options)
        _ = try applier.apply(TarReader(MemorySource(bytes)))
    }

    private func makeRoot() {
        for name in ["root", "root/dest", "root/other", "outside"] { mkdir(path(name), 0o755) }
    }

    @Test("with a prefix everything lands below it, and links that are there lead where they do in the root")
    func prefix() throws {
        makeRoot()
        symlink("/other", path("root/dest/run"))
        try apply(
            TarFixture.build {
                $0.directory("./", mode: "700")
                $0.file("a", "1")
                $0.file("run/b", "2")
                $0.hardLink("c", to: "a")
            }
        ) { $0.prefix = Array("dest".utf8) }
        #expect(directory.text("root/dest/a") == "1" && directory.text("root/other/b") == "2")
        #expect(directory.text("root/dest/c") == "1")
        #expect(directory.status("root/dest")?.st_mode == S_IFDIR | 0o755, "the destination itself stays as it was")
    }

    @Test("a prefix cannot be left, and a link out of the root leads nowhere")
    func escapes() throws {
        makeRoot()
        for name in ["../x", "a/../../x"] {
            #expect(throws: ArchiveError.self) {
                try apply(TarFixture.build { $0.file(name, "1") }) { $0.prefix = Array("dest".utf8) }
            }
        }
        symlink(path("outside"), path("root/dest/out"))
        // It may fail or stay inside.
        _ = try? apply(TarFixture.build { $0.file("out/f", "1") }) { $0.prefix = Array("dest".utf8) }
        #expect(directory.status("outside/f") == nil)
        #expect(throws: ArchiveError.self) {
            try apply(TarFixture.build { $0.hardLink("h", to: "../other/f") }) { $0.prefix = Array("dest".utf8) }
        }
    }

    @Test("directories and other things do not take each other's place, in Docker's words")
    func kinds() throws {
        makeRoot()
        mkdir(path("root/dest/d"), 0o755)
        try directory.write("root/dest/f", [])
        let onto = #expect(throws: ArchiveError.self) {
            try apply(TarFixture.build { $0.file("d", "x") }) { $0.prefix = Array("dest".utf8) }
        }
        #expect(onto?.description == "cannot overwrite directory \"/dest/d\" with non-directory \"/dest\"")
        let over = #expect(throws: ArchiveError.self) {
            try apply(TarFixture.build { $0.directory("f") }) { $0.prefix = Array("dest".utf8) }
        }
        #expect(over?.description == "cannot overwrite non-directory \"/dest/f\" with directory \"/dest\"")
        try apply(TarFixture.build { $0.file("d", "x") }) {
            $0.prefix = Array("dest".utf8)
            $0.replacesDirectories = true
        }
        #expect(directory.text("root/dest/d") == "x")
    }

    @Test("names that would be whiteouts in a layer are names like any others")
    func literal() throws {
        makeRoot()
        try apply(TarFixture.build { $0.file(".wh.f", "x") }) { _ in }
        #expect(directory.text("root/.wh.f") == "x")
    }

    @Test("files belong to whom the options say, and have the names they say")
    func owners() throws {
        makeRoot()
        let bytes = TarFixture.build {
            $0.header("f", size: "1", owner: "17")
            $0.data([1])
        }
        try apply(bytes) { $0.ownership = .process }
        #expect(directory.status("root/f")?.st_uid == 0)
        try apply(bytes) { $0.ownership = .fixed(owner: 1234, group: 56) }
        #expect(directory.status("root/f")?.st_uid == 1234 && directory.status("root/f")?.st_gid == 56)
        try apply(bytes) { $0.transform = { $0.name = Array("g".utf8) } }
        #expect(directory.status("root/g")?.st_uid == 15)
    }
}
