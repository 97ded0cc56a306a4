import JSON

/// What an administrator has written for one plugin of a network; specification 1.1, section 1.
package struct PluginConfiguration: Hashable, Sendable, Codable {
    /// The name of the plugin's program.
    package let type: String
    /// All of it as it was written.
    let document: JSONValue

    /// Reads one.
    ///
    /// - Throws: `CNIError` (invalid) without naming the network.
    init(_ document: JSONValue) throws(CNIError) {
        guard let object = document.object else {
            throw CNIError(.invalid, "a plugin's configuration is \(document.kindName) instead of an object")
        }
        guard let type = object["type"] else { throw CNIError(.invalid, "a plugin's configuration has no \"type\"") }
        guard let name = type.string, CNIName.isProgram(name) else {
            throw CNIError(.invalid, "a plugin's \"type\" is not the name of a program: \(type.text())")
        }
        guard document.pathOfNull == nil else {
            throw CNIError(.invalid, "the configuration of the plugin \(name) contains U+0000")
        }
        self.type = name
        self.document = document
    }

    /// Whether the plugin asks for what the runtime knows under this name (CONVENTIONS.md: `portMappings`, `ips`, …).
    package func has(capability name: String) -> Bool { document["capabilities"]?[name]?.bool == true }
}
