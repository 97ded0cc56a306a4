import JSON
import SystemPackage

/// A network as an administrator has defined it: a name, and the plugins that make it, in their order; specification
/// 1.1, section 1.
package struct NetworkConfigurationList: Hashable, Sendable, Codable {
    /// What people call it.
    package let name: String
    /// The versions of the specification for which it is written and which this module speaks, the newest first.
    package let versions: [CNIVersion]
    /// Whether plugins are never asked whether all is well (`disableCheck`).
    package let disablesCheck: Bool
    /// Whether plugins are never asked to collect garbage (`disableGC`), because others use the network, too.
    package let disablesGarbageCollection: Bool
    /// The plugins in the order in which they add a container.
    package internal(set) var plugins: [PluginConfiguration]
    /// Whether plugins in files of their own are left out (`loadOnlyInlinedPlugins`).
    let hasOnlyInlinedPlugins: Bool

    /// Whether one of the plugins asks for what the runtime knows under this name.
    package func has(capability name: String) -> Bool { plugins.contains { $0.has(capability: name) } }

    /// Reads a list (`.conflist`). Plugins in files of their own are for `ConfigurationDirectory` to add.
    ///
    /// - Throws: `CNIError` (invalid) that says what is wrong.
    package init(list document: JSONValue) throws(CNIError) {
        try self.init(document, plugins: Self.plugins(of: document))
    }

    /// Reads the configuration of a network that has one plugin (`.conf`, `.json`).
    ///
    /// - Throws: `CNIError` (invalid) that says what is wrong.
    package init(single document: JSONValue) throws(CNIError) {
        if document["plugins"] != nil {
            throw CNIError(.invalid, "it has \"plugins\", which belong into a file whose name ends with .conflist")
        }
        let plugin = try PluginConfiguration(document)
        try self.init(document, plugins: [plugin])
    }

    private init(_ document: JSONValue, plugins: [PluginConfiguration]) throws(CNIError) {
        guard document.object != nil else {
            throw CNIError(.invalid, "it is \(document.kindName) instead of an object")
        }
        guard let nameValue = document["name"] else { throw CNIError(.invalid, "it has no \"name\"") }
        guard let name = nameValue.string, CNIName.isValid(name) else {
            throw CNIError(
                .invalid,
                "its \"name\" is \(nameValue.text()): use letters, digits, \"_\", \".\" and \"-\" after a letter or "
                    + "digit")
        }
        self.name = name
        versions = try Self.versions(of: document)
        disablesCheck = try Self.boolean("disableCheck", of: document)
        disablesGarbageCollection = try Self.boolean("disableGC", of: document)
        hasOnlyInlinedPlugins = try Self.boolean("loadOnlyInlinedPlugins", of: document)
        if hasOnlyInlinedPlugins, plugins.isEmpty {
            throw CNIError(.invalid, "it has \"loadOnlyInlinedPlugins\", and no \"plugins\"")
        }
        self.plugins = plugins
    }

    private static func plugins(of document: JSONValue) throws(CNIError) -> [PluginConfiguration] {
        guard let value = document["plugins"] else { return [] }
        guard let array = value.array else {
            throw CNIError(.invalid, "its \"plugins\" are \(value.kindName) instead of an array")
        }
        if array.isEmpty { throw CNIError(.invalid, "it has no plugins") }
        var plugins: [PluginConfiguration] = []
        for element in array { plugins.append(try PluginConfiguration(element)) }
        return plugins
    }

    /// Those that both sides know of `cniVersion` and `cniVersions`.
    private static func versions(of document: JSONValue) throws(CNIError) -> [CNIVersion] {
        var texts: [JSONValue] = document["cniVersion"].map { [$0] } ?? []
        if let more = document["cniVersions"] {
            guard let array = more.array else {
                throw CNIError(.invalid, "its \"cniVersions\" are \(more.kindName) instead of an array")
            }
            texts += array
        }
        if texts.isEmpty { throw CNIError(.invalid, "it has no \"cniVersion\"") }
        var versions: Set<CNIVersion> = []
        for text in texts {
            guard let version = text.string.flatMap({ CNIVersion($0) }) else {
                throw CNIError(.invalid, "\(text.text()) is no version of CNI")
            }
            if CNIVersion.known.contains(version) { versions.insert(version) }
        }
        if versions.isEmpty {
            let known = CNIVersion.known.map(\.description).joined(separator: ", ")
            throw CNIError(
                .invalid,
                "it is written for CNI \(texts.map { $0.string ?? "" }.joined(separator: ", ")); use one of \(known)")
        }
        return versions.sorted(by: >)
    }

    /// libcni takes texts, too.
    private static func boolean(_ key: String, of document: JSONValue) throws(CNIError) -> Bool {
        switch document[key] {
        case nil: return false
        case .bool(let value)?: return value
        case .string(let text)? where ["true", "false"].contains(text.lowercased()):
            return text.lowercased() == "true"
        case let value?: throw CNIError(.invalid, "its \"\(key)\" is \(value.text()): use true or false")
        }
    }
}
