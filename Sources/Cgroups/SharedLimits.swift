import LinuxKernel
import OCISpec
import SystemPackage

// Limits that both versions have under the same names, or nearly so.
extension Cgroup {
    /// Remote direct memory access, by device; what is not named is not limited.
    func apply(_ rdma: [String: LinuxRdma], in directory: FilePath?) throws(CgroupError) {
        for (device, limits) in rdma.sorted(by: { $0.key < $1.key }) {
            let handles = limits.hcaHandles.map { "\($0)" } ?? "max"
            let objects = limits.hcaObjects.map { "\($0)" } ?? "max"
            try set(
                "an RDMA limit", "\(device) hca_handle=\(handles) hca_object=\(objects)", in: directory, "rdma.max")
        }
    }

    /// Huge pages are counted when they are used, and since Linux 5.7 also when they are reserved, which is what a
    /// program notices as an error and not as a signal.
    func setReservations(
        of page: LinuxHugepageLimit, in directory: FilePath?, _ ending: String
    ) throws(CgroupError) {
        let file = "hugetlb.\(page.pageSize).rsvd.\(ending)"
        guard let directory, Files.exists(directory.appending(file)) else { return }
        try set("the limit of reserved huge pages", "\(page.limit)", in: directory, file)
    }
}
