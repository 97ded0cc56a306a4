import JSON
import MasuCommand
import Testing

@Suite("Plugins of the command line")
struct PluginTests {
    @Test("a plugin that describes itself is one")
    func good() throws {
        let document = try CommandPlugin.metadata(
            Array(#"{"SchemaVersion":"0.1.0","Vendor":"Me","ShortDescription":"Says hello"}"#.utf8))
        #expect(document["ShortDescription"]?.string == "Says hello")
    }

    @Test(
        "others are refused in docker's words",
        arguments: [
            ("{}", #"plugin SchemaVersion "" is not valid, must be 0.1.0"#),
            (#"{"SchemaVersion":"2"}"#, #"plugin SchemaVersion "2" is not valid, must be 0.1.0"#),
            (#"{"SchemaVersion":"0.1.0"}"#, "plugin metadata does not define a vendor"),
        ])
    func bad(_ text: String, _ reason: String) {
        #expect(throws: CommandPlugin.Invalid(reason: reason)) { try CommandPlugin.metadata(Array(text.utf8)) }
    }

    @Test("what is no JSON is refused")
    func noJSON() {
        #expect(throws: CommandPlugin.Invalid.self) { try CommandPlugin.metadata(Array("hello".utf8)) }
    }

    @Test("a name has small letters and digits")
    func names() {
        #expect(["compose", "x2"].allSatisfy(CommandPlugin.isName))
        #expect(!["", "2x", "Compose", "a-b", "a.b", "../x", "a/b"].contains(where: CommandPlugin.isName))
    }
}
