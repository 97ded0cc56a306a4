import CLinux
import SystemPackage

/// A connection to the kernel's netfilter family of netlink: the firewall and the tracking of connections of one
/// network namespace.
package struct NetfilterSocket: Sendable {
    let socket: NetlinkSocket

    /// A connection in the calling thread's network namespace.
    package init() throws(NetlinkError) {
        socket = try NetlinkSocket(.netfilter)
    }

    private init(_ socket: NetlinkSocket) {
        self.socket = socket
    }

    /// A connection in the network namespace that `namespace` refers to, which the calling thread enters for a moment.
    package static func opened(in namespace: FileDescriptor) throws(NetlinkError) -> NetfilterSocket {
        NetfilterSocket(try NetlinkSocket.opened(.netfilter, in: namespace))
    }

    /// Makes all changes, or none.
    ///
    /// - Throws: What the first change that failed has to say; its index is that among the changes. `isStale` if the
    ///   firewall is in another state than that which the changes were made for.
    package func perform(_ transaction: FirewallTransaction) throws(NetlinkError) {
        if transaction.isEmpty { return }
        let batch = transaction.batch
        do throws(NetlinkError) {
            // The last change, and not the end, is acknowledged: old kernels do not answer the end.
            try socket.perform(batch, acknowledging: batch.requests.count - 2, isTransaction: true)
        } catch {
            var error = error
            // The beginning stands for the whole.
            error.index = error.index.flatMap { $0 > 0 ? $0 - 1 : nil }
            throw error
        }
    }

    /// A number that changes with each change of nf_tables.
    package func generation() throws(NetlinkError) -> UInt32 {
        let request = FirewallMessage.request("read the generation of nf_tables", .getGeneration, nil) { _ in }
        let numbers = try socket.answers(to: request) { (message) throws(Errno) -> UInt32? in
            try FirewallMessage.read(message.payload).attributes.networkOrder(NFTA_GEN_ID)
        }
        guard let number = numbers.first else { throw NetlinkError(.badMessage, request.description) }
        return number
    }

    // MARK: Reading

    /// All tables.
    package func tables() throws(NetlinkError) -> [FirewallTable] {
        try socket.answers(to: FirewallTable.queryAll()) { (message) throws(Errno) in
            FirewallMessage.kind(of: message) == .newTable ? try FirewallTable(payload: message.payload) : nil
        }
    }

    /// All chains.
    package func chains() throws(NetlinkError) -> [FirewallChain] {
        try socket.answers(to: FirewallChain.queryAll()) { (message) throws(Errno) in
            FirewallMessage.kind(of: message) == .newChain ? try FirewallChain(payload: message.payload) : nil
        }
    }

    /// All rules, or those of one table, in the order in which they are asked.
    package func rules(of table: FirewallTable? = nil) throws(NetlinkError) -> [FirewallRule] {
        let request = table.map(FirewallRule.queryAll(of:)) ?? FirewallRule.queryAll()
        return try socket.answers(to: request) { (message) throws(Errno) in
            FirewallMessage.kind(of: message) == .newRule ? try FirewallRule(payload: message.payload) : nil
        }
    }

    /// All sets and maps.
    package func sets() throws(NetlinkError) -> [FirewallSet] {
        try socket.answers(to: FirewallSet.queryAll()) { (message) throws(Errno) in
            FirewallMessage.kind(of: message) == .newSet ? try FirewallSet(payload: message.payload) : nil
        }
    }

    /// The elements of a set or map.
    package func elements(of set: FirewallSet) throws(NetlinkError) -> [FirewallElement] {
        let request = set.query
        let payloads = try socket.answers(to: request)
            .filter { FirewallMessage.kind(of: $0) == .newElement }.map(\.payload)
        do throws(Errno) {
            return try set.elements(payloads: payloads)
        } catch {
            throw NetlinkError(error, request.description)
        }
    }

    /// All of nf_tables but elements, in one state.
    package func ruleset() throws(NetlinkError) -> Ruleset {
        for _ in 0..<Self.attempts {
            let generation = try generation()
            let ruleset = Ruleset(
                generation: generation, tables: try tables(), chains: try chains(), rules: try rules(),
                sets: try sets())
            if try self.generation() == generation { return ruleset }
        }
        throw NetlinkError(.interrupted, "read nf_tables", text: "it changes all the time")
    }

    /// How often nf_tables is read that changes meanwhile.
    private static let attempts = 50
}

/// All of nf_tables of one network namespace but the elements of sets.
package struct Ruleset: Sendable {
    /// The state; for `FirewallTransaction.generation`.
    package let generation: UInt32
    /// In no order.
    package let tables: [FirewallTable]
    /// In no order.
    package let chains: [FirewallChain]
    /// In the order in which they are asked.
    package let rules: [FirewallRule]
    /// In no order, with those that belong to one rule only.
    package let sets: [FirewallSet]

    /// The rules of a chain, in the order in which they are asked.
    package func rules(of chain: FirewallChain) -> [FirewallRule] {
        rules.filter {
            $0.chain == chain.name && $0.table.family == chain.table.family && $0.table.name == chain.table.name
        }
    }
}

extension NetlinkError {
    /// Whether changes of nf_tables were refused because they were made for another state of it (`ERESTART`).
    package var isStale: Bool { errno.rawValue == 85 }
}
