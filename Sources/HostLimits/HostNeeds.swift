/// What a number of containers needs of the limits of a machine.
///
/// What a container does, nobody knows beforehand. These are the numbers of an ordinary one: a few processes, a few
/// hundred connections, and conversations with a few others. What Masu itself needs for it is counted as well.
package enum HostNeeds {
    /// How many containers can be asked about.
    package static let containers: ClosedRange<Int> = 1...100_000

    /// Of one container.
    private enum Ordinary {
        /// Processes and threads, its shim among them.
        static let tasks = 33
        /// Others on its networks that it talks to within a few seconds, each of them an entry in a table of the kernel
        /// that all network namespaces share. The entries that Masu makes itself are permanent and not counted.
        static let neighbours = 4
        static let connections = 256
        static let openFiles = 256
        static let watches = 64
        /// Descriptors of the daemon: a connection to the shim, the network namespace, a request under way.
        static let descriptorsOfDaemon = 8
        /// Bytes of a key as the kernel counts them, of which it has 100 for each by default.
        static let bytesOfKey = 100
    }

    /// One parameter of the kernel and what is needed of it.
    struct Parameter {
        let name: String
        let purpose: String
        let need: UInt64
    }

    /// Descriptors that the daemon needs.
    static func openFilesOfDaemon(_ containers: Int) -> UInt64 {
        UInt64(256 + containers * Ordinary.descriptorsOfDaemon)
    }

    /// Processes and threads.
    static func tasks(_ containers: Int) -> UInt64 { UInt64(4096 + containers * Ordinary.tasks) }

    /// All kernel parameters that matter.
    static func parameters(_ containers: Int) -> [Parameter] {
        func parameter(_ name: String, _ purpose: String, _ need: Int) -> Parameter {
            Parameter(name: name, purpose: purpose, need: UInt64(need))
        }
        let neighbours = max(1024, containers * Ordinary.neighbours)
        let connections = max(65_536, containers * Ordinary.connections)
        var all: [Parameter] = []
        for family in ["ipv4", "ipv6"] {
            let name = "net.\(family).neigh.default.gc_thresh"
            all += [
                parameter(name + "1", "neighbours that are kept without a look at their age", neighbours / 8),
                parameter(name + "2", "neighbours beyond which old ones go", neighbours / 2),
                parameter(name + "3", "neighbours at most, of all containers together", neighbours),
            ]
        }
        let tasks = Int(tasks(containers))
        let keys = containers + 100
        all += [
            parameter("net.netfilter.nf_conntrack_max", "connections that the firewall follows", connections),
            parameter("net.netfilter.nf_conntrack_buckets", "its table; longer lists are slower", connections / 4),
            parameter("net.core.somaxconn", "connections that wait at a published port", 4096),
            parameter("kernel.pid_max", "processes and threads", tasks),
            parameter("kernel.threads-max", "processes and threads", tasks),
            parameter("kernel.pty.max", "terminals", containers + 256),
            parameter("kernel.keys.maxkeys", "keyrings of a user who is not root, one a container", keys),
            parameter("kernel.keys.maxbytes", "their bytes", keys * Ordinary.bytesOfKey),
            parameter("kernel.keys.root_maxkeys", "keyrings of root, one a container", keys),
            parameter("kernel.keys.root_maxbytes", "their bytes", keys * Ordinary.bytesOfKey),
            parameter("fs.file-max", "open files of the machine", 65_536 + containers * Ordinary.openFiles),
            parameter("fs.nr_open", "open files that a process may be allowed", Int(openFilesOfDaemon(containers))),
            parameter("fs.inotify.max_user_instances", "watchers of files of one user", 64 + containers),
            parameter(
                "fs.inotify.max_user_watches", "files that they watch", 8192 + containers * Ordinary.watches),
        ]
        for kind in ["net", "mnt", "pid", "ipc", "uts", "cgroup"] {
            all.append(parameter("user.max_\(kind)_namespaces", "namespaces of one user", 64 + containers))
        }
        return all
    }
}
