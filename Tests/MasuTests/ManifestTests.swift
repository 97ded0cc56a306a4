import Glibc
import JSON
import MasuCommand
import Testing

@Suite("Manifest lists of this machine")
struct ManifestTests {
    private static let document = Array(#"{"schemaVersion": 2}"#.utf8)

    private func manifest(_ reference: String, type: String = "application/vnd.oci.image.manifest.v1+json") throws
        -> LocalManifest
    {
        let descriptor = try JSON.parse(
            Array(#"{"mediaType":"\#(type)","digest":"sha256:aa","size":20,"platform":{"os":"linux"}}"#.utf8))
        return LocalManifest(
            reference: reference, descriptor: try #require(descriptor.object), document: Self.document)
    }

    @Test("a list lies where docker looks for it")
    func place() {
        let lists = LocalManifestLists(beside: "/home/me/.docker/config.json")
        #expect(
            lists.folder("docker.io/library/app:1") == "/home/me/.docker/manifests/docker.io_library_app-1")
    }

    @Test("a manifest is written as docker reads it", arguments: ["oci.image", "docker.distribution"])
    func file(_ type: String) throws {
        let one = try manifest("h/a:1", type: "application/vnd.\(type).manifest.v2+json")
        let value = try JSON.parse(one.serialized)
        #expect(value["Raw"]?.string == "eyJzY2hlbWFWZXJzaW9uIjogMn0=")
        let member = type.hasPrefix("docker") ? "SchemaV2Manifest" : "OCIManifest"
        #expect(value.object?.keys == ["Ref", "Descriptor", "Raw", member])
        #expect(try LocalManifest(parsing: one.serialized) == one)
        #expect(throws: CommandError.self) { try LocalManifest(parsing: Array(#"{"Ref":"x"}"#.utf8)) }
    }

    @Test("what is said of an image changes only what is named")
    func annotation() throws {
        var one = try manifest("h/a:1")
        #expect(one.platform == ("linux", ""))
        one.annotate(system: "", architecture: "arm", variant: "v7", version: "", features: ["a"])
        one.annotate(system: "windows", architecture: "", variant: "", version: "10", features: ["a", "b"])
        #expect(
            String(decoding: LocalManifest.list(of: [one]), as: UTF8.self) == """
                {
                   "schemaVersion": 2,
                   "mediaType": "application/vnd.oci.image.index.v1+json",
                   "manifests": [
                      {
                         "mediaType": "application/vnd.oci.image.manifest.v1+json",
                         "size": 20,
                         "digest": "sha256:aa",
                         "platform": {
                            "architecture": "arm",
                            "os": "windows",
                            "os.version": "10",
                            "os.features": [
                               "a",
                               "b"
                            ],
                            "variant": "v7"
                         }
                      }
                   ]
                }
                """)
        let other = try manifest("h/a:1", type: "application/vnd.docker.distribution.manifest.v2+json")
        #expect(
            LocalManifest.listType(of: [other, one]) == "application/vnd.docker.distribution.manifest.list.v2+json")
    }

    @Test("only what Go makes programs for is a platform")
    func platforms() {
        #expect(GoPlatforms.has("linux", "riscv64") && GoPlatforms.has("windows", "amd64"))
        #expect(!GoPlatforms.has("linux", "") && !GoPlatforms.has("linux", "sparc") && !GoPlatforms.has("", "amd64"))
    }

    @Test("a list has the images that were saved in it, and is gone when it is removed")
    func store() throws {
        var template = Array("/tmp/masu-manifests.XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer {
            rmdir(directory + "/manifests")
            rmdir(directory)
        }
        let lists = LocalManifestLists(beside: directory + "/config.json")
        let error = CommandError("No such manifest: h/list:1")
        #expect(throws: error) { try lists.manifests("h/list:1") }
        #expect(try lists.manifest("h/a:1", of: "h/list:1") == nil)
        try lists.save(manifest("h/b:1"), in: "h/list:1")
        try lists.save(manifest("h/a:1"), in: "h/list:1")
        #expect(try lists.manifests("h/list:1").map(\.reference) == ["h/a:1", "h/b:1"])
        #expect(try lists.manifest("h/b:1", of: "h/list:1") == manifest("h/b:1"))
        try lists.remove("h/list:1")
        #expect(throws: error) { try lists.remove("h/list:1") }
        #expect(!lists.has("h/list:1"))
    }
}
