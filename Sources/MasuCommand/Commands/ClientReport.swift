import BuildInformation
import Flags
import JSON

/// What `masu info` says about this program itself.
struct ClientReport {
    private let context: String
    private let isDebugging: Bool

    init(_ invocation: Invocation) {
        // A conflict of flags has been told by now.
        context = (try? DaemonSelection.contextName(invocation.flags, in: .own)) ?? StoredContext.standardName
        isDebugging = invocation.flags[GlobalFlags.debug]
    }

    /// The report's part about the client.
    var text: String {
        var text = """
            Client: Masu
             Version:    \(MasuVersion.version)
             Context:    \(context)
             Debug Mode: \(isDebugging)

            """
        let plugins = CommandPlugin.all()
        var lines = ""
        for plugin in plugins {
            guard case .success(let document) = plugin.description else { continue }
            lines += "  \(plugin.name): \(plugin.summary) (\(document["Vendor"]?.string ?? ""))\n"
            if let version = document["Version"]?.string, !version.isEmpty { lines += "    Version:  \(version)\n" }
            lines += "    Path:     \(plugin.path)\n"
        }
        if !lines.isEmpty { text += " Plugins:\n" + lines }
        for plugin in plugins {
            guard case .failure(let error) = plugin.description else { continue }
            Console.complain("WARNING: Plugin \"\(plugin.path)\" is not valid: \(error.reason)")
        }
        return text
    }

    /// The daemon's answer with the part about the client.
    func joined(to answer: JSONValue) -> JSONValue {
        guard var object = answer.object else { return answer }
        var client = JSONObject()
        client["Debug"] = .bool(isDebugging)
        client["Version"] = .string(MasuVersion.version)
        client["DefaultAPIVersion"] = .string(MasuVersion.apiVersion)
        client["Os"] = "linux"
        client["Arch"] = .string(VersionReport.architecture)
        client["Context"] = .string(context)
        client["Plugins"] = .array(CommandPlugin.all().map(\.report))
        client["Warnings"] = .null
        object["ClientInfo"] = .object(client)
        return .object(object)
    }
}

extension CommandPlugin {
    /// The plugin as templates and JSON show it, as with docker.
    fileprivate var report: JSONValue {
        var object = JSONObject()
        if case .success(let document) = description {
            for key in ["SchemaVersion", "Vendor", "Version", "ShortDescription", "URL", "Hidden"] {
                if let value = document[key] { object[key] = value }
            }
        }
        object["Name"] = .string(name)
        object["Path"] = .string(path)
        if case .failure(let error) = description { object["Err"] = .string(error.reason) }
        return .object(object)
    }
}
