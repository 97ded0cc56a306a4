import Addresses
import Testing

import Networks

@Suite("Addresses of a pool")
struct AddressLeasesTests {
    private func lowest(_ leases: inout AddressLeases) -> IPAddress? { leases.takeLowest() }

    private func pool(
        _ subnet: String, range: String? = nil, gateway: String? = nil, auxiliary: [String: String] = [:]
    ) throws -> AddressPool {
        AddressPool(
            subnet: try #require(IPSubnet(subnet)), range: range.flatMap { IPSubnet($0) },
            gateway: gateway.flatMap { IPAddress($0) }, auxiliary: auxiliary.compactMapValues { IPAddress($0) })
    }

    @Test("the lowest free address is given first, and again as soon as it is free")
    func lowest() throws {
        var leases = AddressLeases(try pool("10.0.0.0/24", gateway: "10.0.0.1", auxiliary: ["x": "10.0.0.3"]))
        #expect(lowest(&leases)?.description == "10.0.0.2")
        #expect(lowest(&leases)?.description == "10.0.0.4")
        leases.release(try #require(IPAddress("10.0.0.2")))
        #expect(lowest(&leases)?.description == "10.0.0.2")
        #expect(lowest(&leases)?.description == "10.0.0.5")
    }

    @Test("addresses of nobody are never given")
    func reserved() throws {
        var leases = AddressLeases(try pool("10.0.0.0/24", gateway: "10.0.0.1"))
        for text in ["10.0.0.0", "10.0.0.1", "10.0.0.255", "10.0.1.0", "fd00::1"] {
            let address = try #require(IPAddress(text))
            #expect(!leases.isFree(address), "\(text)")
            leases.release(address)
            let isTaken = leases.take(address)
            #expect(!isTaken, "\(text) once it was given back")
        }
    }

    @Test("small blocks have as many addresses as they can", arguments: [(30, 2), (31, 2), (32, 1), (29, 6)])
    func small(prefixLength: Int, count: Int) throws {
        var leases = AddressLeases(try pool("10.0.0.8/\(prefixLength)"))
        for _ in 0..<count { #expect(lowest(&leases) != nil) }
        #expect(lowest(&leases) == nil)
        #expect(leases.usage.available == 0)
    }

    @Test("a range limits what is given unasked, not what can be had")
    func range() throws {
        var leases = AddressLeases(try pool("10.0.0.0/16", range: "10.0.7.0/30", gateway: "10.0.7.0"))
        #expect(leases.usage == PoolUsage(subnet: leases.pool.subnet, inUse: 3, available: 3))
        #expect(lowest(&leases)?.description == "10.0.7.1")
        let isTaken = leases.take(try #require(IPAddress("10.0.99.1")))
        #expect(isTaken)
        #expect(leases.usage == PoolUsage(subnet: leases.pool.subnet, inUse: 5, available: 2))
    }

    @Test("the greatest pool is counted without an overflow")
    func greatest() throws {
        var leases = AddressLeases(try pool("::/0"))
        #expect(leases.usage.available == .max)
        #expect(lowest(&leases)?.description == "::1")
    }

    @Test("ten thousand random operations do what a plain set would", arguments: 1...8)
    func model(seed: UInt64) throws {
        var random = Steps(state: seed)
        let pool = try pool("10.0.0.0/26", range: "10.0.0.16/28", gateway: "10.0.0.20", auxiliary: ["x": "10.0.0.40"])
        var leases = AddressLeases(pool)
        let reserved: Set<UInt128> = [0, 63, 20, 40]
        var model = reserved
        func address(_ number: UInt128) -> IPAddress { IPAddress(.ipv4, 0x0A00_0000 + number) }
        for _ in 0..<10_000 {
            let number = UInt128(random.next() % 70)
            switch random.next() % 3 {
            case 0:
                let expected = (16..<32).first { !model.contains($0) }
                if let expected { model.insert(expected) }
                #expect(lowest(&leases) == expected.map(address))
            case 1:
                let isFree = number < 64 && !model.contains(number)
                if isFree { model.insert(number) }
                let isTaken = leases.take(address(number))
                #expect(isTaken == isFree)
            default:
                if !reserved.contains(number) { model.remove(number) }
                leases.release(address(number))
            }
            #expect(leases.usage.inUse == UInt64(model.count))
            #expect(leases.usage.available == UInt64(16 - model.count { (16..<32).contains($0) }))
        }
    }
}

/// Numbers that are random enough, and the same in each run.
private struct Steps: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 33
    }
}
