import Addresses
import Failure
import OCISpec
import PublishedPorts
import Testing

import Networks

@Suite("What is asked of a network")
struct NetworkPlanTests {
    private static let id = String(repeating: "0123456789abcdef", count: 4)

    private func plan(
        _ request: NetworkRequest, existing: [Network] = [], defaults: [String: [String: String]] = [:]
    ) throws(NetworksError) -> NetworkPlan {
        try NetworkPlan(request, id: Self.id, defaults: defaults) { name in existing.first { $0.name == name } }
    }

    private func refusal(_ request: NetworkRequest, existing: [Network] = []) -> NetworksError? {
        do throws(NetworksError) {
            _ = try plan(request, existing: existing)
            return nil
        } catch {
            return error
        }
    }

    private static func network(_ name: String, isConfigOnly: Bool = false) -> Network {
        Network(
            id: id, name: name, createdAt: .zero, driver: isConfigOnly ? .none : .bridge, labels: ["from": "there"],
            options: ["com.docker.network.driver.mtu": "1234"], isInternal: false, isAttachable: false, hasIPv4: true,
            hasIPv6: false, isConfigOnly: isConfigOnly, configFrom: nil, addressingDriver: "default",
            addressingOptions: [:], requestedPools: [PoolRequest(subnet: IPInterface("10.77.0.0/24"))], pools: [],
            settings: .none)
    }

    @Test("a name alone makes a bridge with IPv4, named after the id")
    func simple() throws {
        let plan = try plan(NetworkRequest(name: "web"))
        #expect(plan.driver == .bridge)
        #expect(plan.hasIPv4 && !plan.hasIPv6)
        guard case .bridge(let bridge) = plan.settings else {
            Issue.record("no settings of a bridge")
            return
        }
        #expect(bridge.interfaceName == "br-0123456789ab")
        #expect(bridge.allowsContainerTraffic && bridge.masquerades && bridge.mtu == nil)
    }

    @Test("Docker's options are read", arguments: [true, false])
    func options(isInternal: Bool) throws {
        let prefix = "com.docker.network."
        let plan = try plan(
            NetworkRequest(
                name: "web",
                options: [
                    prefix + "bridge.name": "br0", prefix + "driver.mtu": "1400", prefix + "bridge.enable_icc": "false",
                    prefix + "bridge.enable_ip_masquerade": "0", prefix + "bridge.gateway_mode_ipv4": "routed",
                    prefix + "bridge.gateway_mode_ipv6": isInternal ? "isolated" : "nat-unprotected",
                    prefix + "bridge.inhibit_ipv4": "t", prefix + "bridge.host_binding_ipv4": "127.0.0.1",
                    prefix + "bridge.trusted_host_interfaces": "eth0:eth1", prefix + "host_ipv4": "192.0.2.9",
                    prefix + "container_iface_prefix": "net", "some.other": "thing",
                ], isInternal: isInternal))
        guard case .bridge(let bridge) = plan.settings else {
            Issue.record("no settings of a bridge")
            return
        }
        #expect(bridge.interfaceName == "br0")
        #expect(bridge.mtu == 1400)
        #expect(!bridge.allowsContainerTraffic && !bridge.masquerades && bridge.inhibitsIPv4)
        #expect(bridge.ipv4Mode == .routed)
        #expect(bridge.ipv6Mode == (isInternal ? .isolated : .natUnprotected))
        #expect(bridge.hostBinding == IPAddress("127.0.0.1") && bridge.hostIPv4 == IPAddress("192.0.2.9"))
        #expect(bridge.trustedHostInterfaces == ["eth0", "eth1"] && bridge.containerInterfacePrefix == "net")
        #expect(plan.options["some.other"] == "thing")
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        let request: NetworkRequest
        let kind: FailureKind
        let message: String
        var testDescription: String { message }

        init(_ request: NetworkRequest, _ kind: FailureKind, _ message: String) {
            self.request = request
            self.kind = kind
            self.message = message
        }

        init(pool: PoolRequest, _ message: String) {
            self.init(
                NetworkRequest(name: "web", enablesIPv6: true, addressing: AddressingRequest(pools: [pool])), .invalid,
                "invalid network config:\n" + message)
        }
    }

