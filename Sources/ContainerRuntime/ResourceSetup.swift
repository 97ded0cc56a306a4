import Cgroups
import OCISpec

/// The setting of a new container's limits.
struct ResourceSetup {
    private let plan: CreationPlan

    init(_ plan: CreationPlan) {
        self.plan = plan
    }

    /// - Parameter resources: With the rules for devices that every container has.
    func apply(_ resources: LinuxResources) throws(RuntimeError) {
        guard let cgroup = plan.cgroup else {
            if resources.isOnlyAboutDevices { return }
            guard plan.mayLackCgroup else {
                throw RuntimeError(.invalid, "limits cannot be set without a control group")
            }
            // What is known of the machine's groups has been asked for already.
            let isUnified = (try? CgroupHierarchies.mounted())?.isUnified ?? true
            throw RuntimeError(
                .invalid,
                isUnified
                    ? "rootless needs no limits + no cgrouppath when no permission is granted for cgroups"
                    : "cannot set \(resources.firstController) limit: container could not join or create cgroup")
        }
        do throws(CgroupError) {
            try cgroup.apply(resources)
        } catch {
            // Users other than root may delegate a group, but not set its device rules. The container's processes can
            // open only the devices that their users may open.
            guard resources.devices?.isEmpty == false, plan.options.rootlessCgroups.isInForce else {
                throw RuntimeError(.system, error.message)
            }
            var others = resources
            others.devices = nil
            try withCgroupErrors { () throws(CgroupError) in try cgroup.apply(others) }
        }
    }
}

extension LinuxResources {
    /// The controller that the first of the limits is for.
    var firstController: String {
        let isSet: [(String, Bool)] = [
            ("cpuset", cpu?.cpus?.isEmpty == false || cpu?.mems?.isEmpty == false), ("memory", memory != nil),
            ("cpu", cpu != nil), ("pids", pids != nil), ("blkio", blockIO != nil),
            ("hugetlb", hugepageLimits?.isEmpty == false), ("net", network != nil), ("rdma", rdma?.isEmpty == false),
        ]
        return isSet.first(where: \.1)?.0 ?? "a"
    }
}
