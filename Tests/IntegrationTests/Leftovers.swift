import Foundation
import Testing

/// What a daemon and its containers have on the machine at one moment, except what the images take.
struct Footprint: Equatable, CustomStringConvertible {
    /// Mount points below the roots, in the host's mount namespace.
    var mounts: Set<String> = []
    /// Control groups below the daemon's own.
    var cgroups: Set<String> = []
    /// Shims and processes of containers: `pid name`.
    var processes: Set<String> = []
    /// Files below the roots that belong to containers.
    var files: Set<String> = []
    /// Rows in each table of the database.
    var rows: [String: Int] = [:]
    /// What the daemon has open, without sockets of clients that are just going.
    var descriptors: Set<String> = []

    var description: String {
        "mounts \(mounts.sorted()), cgroups \(cgroups.sorted()), processes \(processes.sorted()), files "
            + "\(files.sorted()), rows \(rows.sorted { $0.key < $1.key }), descriptors \(descriptors.sorted())"
    }
}

extension TestDaemon {
    /// Processes of this daemon's containers and their shims, not the daemon itself.
    func processes() -> Set<String> {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        var found: Set<String> = []
        for case let pid? in names.map({ pid_t($0) }) where pid != self.pid && pid != getpid() {
            let commandLine = String(decoding: contents("/proc/\(pid)/cmdline"), as: UTF8.self)
            let groups = String(decoding: contents("/proc/\(pid)/cgroup"), as: UTF8.self)
            let name = String(decoding: contents("/proc/\(pid)/comm"), as: UTF8.self).trimmingCharacters(in: .newlines)
            if name == "sweep" || (name == "cat" && commandLine == "cat\0" && !groups.contains("/\(cgroup)/")) {
                continue
            }
            if commandLine.contains(root + "/") || groups.contains("/\(cgroup)/") { found.insert("\(pid) \(name)") }
            // A zombie has neither; it is the daemon's or a shim's own child.
            let fields =
                String(decoding: contents("/proc/\(pid)/stat"), as: UTF8.self)
                .split(separator: ")").last?.split(separator: " ") ?? []
            if fields.count > 1, fields[0] == "Z", fields[1] == "\(self.pid)" {
                found.insert("\(pid) \(name) (zombie)")
            }
        }
        return found
    }

