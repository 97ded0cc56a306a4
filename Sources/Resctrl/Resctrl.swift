import LinuxKernel
import OCISpec
import SystemPackage

/// Why a class of service could not be made, set or asked.
package struct ResctrlError: Error, Hashable, Sendable {
    /// What failed, in what file, and the kernel's words.
    package var message: String

    init(_ message: String) {
        self.message = message
    }
}

/// A mounted resctrl file system: caches and memory bandwidth shared out among classes of service
/// (`Documentation/filesystems/resctrl.rst` of the kernel; `config-linux.md`, "IntelRdt").
package struct Resctrl: Hashable, Sendable {
    /// Where it is mounted.
    package let root: FilePath

    /// The file system mounted at `root`.
    package init(root: FilePath) {
        self.root = root
    }

    /// The one this machine has mounted, usually at `/sys/fs/resctrl`; `nil` if it has none.
    package static func mounted() -> Resctrl? {
        let usual: FilePath = "/sys/fs/resctrl"
        // The kernel makes the directory only where there is something to be shared out.
        guard let type = try? FileSystemType.of(usual) else { return nil }
        if type == .resctrl { return Resctrl(root: usual) }
        // Mounted elsewhere; a table that cannot be read shows none.
        let table = (try? Files.readText("/proc/self/mountinfo")) ?? ""
        for line in table.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard let separator = fields.firstIndex(of: "-"), fields.indices.contains(separator + 1), fields.count > 4
            else { continue }
            if fields[separator + 1] == "resctrl" { return Resctrl(root: FilePath(String(fields[4]))) }
        }
        return nil
    }

    /// Whether caches can be shared out (CAT).
    package var sharesCache: Bool { Files.exists(root.appending("info/L3")) }

    /// Whether memory bandwidth can be shared out (MBA).
    package var sharesBandwidth: Bool { Files.exists(root.appending("info/MB")) }

    /// What is counted for each group (`llc_occupancy`, `mbm_total_bytes`, `mbm_local_bytes`).
    package var counters: Set<String> {
        // A machine that counts nothing has no such file.
        let text = (try? Files.readText(root.appending("info/L3_MON/mon_features"))) ?? ""
        return Set(text.split(separator: "\n").map(String.init))
    }

    /// Refuses what this machine cannot do.
    ///
    /// - Parameter machine: `nil` if it has no such file system.
    package static func check(_ wanted: LinuxIntelRdt, on machine: Resctrl?) throws(ResctrlError) {
        guard let machine else {
            throw ResctrlError("intelRdt is specified in config, but Intel RDT is not enabled")
        }
        if let id = wanted.closID, id == "." || id == ".." || (id.utf8.count > 1 && id.contains("/")) {
            throw ResctrlError("invalid intelRdt.ClosID \"\(id)\"")
        }
        if wanted.l3CacheSchema?.isEmpty == false, !machine.sharesCache {
            throw ResctrlError("intelRdt.l3CacheSchema is specified in config, but Intel RDT/CAT is not enabled")
        }
        if wanted.memBwSchema?.isEmpty == false, !machine.sharesBandwidth {
            throw ResctrlError("intelRdt.memBwSchema is specified in config, but Intel RDT/MBA is not enabled")
        }
        for line in wanted.lines where line.utf8.contains(UInt8(ascii: "\n")) {
            throw ResctrlError("intelRdt: a schema contains a line's end: \"\(line)\"")
        }
    }

    /// What the kernel says about its last refusal, to be appended to an error.
    func failure(_ what: String, _ error: Errno) -> ResctrlError {
        // Older kernels do not say anything.
        let status = (try? Files.readText(root.appending("info/last_cmd_status"))) ?? ""
        return ResctrlError("intelrdt: \(what): \(error)" + (status.isEmpty ? "" : ", last_cmd_status: \(status)"))
    }
}

extension LinuxIntelRdt {
    /// The lines to be written, in the order in which the specification wants them.
    var lines: [String] {
        ([l3CacheSchema, memBwSchema].compactMap { $0 } + (schemata ?? [])).filter { !$0.isEmpty }
    }
}
