import Cgroups
import LinuxKernel
import OCISpec
import Resctrl
import SystemPackage

/// A container that has been created, as it was when it was looked for.
///
/// The calls read none of its files: the caller can end, freeze and examine the container also after somebody has
/// removed its directory.
package struct FoundContainer: Hashable, Sendable {
    let record: StoredContainer
    /// `<root>/<id>`.
    let directory: FilePath
    /// The directory with its configuration.
    package var bundle: FilePath { FilePath(record.bundle) }

    private var id: String { record.id }

    /// What it is doing now.
    func status() throws(RuntimeError) -> ContainerStatus {
        guard let pidfd = try record.openProcess() else { return .stopped }
        pidfd.close()
        if StartGate.exists(in: directory) { return .created }
        if let cgroup = try record.cgroup(), (try? cgroup.isFrozen()) == true { return .paused }
        return .running
    }

    /// See `ContainerRuntime.kill`.
    package func kill(signal: Int32, all: Bool = false) throws(RuntimeError) {
        if all, let cgroup = try record.cgroup() {
            return try withCgroupErrors { () throws(CgroupError) in try cgroup.signalAll(signal) }
        }
        if signal == Signal.kill.rawValue, record.hasOwnPIDNamespace == false, let cgroup = try record.cgroup() {
            let isPopulated = try withCgroupErrors { () throws(CgroupError) in try !cgroup.processes().isEmpty }
            if isPopulated {
                return try withCgroupErrors { () throws(CgroupError) in try cgroup.signalAll(signal) }
            }
        }
        guard let pidfd = try record.openProcess() else {
            throw RuntimeError(.conflict, "container not running: \(id)")
        }
        defer { pidfd.close() }
        try attempt("cannot send signal \(signal) to container \(id)") { () throws(Errno) in
            do throws(Errno) { try pidfd.send(signal: signal) } catch .noSuchProcess {}
        }
        // A frozen process of version 1 would get it only when it is thawed, SIGKILL too.
        if signal == Signal.kill.rawValue, let cgroup = try record.cgroup(), !cgroup.isUnified {
            try withCgroupErrors { () throws(CgroupError) in try cgroup.thawIfFrozen() }
        }
    }

    /// See `ContainerRuntime.processes`.
    package func processes() throws(RuntimeError) -> [Int32] {
        let cgroup = try existingCgroup("unable to get all container pids: the container has no control group")
        return try withCgroupErrors { () throws(CgroupError) in try cgroup.processes() }
    }

    /// See `ContainerRuntime.pause`.
    package func pause() throws(RuntimeError) {
        let status = try status()
        guard status == .running || status == .created else {
            throw RuntimeError(.conflict, "container not running: \(id) is \(status.rawValue)")
        }
        let cgroup = try existingCgroup(Self.noFreezer)
        try withCgroupErrors { () throws(CgroupError) in try cgroup.freeze() }
    }

    /// See `ContainerRuntime.resume`.
    package func resume() throws(RuntimeError) {
        let status = try status()
        guard status == .paused else {
            throw RuntimeError(.conflict, "container not paused: \(id) is \(status.rawValue)")
        }
        let cgroup = try existingCgroup(Self.noFreezer)
        try withCgroupErrors { () throws(CgroupError) in try cgroup.thaw() }
    }

    /// See `ContainerRuntime.update`.
    package func update(
        resources: LinuxResources, share: LinuxIntelRdt = LinuxIntelRdt(), warn: (String) -> Void = { _ in }
    ) throws(RuntimeError) {
        guard try status() != .stopped else {
            throw RuntimeError(.conflict, "cannot update container \(id): it has stopped")
        }
        try update(share: share)
        if resources == LinuxResources() { return }
        let cgroup = try existingCgroup(
            "cannot set \(resources.firstController) limit: container could not join or create cgroup")
        // Rules for devices stay: others (of graphics cards, for instance) may have added theirs, and runc does the
        // same.
        var resources = resources
        resources.devices = nil
        if let unit = record.unit {
            resources = try UnitUpdate(unit: unit, cgroup: cgroup).apply(resources, warn: warn)
        }
        let change = resources
        try withCgroupErrors { () throws(CgroupError) in try cgroup.apply(change) }
    }

    private func update(share: LinuxIntelRdt) throws(RuntimeError) {
        if share == LinuxIntelRdt() { return }
        let machine = Resctrl.mounted()
        if share.l3CacheSchema?.isEmpty == false, machine?.sharesCache != true {
            throw RuntimeError(.invalid, "Intel RDT/CAT: l3 cache schema is not enabled")
        }
        if share.memBwSchema?.isEmpty == false, machine?.sharesBandwidth != true {
            throw RuntimeError(.invalid, "Intel RDT/MBA: memory bandwidth schema is not enabled")
        }
        guard let serviceClass = record.serviceClass else {
            throw RuntimeError(.conflict, "updating a non-existent Intel RDT configuration is not supported")
        }
        try withResctrlErrors { () throws(ResctrlError) in try serviceClass.set(share) }
    }

    private func existingCgroup(_ complaint: String) throws(RuntimeError) -> Cgroup {
        guard let cgroup = try record.cgroup() else { throw RuntimeError(.conflict, complaint) }
        return cgroup
    }

    private static let noFreezer = "cannot toggle freezer: cgroups not configured for container"
}
