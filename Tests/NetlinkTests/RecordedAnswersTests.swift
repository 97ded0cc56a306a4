import Addresses
import Netlink
import SystemPackage
import Testing

/// What Linux 6.18 answered about what nft(8) and ip(8) had made.
@Suite("recorded answers")
struct RecordedAnswersTests {
    private let table = FirewallTable(.inet, "masu")

    /// Bytes from pairs of hexadecimal digits.
    private func bytes(_ text: String) throws -> ArraySlice<UInt8> {
        let digits = Array(text.utf8)
        return try stride(from: 0, to: digits.count, by: 2).map {
            try #require(UInt8(String(decoding: digits[$0..<($0 + 2)], as: UTF8.self), radix: 16))
        }[...]
    }

    @Test("a table and a chain that drops")
    func chain() throws {
        let table = try bytes(
            "01000002090001006d6173750000000008000300000000020c00040000000000000000010800020000000000")
        #expect(try FirewallTable(payload: table) == self.table)
        let chain = try bytes(
            "01000002090001006d6173750000000008000300726177000c00020000000000000000011400040008000100000000000800"
                + "0200fffffed408000500000000000b00070066696c746572000008000a00000000010800060000000001")
        let expected = FirewallChain(
            self.table, "raw", .init(.filter, .prerouting, priority: -300, accepts: false))
        #expect(try FirewallChain(payload: chain) == expected)
    }

    @Test("a rule with a comment: iifname != \"lo\" ip daddr 127.0.0.0/8 counter drop")
    func rule() throws {
        let payload = try bytes(
            "01000002090001006d6173750000000008000200726177000c00030000000000000000036c01040024000100090001006d65"
                + "74610000000014000200080002000000000608000100000000013800010008000100636d70002c0002000800010000000001"
                + "080002000000000118000300140001006c6f000000000000000000000000000024000100090001006d657461000000001400"
                + "0200080002000000000f08000100000000012c00010008000100636d70002000020008000100000000010800020000000000"
                + "0c0003000500010002000000340001000c0001007061796c6f61640024000200080001000000000108000200000000010800"
                + "03000000001008000400000000012c00010008000100636d700020000200080001000000000108000200000000000c000300"
                + "050001007f0000002c0001000c000100636f756e746572001c0002000c00010000000000000000000c000200000000000000"
                + "0000300001000e000100696d6d6564696174650000001c0002000800010000000000100002000c0002000800010000000000"
                + "0c0007000006677561726400")
        let rule = try #require(try FirewallRule(payload: payload))
        #expect(rule.table == table && rule.chain == "raw" && rule.handle == 3 && rule.userData?.comment == "guard")
        let steps: [Expression] = [
            .meta(.inputInterfaceName, into: .first),
            .compare(.first, .notEqual, FieldValue.name("lo").bytes), .meta(.networkProtocol, into: .first),
            .compare(.first, .equal, FieldValue.family(.ipv4).bytes),
            .payload(PayloadField(.network, offset: 16, length: 1), into: .first),
            .compare(.first, .equal, [127]), .counter(packets: 0, bytes: 0), .verdict(.drop),
        ]
        #expect(rule.expressions == steps)
    }

    @Test("a map of protocols and ports to addresses and ports, and its element")
    func map() throws {
        let payload = try bytes(
            "01000002090001006d617375000000000a000200706f7274730000000c001000000000000000000208000300000000080800"
                + "04000000030d080005000000000808000600000001cd08000700000000082a000d0000040000000001040000000003080004"
                + "0d0000000100040800040d000000010006040000000000000400090017001300307866666666666666663832353037663430"
                + "00000800140000000001")
        let set = FirewallSet(table, "ports", key: [.transportProtocol, .port], .values([.ipv4, .port]))
        #expect(try FirewallSet(payload: payload) == set)
        let element = try bytes(
            "01000002090001006d617375000000000a000200706f7274730000003400030030000100100001000c000100060000001f90"
                + "0000100002000c0001000a090002005000000a00060000046f6e65000000")
        // The list ends with a message without elements.
        let end = try bytes("01000002090001006d617375000000000a000200706f72747300000004000300")
        let expected = FirewallElement(
            FirewallKey(.transport(.tcp), .port(8080)),
            .value(FirewallKey(.address(try #require(IPAddress("10.9.0.2"))), .port(80))),
            userData: FirewallUserData(comment: "one"))
        #expect(try set.elements(payloads: [element, end]) == [expected])
    }

    @Test("a route of a table of its own, with a metric")
    func route() throws {
        let payload = try bytes(
            "02100000fc0300010000000008000f0067120000080001000a14000008000600320000000c00080008000200000500000800"
                + "05000a0900090800040003000000")
        let route = IPRoute(
            try #require(IPSubnet("10.20.0.0/16")), gateway: IPAddress("10.9.0.9"), interface: 3, table: 4711,
            priority: 50, mtu: 1280)
        #expect(try IPRoute(payload: payload) == route)
    }

    @Test("a rule for a mark")
    func routingRule() throws {
        let payload = try bytes(
            "020000006d0000010000000008000f006d00000008000e00ffffffff0500150000000000080006006400000008000a006d00"
                + "000008001000ff000000")
        let rule = RoutingRule(.ipv4, preference: 100, table: 109, mark: .init(0x6d, mask: 0xff))
        #expect(try RoutingRule(payload: payload) == rule)
    }

    @Test("a permanent neighbour")
    func neighbour() throws {
        let payload = try bytes(
            "020000000300000080000001080001000a0900070a00020002420a09000700000800040000000000140003001a0000001a00"
                + "00001a00000000000000")
        let address = try #require(IPAddress("10.9.0.7"))
        let expected = Neighbour(address, at: MACAddress(derivedFrom: address), interface: 3)
        #expect(try Neighbour(payload: payload) == expected)
    }
}