    /// The daemon's shims that wait for the next container.
    func waitingShims() -> [pid_t] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.filter { pid in
            let status = String(decoding: contents("/proc/\(pid)/status"), as: UTF8.self)
            return status.hasPrefix("Name:\tmasu-shim-idle\n") && status.contains("\nPPid:\t\(self.pid)\n")
        }
    }

    /// Whether neither a container nor its shim is there any more; asks the kernel, as there may be no daemon.
    func hasEnded(_ identity: String) -> Bool {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return !names.contains { name in
            pid_t(name) != nil
                && (String(decoding: contents("/proc/\(name)/cmdline"), as: UTF8.self).contains(identity)
                    || String(decoding: contents("/proc/\(name)/cgroup"), as: UTF8.self).contains(identity))
        }
    }

    /// The size of a container's log, read beside or without the daemon.
    func logSize(_ identity: String) -> Int {
        contents("\(dataRoot)/containers/\(identity)/\(identity)-json.log").count
    }

    private func contents(_ path: String) -> [UInt8] {
        FileManager.default.contents(atPath: path).map(Array.init) ?? []
    }

    func cgroups() -> Set<String> {
        var found: Set<String> = []
        let hierarchies = (try? FileManager.default.contentsOfDirectory(atPath: "/sys/fs/cgroup")) ?? []
        for top in hierarchies.map({ "/sys/fs/cgroup/\($0)/\(cgroup)" }) + ["/sys/fs/cgroup/\(cgroup)"] {
            guard let walk = FileManager.default.enumerator(atPath: top) else { continue }
            for case let name as String in walk {
                var isDirectory: ObjCBool = false
                if FileManager.default.fileExists(atPath: "\(top)/\(name)", isDirectory: &isDirectory),
                    isDirectory.boolValue
                {
                    found.insert("\(top)/\(name)")
                }
            }
        }
        return found
    }

    /// Files below a directory of the roots; empty if there is none.
    func files(below name: String) -> Set<String> {
        guard let walk = FileManager.default.enumerator(atPath: "\(root)/\(name)") else { return [] }
        return Set(walk.compactMap { ($0 as? String).map { "\(name)/\($0)" } })
    }

    /// The directories of snapshots, two levels deep: not what is inside of them.
    func snapshots() -> Set<String> {
        var found: Set<String> = []
        let top = dataRoot + "/snapshots"
        for driver in (try? FileManager.default.contentsOfDirectory(atPath: top)) ?? [] {
            for name in (try? FileManager.default.contentsOfDirectory(atPath: "\(top)/\(driver)")) ?? [] {
                found.insert("\(driver)/\(name)")
                for inner in (try? FileManager.default.contentsOfDirectory(atPath: "\(top)/\(driver)/\(name)")) ?? [] {
                    found.insert("\(driver)/\(name)/\(inner)")
                }
            }
        }
        return found
    }

    /// Rows by table, read beside the running daemon.
    func rows() throws -> [String: Int] {
        let sqlite = try #require(Programs.find("sqlite3"), "sqlite3 is not installed")
        func query(_ text: String) throws -> [String] {
            // Read-only, and patient with a writer.
            let result = try Command(sqlite, "-readonly", "-cmd", ".timeout 5000", dataRoot + "/masu.db", text)
                .runToEnd()
            try #require(result.code == 0, "\(result)")
            return result.lines
        }
        var counts: [String: Int] = [:]
        for table in try query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'") {
            counts[table] = Int(try query("SELECT count(*) FROM \"\(table)\"").first ?? "")
        }
        return counts
    }

    /// What the daemon holds open: by what it is, not by number. Its log, sockets and epolls are counted, not named.
    func descriptors() -> Set<String> {
        let top = "/proc/\(pid)/fd"
        var found: Set<String> = []
        var counts: [String: Int] = [:]
        for name in (try? FileManager.default.contentsOfDirectory(atPath: top)) ?? [] {
            guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(top)/\(name)") else {
                continue
            }
            if target.hasPrefix("/") { found.insert(target) }
            let kind = target.split(separator: ":").first.map(String.init) ?? target
            counts[target.hasPrefix("/") ? target : kind, default: 0] += 1
        }
        // A shim that waits for the next container is there or not: a socket and a pidfd.
        for kind in ["socket", "anon_inode"] { counts[kind, default: 0] -= waitingShims().count }
        // Connections of a pool to the database come and go; all other numbers have to be what they were.
        for (kind, count) in counts where !kind.contains("masu.db") { found.insert("\(kind) × \(count)") }
        return found.filter { !$0.contains("masu.db") }
    }

    /// What the kernel knows of each descriptor of the daemon that does not lead to one of the `known` places: number,
    /// target, type, device, inode, links, and fdinfo (position, flags, mount).
    private func descriptorDetails(except known: Set<String>) -> String {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")) ?? []
        return names.compactMap { Int($0) }.sorted().compactMap { number in
            let path = "/proc/\(pid)/fd/\(number)"
            guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path), !known.contains(target)
            else { return nil }
            var status = stat()
            let file =
                stat(path, &status) == 0
                ? "mode \(String(status.st_mode, radix: 8)) device \(status.st_dev) inode \(status.st_ino) "
                    + "links \(status.st_nlink)"
                : "stat: \(String(cString: strerror(errno)))"
            let information = String(decoding: contents("/proc/\(pid)/fdinfo/\(number)"), as: UTF8.self)
            return "\(number) \(target): \(file); "
                + information.split(separator: "\n").map { $0.split(separator: "\t").joined(separator: " ") }
                .joined(separator: ", ")
        }.joined(separator: "\n")
    }

    func footprint() throws -> Footprint {
        var footprint = Footprint()
        if Programs.isReference { return footprint }
        let mounts = String(decoding: contents("/proc/self/mountinfo"), as: UTF8.self)
        footprint.mounts = Set(
            mounts.split(separator: "\n").compactMap { line in
                let fields = line.split(separator: " ")
                return fields.count > 4 && fields[4].hasPrefix(root + "/") ? String(fields[4]) : nil
            })
        footprint.cgroups = cgroups()
        footprint.processes = processes()
        footprint.files = files(below: "run/containers").union(files(below: "data/containers")).union(snapshots())
        footprint.rows = try rows()
        footprint.descriptors = descriptors()
        return footprint
    }

    /// Waits until things are as they were; complains about each that is not.
    func expectFootprint(_ before: Footprint, at location: SourceLocation = #_sourceLocation) throws {
        var after = try footprint()
        // A container is gone when the client says so; the daemon may still be closing what it had to do with it.
        _ = try eventually {
            after = try footprint()
            return after == before
        }
        #expect(after.mounts == before.mounts, "mounts stay behind", sourceLocation: location)
        #expect(after.cgroups == before.cgroups, "control groups stay behind", sourceLocation: location)
        #expect(after.processes == before.processes, "processes stay behind", sourceLocation: location)
        #expect(after.files == before.files, "files stay behind", sourceLocation: location)
        #expect(after.rows == before.rows, "rows stay behind", sourceLocation: location)
        #expect(
            after.descriptors == before.descriptors,
            "descriptors stay open\n\(descriptorDetails(except: before.descriptors))", sourceLocation: location)
    }

    /// Removes all containers the test left.
    func removeContainers() throws {
        let containers = try ok(.masu, "ps", "-aq").split(separator: "\n").map(String.init)
        if !containers.isEmpty {
            let result = try command(.masu, ["rm", "-f"] + containers).runToEnd()
            // One that was run with --rm may just be going by itself.
            let isGoing = result.errors.contains("is already in progress")
            #expect(result.code == 0 || isGoing, "\(result)")
            if isGoing { #expect(try eventually { try ok(.masu, "ps", "-aq").isEmpty }) }
        }
    }

    /// No container is there, so nothing of any may be.
    func expectNothingLeft(at location: SourceLocation = #_sourceLocation) {
        if Programs.isReference { return }
        func left() -> [String] {
            processes().sorted() + cgroups().sorted() + files(below: "run/containers").sorted()
                + files(below: "data/containers").sorted()
        }
        let gone = eventually { left().isEmpty }
        #expect(gone, "left over: \(left())", sourceLocation: location)
    }
}
