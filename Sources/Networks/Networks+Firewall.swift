import LinuxKernel
import Netlink
import SystemPackage

extension Networks {
    /// Puts the firewall's table in place, with all networks that there are.
    func restoreFirewall() throws(NetworksError) {
        do throws(NetlinkError) {
            try firewall.perform(FirewallTransaction(ports.restoration + NetworkFirewall.restoration(of: all)))
        } catch {
            throw .system("cannot set up the firewall (table inet masu of nf_tables): \(error)")
        }
    }

    /// Lets a network into the firewall.
    func admit(_ network: Network) throws(NetworksError) {
        do throws(NetlinkError) {
            try firewall.perform(FirewallTransaction(NetworkFirewall.additions(for: network)))
        } catch {
            // Somebody has removed the table, and it is about to be put back.
            if error.errno == .noSuchFileOrDirectory { return try restoreFirewall() }
            throw .system("cannot let the network \(network.name) into the firewall: \(error)")
        }
    }

    /// Takes a network out of the firewall.
    func expel(_ network: Network) throws(NetworksError) {
        do throws(NetlinkError) {
            try firewall.perform(FirewallTransaction(NetworkFirewall.removals(of: network)))
        } catch {
            // It is not all there: the rest goes when the table is put back as it has to be.
            guard error.errno == .noSuchFileOrDirectory else {
                throw .system("cannot take the network \(network.name) out of the firewall: \(error)")
            }
        }
    }

    /// Puts the table back whenever somebody removes it: a firewall's service that is started anew, or
    /// `nft flush ruleset`.
    func watchFirewall() {
        do {
            let subscription = try Subscription([.firewall])
            let (reading, writing) = try FileDescriptor.makePipe()
            let hasStarted = Threads.start(name: "masu-firewall") { [weak self] in
                defer { reading.discard() }
                while Self.waits(for: subscription, orFor: reading) {
                    guard Self.isRemoved(subscription) else { continue }
                    guard let self else { return }
                    self.putBack()
                }
            }
            guard hasStarted else {
                reading.discard()
                writing.discard()
                throw Errno.resourceTemporarilyUnavailable
            }
            watch.withLock { $0 = writing }
        } catch {
            logger.warning(
                "cannot watch the firewall: rules that others remove come back at the daemon's next start only",
                metadata: ["error": "\(error)"])
        }
    }

    /// Ends the watch.
    func endWatch() {
        watch.withLock { watch in
            watch?.discard()
            watch = nil
        }
    }

    private func putBack() {
        do {
            // All networks that there are, and none that is being made or removed meanwhile.
            try changes.withLock { _ throws(NetworksError) in try restoreFirewall() }
            logger.notice("somebody removed the firewall's table inet masu; it is back")
        } catch {
            logger.error("cannot put back the firewall's table", metadata: ["error": "\(error)"])
        }
    }

    /// False when the watch is to end.
    private static func waits(for subscription: Subscription, orFor end: FileDescriptor) -> Bool {
        let waited = try? Poll.wait(for: [(subscription.descriptor, .readable), (end, .readable)], milliseconds: -1)
        // A wait that cannot be had would be tried for ever.
        guard let waited else { return false }
        return waited[1].isEmpty
    }

    /// Whether the news are that the table is gone, or may be.
    private static func isRemoved(_ subscription: Subscription) -> Bool {
        switch try? subscription.take() {
        case nil, .missed?: return true
        case .messages(let messages)?:
            return messages.contains { message in
                guard case .tableRemoved(let table)? = try? FirewallNotification(message) else { return false }
                return table.family == NetworkFirewall.table.family && table.name == NetworkFirewall.table.name
            }
        }
    }
}
