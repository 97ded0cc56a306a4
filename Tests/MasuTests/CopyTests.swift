import MasuCommand
import Testing

@Suite("cp")
struct CopyTests {
    @Test(
        "what a destination means",
        arguments: [
            ("/have", true as Bool?, false, "/have", nil as String?), ("/have", true, true, "/have", nil),
            ("/file", false, false, "/", "file"), ("/new", nil, true, "/", "new"), ("/a/new/", nil, true, "/a", "new"),
            ("/a/new/.", nil, true, "/a/new", "."), ("/a/b/../c", nil, false, "/a", "c"),
        ])
    func targets(path: String, exists: Bool?, isDirectory: Bool, directory: String, name: String?) throws {
        let target = try CopyTarget(CopyPath(path), exists: exists, sourceIsDirectory: isDirectory)
        #expect(target.directory == directory && target.name == name)
    }

    @Test(
        "what no copy can be made to",
        arguments: [
            ("/file", false as Bool?, true, "cannot copy directory"), ("/new/", nil, false, "no such directory"),
        ])
    func refusals(path: String, exists: Bool?, isDirectory: Bool, text: String) {
        #expect(throws: CommandError(text)) {
            try CopyTarget(CopyPath(path), exists: exists, sourceIsDirectory: isDirectory)
        }
    }
}
