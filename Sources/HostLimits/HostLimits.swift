import LinuxKernel
import SystemPackage

/// The limits of a machine that matter for a number of containers: what there is, what is needed, and how to get it.
package struct HostLimits: Sendable {
    /// What became of a limit that was short.
    package struct Change: Hashable, Sendable {
        /// The kernel parameter.
        package let name: String
        /// Before and after.
        package let from, to: UInt64
        /// Why it has not been raised; `nil` if it has.
        package let failure: String?
    }

    /// How many containers there are to be.
    package let containers: Int
    /// All of them, in an order for people.
    package let limits: [HostLimit]

    /// Reads the limits.
    ///
    /// - Parameters:
    ///   - containers: within `HostNeeds.containers`.
    ///   - openFiles: `RLIMIT_NOFILE` of the daemon; `UInt64.max` for none.
    ///   - bridgePorts: how many containers the kernel lets a bridge have.
    package init(for containers: Int, files: HostFiles = HostFiles(), openFiles: UInt64, bridgePorts: Int) {
        self.containers = containers
        var limits = HostNeeds.parameters(containers).map { parameter in
            HostLimit(
                name: parameter.name, purpose: parameter.purpose, setting: .parameter(name: parameter.name),
                present: Self.present(parameter.name, files), need: parameter.need)
        }
        let group = files.processLimit()
        limits.append(
            HostLimit(
                name: "pids.max", purpose: "processes and threads of masud's control group, shims among them",
                setting: .controlGroup(directory: group?.directory ?? ""), present: group?.limit ?? .max,
                need: UInt64(1024 + containers)))
        limits.append(
            HostLimit(
                name: "RLIMIT_NOFILE", purpose: "open files of masud", setting: .openFiles, present: openFiles,
                need: HostNeeds.openFilesOfDaemon(containers)))
        limits.append(
            HostLimit(
                name: "bridge ports", purpose: "containers on one network",
                setting: .fixed(advice: "part them among networks: masu network create NAME"),
                present: UInt64(bridgePorts), need: UInt64(containers)))
        self.limits = limits
    }

    /// What the machine has of a parameter; `UInt64.max` for no limit.
    private static func present(_ name: String, _ files: HostFiles) -> UInt64? {
        let value = files.parameter(name)
        // The kernel compares connections with it only where it is not 0 (`nf_conntrack_alloc`).
        return name == "net.netfilter.nf_conntrack_max" && value == 0 ? .max : value
    }

    /// Raises the kernel parameters that are short to what is needed. It never lowers one, and what it sets is gone
    /// with the next start of the machine.
    ///
    /// Other limits stay as they are: they belong to who started the daemon.
    package func raise(_ files: HostFiles = HostFiles()) -> [Change] {
        limits.compactMap { limit in
            guard limit.isShort, case .parameter(let name) = limit.setting else { return nil }
            // Somebody may have raised it meanwhile.
            guard let present = Self.present(name, files), present < limit.need else { return nil }
            var failure: String?
            do throws(Errno) {
                try files.set(name, to: limit.need)
            } catch {
                failure = error.words
            }
            let after = Self.present(name, files) ?? present
            if failure == nil, after < limit.need { failure = "the kernel has kept \(after)" }
            return Change(name: name, from: present, to: after, failure: failure)
        }
    }
}
