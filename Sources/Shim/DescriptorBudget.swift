import LinuxKernel

/// Shares out the descriptors that this process may open (`RLIMIT_NOFILE`): the one place that knows how many of them
/// strangers can make a shim have.
///
/// A quarter is for what the shim needs itself: streams, logs, execs, requests. A quarter is for the resolver of its
/// containers and half for published ports. So neither clients of a port nor programs that ask for names can keep each
/// other, or an exec, from working. What is beyond a share is refused at once.
package final class DescriptorBudget {
    /// What descriptors are for.
    package enum Purpose {
        /// Connections and clients of published ports.
        case ports
        /// Queries that wait for servers, and programs that ask by TCP.
        case resolver
    }

    private let openFiles: Int
    private var bound = 0
    private var ports = 0
    private var resolver = 0

    /// The shares of a process that may have `openFiles` descriptors.
    package init(openFiles: Int) {
        self.openFiles = openFiles
    }

    /// The shares of this process, by its present limit.
    package static func ofThisProcess() -> DescriptorBudget {
        // Always known; a process without a limit has none here either.
        let soft = (try? ResourceLimit.nofile.get().soft) ?? .max
        return DescriptorBudget(openFiles: Int(clamping: soft))
    }

    /// How many descriptors there may be for a purpose. The sockets of published ports themselves, which are as many as
    /// the user has asked for, are a part of the ports' share; an eighth of all is for clients in any case.
    package func share(of purpose: Purpose) -> Int {
        switch purpose {
        case .ports: max(openFiles / 8, openFiles / 2 - bound)
        case .resolver: openFiles / 4
        }
    }

    /// Takes `count` descriptors out of a share, all or none; `false` if so many are not left.
    package func take(_ count: Int, for purpose: Purpose) -> Bool {
        guard used(purpose) + count <= share(of: purpose) else { return false }
        add(count, to: purpose)
        return true
    }

    /// Puts descriptors back that have been closed.
    package func putBack(_ count: Int, for purpose: Purpose) { add(-count, to: purpose) }

    /// Published ports have been bound, or, with a negative number, given up.
    func portsChanged(by count: Int) { bound += count }

    private func used(_ purpose: Purpose) -> Int {
        switch purpose {
        case .ports: ports
        case .resolver: resolver
        }
    }

    private func add(_ count: Int, to purpose: Purpose) {
        switch purpose {
        case .ports: ports += count
        case .resolver: resolver += count
        }
    }
}
