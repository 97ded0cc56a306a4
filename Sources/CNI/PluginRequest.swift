import JSON

/// What plugins are asked to do (`CNI_COMMAND`).
enum PluginCommand: String, Hashable, Sendable {
    case add = "ADD"
    case delete = "DEL"
    case check = "CHECK"
    case collectGarbage = "GC"
    case status = "STATUS"
    case version = "VERSION"
}

/// One call of a plugin: what it finds in its environment and on its standard input; specification 1.1, sections 2
/// and 3.
struct PluginRequest: Hashable, Sendable {
    let command: PluginCommand
    /// `CNI_…`, without `CNI_PATH`.
    private(set) var variables: [(name: String, value: String)] = []
    /// Standard input.
    let document: JSONValue

    static func == (left: PluginRequest, right: PluginRequest) -> Bool {
        left.command == right.command && left.document == right.document
            && left.variables.map { $0 + "=" + $1 } == right.variables.map { $0 + "=" + $1 }
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(command)
        hasher.combine(document)
    }

    /// A question about an attachment.
    ///
    /// - Parameters:
    ///   - namespace: the path of the namespace; empty if that is gone, which only DEL may say.
    ///   - previous: what the plugin before this one, or all of them, have said.
    init(
        _ command: PluginCommand, _ plugin: PluginConfiguration, of record: AttachmentRecord, namespace: String,
        previous: AttachmentResult?
    ) {
        self.command = command
        let parameters = record.parameters
        variables = [
            ("CNI_COMMAND", command.rawValue), ("CNI_CONTAINERID", parameters.container), ("CNI_NETNS", namespace),
            ("CNI_IFNAME", parameters.interface),
            ("CNI_ARGS", parameters.arguments.map { $0.name + "=" + $0.value }.joined(separator: ";")),
        ]
        var document = Self.base(plugin, name: record.list.name, record.version)
        document["capabilities"] = nil
        var known = JSONObject()
        for (name, value) in parameters.capabilities.object ?? JSONObject() where plugin.has(capability: name) {
            known[name] = value
        }
        if !known.isEmpty { document["runtimeConfig"] = .object(known) }
        if let previous { document["prevResult"] = previous.json(record.version) }
        self.document = .object(document)
    }

    /// A question about a network.
    ///
    /// - Parameter valid: the attachments that there are, of GC.
    init(
        _ command: PluginCommand, _ plugin: PluginConfiguration, of list: NetworkConfigurationList,
        _ version: CNIVersion, valid: [AttachmentIdentity]? = nil
    ) {
        self.command = command
        variables = [("CNI_COMMAND", command.rawValue)]
        var document = Self.base(plugin, name: list.name, version)
        if let valid {
            document["cni.dev/valid-attachments"] = .array(
                valid.map { ["containerID": .string($0.container), "ifname": .string($0.interface)] })
        }
        self.document = .object(document)
    }

    /// The question which versions a plugin knows.
    static let version = PluginRequest()

    private init() {
        command = .version
        variables = [("CNI_COMMAND", command.rawValue)]
        document = ["cniVersion": .string(CNIVersion.newest.description)]
    }

    /// What was written for the plugin, without what only runtimes may say.
    private static func base(
        _ plugin: PluginConfiguration, name: String, _ version: CNIVersion
    ) -> JSONObject {
        var document = JSONObject()
        document["cniVersion"] = .string(version.description)
        document["name"] = .string(name)
        let reserved: Set = ["cniVersion", "name", "runtimeConfig", "prevResult"]
        for (key, value) in plugin.document.object ?? JSONObject()
        where !reserved.contains(key) && !key.hasPrefix("cni.dev/") {
            document[key] = value
        }
        return document
    }
}
