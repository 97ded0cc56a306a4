import Cgroups
import OCISpec

/// What a container uses, at one moment.
package struct ContainerStatistics: Sendable {
    /// The full id.
    package var id: String
    /// Without a leading `/`.
    package var name: String
    /// What its processes have used until now; nil if there are none.
    package var present: Present?

    /// What is known of a container whose processes live.
    package struct Present: Sendable {
        /// When the numbers were read.
        package var read: Timestamp
        /// Its control group.
        package var usage: CgroupSample
        /// The time of all processors of the machine since its start, idle or not, in nanoseconds.
        package var systemCPU: UInt64
        /// How many processors the machine has.
        package var onlineCPUs: Int
        /// Bytes of memory that the machine has.
        package var machineMemory: UInt64
        /// What has passed the container's interfaces; none where they are the host's.
        package var networks: [InterfaceCounters]

        /// Numbers of one moment.
        package init(
            read: Timestamp, usage: CgroupSample, systemCPU: UInt64, onlineCPUs: Int, machineMemory: UInt64,
            networks: [InterfaceCounters]
        ) {
            self.read = read
            self.usage = usage
            self.systemCPU = systemCPU
            self.onlineCPUs = onlineCPUs
            self.machineMemory = machineMemory
            self.networks = networks
        }
    }

    /// The numbers of a container.
    package init(id: String, name: String, present: Present? = nil) {
        self.id = id
        self.name = name
        self.present = present
    }
}
