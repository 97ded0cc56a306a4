/// What a control group has used, with as little work as possible: for readers that ask hundreds of groups each second.
///
/// `CgroupStatistics` has the same numbers by their names.
package struct CgroupSample: Hashable, Sendable {
    /// One number about one block device.
    package struct BlockIO: Hashable, Sendable {
        /// The device's major number.
        package var major: UInt64
        /// The device's minor number.
        package var minor: UInt64
        /// As the kernel calls it in version 1 (`Read`, `Sync`, …); `read` or `write` in version 2.
        package var operation: String
        /// Bytes, operations or nanoseconds, as the list says that holds this.
        package var value: UInt64

        /// A number about a device.
        package init(major: UInt64, minor: UInt64, operation: String, value: UInt64) {
            self.major = major
            self.minor = minor
            self.operation = operation
            self.value = value
        }
    }

    /// What is counted of block devices, in the order of `blockIO`. Version 2 counts bytes alone.
    package enum BlockList: Int, CaseIterable, Sendable {
        case bytes, operations, queued, serviceTime, waitTime, merged, time, sectors
    }

    /// Whether the group is one of version 2.
    package let isUnified: Bool
    /// Processor time in nanoseconds.
    package var cpuTotal: UInt64 = 0
    /// The part of it in user mode.
    package var cpuUser: UInt64 = 0
    /// The part of it in kernel mode.
    package var cpuSystem: UInt64 = 0
    /// The total by processor; version 1 only.
    package var perCPU: [UInt64] = []
    /// Periods that have passed while a quota was set.
    package var periods: UInt64 = 0
    /// Periods in which the quota was used up.
    package var throttledPeriods: UInt64 = 0
    /// How long processes had to wait for the next period, in nanoseconds.
    package var throttledTime: UInt64 = 0

    /// Memory in bytes.
    package var memoryUsage: UInt64 = 0
    /// The most there has been; version 1 only.
    package var memoryMaximum: UInt64 = 0
    /// `UInt64.max`, or more than any machine has, is no limit.
    package var memoryLimit: UInt64 = 0
    /// Version 1: how often the limit was hit; version 2: how often that left the kernel without a way out.
    package var memoryFailures: UInt64 = 0
    /// What `memory.stat` says, in the order of `memoryNames`.
    package var memoryDetails: [UInt64] = []

    /// Processes and threads.
    package var pids: UInt64 = 0
    /// `UInt64.max` is no limit in version 2, 0 in version 1.
    package var pidsLimit: UInt64 = 0

    /// By `BlockList`.
    package var blockIO: [[BlockIO]] = Array(repeating: [], count: BlockList.allCases.count)

    /// Nothing used.
    package init(isUnified: Bool) {
        self.isUnified = isUnified
        memoryDetails = Array(repeating: 0, count: memoryNames.count)
    }

    /// The lines of `memory.stat` that clients know, in alphabetical order.
    package var memoryNames: [StaticString] { isUnified ? Self.unifiedNames : Self.legacyNames }

    private static let unifiedNames: [StaticString] = [
        "active_anon", "active_file", "anon", "anon_thp", "file", "file_dirty", "file_mapped", "file_writeback",
        "inactive_anon", "inactive_file", "kernel_stack", "pgactivate", "pgdeactivate", "pgfault", "pglazyfree",
        "pglazyfreed", "pgmajfault", "pgrefill", "pgscan", "pgsteal", "shmem", "slab", "slab_reclaimable",
        "slab_unreclaimable", "sock", "thp_collapse_alloc", "thp_fault_alloc", "unevictable", "workingset_activate",
        "workingset_nodereclaim", "workingset_refault",
    ]

    private static let legacyNames: [StaticString] = [
        "active_anon", "active_file", "cache", "dirty", "hierarchical_memory_limit", "hierarchical_memsw_limit",
        "inactive_anon", "inactive_file", "mapped_file", "pgfault", "pgmajfault", "pgpgin", "pgpgout", "rss",
        "rss_huge", "total_active_anon", "total_active_file", "total_cache", "total_dirty", "total_inactive_anon",
        "total_inactive_file", "total_mapped_file", "total_pgfault", "total_pgmajfault", "total_pgpgin",
        "total_pgpgout", "total_rss", "total_rss_huge", "total_unevictable", "total_writeback", "unevictable",
        "writeback",
    ]
}
