import JSON
import LinuxKernel
import Resctrl
import SystemPackage
import Text

/// What a container has and has used of caches and memory bandwidth, in the form that readers of `events` know.
struct ServiceClassDocument {
    let serviceClass: ServiceClass?

    var value: JSONValue {
        var document = JSONObject()
        // A class that is gone has nothing to tell.
        guard let serviceClass, let lines = try? serviceClass.schemata() else { return .object(document) }
        let machine = Resctrl(root: FilePath(serviceClass.root))
        let info = machine.root.appending("info")
        let everybodys = (try? serviceClass.rootSchemata()) ?? []  // As above.
        if machine.sharesCache {
            document["l3_cache_info"] = Self.information(
                in: info.appending("L3"), texts: ["cbm_mask"], numbers: ["min_cbm_bits", "num_closids"])
            document["l3_cache_schema_root"] = Self.line("L3", of: everybodys)
            document["l3_cache_schema"] = Self.line("L3", of: lines)
        }
        if machine.sharesBandwidth {
            document["mem_bw_info"] = Self.information(
                in: info.appending("MB"), texts: [],
                numbers: ["bandwidth_gran", "delay_linear", "min_bandwidth", "num_closids"])
            document["mem_bw_schema_root"] = Self.line("MB", of: everybodys)
            document["mem_bw_schema"] = Self.line("MB", of: lines)
        }
        document["schemata"] = .array(lines.map { .string($0) })
        guard let counts = serviceClass.counts() else { return .object(document) }
        for (name, counters) in [
            ("mbm_stats", ["mbm_total_bytes", "mbm_local_bytes"]), ("cmt_stats", ["llc_occupancy"]),
        ]
        where !machine.counters.isDisjoint(with: counters) {
            document[name] = .array(
                counts.map { domain in
                    var object = JSONObject()
                    for counter in counters {
                        if let count = domain[counter], count > 0 { object[counter] = .uint(count) }
                    }
                    return .object(object)
                })
        }
        return .object(document)
    }

    private static func line(_ resource: String, of lines: [String]) -> JSONValue? {
        lines.last { $0.holds(resource) }.map { line in .string(String(line.drop { $0 == " " })) }
    }

    private static func information(in directory: FilePath, texts: [String], numbers: [String]) -> JSONValue {
        var object = JSONObject()
        for name in texts + numbers {
            // A kernel that does not say it has nothing to be shown.
            guard let text = try? Files.readText(directory.appending(name)), !text.isEmpty else { continue }
            object[name] = texts.contains(name) ? .string(text) : UInt64(text).map { .uint($0) }
        }
        return .object(object)
    }
}
