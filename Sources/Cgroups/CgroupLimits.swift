import LinuxKernel
import OCISpec
import SystemPackage

extension Cgroup {
    /// Sets the limits that `resources` has; what it does not have stays as it is.
    ///
    /// - Throws: if the kernel refuses one, or a controller that one needs is not there; earlier ones are then set.
    package func apply(_ resources: LinuxResources) throws(CgroupError) {
        switch hierarchies {
        case .unified(let mountPoint):
            try applyUnified(resources, in: mountPoint.appending(String(path.dropFirst())))
        case .legacy:
            try applyLegacy(resources)
        }
    }

    /// Sets one limit, and says in the user's words what could not be set.
    func set(_ what: String, _ value: String, in directory: FilePath?, _ file: String) throws(CgroupError) {
        guard let directory else {
            throw CgroupError("cannot set \(what): no control group controller for it is mounted on this machine")
        }
        let path = directory.appending(file)
        do throws(Errno) {
            try Files.write(value, to: path)
        } catch {
            // The kernel answers EACCES when a file of a control group that does not exist is to be made.
            if error == .noSuchFileOrDirectory || (error == .permissionDenied && !Files.exists(path)) {
                throw CgroupError(
                    "cannot set \(what): this kernel or its control groups do not support it (no \(file))", error)
            }
            throw CgroupError("cannot set \(what) to \(value) (\(path))", error)
        }
    }

    /// A limit of processes as the kernel takes it. A negative limit is no limit. A limit of 0 would not even allow the
    /// first process, so it becomes 1.
    static func processLimit(_ limit: Int64) -> String { limit < 0 ? "max" : "\(max(limit, 1))" }

    /// Refuses values that no kernel accepts with words better than its own.
    static func checkRanges(_ resources: LinuxResources) throws(CgroupError) {
        if let weight = resources.blockIO?.weight, weight != 0, !(10...1000).contains(weight) {
            throw CgroupError("block I/O weight \(weight) is not between 10 and 1000")
        }
        if let swappiness = resources.memory?.swappiness, swappiness > 100 {
            throw CgroupError("memory swappiness \(swappiness) is not between 0 and 100")
        }
        if let limit = resources.memory?.limit, let swap = resources.memory?.swap, limit > 0, swap > 0, swap < limit {
            throw CgroupError("memory+swap limit should be >= memory limit (\(swap) < \(limit))")
        }
    }
}
