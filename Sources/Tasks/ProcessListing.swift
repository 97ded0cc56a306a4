import Glibc
import LinuxKernel
import OCISpec
import SystemPackage

/// A table of processes, as ps(1) prints it.
package struct ProcessTable: Sendable {
    /// The titles of the columns.
    package var titles: [String]
    /// A row for each process, with a value for each title.
    package var processes: [[String]]
}

/// Lists processes as ps(1) would, from procfs: no program has to be started for `docker top`.
package struct ProcessListing: Sendable {
    /// A column: its title and its value for a process.
    private struct Column: Sendable {
        var title: String
        var value: @Sendable (Sample) -> String
    }

    private let columns: [Column]

    /// Understands `-ef` (also the default), `aux` and `-o name,…`; throws for other arguments.
    package init(arguments: String) throws(TaskError) {
        let words = arguments.split(separator: " ").map(String.init)
        if words.isEmpty || words == ["-ef"] || words == ["-fe"] {
            columns = try Self.columns(["uid", "pid", "ppid", "c", "stime", "tty", "time", "cmd"])
            return
        }
        if words.count == 1, words[0].drop(while: { $0 == "-" }) == "aux" {
            columns = try Self.columns([
                "user", "pid", "%cpu", "%mem", "vsz", "rss", "tty", "stat", "start", "time", "command",
            ])
            return
        }
        var names: [String] = []
        var index = 0
        while index < words.count {
            let word = words[index]
            index += 1
            if word == "-o" || word == "-eo" || word == "o", index < words.count {
                names += words[index].split(separator: ",").map(String.init)
                index += 1
            } else if word.hasPrefix("-o") || word.hasPrefix("-eo") {
                names += word.drop { $0 == "-" || $0 == "e" || $0 == "o" }.split(separator: ",").map(String.init)
            } else if word != "-e" && word != "-A" && word != "-ef" {
                throw .invalid("unsupported ps arguments \"\(arguments)\": use -ef, aux or -o with a list of columns")
            }
        }
        if names.isEmpty { names = ["uid", "pid", "ppid", "c", "stime", "tty", "time", "cmd"] }
        columns = try Self.columns(names)
        guard names.contains("pid") else { throw .invalid("Couldn't find PID field in ps output") }
    }

    private static func columns(_ names: [String]) throws(TaskError) -> [Column] {
        var columns: [Column] = []
        for text in names {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard var column = column(parts[0]) else {
                throw .invalid("error: unknown user-defined format specifier \"\(parts[0])\"")
            }
            if parts.count > 1 { column.title = parts[1] }
            columns.append(column)
        }
        return columns
    }

    private static func column(_ name: String) -> Column? {
        switch name {
        case "uid", "user", "euser": Column(title: name == "user" ? "USER" : "UID") { $0.userName }
        case "pid": Column(title: "PID") { "\($0.pid)" }
        case "ppid": Column(title: "PPID") { "\($0.parent)" }
        case "pgid", "pgrp": Column(title: "PGID") { "\($0.group)" }
        case "sid", "sess": Column(title: "SID") { "\($0.session)" }
        case "c": Column(title: "C") { "\(Int($0.processorShare))" }
        case "%cpu", "pcpu": Column(title: "%CPU") { Self.oneDecimal($0.processorShare) }
        case "%mem", "pmem": Column(title: "%MEM") { Self.oneDecimal($0.memoryShare) }
        case "vsz", "vsize": Column(title: "VSZ") { "\($0.virtualKiB)" }
        case "rss", "rssize": Column(title: "RSS") { "\($0.residentKiB)" }
        case "tty", "tt", "tname": Column(title: "TTY") { $0.terminal }
        case "stat", "state", "s": Column(title: name == "stat" ? "STAT" : "S") { $0.state }
        case "stime", "start": Column(title: name == "stime" ? "STIME" : "START") { $0.startClock }
        case "time", "cputime": Column(title: "TIME") { $0.processorTime }
        case "etime": Column(title: "ELAPSED") { Self.clock(Int($0.elapsed)) }
        case "nice", "ni": Column(title: "NI") { "\($0.nice)" }
        case "nlwp", "thcount": Column(title: "NLWP") { "\($0.threads)" }
        case "cmd", "args", "command":
            Column(title: name == "command" || name == "args" ? "COMMAND" : "CMD") { $0.commandLine }
        case "comm", "ucmd": Column(title: "COMMAND") { $0.name }
        default: nil
        }
    }

    private static func oneDecimal(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    /// `[days-]hours:minutes:seconds`, as ps prints times.
    package static func clock(_ seconds: Int) -> String {
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let days = seconds / 86400
        return (days > 0 ? "\(days)-" : "") + two(seconds / 3600 % 24) + ":" + two(seconds / 60 % 60) + ":"
            + two(seconds % 60)
    }

    /// The table of `pids`; those which ended meanwhile are left out.
    package func table(of pids: [Int32]) -> ProcessTable {
        let samples = pids.sorted().compactMap { Sample(pid: $0) }
        return ProcessTable(
            titles: columns.map(\.title), processes: samples.map { sample in columns.map { $0.value(sample) } })
    }

    /// One process as procfs shows it (proc(5), /proc/pid/stat).
    private struct Sample {
        var pid: Int32
        var uid: UInt32
        var name: String
        var state: String
        var fields: [Int64]
        var commandLine: String

        init?(pid: Int32) {
            let path = FilePath("/proc/\(pid)")
            // A process may end at any moment; then it does not belong in the list.
            guard let status = try? FileStatus.of(path), let text = try? Files.readText(path.appending("stat")),
                let open = text.firstIndex(of: "("), let close = text.lastIndex(of: ")")
            else { return nil }
            self.pid = pid
            uid = status.uid
            name = String(text[text.index(after: open)..<close])
            let rest = text[text.index(after: close)...].split(separator: " ")
            state = rest.first.map(String.init) ?? "?"
            fields = rest.dropFirst().map { Int64($0) ?? 0 }
            let bytes = (try? Files.read(path.appending("cmdline"))) ?? []
            let words = bytes.split(separator: 0, omittingEmptySubsequences: false).map {
                String(decoding: $0, as: UTF8.self)
            }
            let line = words.joined(separator: " ")
            let trimmed = line.hasSuffix(" ") ? String(line.dropLast()) : line
            commandLine = trimmed.isEmpty ? "[\(name)]" : trimmed
        }

        /// Field `number` as proc(5) counts them, from ppid (4) on.
        private func field(_ number: Int) -> Int64 { number - 4 < fields.count ? fields[number - 4] : 0 }

        var parent: Int64 { field(4) }
        var group: Int64 { field(5) }
        var session: Int64 { field(6) }
        var nice: Int64 { field(19) }
        var threads: Int64 { field(20) }
        var virtualKiB: Int64 { field(23) / 1024 }
        var residentKiB: Int64 { field(24) * Int64(sysconf(Int32(_SC_PAGESIZE))) / 1024 }
        var memoryShare: Double { Double(residentKiB) * 1024 * 100 / Double(max(1, Self.memory)) }
        private var ticks: Double { Double(sysconf(Int32(_SC_CLK_TCK))) }
        private var processorSeconds: Double { Double(field(14) + field(15)) / ticks }
        var elapsed: Double { max(0, Self.uptime - Double(field(22)) / ticks) }
        var processorShare: Double { elapsed > 0 ? processorSeconds * 100 / elapsed : 0 }
        var processorTime: String { ProcessListing.clock(Int(processorSeconds)) }

        var userName: String {
            // The host's names, as ps on the host prints them.
            var entry = Self.text("/etc/passwd").split(separator: "\n").lazy
                .map { $0.split(separator: ":", omittingEmptySubsequences: false) }
                .filter { $0.count > 2 && $0[2] == "\(uid)" }.makeIterator()
            return entry.next().map { String($0[0]) } ?? "\(uid)"
        }

        var terminal: String {
            let number = field(7)
            if number == 0 { return "?" }
            let major = number >> 8 & 0xFFF
            let minor = number & 0xFF | number >> 12 & 0xFFF00
            return (136...143).contains(major) ? "pts/\((major - 136) * 256 + minor)" : "tty\(minor)"
        }

        /// When it began, as a time of day, in UTC as all of the daemon's times.
        var startClock: String {
            let moment = Timestamp.now().seconds - Int64(elapsed)
            return String(Timestamp(seconds: moment).description.dropFirst(11).prefix(5))
        }

        private static var uptime: Double {
            Double(text("/proc/uptime").prefix { $0 != " " }) ?? 0
        }

        /// The machine's memory in bytes.
        private static let memory = Int64(sysconf(Int32(_SC_PHYS_PAGES))) * Int64(sysconf(Int32(_SC_PAGESIZE)))

        private static func text(_ path: FilePath) -> String {
            // A fact that cannot be read is one column less.
            (try? Files.readText(path)) ?? ""
        }
    }
}