    static let refusals = [
        Refusal(
            NetworkRequest(name: "host"), .forbidden, "operation is not permitted on predefined host network "),
        Refusal(NetworkRequest(name: " "), .invalid, "invalid name: name is empty"),
        Refusal(NetworkRequest(name: "taken"), .conflict, "network with name taken already exists"),
        Refusal(
            NetworkRequest(name: "web", driver: "teleport"), .notFound,
            "could not find plugin teleport in v1 plugin registry: plugin not found"),
        Refusal(
            NetworkRequest(name: "web", driver: "host"), .forbidden,
            "only one instance of \"host\" network is allowed"),
        Refusal(
            NetworkRequest(name: "web", driver: "overlay"), .forbidden,
            "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node "
                + "to swarm and try again."),
        Refusal(NetworkRequest(name: "web", enablesIPv4: false), .invalid, "IPv4 or IPv6 must be enabled"),
        Refusal(
            NetworkRequest(name: "web", options: ["com.docker.network.enable_ipv6": "maybe"]), .invalid,
            "driver-opt \"com.docker.network.enable_ipv6\" is not a valid bool"),
        Refusal(
            NetworkRequest(name: "web", options: ["com.docker.network.driver.mtu": "big"]), .invalid,
            "failed to parse com.docker.network.driver.mtu value: big (strconv.Atoi: parsing \"big\": invalid syntax)"),
        Refusal(
            NetworkRequest(name: "web", options: ["com.docker.network.bridge.enable_icc": "x"]), .invalid,
            "failed to parse com.docker.network.bridge.enable_icc value: x "
                + "(strconv.ParseBool: parsing \"x\": invalid syntax)"),
        Refusal(
            NetworkRequest(name: "web", options: ["com.docker.network.bridge.gateway_mode_ipv4": "fast"]), .invalid,
            "failed to parse com.docker.network.bridge.gateway_mode_ipv4 value: fast (unknown gateway mode fast)"),
        Refusal(
            NetworkRequest(name: "web", options: ["com.docker.network.bridge.gateway_mode_ipv4": "isolated"]), .invalid,
            "gateway mode 'isolated' can only be used for an internal network"),
        Refusal(
            NetworkRequest(name: "web", driver: "macvlan", options: ["parent": "lo"]), .invalid,
            "loopback interface is not a valid macvlan parent link"),
        Refusal(
            NetworkRequest(name: "web", driver: "ipvlan", options: ["ipvlan_mode": "l9"]), .invalid,
            "requested ipvlan mode 'l9' is not valid, 'l2' mode is the ipvlan driver default"),
        Refusal(
            NetworkRequest(name: "web", isInternal: true, isConfigOnly: true), .forbidden,
            "configuration network can only contain network specific fields. Network operator fields like "
                + "[ ingress | internal | attachable | scope ] are not supported."),
        Refusal(
            NetworkRequest(name: "web", labels: ["a": "b"], configFrom: "plan"), .forbidden,
            "user-specified configurations are not supported if the network depends on a configuration network"),
        Refusal(
            NetworkRequest(name: "web", configFrom: "none such"), .notFound,
            "configuration network \"none such\" does not exist"),
        Refusal(
            NetworkRequest(
                name: "web",
                addressing: AddressingRequest(pools: [
                    PoolRequest(subnet: IPInterface("10.1.0.0/24")), PoolRequest(subnet: IPInterface("10.2.0.0/24")),
                ])), .forbidden, "bridge driver doesn't support multiple subnets"),
        Refusal(
            NetworkRequest(
                name: "web", enablesIPv6: true,
                addressing: AddressingRequest(pools: [PoolRequest(subnet: IPInterface("fe80::/80"))])), .invalid,
            "'fe80::/80' clashes with the Link-Local prefix 'fe80::/64'"),
        Refusal(
            pool: PoolRequest(subnet: IPInterface("10.1.0.7/24")),
            "invalid subnet 10.1.0.7/24: it should be 10.1.0.0/24"),
        Refusal(
            pool: PoolRequest(subnet: IPInterface("10.1.0.0/24"), gateway: IPAddress("10.2.0.1")),
            "invalid gateway 10.2.0.1: parent subnet 10.1.0.0/24 doesn't contain this address"),
        Refusal(
            pool: PoolRequest(subnet: IPInterface("10.1.0.0/24"), gateway: IPAddress("fd00::1")),
            "invalid gateway fd00::1: parent subnet is an IPv4 block"),
        Refusal(
            pool: PoolRequest(subnet: IPInterface("10.1.0.0/24"), range: IPInterface("10.0.0.0/8")),
            "invalid ip-range 10.0.0.0/8: CIDR block is bigger than its parent subnet 10.1.0.0/24"),
        Refusal(
            pool: PoolRequest(
                subnet: IPInterface("10.1.0.0/24"), range: IPInterface("10.2.0.1/25"),
                auxiliary: ["router": IPAddress(.ipv4, 1)]),
            """
            * invalid ip-range 10.2.0.1/25: it should be 10.2.0.0/25
            * invalid ip-range 10.2.0.1/25: parent subnet 10.1.0.0/24 doesn't contain ip-range
            * invalid auxiliary address router: parent subnet 10.1.0.0/24 doesn't contain this address
            """),
    ]

    @Test("mistakes are refused in Docker's words", arguments: refusals)
    func refused(_ refusal: Refusal) {
        let existing = [Self.network("taken"), Self.network("plan", isConfigOnly: true)]
        let error = self.refusal(refusal.request, existing: existing)
        #expect(error?.message == refusal.message)
        #expect(error?.kind == refusal.kind)
    }

    @Test("a network made from a configuration has its options, labels and pools")
    func fromConfiguration() throws {
        let plan = try plan(
            NetworkRequest(name: "web", isInternal: true, configFrom: "plan"),
            existing: [Self.network("plan", isConfigOnly: true)], defaults: ["bridge": ["x": "y"]])
        #expect(plan.labels == ["from": "there"] && plan.configFrom == "plan" && plan.isInternal)
        #expect(plan.options == ["com.docker.network.driver.mtu": "1234"])
        #expect(plan.pools(.ipv4).map(\.subnet) == [IPInterface("10.77.0.0/24")])
    }

    @Test("the daemon's default options hold where the request says nothing")
    func defaults() throws {
        let defaults = ["bridge": ["com.docker.network.driver.mtu": "1300", "com.docker.network.enable_ipv6": "true"]]
        let plan = try plan(NetworkRequest(name: "web", enablesIPv6: false), defaults: defaults)
        #expect(plan.options == ["com.docker.network.driver.mtu": "1300"] && !plan.hasIPv6)
    }

    @Test("the number of a virtual network is read from the parent's name")
    func virtualNetwork() throws {
        let found = try VirtualInterfaceSettings.virtualNetwork("eth0.10")
        #expect(found?.parent == "eth0" && found?.number == 10)
        #expect(try VirtualInterfaceSettings.virtualNetwork("eth0") == nil)
        #expect(throws: NetworksError(.invalid, "vlan id must be between 1-4094, received: 4095")) {
            try VirtualInterfaceSettings.virtualNetwork("eth0.4095")
        }
    }
}
