import Addresses

/// Which addresses of one pool are given to whom. The lowest free address is given first and can be given again at
/// once, as Docker does.
package struct AddressLeases: Sendable {
    /// Whose addresses they are.
    package let pool: AddressPool
    /// All that nobody else can get.
    private var taken: Set<IPAddress>
    /// No address of the range below this one is free.
    private var lowest: IPAddress?
    /// How many of `taken` are in the range.
    private var takenInRange: Int

    package init(_ pool: AddressPool) {
        self.pool = pool
        taken = Set(Self.reserved(pool))
        let range = pool.range ?? pool.subnet
        lowest = range.address
        takenInRange = taken.count(where: range.contains)
    }

    private var range: IPSubnet { pool.range ?? pool.subnet }

    /// Whether nobody has the address.
    package func isFree(_ address: IPAddress) -> Bool { pool.subnet.contains(address) && !taken.contains(address) }

    /// Takes the lowest free address of the range; `nil` where there is none.
    package mutating func takeLowest() -> IPAddress? {
        while let address = lowest, range.contains(address) {
            lowest = address.advanced(by: 1)
            if taken.insert(address).inserted {
                takenInRange += 1
                return address
            }
        }
        lowest = nil
        return nil
    }

    /// Takes a certain address; false where somebody has it, or it is not of this pool.
    package mutating func take(_ address: IPAddress) -> Bool {
        guard isFree(address) else { return false }
        taken.insert(address)
        if range.contains(address) { takenInRange += 1 }
        return true
    }

    /// Gives an address back. One that is never given stays taken.
    package mutating func release(_ address: IPAddress) {
        guard !Self.reserved(pool).contains(address), taken.remove(address) != nil, range.contains(address) else {
            return
        }
        takenInRange -= 1
        lowest = min(lowest ?? address, address)
    }

    /// How much of the pool is taken.
    package var usage: PoolUsage {
        let hostBits = range.family.bits - range.prefixLength
        let size: UInt64 = hostBits >= 64 ? .max : 1 << UInt64(hostBits)
        return PoolUsage(
            subnet: pool.subnet, inUse: UInt64(taken.count),
            available: size == .max ? .max : size - UInt64(takenInRange))
    }

    /// Addresses that no endpoint gets: that of the network itself, the broadcast address (of a line between two there
    /// is neither, RFC 3021), the gateway's and those of others.
    private static func reserved(_ pool: AddressPool) -> [IPAddress] {
        let subnet = pool.subnet
        let isLine = subnet.family == .ipv4 && subnet.family.bits - subnet.prefixLength <= 1
        var addresses = isLine ? [] : [subnet.address]
        if !isLine, subnet.family == .ipv4 { addresses.append(subnet.lastAddress) }
        if let gateway = pool.gateway { addresses.append(gateway) }
        return addresses + pool.auxiliary.values
    }
}
