import JSON
import LinuxKernel
import OCISpec
import SystemPackage

/// A container's class of service, and the group in which its use is counted.
package struct ServiceClass: Hashable, Sendable {
    /// Where resctrl is mounted.
    package var root: String
    /// The class's directory.
    package var path: String
    /// The directory of the group that counts for this container alone, if there is one.
    package var monitoringPath: String?
    /// Whether the class is the container's own, to be removed with it.
    package var isOwned: Bool

    private var resctrl: Resctrl { Resctrl(root: FilePath(root)) }
    private var directory: FilePath { FilePath(path) }

    /// The class of `wanted`, which must be checked already. Makes no directory yet.
    ///
    /// - Parameter id: The container's.
    package init(_ wanted: LinuxIntelRdt, id: String, on machine: Resctrl) {
        root = machine.root.string
        let name = wanted.closID.flatMap { $0.isEmpty ? nil : $0 }
        path = name == "/" ? root : machine.root.appending(name ?? id).string
        monitoringPath =
            wanted.enableMonitoring == true ? FilePath(path).appending("mon_groups").appending(id).string : nil
        // Other containers may share a class that has a name.
        isOwned = name == nil && !Files.exists(FilePath(path))
    }

    /// Makes the class where it does not exist, sets what it gets, and puts the process `pid` into it.
    ///
    /// An error removes the new directories again.
    package func make(_ wanted: LinuxIntelRdt, pid: Int32) throws(ResctrlError) {
        let isNamed = wanted.closID?.isEmpty == false
        let exists = Files.exists(directory)
        if isNamed, wanted.lines.isEmpty, !exists {
            throw ResctrlError(
                "clos dir not accessible (must be pre-created when schemata, l3CacheSchema and memBwSchema are empty): "
                    + "\(path): No such file or directory")
        }
        if !exists {
            do throws(Errno) {
                try Files.makeDirectory(directory)
            } catch {
                throw resctrl.failure("cannot make \(path)", error)
            }
        }
        do throws(ResctrlError) {
            try fill(wanted, pid: pid, isOthers: isNamed && exists)
        } catch {
            if let monitoringPath { Self.removeIfPossible(monitoringPath) }
            if !exists { Self.removeIfPossible(path) }
            throw error
        }
    }

    private static func removeIfPossible(_ path: String) {
        // The error that led here is the one to be told.
        try? Files.removeDirectory(FilePath(path))
    }

    private func fill(_ wanted: LinuxIntelRdt, pid: Int32, isOthers: Bool) throws(ResctrlError) {
        if isOthers {
            let present = try schemata().compactMap { Schema($0) }
            for line in wanted.lines {
                guard let schema = Schema(line), schema.isMet(by: present) else {
                    throw ResctrlError("intelrdt: the class of service \(path) exists and does not have \"\(line)\"")
                }
            }
        } else {
            try set(wanted)
        }
        if let monitoringPath, !Files.exists(FilePath(monitoringPath)) {
            do throws(Errno) {
                try Files.makeDirectory(FilePath(monitoringPath))
            } catch {
                throw resctrl.failure("cannot make \(monitoringPath)", error)
            }
        }
        try add(pid: pid)
    }

    /// Puts another process of the container into the class.
    package func add(pid: Int32) throws(ResctrlError) {
        for directory in [path, monitoringPath].compactMap({ $0 }) {
            do throws(Errno) {
                try Files.write("\(pid)", to: FilePath(directory).appending("tasks"))
            } catch {
                throw resctrl.failure("unable to add pid \(pid) to \(directory)", error)
            }
        }
    }

    /// Changes what the class gets.
    package func set(_ wanted: LinuxIntelRdt) throws(ResctrlError) {
        if wanted.lines.isEmpty { return }
        do throws(Errno) {
            try Files.write(
                wanted.lines.map { $0 + "\n" }.joined(), to: directory.appending("schemata"))
        } catch {
            throw resctrl.failure("unable to write \"\(wanted.lines.joined(separator: "\\n"))\"", error)
        }
    }

    /// Removes the directories that belong to the container alone.
    package func remove() throws(ResctrlError) {
        // The class takes its groups with it.
        guard let own = isOwned ? path : monitoringPath else { return }
        do throws(Errno) {
            try Files.removeDirectory(FilePath(own))
        } catch .noSuchFileOrDirectory {
            // Another process has removed it already.
        } catch {
            throw ResctrlError("unable to remove container's IntelRDT group \(own): \(error)")
        }
    }

    // MARK: Asking

    /// The lines of the class's `schemata`.
    package func schemata() throws(ResctrlError) -> [String] {
        try Self.schemata(of: directory)
    }

    /// The same of the class in which all processes are that are in no other.
    package func rootSchemata() throws(ResctrlError) -> [String] {
        try Self.schemata(of: resctrl.root)
    }

    private static func schemata(of directory: FilePath) throws(ResctrlError) -> [String] {
        do throws(Errno) {
            return try Files.readText(directory.appending("schemata")).split(separator: "\n").map(String.init)
        } catch {
            throw ResctrlError("intelrdt: reading \(directory)/schemata: \(error)")
        }
    }

    /// What each domain's counters say, in the domains' order; `nil` where the machine counts nothing.
    package func counts() -> [[String: UInt64]]? {
        let counters = resctrl.counters
        let data = FilePath(monitoringPath ?? path).appending("mon_data")
        // A group that is gone has used nothing.
        guard !counters.isEmpty, let domains = try? Files.names(in: data) else { return nil }
        return domains.sorted().map { domain in
            var counts: [String: UInt64] = [:]
            for counter in counters {
                // Now and then a counter is "Unavailable".
                let text = try? Files.readText(data.appending(domain).appending(counter))
                counts[counter] = text.flatMap { UInt64($0) }
            }
            return counts
        }
    }
}

// Written and read by hand, for the reason that `JSONFields` gives.
extension ServiceClass {
    /// What is kept of it beside the container's other state.
    package var json: JSONValue {
        var object = JSONObject()
        object["root"] = .string(root)
        object["path"] = .string(path)
        object["monitoringPath"] = monitoringPath.map { .string($0) }
        object["isOwned"] = .bool(isOwned)
        return .object(object)
    }

    /// Reads what `json` is.
    package init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        root = try fields.required("root", JSONRead.string)
        path = try fields.required("path", JSONRead.string)
        monitoringPath = try fields.string("monitoringPath")
        isOwned = try fields.required("isOwned", JSONRead.bool)
    }
}
