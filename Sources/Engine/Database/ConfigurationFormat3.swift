import GRDB
import JSON

/// From the second format of the column `configuration` to the third: the modes of name spaces are words of the
/// database's own instead of the API's texts, and a seccomp profile is kept as it was understood instead of as a text
/// that each start reads.
///
/// What is written here is the third format for ever, see `ConfigurationFormat2`.
enum ConfigurationFormat3 {
    /// Carries all rows over. One that cannot be understood stays as it is: it costs its own container only.
    static func migrate(_ database: Database) throws {
        try ConfigurationColumn.convert(in: database, converted)
    }

    /// A configuration of the second format in the third.
    static func converted(_ configuration: inout JSONObject) throws {
        guard case .object(var host)? = configuration["host"] else {
            throw EngineError.system("it is not a container's configuration")
        }
        for (member, empty) in [
            ("networkMode", "default"), ("pidMode", "private"), ("ipcMode", "default"), ("utsMode", "private"),
            ("cgroupNamespaceMode", "default"), ("userNamespaceMode", "default"),
        ] {
            guard let text = host[member]?.string else { continue }
            host[member] = mode(text.isEmpty ? empty : text, isNetwork: member == "networkMode")
        }
        host["securityOptions"] = try host["securityOptions"]?.array.map { .array(try $0.map(securityOption)) }
        configuration["host"] = .object(host)
    }

    private static func mode(_ text: String, isNetwork: Bool) -> JSONValue {
        let prefix = "container:"
        if text.hasPrefix(prefix) { return ["container": .string(String(text.dropFirst(prefix.count)))] }
        if isNetwork, !["default", "none", "host"].contains(text) { return ["network": .string(text)] }
        return .string(text)
    }

    private static func securityOption(_ asked: JSONValue) throws -> JSONValue {
        guard case .object(var option) = asked, case .object(var value)? = option["value"],
            value["name"]?.string == "seccomp", let text = value["value"]?.string, text != "unconfined",
            text != "builtin"
        else { return asked }
        value["value"] = nil
        value["profile"] = try profile(text)
        option["value"] = .object(value)
        option["text"] = option["text"] ?? .string("seccomp=" + text)
        return .object(option)
    }

    private static func profile(_ text: String) throws -> JSONValue {
        guard case .object(let document) = try JSON.parse(text), document["defaultAction"]?.string != nil else {
            throw EngineError.system("\"\(text)\" is not a seccomp profile")
        }
        var profile = JSONObject()
        for member in ["defaultAction", "defaultErrnoRet", "flags", "listenerPath", "listenerMetadata"] {
            profile[member] = document[member]
        }
        let (listed, map) = (document["architectures"]?.array ?? [], document["archMap"]?.array ?? [])
        if !map.isEmpty {
            var others = JSONObject()
            for entry in map {
                guard let name = entry["architecture"]?.string, others[name] == nil else { continue }
                others[name] = .array(entry["subArchitectures"]?.array ?? [])
            }
            profile["architectures"] = ["byMachine": ["others": .object(others)]]
        } else if !listed.isEmpty {
            profile["architectures"] = ["listed": ["names": .array(listed)]]
        }
        profile["rules"] = .array((document["syscalls"]?.array ?? []).map(rule))
        return .object(profile)
    }

    private static func rule(_ document: JSONValue) -> JSONValue {
        var call = JSONObject()
        call["names"] = .array(document["names"]?.array ?? document["name"].map { [$0] } ?? [])
        for member in ["action", "errnoRet", "args"] { call[member] = document[member] }
        var rule = JSONObject()
        rule["call"] = .object(call)
        rule["includes"] = condition(document["includes"])
        rule["excludes"] = condition(document["excludes"])
        return .object(rule)
    }

    private static func condition(_ document: JSONValue?) -> JSONValue? {
        guard case .object(let members)? = document else { return nil }
        var condition = JSONObject()
        condition["capabilities"] = .array(members["caps"]?.array ?? [])
        condition["machines"] = .array(members["arches"]?.array ?? [])
        if let version = members["minKernel"]?.string, !version.isEmpty {
            // The second format took any text, and 0 for what is no number.
            let parts = version.split(separator: ".").map { Int64($0) ?? 0 }
            condition["minimumKernel"] = [
                "major": .int(parts.first ?? 0), "minor": .int(parts.count > 1 ? parts[1] : 0),
            ]
        }
        return .object(condition)
    }
}
