import Cgroups
import OCISpec

/// The setting of a new container's limits.
struct ResourceSetup {
    private let plan: CreationPlan

    init(_ plan: CreationPlan) {
        self.plan = plan
    }

    func apply(_ resources: LinuxResources) throws(RuntimeError) {
        guard let cgroup = plan.cgroup else {
            if resources.isOnlyAboutDevices { return }
            guard plan.mayLackCgroup else {
                throw RuntimeError(.invalid, "limits cannot be set without a control group")
            }
            throw RuntimeError(
                .invalid,
                "rootless needs no limits + no cgrouppath when no permission is granted for cgroups: container could not join or create cgroup"
            )
        }
        do throws(CgroupError) {
            try cgroup.apply(resources.withDefaultDevices)
        } catch {
            // Whoever is not root may give a group to others, but not say which devices are used in it. What the container's
            // processes may not open as the users they are stays closed to them.
            guard resources.devices?.isEmpty == false, plan.options.rootlessCgroups.isInForce else {
                throw RuntimeError(.system, error.message)
            }
            var others = resources
            others.devices = nil
            try withCgroupErrors { () throws(CgroupError) in try cgroup.apply(others) }
        }
    }
}
