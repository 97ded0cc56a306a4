import Addresses
import Foundation
import LinuxKernel
import Netlink
import SystemPackage
import Testing

/// Not a test but a measurement, printed on demand: `MASU_MEASURE=200 make test-only T=NetlinkTests`.
@Suite("measurement")
struct SetUpMeasurement {
    private static let rounds = ProcessInfo.processInfo.environment["MASU_MEASURE"].flatMap(Int.init)

    @Test("the network of one container", .enabled(if: rounds != nil && mayMakeNamespaces, "on demand, as root"))
    func container() throws {
        let host = try TestNamespace()
        let outside = try host.route()
        let bridge = NewLink(
            "masu0", .bridge(BridgeOptions(snoopsMulticast: false)), index: 1_000_000, LinkSettings(isUp: true))
        try outside.perform(Batch(bridge.requests))
        var kept: [FileDescriptor] = []
        defer { for descriptor in kept { descriptor.discard() } }
        var times: [(namespace: Double, outside: Double, inside: Double)] = []
        for number in 0..<(Self.rounds ?? 0) {
            let start = ContinuousClock.now
            let (namespace, socket) = try NetworkNamespace.make { Result { try RouteSocket() } }
            kept.append(namespace)
            let inside = try socket.get()
            let made = ContinuousClock.now
            let address = IPAddress(.ipv4, 0x0a09_0002 + UInt128(number))
            try outside.perform(try outsideBatch(Int32(2_000_000 + number), address, namespace))
            let attached = ContinuousClock.now
            try inside.perform(try insideBatch(address))
            let end = ContinuousClock.now
            times.append(((made - start).milliseconds, (attached - made).milliseconds, (end - attached).milliseconds))
        }
        func median(_ part: ((namespace: Double, outside: Double, inside: Double)) -> Double) -> String {
            String(format: "%.2f", times.map(part).sorted()[times.count / 2])
        }
        let total = median { $0.namespace + $0.outside + $0.inside }
        print(
            "one container's network, median of \(times.count): \(total) ms = namespace \(median { $0.namespace })"
                + " + outside \(median { $0.outside }) + inside \(median { $0.inside })")
    }

    private func outsideBatch(
        _ index: Int32, _ address: IPAddress, _ namespace: FileDescriptor
    ) throws -> Batch {
        let hardware = MACAddress(derivedFrom: address)
        let peer = NewLink.Peer(name: "eth0", index: 2, address: hardware, namespace: namespace)
        let settings = LinkSettings(isUp: true, master: 1_000_000, alias: "sandbox", hasLinkLocalAddress: false)
        var batch = Batch(NewLink("ms\(index)", .veth(peer: peer), index: index, settings).requests)
        batch.append(
            Link.set(.index(index), port: BridgePortSettings(suppressesNeighbours: true, floodsMulticast: false)))
        batch.append(ForwardingEntry(hardware, port: index).replacement)
        batch.append(Neighbour(address, at: hardware, interface: 1_000_000).replacement)
        return batch
    }

    private func insideBatch(_ address: IPAddress) throws -> Batch {
        let gateway = try #require(IPAddress("10.9.0.1"))
        let interface = try #require(IPInterface(address, prefixLength: 16))
        return Batch([
            Link.set(.index(1), LinkSettings(isUp: true)), Link.set(.index(2), LinkSettings(isUp: true)),
            InterfaceAddress(interface).addition(to: 2), IPRoute.standard(by: gateway).addition,
            Neighbour(gateway, at: MACAddress(derivedFrom: gateway), interface: 2).replacement,
        ])
    }
}

extension Duration {
    fileprivate var milliseconds: Double { self / .milliseconds(1) }
}
