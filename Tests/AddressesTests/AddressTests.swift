import Addresses
import Testing

@Suite("addresses")
struct AddressTests {
    @Test(
        "are written the usual short way",
        arguments: [
            ("0.0.0.0", "0.0.0.0"), ("172.17.0.2", "172.17.0.2"), ("255.255.255.255", "255.255.255.255"),
            ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("2001:DB8::0:1", "2001:db8::1"),
            ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"),
            ("::ffff:10.0.0.1", "::ffff:10.0.0.1"), ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
            ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("fe80::1:0", "fe80::1:0"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ])
    func text(_ asked: String, _ written: String) throws {
        let address = try #require(IPAddress(asked))
        #expect(address.description == written)
        #expect(IPAddress(bytes: address.bytes) == address)
    }

    @Test(
        "that are none are refused",
        arguments: [
            "", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", "1..2.3", "+1.2.3.4", "1.2.3.4\0", ":",
            ":::",
            "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "::g", "::1%eth0", "1.2.3.4::", "::1.2.3",
            "::+1",
            "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
        ])
    func noAddress(_ text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test("say what kind of address they are")
    func kinds() throws {
        #expect(try #require(IPAddress("127.1.2.3")).isLoopback)
        #expect(try #require(IPAddress("::1")).isLoopback)
        #expect(try #require(IPAddress("169.254.1.1")).isLinkLocal)
        #expect(try #require(IPAddress("fe80::1")).isLinkLocal)
        #expect(try #require(IPAddress("febf::1")).isLinkLocal)
        #expect(try #require(IPAddress("239.1.1.1")).isMulticast)
        #expect(try #require(IPAddress("ff02::1")).isMulticast)
        #expect(try #require(IPAddress("fec0::1")).isLinkLocal == false)
    }

    @Test("have a successor, but for the last one")
    func successor() throws {
        #expect(IPAddress("10.0.0.255")?.advanced(by: 1)?.description == "10.0.1.0")
        #expect(IPAddress("255.255.255.255")?.advanced(by: 1) == nil)
        #expect(IPAddress("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")?.advanced(by: 1) == nil)
    }
}

@Suite("subnets")
struct SubnetTests {
    @Test(
        "have a first and a last address",
        arguments: [
            ("10.1.2.3/8", "10.0.0.0", "10.255.255.255"), ("172.17.0.0/16", "172.17.0.0", "172.17.255.255"),
            ("1.2.3.4/32", "1.2.3.4", "1.2.3.4"), ("0.0.0.0/0", "0.0.0.0", "255.255.255.255"),
            ("fd00:1::5/64", "fd00:1::", "fd00:1::ffff:ffff:ffff:ffff"),
            ("::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ])
    func bounds(_ text: String, _ first: String, _ last: String) throws {
        let subnet = try #require(IPSubnet(text))
        #expect(subnet.address.description == first)
        #expect(subnet.lastAddress.description == last)
    }

    @Test(
        "that are none are refused",
        arguments: [
            "", "10.0.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8", "/8", "10.0.0.0/",
        ])
    func noSubnet(_ text: String) {
        #expect(IPSubnet(text) == nil)
    }

    @Test("contain and overlap others")
    func relations() throws {
        let wide = try #require(IPSubnet("172.16.0.0/12"))
        let narrow = try #require(IPSubnet("172.17.0.0/16"))
        let other = try #require(IPSubnet("192.168.0.0/16"))
        let mapped = try #require(IPSubnet("::/0"))
        #expect(wide.contains(narrow) && !narrow.contains(wide))
        #expect(wide.overlaps(narrow) && narrow.overlaps(wide))
        #expect(!wide.overlaps(other) && !mapped.overlaps(other))
    }
}

@Suite("hardware addresses")
struct MACAddressTests {
    @Test("derived from an IP address are locally administered, of one host, and differ")
    func derived() throws {
        let addresses = ["172.17.0.2", "172.17.0.3", "fd00::2", "fd00::3", "fd01::2"].compactMap { IPAddress($0) }
        let derived = addresses.map { MACAddress(derivedFrom: $0) }
        #expect(Set(derived).count == 5)
        #expect(derived.allSatisfy { $0.bytes[0] & 0b11 == 0b10 })
        #expect(derived[0].description == "02:42:ac:11:00:02")
    }

    @Test(
        "are pairs of hexadecimal digits",
        arguments: ["", "02:42", "02:42:ac:11:00:0g", "2:42:ac:11:00:02", "02:42:ac:11:00:02:03", "+2:42:ac:11:00:02"])
    func noAddress(_ text: String) {
        #expect(MACAddress(text) == nil)
    }
}
