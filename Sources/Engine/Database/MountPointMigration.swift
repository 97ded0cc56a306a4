import GRDB
import JSON

/// Gives containers of the time before there were volumes what is mounted in them as mount points of their own, which
/// until then followed from their bind mounts and `--mount`s. The directories of their images' volumes are in their
/// layers, and stay there: they get no volumes.
///
/// What is written here is the format of that time for ever.
enum MountPointMigration {
    /// Carries all rows over. One that cannot be understood stays as it is: it costs its own container only.
    static func migrate(_ database: Database) throws {
        try ConfigurationColumn.convert(in: database, converted)
    }

    static func converted(_ configuration: inout JSONObject) throws {
        guard case .object(let host)? = configuration["host"] else {
            throw EngineError.system("it is not a container's configuration")
        }
        guard configuration["mountPoints"] == nil else { return }
        let points = try (host["binds"]?.array ?? []).map(bind) + (host["mounts"]?.array ?? []).compactMap(mount)
        configuration["mountPoints"] = .array(points)
        configuration["volumes"] = .array(
            (configuration["volumes"]?.array ?? []).compactMap(\.string).compactMap { path in
                // Until then any text was kept.
                let absolute = path.hasPrefix("/") ? path : "/" + path
                return lexicallyClean(absolute) == "/" ? nil : .string(absolute)
            })
    }

    private static func bind(_ value: JSONValue) throws -> JSONValue {
        guard let source = value["source"]?.string, let target = value["target"]?.string else {
            throw EngineError.system("a bind mount has no source or target")
        }
        let options = (value["options"]?.array ?? []).compactMap(\.string)
        let propagation = options.first { word in ["private", "shared", "slave"].contains { word.hasSuffix($0) } }
        return point(
            content(
                source, propagation: propagation.map { .string($0) }, fallback: value["fallbackPropagation"],
                isRecursive: true, makesSource: true),
            at: target, mode: options.joined(separator: ","), isWritable: !options.contains("ro"),
            isReadOnlyAtTopOnly: value["isReadOnlyNonRecursive"])
    }

    private static func mount(_ value: JSONValue) throws -> JSONValue? {
        guard let target = value["target"]?.string, let kind = value["kind"]?.string else {
            throw EngineError.system("a mount has no kind or target")
        }
        let isWritable = value["readOnly"]?.bool != true
        switch kind {
        case "bind":
            let bind = value["bind"]
            let isTopOnly = bind?["readOnlyNonRecursive"]?.bool == true || value["isReadOnlyNonRecursive"]?.bool == true
            return point(
                content(
                    value["source"]?.string ?? "", propagation: bind?["propagation"],
                    fallback: value["fallbackPropagation"], isRecursive: bind?["nonRecursive"]?.bool != true,
                    makesSource: bind?["createMountpoint"]?.bool == true),
                at: target, isWritable: isWritable, isReadOnlyAtTopOnly: isTopOnly ? true : nil)
        case "tmpfs":
            return point(["tmpfs": ["_0": value["tmpfs"] ?? ["options": []]]], at: target, isWritable: isWritable)
        default: return nil
        }
    }

    private static func content(
        _ path: String, propagation: JSONValue?, fallback: JSONValue?, isRecursive: Bool, makesSource: Bool
    ) -> JSONValue {
        var bind = JSONObject()
        bind["path"] = .string(path)
        bind["propagation"] = propagation
        bind["fallbackPropagation"] = fallback
        bind["isRecursive"] = .bool(isRecursive)
        bind["makesSource"] = .bool(makesSource)
        return ["bind": ["_0": .object(bind)]]
    }

    private static func point(
        _ content: JSONValue, at target: String, mode: String = "", isWritable: Bool,
        isReadOnlyAtTopOnly: JSONValue? = nil
    ) -> JSONValue {
        var point = JSONObject()
        point["content"] = content
        point["target"] = .string(target)
        point["mode"] = .string(mode)
        point["isWritable"] = .bool(isWritable)
        point["isReadOnlyAtTopOnly"] = isReadOnlyAtTopOnly
        return .object(point)
    }
}
