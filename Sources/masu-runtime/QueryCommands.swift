import ContainerRuntime
import Flags
import JSON
import LinuxKernel
import OCISpec
import SystemPackage

/// Commands that only look.
enum QueryCommands {
    private static let format = Flag.choice("format", short: "f", "Format", among: ["table", "json"], default: "table")
    private static let quiet = Flag.boolean("quiet", short: "q", "Print ids only")

    static let state = Command(
        "state", operands: "CONTAINER", arity: .exactly(1), "Print a container's state as JSON",
        action: { invocation in
            let details = try RuntimeCommands.runtime(invocation).details(invocation.operands[0])
            print(summary(details).serialized(pretty: true))
            return 0
        })

    static let list = Command(
        "list", aliases: ["ls"], "List containers", flags: { [format, quiet] },
        action: { invocation in
            let runtime = RuntimeCommands.runtime(invocation)
            let ids = try runtime.list()
            if invocation.flags[quiet] {
                for id in ids { print(Array(id.utf8)) }
                return 0
            }
            // One that is deleted while we look has not been there.
            let all = try ids.compactMap { id throws(RuntimeError) -> ContainerDetails? in
                do throws(RuntimeError) {
                    return try runtime.details(id)
                } catch  where error.kind == .notFound {
                    return nil
                }
            }
            if invocation.flags[format] == "json" {
                print(JSONValue.array(all.map(summary)).serialized())
                return 0
            }
            let rows = all.map { details in
                [
                    details.state.id, "\(details.state.pid ?? 0)", details.state.status.rawValue, details.state.bundle,
                    details.created.description, "\(details.owner)",
                ]
            }
            printTable(["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"], rows)
            return 0
        })

    static let ps = Command(
        "ps", operands: "CONTAINER", arity: .atLeast(1), "List the processes in a container", interspersed: false,
        flags: { [format] },
        action: { invocation in
            let pids = try RuntimeCommands.runtime(invocation).processes(invocation.operands[0])
            if invocation.flags[format] == "json" {
                print(JSONValue.array(pids.map { .int(Int64($0)) }).serialized())
                return 0
            }
            // A process that has ended meanwhile has no row.
            printTable(["UID", "PID", "PPID", "CMD"], pids.compactMap(row))
            return 0
        })

    private static func row(_ pid: Int32) -> [String]? {
        // It may have ended since it was listed.
        // The process may end while it is looked at; it is left out then.
        guard let status = try? Files.readText(FilePath("/proc/\(pid)/status")),
            let command = try? Files.read(FilePath("/proc/\(pid)/cmdline"))  // as above
        else { return nil }
        func field(_ name: String) -> String {
            let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") } ?? ""
            return line.split(whereSeparator: { $0 == "\t" || $0 == " " }).dropFirst().first.map(String.init) ?? ""
        }
        let words = command.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        // Kernel threads and zombies have no command line.
        return [
            field("Uid"), "\(pid)", field("PPid"), words.isEmpty ? "[\(field("Name"))]" : words.joined(separator: " "),
        ]
    }

    private static func summary(_ details: ContainerDetails) -> JSONValue {
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
            members["owner"] = .string(details.owner == 0 ? "root" : "\(details.owner)")
            object = .object(members)
        }
        return object
    }

    static func print(_ line: [UInt8]) {
        // As with any program: nobody is left to be told that the output is closed.
        // If nobody reads it, there is nobody to tell.
        try? FileDescriptor.standardOutput.writeEntire(line + [0x0a])
    }

    private static func printTable(_ header: [String], _ rows: [[String]]) {
        let widths = header.indices.map { column in
            max(header[column].utf8.count, rows.map { $0[column].utf8.count }.max() ?? 0) + 3
        }
        for row in [header] + rows {
            var line = ""
            for (column, text) in row.enumerated() {
                line += text
                let isLast = column == row.count - 1
                if !isLast { line += String(repeating: " ", count: widths[column] - text.utf8.count) }
            }
            print(Array(line.utf8))
        }
    }
}
