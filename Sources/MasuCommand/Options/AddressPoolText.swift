import Addresses
import EngineAPIModel

/// What the flags of `network create` say about addresses. Docker has a list of each kind, of which this finds out
/// what belongs together.
package struct AddressPoolText {
    /// `--subnet`.
    package var subnets: [String] = []
    /// `--ip-range`.
    package var ranges: [String] = []
    /// `--gateway`.
    package var gateways: [String] = []
    /// `--aux-address`, by its name.
    package var auxiliary: [String: String] = [:]

    /// No addresses.
    package init() {}

    /// A pool for each subnet, in the order of the flags.
    ///
    /// - Throws: ``CommandError`` in docker's words.
    package func pools() throws(CommandError) -> [NetworkPool] {
        guard subnets.count >= ranges.count, subnets.count >= gateways.count else {
            throw CommandError("every ip-range or gateway must have a corresponding subnet")
        }
        var pools: [(subnet: IPSubnet, pool: NetworkPool)] = []
        for text in subnets {
            guard let subnet = IPSubnet(text) else {
                throw CommandError("invalid subnet: invalid CIDR address: \(text)")
            }
            if pools.contains(where: { $0.subnet.overlaps(subnet) }) {
                throw CommandError("multiple overlapping subnet configuration is not supported")
            }
            var pool = NetworkPool()
            pool.subnet = text
            pools.append((subnet, pool))
        }
        for range in ranges {
            guard let address = IPInterface(range)?.address else {
                throw CommandError("invalid CIDR address: \(range)")
            }
            let place = try Self.place(of: address, in: pools, called: "range \(range)")
            let earlier = pools[place].pool.ipRange
            guard earlier.isEmpty else {
                throw CommandError(
                    "cannot configure multiple ranges (\(range), \(earlier)) on the same subnet "
                        + "(\(pools[place].pool.subnet))")
            }
            pools[place].pool.ipRange = range
        }
        for gateway in gateways {
            let place = try Self.place(of: IPAddress(gateway), in: pools, called: "gateway \(gateway)")
            let earlier = pools[place].pool.gateway
            guard earlier.isEmpty else {
                throw CommandError(
                    "cannot configure multiple gateways (\(gateway), \(earlier)) for the same subnet "
                        + "(\(pools[place].pool.subnet))")
            }
            pools[place].pool.gateway = gateway
        }
        for (name, address) in auxiliary.sorted(by: { $0.key < $1.key }) {
            let place = try Self.place(of: IPAddress(address), in: pools, called: "aux-address \(address)")
            pools[place].pool.auxiliaryAddresses[name] = address
        }
        return pools.map(\.pool)
    }

    private static func place(
        of address: IPAddress?, in pools: [(subnet: IPSubnet, pool: NetworkPool)], called name: String
    ) throws(CommandError) -> Int {
        guard let place = pools.firstIndex(where: { pool in address.map(pool.subnet.contains) ?? false }) else {
            throw CommandError("no matching subnet for \(name)")
        }
        return place
    }
}
