import LinuxKernel
import Logging
import Netlink
import PublishedPorts
import SystemPackage

extension Networks {
    /// Puts the firewall's table in place, with all networks that there are but `gone`. The caller holds `changes`.
    func restoreFirewall(without gone: Network? = nil) throws(NetworksError) {
        let networks = all.filter { $0.id != gone?.id }
        do throws(NetlinkError) {
            try ports.whileUnchanged { elements throws(NetlinkError) in
                let isCalled = HostNetwork.bridgesCallFirewall
                let wanted = FirewallContent(networks, elements, bridgesCallFirewall: isCalled)
                let restoration =
                    PortTable.restoration(of: elements, bridgesCallFirewall: isCalled)
                    + NetworkFirewall.restoration(of: networks)
                var changes = restoration
                if let present = try presentContent() {
                    changes = present.removalOfOthers(than: wanted) + changes
                }
                do throws(NetlinkError) {
                    try firewall.perform(FirewallTransaction(changes))
                } catch {
                    // What is there cannot become what has to be there: a chain at another place, a set of another
                    // type. The table is made anew, in the same instant.
                    let renewal = [PortTable.table.addition, PortTable.table.removal] + restoration
                    do throws(NetlinkError) { try firewall.perform(FirewallTransaction(renewal)) } catch _ {
                        // The first error says more.
                        throw error
                    }
                }
            }
        } catch {
            throw .system("cannot set up the firewall (table inet masu of nf_tables): \(error)")
        }
    }

    /// What is in the table; `nil` if it is not there, or somebody removes it while it is read.
    private func presentContent() throws(NetlinkError) -> FirewallContent? {
        do throws(NetlinkError) { return try FirewallContent.read(by: firewall) } catch {
            guard error.errno == .noSuchFileOrDirectory else { throw error }
            return nil
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
            // Somebody has removed some of it.
            if error.errno == .noSuchFileOrDirectory { return try restoreFirewall(without: network) }
            throw .system("cannot take the network \(network.name) out of the firewall: \(error)")
        }
    }

    // MARK: What others do

    /// Puts back what others remove of the table, by whatever means: a firewall's service that is started anew,
    /// `nft flush ruleset`, a single rule or element. Where the host's chains choose the mode, it follows them.
    func watchFirewall() {
        do {
            var duties = FirewallWatch.Duties { [weak self] author in
                self?.mendFirewall(changedBy: author) ?? .unneeded
            }
            if configuration.firewallMode == nil { duties.review = { [weak self] in self?.followHost() ?? true } }
            let started = try FirewallWatch(duties)
            watch.withLock { $0 = started }
        } catch {
            logger.warning(
                "cannot watch the firewall: rules that others remove come back at the daemon's next start only",
                metadata: ["error": "\(error)"])
        }
    }

    /// Ends the watch.
    func endWatch() {
        watch.withLock { $0 = nil }
    }

    /// Puts the table back if something of it lacks.
    private func mendFirewall(changedBy author: String?) -> FirewallWatch.Restoration {
        let task = "put back the firewall's table"
        do throws(NetworksError) {
            // All networks that there are, and none that is being made or removed meanwhile.
            let lack = try changes.withLock { _ throws(NetworksError) in
                let lack = try lackOfFirewall()
                if lack != nil { try restoreFirewall() }
                return lack
            }
            note(nil, of: task)
            guard let lack else { return .unneeded }
            logger.notice(
                "somebody removed \(lack) of the firewall's table inet masu; it is back",
                metadata: ["by": "\(author ?? "unknown")"])
            return .done
        } catch {
            note("\(error)", of: task)
            return .failed
        }
    }

    /// Tells that something failed, or notes that it did not; what is tried again and again is told once.
    private func note(_ failure: String?, of task: String) {
        let isNews = firewallFailures.withLock { failures in
            defer { failures[task] = failure }
            return failures[task] != failure
        }
        guard let failure, isNews else { return }
        logger.error("cannot \(task); it is tried again", metadata: ["error": "\(failure)"])
    }

    /// What the table lacks, in words; `nil` if it is all there.
    private func lackOfFirewall() throws(NetworksError) -> String? {
        let networks = all
        do throws(NetlinkError) {
            return try ports.whileUnchanged { elements throws(NetlinkError) in
                guard let present = try FirewallContent.read(by: firewall) else { return "all" }
                return present.lack(
                    of: FirewallContent(
                        networks, elements, bridgesCallFirewall: HostNetwork.bridgesCallFirewall))
            }
        } catch {
            // Something of it was removed while it was read.
            if error.errno == .noSuchFileOrDirectory { return "something" }
            throw .system("cannot read the firewall (table inet masu of nf_tables): \(error)")
        }
    }

    /// Takes over the mode that suits the host's chains; whether that could be done. If not, the mode is as before.
    package func followHost() -> Bool {
        let task = "follow the host's chains"
        do throws(NetlinkError) {
            let mode = FirewallMode.suiting(try HostRuleset.read(by: firewall))
            let isOther = mode != ports.mode
            if isOther { try ports.change(to: mode) }
            note(nil, of: task)
            guard isOther else { return true }
            logger.notice(
                "the host's chains have changed: \(mode.reasonForChoice)", metadata: ["mode": "\(mode.rawValue)"])
            return true
        } catch {
            note("\(error)", of: task)
            return false
        }
    }
}
