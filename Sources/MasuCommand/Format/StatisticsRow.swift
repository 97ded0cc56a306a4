import JSON

/// What a container uses, as `masu stats` shows it: from one answer of the daemon, or nothing if that is not known.
package struct StatisticsRow {
    /// All columns there are, and those of the default table.
    package static let listing = Listing(
        columns: [
            Listing.Column("Container", "CONTAINER"), Listing.Column("Name", "NAME"),
            Listing.Column("ID", "CONTAINER ID"), Listing.Column("CPUPerc", "CPU %"),
            Listing.Column("MemUsage", "MEM USAGE / LIMIT"), Listing.Column("MemPerc", "MEM %"),
            Listing.Column("NetIO", "NET I/O"), Listing.Column("BlockIO", "BLOCK I/O"), Listing.Column("PIDs", "PIDS"),
        ],
        defaultTable: [
            "{{.ID}}", "{{.Name}}", "{{.CPUPerc}}", "{{.MemUsage}}", "{{.MemPerc}}", "{{.NetIO}}", "{{.BlockIO}}",
            "{{.PIDs}}",
        ].joined(separator: "\t"))

    private let container: String
    private let answer: JSONValue?
    private let isCurrent: Bool

    /// - Parameters:
    ///   - container: as the user named it, or its id.
    ///   - answer: the daemon's last word.
    ///   - isCurrent: whether that is new enough to be shown.
    package init(container: String, answer: JSONValue?, isCurrent: Bool = true) {
        self.container = container
        self.answer = answer
        self.isCurrent = isCurrent && answer != nil
    }

    /// The row's values.
    package func row(truncated: Bool) -> Listing.Row {
        let id = answer?["id"]?.string ?? ""
        let name = answer?["name"]?.string ?? ""
        let shown = name.removing(prefix: "/") ?? name
        func known(_ text: @autoclosure () -> String, else unknown: String = "--") -> JSONValue {
            .string(isCurrent ? text() : unknown)
        }
        // In alphabetical order, as docker writes its JSON.
        var values = JSONObject()
        values["BlockIO"] = known(pair(blockIO))
        values["CPUPerc"] = known(Self.percent(processorShare))
        values["Container"] = .string(Console.cell(container))
        values["ID"] = .string(Console.cell(truncated ? HumanText.shortID(id) : id))
        values["MemPerc"] = known(Self.percent(memoryLimit > 0 ? memory / memoryLimit * 100 : 0))
        values["MemUsage"] = known(
            "\(HumanText.binarySize(memory)) / \(HumanText.binarySize(memoryLimit))", else: "-- / --")
        values["Name"] = .string(shown.isEmpty ? "--" : Console.cell(shown))
        values["NetIO"] = known(pair(networks))
        values["PIDs"] = known(HumanText.fixed(number("pids_stats", "current"), digits: 0))
        return Listing.Row(values)
    }

    private func pair(_ values: (Double, Double)) -> String {
        "\(HumanText.size(values.0)) / \(HumanText.size(values.1))"
    }

    private static func percent(_ value: Double) -> String { HumanText.fixed(value, digits: 2) + "%" }

    private func number(_ path: String...) -> Double {
        var value = answer
        for name in path { value = value?[name] }
        return value?.double ?? 0
    }

    /// Of one processor: two that are busy are 200 %.
    private var processorShare: Double {
        let used =
            number("cpu_stats", "cpu_usage", "total_usage") - number("precpu_stats", "cpu_usage", "total_usage")
        let all = number("cpu_stats", "system_cpu_usage") - number("precpu_stats", "system_cpu_usage")
        var processors = number("cpu_stats", "online_cpus")
        if processors == 0 {
            processors = Double(answer?["cpu_stats"]?["cpu_usage"]?["percpu_usage"]?.array?.count ?? 0)
        }
        return used > 0 && all > 0 ? used / all * processors * 100 : 0
    }

    private var memoryLimit: Double { number("memory_stats", "limit") }

    /// Without files that the kernel can drop at any time, as other tools count too.
    private var memory: Double {
        let usage = number("memory_stats", "usage")
        let stats = answer?["memory_stats"]?["stats"]
        if let inactive = stats?["total_inactive_file"]?.double, inactive < usage { return usage - inactive }
        let inactive = stats?["inactive_file"]?.double ?? 0
        return inactive < usage ? usage - inactive : usage
    }

    private var networks: (Double, Double) {
        var (received, sent) = (0.0, 0.0)
        for (_, network) in answer?["networks"]?.object ?? JSONObject() {
            received += network["rx_bytes"]?.double ?? 0
            sent += network["tx_bytes"]?.double ?? 0
        }
        return (received, sent)
    }

    private var blockIO: (Double, Double) {
        var (read, written) = (0.0, 0.0)
        for entry in answer?["blkio_stats"]?["io_service_bytes_recursive"]?.array ?? [] {
            switch entry["op"]?.string?.lowercased().first {
            case "r": read += entry["value"]?.double ?? 0
            case "w": written += entry["value"]?.double ?? 0
            default: break
            }
        }
        return (read, written)
    }
}
