import Cgroups
import OCISpec

/// The unit of systemd that is to be made for a container, checked before anything is done.
struct UnitPlan {
    let unit: SystemdUnit
    let cgroup: Cgroup
    private let id: String
    /// What annotations ask for.
    private let requested: [UnitProperty]

    init(id: String, spec: Spec, isUser: Bool) throws(RuntimeError) {
        guard Systemd.isRunning else {
            throw RuntimeError(
                .system, "systemd not running on this host, cannot use systemd cgroups manager")
        }
        self.id = id
        unit = try withCgroupErrors { () throws(CgroupError) in
            try SystemdUnit(cgroupsPath: spec.linux?.cgroupsPath, id: id, isUser: isUser)
        }
        requested = try UnitProperty.requested(by: spec.annotations ?? [:])
        let hierarchies = try withCgroupErrors { () throws(CgroupError) in try CgroupHierarchies.mounted() }
        var path = try withCgroupErrors { [unit] () throws(CgroupError) in try unit.path() }
        if isUser {
            guard case .unified = hierarchies else {
                throw RuntimeError(.invalid, "cannot use rootless systemd cgroups manager on cgroup v1")
            }
            path = try Systemd(isUser: true).controlGroup() + path
        }
        let complete = path
        cgroup = try withCgroupErrors { () throws(CgroupError) in try Cgroup(path: complete, hierarchies: hierarchies) }
    }

    /// Makes the unit with `process` in it, and with the limits that systemd knows. After an error there is none.
    ///
    /// - Returns: The unit, and what is to be written to its control group's files.
    func start(process: Int32, _ resources: LinuxResources) throws(RuntimeError) -> StartedUnit {
        let systemd = try Systemd(isUser: unit.isUser)
        let version = try systemd.version()
        let limits = try UnitLimits(resources, isUnified: cgroup.isUnified, version: version)
        let initial = try UnitLimits.initial(resources, version: version)
        let common = UnitProperty.common(
            unit: unit, container: id, process: process, isUnified: cgroup.isUnified)
        try systemd.start(unit, common + limits.properties + requested + initial)
        var rest = limits.resources
        if !cgroup.isUnified, let first = rest.devices?.first, !first.allow, first.isAboutAll {
            // systemd has begun with that. Once more, now that the process is inside, it would for a moment be without
            // any device.
            rest.devices?.removeFirst()
        }
        return StartedUnit(unit: unit, systemd: systemd, resources: rest)
    }
}

/// A unit that this process has made.
struct StartedUnit {
    let unit: SystemdUnit
    fileprivate let systemd: Systemd
    /// Limits for the control group's files.
    let resources: LinuxResources

    /// Takes it back.
    func stop() throws(RuntimeError) { try systemd.stop(unit) }
}

/// A change of the limits of a container that has a unit.
struct UnitUpdate {
    let unit: SystemdUnit
    let cgroup: Cgroup

    /// Tells systemd. Gives what is to be written to the control group's files.
    func apply(_ resources: LinuxResources, warn: (String) -> Void) throws(RuntimeError) -> LinuxResources {
        let systemd = try Systemd(isUser: unit.isUser)
        let complete = try withCgroupErrors { () throws(CgroupError) in try cgroup.completed(resources) }
        let limits = try UnitLimits(complete, isUnified: cgroup.isUnified, version: systemd.version())
        if let warning = limits.warning { warn(warning) }
        guard !limits.properties.isEmpty else { return limits.resources }
        try whileFrozen { () throws(RuntimeError) in try systemd.set(limits.properties, of: unit) }
        return limits.resources
    }

    /// On version 1 systemd sets all rules for devices anew, the first of which forbids everything: nobody may run into
    /// that.
    private func whileFrozen(_ body: () throws(RuntimeError) -> Void) throws(RuntimeError) {
        guard !cgroup.isUnified, cgroup.directory(of: "freezer") != nil,
            try withCgroupErrors({ () throws(CgroupError) in try !cgroup.isFrozen() })
        else { return try body() }
        try withCgroupErrors { () throws(CgroupError) in try cgroup.freeze() }
        do throws(RuntimeError) {
            try body()
        } catch {
            // The error to tell is the one that led here.
            try? cgroup.thaw()
            throw error
        }
        try withCgroupErrors { () throws(CgroupError) in try cgroup.thaw() }
    }
}

extension LinuxDeviceCgroup {
    /// Whether the rule is about every device and every access.
    fileprivate var isAboutAll: Bool {
        type == nil || type == "a" || type == ""
    }
}
