import Archive
import Glibc
import LinuxKernel
import SystemPackage
import TemporaryDirectories
import Testing

/// Directories that a layer uses and does not describe, and those that are there already.
@Suite(.enabled(if: geteuid() == 0, "unpacking owners and whiteouts needs root"))
struct LayerDirectoriesTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test("what is implied is told as it is in the end, by names of any bytes, the root included")
    func implied() throws {
        let result = try directory.apply(
            TarFixture.build {
                $0.file("a/b/f", "1")
                $0.directory("a")
                $0.file("file/f", "1")
                $0.file("file", "2")
                $0.directory("real")
                $0.symbolicLink("link", to: "real")
                $0.file("link/through/f", "1")
                $0.pax([("path", [0x6e, 0xff, 0x2f, 0x66])])
                $0.header("x")
            })
        let names = result.impliedDirectories.map { path in
            path.withPlatformString { bytes($0) }
        }
        #expect(names == [Array(".".utf8), Array("a/b".utf8), Array("real/through".utf8), [0x6e, 0xff]])
    }

    private func bytes(_ text: UnsafePointer<CChar>) -> [UInt8] {
        (0..<strlen(text)).map { UInt8(bitPattern: text[$0]) }
    }

    @Test("below an opaque directory, and where the layer itself hides something, nothing is implied")
    func hidden() throws {
        let result = try directory.apply(
            TarFixture.build {
                $0.directory("./")
                $0.file("opaque/.wh..wh..opq", "")
                $0.file("opaque/sub/f", "1")
                $0.file(".wh.before", "")
                $0.file("before/f", "1")
                $0.file("after/f", "1")
                $0.file(".wh.after", "")
            })
        #expect(result.impliedDirectories == ["opaque"])
        #expect(directory.text("root/before/f") == "1")
        for name in ["before", "after"] {
            let path = directory.path.appending("root").appending(name)
            #expect(try ExtendedAttributes.names(of: path) == ["trusted.overlay.opaque"], "\(name)")
        }
    }

    @Test("what the layer names is not implied, whatever stood there before or leads there")
    func replaced() throws {
        let result = try directory.apply(
            TarFixture.build {
                $0.directory("./")
                $0.file("a/f", "1")
                $0.file("a", "2")
                $0.directory("a")
                $0.file("link/f", "1")
                $0.directory("real")
                $0.symbolicLink("link", to: "real")
            })
        #expect(result.impliedDirectories == [])
    }

    @Test("a layer can be cancelled while what it implies is looked for")
    func cancelled() throws {
        let root = directory.path.appending("root")
        mkdir(root.string, 0o755)
        let tar = TarFixture.build { $0.file("a/f", "1") }
        #expect(throws: ArchiveError.cancelled) {
            var applier = try LayerApplier(into: root, whiteouts: .overlay)
            _ = try applier.apply(TarReader(MemorySource(tar)), isCancelled: { true })
        }
    }

    @Test(
        "a directory that something is put into or taken from keeps its time, where the layers below are in the same tree"
    )
    func times() throws {
        try directory.apply(
            TarFixture.build {
                $0.directory("./")
                for name in ["d", "d/sub", "w", "named"] { $0.header(name, type: "5", modified: "1000") }
                $0.file("w/f", "1")
            }, whiteouts: .remove)
        try directory.apply(
            TarFixture.build {
                $0.file("d/f", "1")
                $0.file("d/sub/f", "1")
                $0.file("w/.wh.f", "")
                $0.file("top", "1")
                // Something that makes descriptors be opened anew.
                $0.symbolicLink("d/f", to: "x")
                $0.file("d/g", "1")
                $0.file("named/f", "1")
                $0.header("named", type: "5", modified: "2000")
            }, whiteouts: .remove)
        for (name, time) in [("", 0), ("d", 512), ("d/sub", 512), ("w", 512), ("named", 1024)] {
            #expect(directory.status("root/\(name)")?.st_mtim.tv_sec == time, "/\(name)")
        }
    }

    @Test("a directory that comes again has what it has now, and nothing of before")
    func attributes() throws {
        let first = TarFixture.build {
            $0.pax([("SCHILY.xattr.user.old", [1]), ("SCHILY.xattr.user.both", [1])])
            $0.directory("d")
        }
        let second = TarFixture.build {
            $0.pax([("SCHILY.xattr.user.both", [2])])
            $0.directory("d")
        }
        for whiteouts in [WhiteoutForm.remove, .literal] {
            let name = "\(whiteouts)"
            try directory.apply(first, whiteouts: whiteouts, into: name)
            try directory.apply(second, whiteouts: whiteouts, into: name)
            let path = directory.path.appending(name).appending("d")
            // What is no layer is put upon what is there.
            let expected = whiteouts == .remove ? ["user.both"] : ["user.both", "user.old"]
            #expect(try ExtendedAttributes.names(of: path).sorted() == expected)
            #expect(try ExtendedAttributes.get("user.both", of: path) == [2])
        }
    }

    @Test(
        "the directory that a link leads to is made, if something lies in it",
        arguments: [WhiteoutForm.overlay, .remove])
    func throughLinks(whiteouts: WhiteoutForm) throws {
        let result = try directory.apply(
            TarFixture.build {
                $0.symbolicLink("way", to: "nowhere")
                $0.file("way/f", "1")
                $0.directory("d")
                $0.symbolicLink("d/up", to: "../../../there/and/")
                $0.file("d/up/on/f", "2")
                $0.symbolicLink("first", to: "/second")
                $0.symbolicLink("second", to: "third")
                $0.file("first/.wh.gone", "")
                $0.file("first/f", "3")
            }, whiteouts: whiteouts)
        #expect(directory.target(of: "root/way") == "nowhere" && directory.text("root/nowhere/f") == "1")
        #expect(
            directory.target(of: "root/d/up") == "../../../there/and/" && directory.text("root/there/and/on/f") == "2")
        #expect(directory.target(of: "root/second") == "third" && directory.text("root/third/f") == "3")
        #expect(directory.status("root/third/gone") == nil || whiteouts == .overlay)
        // In a layer upon others they are as in the layers below.
        let implied = Set(result.impliedDirectories.map(\.string))
        // Where the layers below are in the same directory nobody has to look for anything.
        if whiteouts == .overlay {
            #expect(implied == [".", "nowhere", "there", "there/and", "there/and/on", "third"])
        }
        // What is no layer goes where it leads, or nowhere.
        #expect(
            throws: ArchiveError.escapes(
                entry: "loose/f", "is below \"loose\", a symbolic link to a path that does not exist")
        ) {
            try directory.apply(
                TarFixture.build {
                    $0.symbolicLink("loose", to: "void")
                    $0.file("loose/f", "1")
                }, whiteouts: .literal)
        }
    }

    // MARK: Messages

    private static let nasty = Array("a\n\u{1b}[31m\u{9b}\u{202e}".utf8)
    private static let long = nasty + [UInt8](repeating: 0x62, count: 200_000)

    struct Message: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]

        init(_ description: String, _ bytes: [UInt8]) {
            testDescription = description
            self.bytes = bytes
        }
    }

    static let messages: [Message] = [
        Message("an unknown type", fixture(long) { $0.header("x", type: "Q") }),
        Message("an impossible owner", fixture(long, ("uid", Array("4294967295".utf8))) { $0.header("x") }),
        Message("an impossible size", fixture(long, ("size", Array("9000000000000000000".utf8))) { $0.header("x") }),
        Message("a whiteout of nothing", fixture(long + Array("/.wh.".utf8)) { $0.header("x") }),
        Message("a whiteout", fixture(long + Array("/.wh.a".utf8)) { $0.header("x") }),
        Message("a whiteout that is too long", fixture(Array(".wh.".utf8) + long) { $0.header("x") }),
        Message("an opaque directory", fixture(long + Array("/.wh..wh..opq".utf8)) { $0.header("x") }),
        Message("a directory", fixture(long + Array("/f".utf8)) { $0.header("x") }),
        Message("a file", fixture(long) { $0.header("x") }),
        Message("outside", fixture(Array("../".utf8) + long) { $0.header("x") }),
        Message(
            "an attribute",
            TarFixture.build {
                $0.pax([("SCHILY.xattr.user." + String(decoding: long, as: UTF8.self), [1])])
                $0.header("x")
            }
        ),
        Message(
            "a link that leads out",
            fixture(nasty, ("linkpath", Array("../".utf8) + long)) { $0.header("x", type: "1") }),
        Message("a link to nothing", fixture(nasty, ("linkpath", long)) { $0.header("x", type: "1") }),
        Message(
            "a sparse map", fixture(long, ("GNU.sparse.size", [0x31]), ("GNU.sparse.map", [0x31])) { $0.header("x") }),
    ]

    private static func fixture(
        _ path: [UInt8], _ records: (String, [UInt8])..., body: (inout TarFixture) -> Void
    ) -> [UInt8] {
        TarFixture.build {
            $0.pax([("path", path)] + records)
            body(&$0)
        }
    }

    @Test("an error is one short line of text, whatever the archive has", arguments: messages)
    func message(_ message: Message) throws {
        let bytes = message.bytes
        for form in [WhiteoutForm.overlay, .remove] {
            let error = try #require(throws: ArchiveError.self) { try directory.apply(bytes, whiteouts: form) }
            expectShort(error.description)
            var comparison = LayerComparison()
            do {
                try comparison.read(TarReader(MemorySource(bytes)))
                try comparison.compare(with: directory.path.appending("root")) { expectShort($0) }
            } catch {
                expectShort("\(error)")
            }
        }
    }

    private func expectShort(_ text: String) {
        #expect(text.utf8.count < 1500)
        let unsafe = text.unicodeScalars.filter {
            [.control, .format].contains($0.properties.generalCategory) || $0.value == 0x2028
        }
        #expect(unsafe.isEmpty, "\(text.unicodeScalars.prefix(200).map { $0.value })")
    }
}
