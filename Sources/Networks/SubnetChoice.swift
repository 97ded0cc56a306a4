import Addresses

/// Finds a block of addresses for a network that names none.
package enum SubnetChoice {
    /// The first free block out of `sources`, in their order.
    ///
    /// - Parameters:
    ///   - size: the prefix length asked for; `nil` is that of each source.
    ///   - taken: blocks of other networks.
    ///   - avoided: blocks that something else on the host seems to use.
    package static func choose(
        _ family: IPAddress.Family, size: Int?, from sources: [PoolSource], taken: [IPSubnet], avoided: [IPSubnet]
    ) throws(NetworksError) -> IPSubnet {
        let fitting = sources.filter { source in
            source.base.family == family && (size.map { (source.base.prefixLength...family.bits).contains($0) } ?? true)
        }
        if fitting.isEmpty { throw .invalid("invalid address pool") }
        let blocked = (taken + avoided).sorted()
        for source in fitting {
            if let free = first(in: source.base, size: size ?? source.size, without: blocked) { return free }
        }
        throw .invalid("all predefined address pools have been fully subnetted")
    }

    /// The first block of a size that overlaps none of `blocked`, which is sorted.
    private static func first(in base: IPSubnet, size: Int, without blocked: [IPSubnet]) -> IPSubnet? {
        guard var candidate = IPSubnet(containing: base.address, prefixLength: size) else { return nil }
        for block in blocked where block.overlaps(base) {
            if block.lastAddress < candidate.address { continue }
            if block.address > candidate.lastAddress { break }
            guard let next = following(max(block.lastAddress, candidate.lastAddress), size: size), base.contains(next)
            else { return nil }
            candidate = next
        }
        return candidate
    }

    /// The first block of a size that begins after an address.
    private static func following(_ address: IPAddress, size: Int) -> IPSubnet? {
        guard let next = address.advanced(by: 1), let block = IPSubnet(containing: next, prefixLength: size) else {
            return nil
        }
        if block.address == next { return block }
        return block.lastAddress.advanced(by: 1).flatMap { IPSubnet(containing: $0, prefixLength: size) }
    }

    /// Blocks of networks must not overlap, whoever chose them.
    package static func checkFree(_ subnet: IPSubnet, taken: [IPSubnet]) throws(NetworksError) {
        if taken.contains(where: { $0.overlaps(subnet) }) {
            throw .forbidden("invalid pool request: Pool overlaps with other one on this address space")
        }
    }
}
