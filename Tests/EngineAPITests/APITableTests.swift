import BuildInformation
import EngineAPI
import EngineAPIModel
import Foundation
import JSON
import Testing

@Suite("The table of the API")
struct APITableTests {
    @Test("no operation is described twice")
    func unique() {
        let names = APITable.endpoints.map { "\($0.method.rawValue) \($0.path)" }
        #expect(Set(names).count == names.count)
    }

    @Test("every operation that is not refused has a route, and every route is described")
    func routes() throws {
        let sources = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Sources/EngineAPI/Routes")
        var routes: Set<String> = []
        for file in try FileManager.default.contentsOfDirectory(at: sources, includingPropertiesForKeys: nil) {
            for part in try String(contentsOf: file, encoding: .utf8).components(separatedBy: "Route(.").dropFirst() {
                let words = part.split(separator: "\"", maxSplits: 2).map(String.init)
                if words.count == 3, words[0].hasSuffix(", ") { routes.insert("\(words[0].dropLast(2)) \(words[1])") }
            }
        }
        let served = APITable.endpoints.filter { $0.refusal == nil }.map { "\($0.method.rawValue) \($0.path)" }
        #expect(Set(served).subtracting(routes).sorted() == [])
        #expect(routes.subtracting(served).sorted() == ["OPTIONS /", "OPTIONS /{path}"])
    }

    @Test("each field that depends on the version is one of its type")
    func fields() {
        for field in VersionedField.all {
            #expect(field.type.fields.map(\.name).contains(field.name), "\(field.type).\(field.name)")
        }
    }

    @Test("a field is sent and read in the versions that have it")
    func versions() throws {
        var settings = NetworkSettings()
        settings.ipAddress = "172.17.0.2"
        #expect(try JSON.encodeValue(settings, rules: WireRules.sending(.v(51)))["IPAddress"] == "172.17.0.2")
        #expect(try JSON.encodeValue(settings, rules: WireRules.sending(.v(52)))["IPAddress"] == nil)
        #expect(try JSON.encodeValue(settings, rules: WireRules.sending(.v(52)))["Networks"] != nil)
        let wire = try JSON.parse(#"{"consolesize":[1,2],"Annotations":{"a":"b"}}"#)
        let old = try JSON.decode(HostConfig.self, from: wire, ignoringCase: true, rules: WireRules.reading(.v(41)))
        #expect(old.consoleSize.isEmpty && old.annotations.isEmpty)
        let new = try JSON.decode(HostConfig.self, from: wire, ignoringCase: true, rules: WireRules.reading(.v(43)))
        #expect(new.consoleSize == [1, 2] && new.annotations == ["a": "b"])
    }

    @Test("an OpenAPI document has what its version has, and names no type that it does not describe")
    func openAPI() throws {
        let newest = OpenAPIDocument.make()
        #expect(newest["info"]?["version"]?.string == MasuVersion.apiVersion)
        #expect(newest["paths"]?["/images/{name}/attestations"] != nil)
        let old = OpenAPIDocument.make(.v(24))
        #expect(old["paths"]?["/images/{name}/attestations"] == nil)
        #expect(old["paths"]?["/images/prune"] == nil)
        let schemas = try #require(newest["components"]?["schemas"]?.object)
        let text = newest.text()
        for part in text.components(separatedBy: "#/components/schemas/").dropFirst() {
            let name = String(part.prefix { $0 != "\"" })
            #expect(schemas[name] != nil, "\(name)")
        }
        let create = schemas["ContainerCreateRequest"]?["properties"]
        #expect(create?["Image"]?["type"] == "string" && create?["HostConfig"] != nil)
        #expect(schemas["HostConfig"]?["properties"]?["PidsLimit"]?["nullable"] == true)
        #expect(schemas["NetworkSettings"]?["properties"]?["IPAddress"] == nil)
    }

    /// `make api` writes the files anew, by this test.
    @Test(
        "the files in docs say what the table says",
        arguments: [("api.md", APIDocument.text), ("openapi.json", OpenAPIDocument.make().text(pretty: true) + "\n")])
    func files(_ name: String, _ text: String) throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/\(name)")
        if ProcessInfo.processInfo.environment["MASU_WRITE_API"] != nil {
            try Data(text.utf8).write(to: path)
        }
        let written = try String(contentsOf: path, encoding: .utf8)
        #expect(written == text, "docs/\(name) is out of date: run `make api`")
    }
}
