import EngineAPIModel
import Flags
import JSON
import MasuCommand
import Testing

@Suite("Options of networks")
struct NetworkOptionTests {
    @Test("what belongs to a subnet becomes one pool, in the order of the subnets")
    func pools() throws {
        var text = AddressPoolText()
        text.subnets = ["10.1.0.0/16", "fd00:1::/64"]
        text.ranges = ["10.1.2.0/24"]
        text.gateways = ["fd00:1::9", "10.1.0.9"]
        text.auxiliary = ["router": "10.1.0.3"]
        let pools = try text.pools()
        #expect(pools.map(\.subnet) == ["10.1.0.0/16", "fd00:1::/64"])
        #expect(pools.map(\.ipRange) == ["10.1.2.0/24", ""])
        #expect(pools.map(\.gateway) == ["10.1.0.9", "fd00:1::9"])
        #expect(pools[0].auxiliaryAddresses == ["router": "10.1.0.3"])
    }

    @Test(
        "addresses that fit no subnet, or one twice, are refused in docker's words",
        arguments: [
            ([], ["10.0.0.0/8"], [], "every ip-range or gateway must have a corresponding subnet"),
            (["x"], [], [], "invalid subnet: invalid CIDR address: x"),
            (["10.0.0.0/8", "10.1.0.0/16"], [], [], "multiple overlapping subnet configuration is not supported"),
            (["10.0.0.0/8"], ["11.0.0.0/16"], [], "no matching subnet for range 11.0.0.0/16"),
            (["10.0.0.0/8"], [], ["11.0.0.1"], "no matching subnet for gateway 11.0.0.1"),
            (
                ["10.0.0.0/8", "11.0.0.0/8"], [], ["10.0.0.1", "10.0.0.2"],
                "cannot configure multiple gateways (10.0.0.2, 10.0.0.1) for the same subnet (10.0.0.0/8)"
            ),
        ])
    func badPools(subnets: [String], ranges: [String], gateways: [String], message: String) {
        var text = AddressPoolText()
        text.subnets = subnets
        text.ranges = ranges
        text.gateways = gateways
        #expect(throws: CommandError(message)) { try text.pools() }
    }

    @Test("the long form of --network carries what is asked of the endpoint")
    func longForm() throws {
        let networks = try NetworkText.parse([
            "name=front,alias=web,alias=www,ip=10.1.0.2,ip6=fd00::2,link-local-ip=169.254.1.1,"
                + "mac-address=02:42:0a:01:00:02,\"driver-opt=com.docker.network.endpoint.sysctls=a=1,b=2\",gw-priority=-1",
            "back",
        ])
        #expect(networks.map(\.target) == ["front", "back"])
        let settings = networks[0].settings
        #expect(settings.aliases == ["web", "www"])
        #expect(settings.ipamConfig?.ipv4Address == "10.1.0.2" && settings.ipamConfig?.ipv6Address == "fd00::2")
        #expect(settings.ipamConfig?.linkLocalIPs == ["169.254.1.1"])
        #expect(settings.macAddress == "02:42:0a:01:00:02" && settings.gwPriority == -1)
        #expect(settings.driverOpts == ["com.docker.network.endpoint.sysctls": "a=1,b=2"])
        #expect(networks[1].settings == EndpointSettings())
    }

    @Test(
        "a bad --network is refused in docker's words",
        arguments: [
            (["name=a,foo=b"], "invalid field key foo"), (["name=a,x"], "invalid field x"),
            (["alias=b"], "no name set for network"), (["a", "a"], "network \"a\" is specified multiple times"),
            (["name=a,driver-opt=x"], "invalid key value pair format in driver options"),
        ])
    func badNetworks(texts: [String], message: String) {
        #expect(throws: CommandError(message)) { try NetworkText.parse(texts) }
    }

    @Test("a network's row has docker's columns")
    func row() throws {
        var network = NetworkInspection()
        network.name = "front"
        network.id = String(repeating: "ab", count: 32)
        network.created = "2026-11-21T08:17:34.5Z"
        network.driver = "bridge"
        network.scope = "local"
        network.enableIPv4 = true
        network.labels = ["a": "1"]
        let row = NetworkRow(network, truncates: true).row
        let table = try NetworkRow.listing().rendered([row], format: "")
        #expect(
            table == """
                NETWORK ID     NAME      DRIVER    SCOPE
                abababababab   front     bridge    local

                """)
        #expect(
            try NetworkRow.listing().rendered([row], format: "json") == """
                {"CreatedAt":"2026-11-21 08:17:34.5 +0000 UTC","Driver":"bridge","ID":"abababababab","IPv4":"true",\
                "IPv6":"false","Internal":"false","Labels":"a=1","Name":"front","Scope":"local"}

                """)
    }
}
