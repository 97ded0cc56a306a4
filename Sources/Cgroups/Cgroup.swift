import LinuxKernel
import OCISpec
import SystemPackage

/// One container's control group: a directory in the unified hierarchy, or one in each hierarchy of version 1.
package struct Cgroup: Hashable, Sendable {
    /// The path in every hierarchy, with `/` at its beginning.
    package let path: String
    /// The hierarchies it is in.
    package let hierarchies: CgroupHierarchies
    /// Groups below this one in which processes are put that join; see `setSubgroups`.
    package internal(set) var subgroups: [String: String] = [:]

    /// The control group at `path`, which may not exist yet.
    ///
    /// - Throws: if `path` is the root or has a component `..`.
    package init(path: String, hierarchies: CgroupHierarchies) throws(CgroupError) {
        let components = path.split(separator: "/").filter { $0 != "." }
        guard !components.isEmpty, !components.contains("..") else {
            throw CgroupError("\"\(path)\" cannot be the path of a control group for a container")
        }
        self.path = "/" + components.joined(separator: "/")
        self.hierarchies = hierarchies
    }

    /// Whether this is in the unified hierarchy.
    package var isUnified: Bool {
        if case .unified = hierarchies { true } else { false }
    }

    /// The directory with the files of `controller`; `nil` if that controller is not mounted.
    package func directory(of controller: String) -> FilePath? {
        switch hierarchies {
        case .unified(let mountPoint):
            return mountPoint.appending(String(path.dropFirst()))
        case .legacy(let hierarchies, _):
            return hierarchies.first { $0.controllers.contains(controller) }?.mountPoint.appending(
                String(path.dropFirst()))
        }
    }

    /// All directories.
    package var directories: [FilePath] {
        let relative = String(path.dropFirst())
        switch hierarchies {
        case .unified(let mountPoint): return [mountPoint.appending(relative)]
        case .legacy(let hierarchies, let unified):
            return (hierarchies.map(\.mountPoint) + [unified].compactMap { $0 }).map { $0.appending(relative) }
        }
    }

    /// The directory in which membership is asked for.
    private var memberDirectory: FilePath? {
        directory(of: "freezer") ?? directories.first
    }

    // MARK: Life

    /// Makes the group in every hierarchy, and all above it.
    ///
    /// - Parameter resources: The limits that the caller will set.
    /// - Parameter isAdopted: Whether another program (systemd) has made the group, perhaps not in every hierarchy, and
    ///   put processes into it.
    /// - Throws: Also if the group is not adopted and has processes. An existing group without processes is used. After
    ///   an error the new directories are removed.
    package func create(for resources: LinuxResources? = nil, isAdopted: Bool = false) throws(CgroupError) {
        // The group above is empty until this one is in it. Somebody who tidies up may remove it just before.
        for _ in 0..<20 {
            do throws(CgroupError) {
                return try createOnce(for: resources, isAdopted: isAdopted)
            } catch {
                // The second is what the kernel says while it is being removed.
                guard error.errno == .noSuchFileOrDirectory || error.errno == .operationNotSupportedByDevice else {
                    throw error
                }
            }
        }
        try createOnce(for: resources, isAdopted: isAdopted)
    }

    private func createOnce(for resources: LinuxResources?, isAdopted: Bool) throws(CgroupError) {
        switch hierarchies {
        case .unified(let mountPoint):
            try createUnified(mountPoint, for: resources, isAdopted: isAdopted)
        case .legacy(let hierarchies, _):
            var made: [FilePath] = []
            do throws(CgroupError) {
                var existed = false
                for (hierarchy, directory) in zip(hierarchies, directories) {
                    let isCPUSet = hierarchy.controllers.contains("cpuset")
                    if try createLegacy(path.dropFirst(), in: hierarchy.mountPoint, inheritingCPUs: isCPUSet) {
                        existed = true
                    } else {
                        made.append(directory)
                    }
                }
                if existed, !isAdopted { try refuseIfPopulated() }
                try refuseIfFrozen()
            } catch {
                // The first error is the one to tell; an empty group does no harm.
                // What matters is why the rest could not be made.
                for directory in made { try? Files.removeDirectory(directory) }
                throw error
            }
        }
    }

    /// Whether the directory was there already.
    private func createLegacy(
        _ relative: Substring, in mountPoint: FilePath, inheritingCPUs: Bool
    ) throws(CgroupError) -> Bool {
        let directory = mountPoint.appending(String(relative))
        do throws(Errno) {
            do {
                try Files.makeDirectory(directory)
            } catch .noSuchFileOrDirectory {
                guard let slash = relative.lastIndex(of: "/") else { throw .noSuchFileOrDirectory }
                do throws(CgroupError) {
                    _ = try createLegacy(relative[..<slash], in: mountPoint, inheritingCPUs: inheritingCPUs)
                } catch {
                    throw error.errno ?? .noSuchFileOrDirectory
                }
                do { try Files.makeDirectory(directory) } catch .fileExists { return true }
            } catch .fileExists {
                return true
            }
            if inheritingCPUs { try Self.inheritCPUs(relative, in: mountPoint) }
            return false
        } catch {
            throw CgroupError("mkdir \(directory)", error)
        }
    }

    /// A new cpuset of version 1 is empty and takes no process until both its lists are set. One above it may be as
    /// empty.
    private static func inheritCPUs(_ relative: Substring, in mountPoint: FilePath) throws(Errno) {
        let directory = mountPoint.appending(String(relative))
        let above = relative.lastIndex(of: "/").map { relative[..<$0] }
        let parent = above.map { mountPoint.appending(String($0)) } ?? mountPoint
        for file in ["cpuset.cpus", "cpuset.mems"] {
            var list = try Files.readText(parent.appending(file))
            if list.isEmpty, let above {
                try inheritCPUs(above, in: mountPoint)
                list = try Files.readText(parent.appending(file))
            }
            try Files.write(list, to: directory.appending(file))
        }
    }

    private func createUnified(
        _ mountPoint: FilePath, for resources: LinuxResources?, isAdopted: Bool
    ) throws(CgroupError) {
        let components = path.split(separator: "/")
        let controllers: String
        do throws(Errno) {
            controllers = try Files.readText(mountPoint.appending("cgroup.controllers"))
        } catch {
            throw CgroupError("open \(mountPoint)/cgroup.controllers", error)
        }
        let all = controllers.split(separator: " ").map { "+\($0)" }
        var made: [FilePath] = []
        do throws(CgroupError) {
            try descend(components, from: mountPoint, handingDown: all, isAdopted: isAdopted, &made)
            try becomeThreaded(for: resources)
        } catch {
            // The first error is the one to tell; an empty group does no harm.
            for directory in made.reversed() { try? Files.removeDirectory(directory) }
            throw error
        }
    }

    private func descend(
        _ components: [Substring], from mountPoint: FilePath, handingDown all: [String], isAdopted: Bool,
        _ made: inout [FilePath]
    ) throws(CgroupError) {
        var directory = mountPoint
        for (index, component) in components.enumerated() {
            // Controllers reach a group only when the one above hands them down. Where the kernel refuses all together
            // (one of them cannot be used here), each is tried; that a limit cannot be set is said when it is asked
            // for.
            let subtree = directory.appending("cgroup.subtree_control")
            do throws(Errno) {
                try Files.write(all.joined(separator: " "), to: subtree)
            } catch {
                for controller in all { try? Files.write(controller, to: subtree) }
            }
            directory = directory.appending(String(component))
            do throws(Errno) {
                try Files.makeDirectory(directory)
                made.append(directory)
            } catch {
                guard error == .fileExists else { throw CgroupError("mkdir \(directory)", error) }
                if index == components.count - 1 {
                    if !isAdopted { try refuseIfPopulated() }
                    try refuseIfFrozen()
                }
            }
        }
    }

    /// Below a group with processes, or a threaded one, there are groups for threads only, and most controllers work
    /// for processes only.
    private func becomeThreaded(for resources: LinuxResources?) throws(CgroupError) {
        guard let directory = directories.first else { return }
        let type = try readText(directory.appending("cgroup.type"))
        if type == "domain" { return }
        let needsProcesses =
            resources?.memory != nil || resources?.blockIO != nil || resources?.cpu != nil
            || resources?.hugepageLimits?.isEmpty == false
        guard !needsProcesses else {
            let state = type == "domain invalid" ? "an invalid state" : "\(type) mode"
            throw CgroupError("cannot enter cgroupv2 \"\(directory)\" with domain controllers -- it is in \(state)")
        }
        if type == "domain invalid" { try write("threaded", to: directory.appending("cgroup.type")) }
    }

    /// Throws if the group already exists, and has processes or is frozen. For callers that let another program make
    /// the group.
    package func refuseIfInUse() throws(CgroupError) {
        guard let directory = memberDirectory, Files.exists(directory) else { return }
        try refuseIfPopulated()
        if let freezer = self.directory(of: "freezer"), Files.exists(freezer) { try refuseIfFrozen() }
    }

    private func refuseIfPopulated() throws(CgroupError) {
        let count = try processes().count
        guard count == 0 else {
            throw CgroupError("container's cgroup is not empty: \(count) process(es) found in \(path)")
        }
    }

    /// A process that joins a frozen group stops at once, and its parent would wait for it for ever.
    private func refuseIfFrozen() throws(CgroupError) {
        guard try !isFrozen() else { throw CgroupError("container's cgroup unexpectedly frozen: \(path)") }
    }

    /// Groups below the one in `directory`.
    static func children(of directory: FilePath) throws(Errno) -> [FilePath] {
        try Files.directoryNames(in: directory).map { directory.appending($0) }
    }

    // MARK: Processes

    /// The pids of all processes in the group and in groups below it, in ascending order.
    package func processes() throws(CgroupError) -> [Int32] {
        guard let directory = memberDirectory else { return [] }
        var pids: [Int32] = []
        do throws(Errno) {
            try Self.collectProcesses(in: directory, into: &pids)
        } catch {
            throw CgroupError("open \(directory)/cgroup.procs", error)
        }
        return pids.sorted()
    }

    private static func collectProcesses(in directory: FilePath, into pids: inout [Int32]) throws(Errno) {
        let bytes: [UInt8]
        do {
            do {
                bytes = try Files.read(directory.appending("cgroup.procs"))
            } catch .notSupportedOnSocket {
                // A threaded group of version 2 has threads alone.
                bytes = try Files.read(directory.appending("cgroup.threads"))
            }
        } catch {
            // Removed meanwhile: nothing is in it.
            if error == .noSuchFileOrDirectory || error.rawValue == 19 { return }
            throw error
        }
        for line in bytes.split(separator: 0x0a) {
            if let pid = Int32(String(decoding: line, as: UTF8.self)) { pids.append(pid) }
        }
        for child in try children(of: directory) { try collectProcesses(in: child, into: &pids) }
    }

    /// Sends `signal` to every process in the group and below it.
    package func signalAll(_ signal: Int32) throws(CgroupError) {
        if signal == 9, isUnified, let directory = directories.first {
            do throws(CgroupError) {
                return try write("1", to: directory.appending("cgroup.kill"))
            } catch  where error.errno == .noSuchFileOrDirectory {
                // Before Linux 5.14, or the group is gone.
            }
        }
        // Frozen, so that no process can fork behind our back; a frozen group of version 1 gets even SIGKILL only when
        // it is thawed.
        let wasFrozen = (try? isFrozen()) ?? true
        if !wasFrozen { try? freeze() }
        var failure: CgroupError?
        do throws(CgroupError) {
            for pid in try processes() {
                do throws(Errno) { try Signals.send(signal, to: pid) } catch  where error != .noSuchProcess {
                    failure = CgroupError("kill \(pid)", error)
                } catch {}
            }
        } catch {
            failure = error
        }
        // What went wrong before is the error to tell.
        // A group that has vanished meanwhile needs no thawing; any other error `freeze` and `kill` had as well.
        if !wasFrozen || signal == 9 { try? thaw() }
        if let failure { throw failure }
    }

    // MARK: Freezing

    /// Stops all processes and waits until they are stopped.
    package func freeze() throws(CgroupError) {
        try setFrozen(true)
    }

    /// Lets them go on.
    package func thaw() throws(CgroupError) {
        try setFrozen(false)
    }

    private func setFrozen(_ frozen: Bool) throws(CgroupError) {
        guard let directory = directory(of: "freezer") else {
            throw CgroupError("cannot \(frozen ? "pause" : "resume"): the freezer controller is not mounted")
        }
        let file = directory.appending(isUnified ? "cgroup.freeze" : "freezer.state")
        var milliseconds: Int32 = 1
        while true {
            // Version 1 can stay in FREEZING when processes are being forked; writing again helps it along.
            try write(isUnified ? (frozen ? "1" : "0") : (frozen ? "FROZEN" : "THAWED"), to: file)
            if try isFrozen() == frozen { return }
            guard milliseconds < 1000 else {
                if frozen { try? setFrozen(false) }
                throw CgroupError("the control group \(path) does not \(frozen ? "freeze" : "thaw")")
            }
            // A mere pause: if a signal cuts it short, the next look comes sooner.
            Poll.pause(milliseconds: milliseconds)
            milliseconds *= 2
        }
    }

    /// Whether all processes are stopped.
    package func isFrozen() throws(CgroupError) -> Bool {
        guard let directory = directory(of: "freezer") else { return false }
        if isUnified { return try flatValues(directory.appending("cgroup.events"))["frozen"] == 1 }
        return try readText(directory.appending("freezer.state")) == "FROZEN"
    }

    /// Whether all processes are stopped or are about to be. A signal to one of them, in version 1 even SIGKILL, then
    /// has no effect until the group is thawed.
    package func isFrozenOrFreezing() throws(CgroupError) -> Bool {
        guard let directory = directory(of: "freezer") else { return false }
        if isUnified { return try readText(directory.appending("cgroup.freeze")) == "1" }
        return try readText(directory.appending("freezer.state")) != "THAWED"
    }

    /// Thaws a group that is frozen or about to be, so that a signal that has been sent arrives.
    package func thawIfFrozen() throws(CgroupError) {
        // A group that is gone needs no thawing.
        if (try? isFrozenOrFreezing()) == true { try thaw() }
    }

    // MARK: Files

    func write(_ text: String, to file: FilePath) throws(CgroupError) {
        do throws(Errno) {
            try Files.write(text, to: file)
        } catch {
            throw CgroupError("write \"\(text)\" to \(file)", error)
        }
    }

    func readText(_ file: FilePath) throws(CgroupError) -> String {
        do throws(Errno) {
            return try Files.readText(file)
        } catch {
            throw CgroupError("read \(file)", error)
        }
    }

    /// A file with lines of a key and a number.
    func flatValues(_ file: FilePath) throws(CgroupError) -> [String: UInt64] {
        var values: [String: UInt64] = [:]
        for line in try readText(file).split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields.count == 2, let value = UInt64(fields[1]) { values[String(fields[0])] = value }
        }
        return values
    }
}
