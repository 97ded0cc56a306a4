import LinuxKernel
import SystemPackage

// How processes get into a control group.
extension Cgroup {
    /// The directories that processes join, in the order of `directories`; not the one of a hybrid system's version 2,
    /// in which they are born.
    private var entrances: [FilePath] {
        switch hierarchies {
        case .unified: return directories.map { below($0, subgroups[""]) }
        case .legacy(let hierarchies, _):
            return zip(hierarchies, directories).map { hierarchy, directory in
                let named = hierarchy.controllers.lazy.compactMap { subgroups[Self.name(ofController: $0)] }.first
                return below(directory, named ?? subgroups[""])
            }
        }
    }

    private func below(_ directory: FilePath, _ path: String?) -> FilePath {
        path.map { directory.appending(FilePath($0).components) } ?? directory
    }

    private static func name(ofController name: String) -> String {
        name.hasPrefix("name=") ? String(name.dropFirst(5)) : name
    }

    /// Lets processes that join be put in groups below this one: `subgroups` has their paths by controller, "" for all
    /// the others.
    ///
    /// - Throws: if there is no such controller, or a path leads out of this group.
    package mutating func setSubgroups(_ subgroups: [String: String]) throws(CgroupError) {
        let known: Set<String> =
            switch hierarchies {
            case .unified: [""]
            case .legacy(let hierarchies, _): Set(hierarchies.flatMap(\.controllers).map(Self.name) + [""])
            }
        for (controller, path) in subgroups {
            guard known.contains(controller) else {
                throw CgroupError("unknown controller \(controller) in SubCgroupPaths")
            }
            guard !path.split(separator: "/").contains("..") else {
                throw CgroupError("bad sub cgroup path: \(path)")
            }
        }
        self.subgroups = subgroups
    }

    /// Puts the process `pid` into the group.
    ///
    /// Avoid it where possible: the kernel makes a process that moves another one wait for an RCU grace period, which
    /// takes milliseconds. A new process starts inside by `openForClone` (version 2) or `join` (version 1).
    package func add(pid: Int32) throws(CgroupError) {
        for directory in entrances { try write("\(pid)", to: directory.appending("cgroup.procs")) }
    }

    /// Puts the calling process, which must have a single thread, into the group.
    package func join() throws(CgroupError) {
        // "0" written to `tasks` moves the calling thread alone and therefore without the lock that makes a move
        // through `cgroup.procs` wait.
        let file = isUnified ? "cgroup.procs" : "tasks"
        for directory in entrances { try write("0", to: directory.appending(file)) }
    }

    /// On version 1, puts the calling process, which must have a single thread, into the group of every hierarchy
    /// except that which counts processes.
    ///
    /// A limit of processes that is reached stops forks, but not processes that join. A process that has to fork on its
    /// way into the group therefore leaves this last step to its child.
    ///
    /// - Returns: The file in which the child writes "0" to join there, too; `nil` if processes are not counted.
    package func joinBeforeFork() throws(CgroupError) -> FileDescriptor? {
        let counting = directory(of: "pids")
        var file: FilePath?
        for (directory, entrance) in zip(directories, entrances) {
            if directory == counting {
                file = entrance.appending("tasks")
            } else {
                try write("0", to: entrance.appending("tasks"))
            }
        }
        guard let file else { return nil }
        do throws(Errno) {
            return try Files.open(file, .writeOnly)
        } catch {
            throw CgroupError("open \(file)", error)
        }
    }

    /// The directory of version 2 for `ProcessControl.fork(cgroup:)`; `nil` on version 1 where it is not hybrid.
    package func openForClone() throws(CgroupError) -> FileDescriptor? {
        if case .legacy(_, let unified) = hierarchies { return unified.flatMap(openBeside) }
        guard isUnified, let directory = entrances.first else { return nil }
        do throws(Errno) {
            return try Files.open(directory, [.path, .directory])
        } catch {
            throw CgroupError("open \(directory)", error)
        }
    }

    /// The group of version 2 that the process `pid` is in: not this one where it has moved, as it may in a container
    /// that sees the whole hierarchy or has made groups of its own. `nil` if that cannot be said.
    package func present(of pid: Int32) -> Cgroup? {
        // The caller has a better error of its own.
        guard isUnified, let text = try? Files.readText(FilePath("/proc/\(pid)/cgroup")) else { return nil }
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("0::") }) else { return nil }
        return try? Cgroup(path: String(line.dropFirst(3)), hierarchies: hierarchies)  // As above.
    }

    // MARK: Hybrid systems

    /// Makes the group in the hierarchy of version 2 that is beside those of version 1, if there is one, and opens it
    /// for `ProcessControl.fork(cgroup:)`.
    ///
    /// A process is born there: moving one would cost milliseconds. Nothing depends on it but what tools show, so a
    /// machine on which it cannot be made does without.
    package func createBeside() -> FileDescriptor? {
        guard case .legacy(_, let unified?) = hierarchies else { return nil }
        var directory = unified
        for component in path.split(separator: "/") {
            directory = directory.appending(String(component))
            // It may be there already; if it cannot be made it cannot be opened.
            try? Files.makeDirectory(directory)
        }
        return openBeside(unified)
    }

    /// Removes what `createBeside` has made, if nothing is in it.
    package func removeBeside() {
        guard case .legacy(_, let unified?) = hierarchies else { return }
        try? Files.removeDirectory(unified.appending(String(path.dropFirst())))  // If something is, it is not ours.
    }

    private func openBeside(_ unified: FilePath) -> FileDescriptor? {
        let directory = unified.appending(String(path.dropFirst()))
        // A group below it need not have been made here, too.
        for place in [subgroups[""].map({ below(directory, $0) }), directory].compactMap({ $0 }) {
            // The next one, or none, serves as well.
            if let group = try? Files.open(place, [.path, .directory]) { return group }
        }
        return nil
    }
}
