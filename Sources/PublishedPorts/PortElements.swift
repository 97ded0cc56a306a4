import Addresses
import LinuxKernel
import Netlink
import SystemPackage

/// The elements of `table inet masu` that belong to a sandbox's ports.
package struct PortElements: Hashable, Sendable {
    /// By set or map; none is empty.
    package let groups: [FirewallElements]

    /// What these ports need.
    ///
    /// In mode `input` that is nothing but for SCTP: the shim carries all that comes, and nothing is translated.
    package init(_ ports: [PublishedPort], to target: PortTarget, mode: FirewallMode) {
        let owner = FirewallUserData(comment: target.sandbox)
        var groups: [FirewallElements] = []
        for port in ports where mode == .nat || port.transport == .sctp {
            guard let place = target[port.hostAddress.family], place.mode.translates else { continue }
            let element = FirewallElement(
                port.key, .value(FirewallKey(.address(place.address), .port(port.containerPort))), userData: owner)
            Self.add(element, to: port.set, &groups)
        }
        self.groups = groups
    }

    /// The published ports by the sandbox's own addresses, by which they can be reached where its network routes, or
    /// trusts an interface.
    package init(published requests: [PortRequest], of target: PortTarget) {
        let owner = FirewallUserData(comment: target.sandbox)
        var groups: [FirewallElements] = []
        var known: Set<FirewallKey> = []
        for request in requests {
            for family in Set(request.hostAddresses.map(\.family)).sorted() {
                guard let place = target[family], place.mode != .isolated else { continue }
                let key = FirewallKey(
                    .address(place.address), .transport(request.transport), .port(request.containerPort))
                guard known.insert(key).inserted else { continue }
                Self.add(FirewallElement(key, userData: owner), to: PortTable.published(family), &groups)
            }
        }
        self.groups = groups
    }

    private init(groups: [FirewallElements]) { self.groups = groups }

    /// The same but for what has the keys of these.
    package func without(_ others: [FirewallElements]) -> PortElements {
        PortElements(
            groups: groups.compactMap { group in
                let kept = Set(others.filter { $0.set == group.set }.flatMap { $0.elements.map(\.key) })
                let elements = group.elements.filter { !kept.contains($0.key) }
                return elements.isEmpty ? nil : FirewallElements(group.set, elements)
            })
    }

    /// Whether there is nothing to add.
    package var isEmpty: Bool { groups.isEmpty }

    private static func add(
        _ element: FirewallElement, to set: FirewallSet, _ groups: inout [FirewallElements]
    ) {
        if let index = groups.firstIndex(where: { $0.set == set }) {
            groups[index].elements.append(element)
        } else {
            groups.append(FirewallElements(set, [element]))
        }
    }

    // MARK: Changes

    /// Adds all of them. An element of another sandbox in the way is stale: whoever has bound a port of the host is the
    /// only one whose element there can be.
    package func add(by socket: NetfilterSocket) throws(NetlinkError) {
        if isEmpty { return }
        let additions = groups.flatMap { $0.set.creation(of: $0.elements) }
        do throws(NetlinkError) {
            try socket.perform(FirewallTransaction(additions))
        } catch {
            guard error.errno == .fileExists else { throw error }
            try socket.perform(FirewallTransaction(try removalOfPresent(by: socket) + additions))
        }
    }

    /// Removes all of them, as far as they are there.
    package func remove(by socket: NetfilterSocket) throws(NetlinkError) {
        if isEmpty { return }
        var requests = groups.flatMap { $0.set.removal(of: $0.elements) }
        for attemptsLeft in (0..<Self.attempts).reversed() {
            do throws(NetlinkError) {
                return try socket.perform(FirewallTransaction(requests))
            } catch {
                guard error.errno == .noSuchFileOrDirectory, attemptsLeft > 0 else { throw error }
                requests = try removalOfPresent(by: socket)
            }
        }
    }

    /// How often elements are removed that were there a moment ago: others remove some, or the whole table, meanwhile.
    private static let attempts = 20

    /// Removes those of them that are there; none if there is no such table.
    private func removalOfPresent(by socket: NetfilterSocket) throws(NetlinkError) -> [Request] {
        var requests: [Request] = []
        for group in groups {
            let present: Set<FirewallKey>
            do throws(NetlinkError) {
                present = Set(try socket.elements(of: group.set).map(\.key))
            } catch {
                guard error.errno == .noSuchFileOrDirectory else { throw error }
                continue
            }
            let stale = group.elements.filter { present.contains($0.key) }
            if !stale.isEmpty { requests += group.set.removal(of: stale) }
        }
        return requests
    }
}

extension PublishedPort {
    /// The map that the port is in.
    package var set: FirewallSet {
        hostAddress.isUnspecified ? PortTable.ports(hostAddress.family) : PortTable.addressed(hostAddress.family)
    }

    /// The port's key there.
    package var key: FirewallKey {
        let values: [FieldValue] = [.transport(transport), .port(hostPort)]
        return FirewallKey(hostAddress.isUnspecified ? values : [.address(hostAddress)] + values)
    }
}
