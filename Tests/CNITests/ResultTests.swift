import Addresses
import CNI
import JSON
import Testing

@Suite("results of plugins")
struct ResultTests {
    private static let newest = """
        {"cniVersion": "1.1.0",
         "interfaces": [{"name": "cni0", "mac": "aa:bb:cc:dd:ee:ff", "mtu": 1400},
                        {"name": "eth0", "sandbox": "/ns", "socketPath": "/s", "pciID": "0000:04:00.5"}],
         "ips": [{"interface": 1, "address": "10.1.0.5/16", "gateway": "10.1.0.1"},
                 {"interface": 1, "address": "fd00::5/64"}],
         "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.0.1", "mtu": 1400, "table": 7}],
         "dns": {"nameservers": ["10.1.0.1"], "domain": "x", "search": ["a", "b"], "options": ["ndots:2"]}}
        """

    private static let old = """
        {"cniVersion": "VERSION",
         "interfaces": [{"name": "cni0", "mac": "aa:bb:cc:dd:ee:ff"}, {"name": "eth0", "sandbox": "/ns"}],
         "ips": [{"version": "4", "interface": 1, "address": "10.1.0.5/16", "gateway": "10.1.0.1"},
                 {"version": "6", "interface": 1, "address": "fd00::5/64"}],
         "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.0.1"}],
         "dns": {"nameservers": ["10.1.0.1"], "domain": "x", "search": ["a", "b"], "options": ["ndots:2"]}}
        """

    private func result(_ text: String, standard: String = "1.1.0") throws -> AttachmentResult {
        try AttachmentResult(json: JSON.parse(text), standard: try #require(CNIVersion(standard)))
    }

    @Test("each version is read, and written for each other", arguments: ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
    func conversions(_ text: String) throws {
        let version = try #require(CNIVersion(text))
        let newest = try result(Self.newest)
        var expected = try JSON.parse(text == "1.1.0" ? Self.newest : Self.old.replacing("VERSION", with: text))
        if text == "1.0.0" {
            let without = try JSON.parse(
                Self.old.replacing("VERSION", with: text).replacing(#""version": "4", "#, with: "")
                    .replacing(#""version": "6", "#, with: ""))
            expected = without
        }
        #expect(newest.json(version) == expected)
        let read = try AttachmentResult(json: expected, standard: version)
        #expect(read.json(version) == expected)
        #expect(read.first(.ipv4)?.address == IPInterface("10.1.0.5/16"))
        #expect(read.first(.ipv6)?.gateway == nil)
        #expect(read.resolver.searches == ["a", "b"])
        #expect(read.interface("eth0")?.sandbox == "/ns")
    }

    @Test("a result without a version is one of the version that was asked for")
    func noVersion() throws {
        let text = #"{"interfaces": [{"name": "a", "mtu": 9}], "ips": null}"#
        #expect(try result(text, standard: "1.1.0").interfaces[0].mtu == 9)
        #expect(try result(text, standard: "1.0.0").interfaces[0].mtu == nil)
    }

    @Test("an address of an interface on the host is not the container's")
    func hostsAddress() throws {
        let text = """
            {"interfaces": [{"name": "cni0"}, {"name": "eth0", "sandbox": "/ns"}],
             "ips": [{"interface": 0, "address": "10.1.0.1/16"}, {"interface": 1, "address": "10.1.0.5/16"}]}
            """
        #expect(try result(text).first(.ipv4)?.address.description == "10.1.0.5/16")
        #expect(try result(#"{"ips": [{"address": "10.1.0.7/16"}]}"#).first(.ipv4) != nil)
    }

    @Test(
        "what is no result is refused, and the place of the fault is named",
        arguments: [
            ("7", "it is a number"), (#"{"cniVersion": "0.2.0"}"#, "cniVersion is \"0.2.0\""),
            (#"{"interfaces": {}}"#, "interfaces is an object"), (#"{"interfaces": [7]}"#, "interfaces[0] is a number"),
            (#"{"interfaces": [{"name": 7}]}"#, "interfaces[0].name is a number"),
            (#"{"ips": [{}]}"#, "ips[0].address is missing"),
            (#"{"ips": [{"address": "10.1.0.5"}]}"#, "ips[0].address is \"10.1.0.5\""),
            (#"{"ips": [{"address": "10.1.0.5/33"}]}"#, "ips[0].address"),
            (#"{"ips": [{"address": "10.1.0.5/8", "gateway": "x"}]}"#, "ips[0].gateway is \"x\""),
            (#"{"ips": [{"address": "10.1.0.5/8", "interface": 0}]}"#, "ips[0].interface is 0"),
            (#"{"ips": [{"address": "10.1.0.5/8", "interface": -1}]}"#, "ips[0].interface is -1"),
            (#"{"routes": [{"gw": "10.1.0.1"}]}"#, "routes[0].dst is missing"),
            (#"{"routes": [{"dst": "0.0.0.0/0", "mtu": "x"}]}"#, "routes[0].mtu is a string"),
            (#"{"dns": []}"#, "dns is an array"), (#"{"dns": {"nameservers": ["x"]}}"#, "dns.nameservers has \"x\""),
            (#"{"dns": {"search": [1]}}"#, "dns.search has something else"),
        ])
    func garbage(_ text: String, _ complaint: String) throws {
        let error = #expect(throws: CNIError.self) { _ = try result(text) }
        #expect(error?.message.contains(complaint) == true, "\(error?.message ?? "")")
    }
}
