import Cgroups

extension RunningTask {
    /// What reads the numbers of the task's control group, for callers that ask often; it goes with the last reference.
    /// Unlike `statistics` it asks neither shim nor runtime. Blocks for a moment.
    package func sampler() throws(TaskError) -> CgroupSampler {
        guard let cgroup else { throw .system("the control group of \(id) is not known") }
        do throws(CgroupError) {
            return try CgroupSampler(cgroup.group(of: id))
        } catch {
            throw .system("cannot read what \(id) has used: \(error)")
        }
    }
}

extension TaskCgroup {
    /// The group where the kernel has it.
    func group(of id: String) throws(CgroupError) -> Cgroup {
        // systemd lets go of a scope whose last process has ended.
        let path = isSystemd ? try SystemdUnit(cgroupsPath: path, id: id, isUser: false).path() : path
        return try Cgroup(path: path, hierarchies: try CgroupHierarchies.mounted())
    }
}
