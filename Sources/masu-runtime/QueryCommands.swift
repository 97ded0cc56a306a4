import ContainerRuntime
import Flags
import JSON
import LinuxKernel
import OCISpec
import SystemPackage
import Text

/// Commands that only look.
enum QueryCommands {
    static let format = Flag.choice("format", short: "f", "Format", among: ["table", "json"], default: "table")
    private static let quiet = Flag.boolean("quiet", short: "q", "Print ids only")

    static let state = Command(
        "state", operands: "CONTAINER", arity: .exactly(1), "Print a container's state as JSON",
        action: { invocation in
            let details = try RuntimeCommands.runtime(invocation).details(invocation.operands[0])
            try Output.print(summary(details).serialized(pretty: true))
            return 0
        })

    static let list = Command(
        "list", aliases: ["ls"], "List containers", flags: { [format, quiet] },
        action: { invocation in
            let runtime = try RuntimeCommands.runtime(invocation)
            if invocation.flags.isSet(RuntimeCommands.rootDirectory), !Files.exists(runtime.root) {
                throw RuntimeError(.notFound, "open \(runtime.root): no such file or directory")
            }
            let ids = try runtime.list()
            if invocation.flags[quiet] {
                for id in ids { try Output.print(id) }
                return 0
            }
            // A container that is deleted meanwhile is left out.
            let log = ErrorLog(invocation.flags)
            let all = ids.compactMap { id -> ExtendedState? in
                do throws(RuntimeError) {
                    return try runtime.details(id)
                } catch {
                    // A container that cannot be read must not hide the others.
                    if error.kind != .notFound { log.warn("cannot read container \(id): \(error)") }
                    return nil
                }
            }
            if invocation.flags[format] == "json" {
                try Output.print(JSONValue.array(all.map(summary)).serialized())
                return 0
            }
            let rows = all.map { details in
                [
                    details.state.id, "\(details.state.pid ?? 0)", details.state.status.rawValue, details.state.bundle,
                    details.created.description, owner(details.owner),
                ]
            }
            let header = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
            for line in Columns.aligned([header] + rows, gap: 3) { try Output.print(line) }
            return 0
        })

    private static func summary(_ details: ExtendedState) -> JSONValue {
        var object: JSONValue = [
            "ociVersion": .string(details.state.ociVersion), "id": .string(details.state.id),
            "pid": .int(Int64(details.state.pid ?? 0)), "status": .string(details.state.status.rawValue),
            "bundle": .string(details.state.bundle), "rootfs": .string(details.rootfs),
            "created": .string(details.created.description),
        ]
        if case .object(var members) = object {
            if let annotations = details.state.annotations {
                var values = JSONObject()
                for (key, value) in annotations.sorted(by: { $0.key < $1.key }) { values[key] = .string(value) }
                members["annotations"] = .object(values)
            }
            members["owner"] = .string(owner(details.owner))
            object = .object(members)
        }
        return object
    }

    /// The user's name, or the number where the number is all there is.
    private static func owner(_ uid: UInt32) -> String {
        // Without the file numbers are all there is.
        for line in ((try? Files.readText("/etc/passwd")) ?? "").split(separator: "\n") {
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            if fields.count > 2, UInt32(fields[2]) == uid { return String(fields[0]) }
        }
        return "#\(uid)"
    }
}
