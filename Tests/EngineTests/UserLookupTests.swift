import Engine
import Glibc
import SystemPackage
import TemporaryDirectories
import Testing

@Suite("Users of an image") struct UserLookupTests {
    private static let passwd = Array(
        """
        root:x:0:0:root:/root:/bin/sh
        # a comment
        broken
        web:x:33:34:Web:/srv:/bin/false
        twin:x:33:99::/other:
        """.utf8)
    private static let group = Array("root:x:0:\nweb:x:34:\nlogs:x:50:web,other\ndisk:x:6:other\n".utf8)

    @Test(
        "names and numbers are looked up",
        arguments: [
            ("", 0, 0, "/root", [0]), ("root", 0, 0, "/root", [0]), ("web", 33, 34, "/srv", [34, 50]),
            ("33", 33, 34, "/srv", [34, 50]), ("33:50", 33, 50, "/srv", [50]), ("web:disk", 33, 6, "/srv", [6]),
            ("1234", 1234, 0, "/", [0]), ("1234:77", 1234, 77, "/", [77]), (":50", 0, 50, "/root", [50]),
        ] as [(String, UInt32, UInt32, String, [UInt32])])
    func lookUp(_ text: String, _ uid: UInt32, _ gid: UInt32, _ home: String, _ groups: [UInt32]) throws {
        let user = try ContainerUser(text, passwd: Self.passwd, group: Self.group)
        #expect(user.uid == uid && user.gid == gid && user.home == home)
        #expect(user.additionalGIDs == groups)
    }

    @Test(
        "what is not there is told in Docker's words",
        arguments: [
            ("foo", "unable to find user foo: no matching entries in passwd file"),
            ("web:foo", "unable to find group foo: no matching entries in group file"),
            ("-1", "uids and gids must be in range 0-2147483647"),
            ("4294967296", "uids and gids must be in range 0-2147483647"),
        ])
    func unknown(_ text: String, _ message: String) {
        #expect(throws: EngineError(.invalid, message)) {
            try ContainerUser(text, passwd: Self.passwd, group: Self.group)
        }
    }

    @Test("groups are added by name and number")
    func groupAdd() throws {
        let user = try ContainerUser("web", groupAdd: ["disk", "777"], passwd: Self.passwd, group: Self.group)
        #expect(user.additionalGIDs == [34, 50, 6, 777])
        #expect(throws: EngineError(.invalid, "Unable to find group nope")) {
            try ContainerUser("web", groupAdd: ["nope"], passwd: Self.passwd, group: Self.group)
        }
    }

    @Test(
        "an entry whose numbers no user can have is an error, and nobody becomes root by it",
        arguments: [
            ("u:x:-1:-1::/:", "u", ""), ("u:x:abc:5::/:", "u", ""), ("u:x:5:::/:", "u", ""),
            ("u:x:4294967295:5::/:", "u", ""), ("u:x:5:-7::/:", "5", ""), ("u:x:5:5::/:", "u:g", "g:x:-1:"),
            ("u:x:5:5::/:", "u", "g:x:-1:u"), ("u:x:5:5::/:", "u", "g:x:x:a,u,b"),
        ])
    func wrongNumbers(_ passwd: String, _ text: String, _ group: String) {
        #expect(throws: EngineError(.invalid, "uids and gids must be in range 0-2147483647")) {
            try ContainerUser(text, passwd: Array(passwd.utf8), group: Array(group.utf8))
        }
    }

    @Test("a user is in as many groups as the kernel allows, and no more")
    func manyGroups() throws {
        let lines = (1...65_536).map { "g\($0):x:\($0):web" }
        let user = try ContainerUser(
            "web", passwd: Self.passwd, group: Array(lines.dropLast().joined(separator: "\n").utf8))
        #expect(user.additionalGIDs.count == 65_535)
        let tooMany = (100_000...300_000).map { "g\($0):x:\($0):web" }
        let refusal = #expect(throws: EngineError.self) {
            try ContainerUser("web", passwd: Self.passwd, group: Array(tooMany.joined(separator: "\n").utf8))
        }
        #expect(refusal?.message == "user web is in 200002 groups: the kernel allows 65536")
    }

    @Test("an image without users still has root")
    func empty() throws {
        let user = try ContainerUser("", passwd: [], group: [])
        #expect(user.uid == 0 && user.home == "/")
    }
}

@Suite("Files in layers") struct LayeredFilesTests {
    private func files(_ directory: TemporaryDirectory) -> LayeredFiles {
        LayeredFiles(layers: [directory.path.appending("upper"), directory.path.appending("lower")])
    }

    private func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    @Test("upper layers hide lower ones, file by file")
    func hiding() throws {
        let directory = try TemporaryDirectory()
        try directory.write("lower/etc/passwd", "lower")
        try directory.write("lower/etc/group", "lower group")
        try directory.write("upper/etc/passwd", "upper")
        let files = files(directory)
        #expect(text(try files.read("/etc/passwd")) == "upper")
        #expect(text(try files.read("/etc/group")) == "lower group")
        #expect(try files.read("/etc/shadow") == nil)
        #expect(try files.read("/etc") == nil)
    }

    @Test("links are resolved within the layers and never lead out of them")
    func links() throws {
        let directory = try TemporaryDirectory()
        try directory.write("secret", "secret of the host")
        try directory.write("lower/usr/etc/passwd", "moved")
        try directory.link("upper/etc", to: "usr/etc")
        try directory.link("upper/out", to: "../../../../../../secret")
        try directory.link("upper/abs", to: directory.path.appending("secret").string)
        try directory.link("upper/loop", to: "loop")
        let files = files(directory)
        #expect(text(try files.read("/etc/passwd")) == "moved")
        #expect(try files.read("/out") == nil)
        #expect(try files.read("/abs") == nil)
        #expect(throws: Errno.tooManySymbolicLinkLevels) { try files.read("/loop") }
    }

    @Test("a pipe or an endless file does not hang or fill the daemon")
    func hostile() throws {
        let directory = try TemporaryDirectory()
        try directory.write("lower/x", "")
        try directory.write("upper/etc/x", "")
        #expect(mkfifo(directory.path.appending("upper/etc/passwd").string, 0o600) == 0)
        try directory.write("upper/etc/group", String(repeating: "x", count: 2000))
        let files = files(directory)
        #expect(try files.read("/etc/passwd") == nil)
        #expect(throws: Errno.fileTooLarge) { try files.read("/etc/group", limit: 1000) }
    }
}
