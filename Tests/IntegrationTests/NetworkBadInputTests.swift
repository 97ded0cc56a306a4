import Addresses
import Foundation
import LinuxKernel
import SystemPackage
import Testing

extension Integration {
    /// What users and strangers get wrong about networks: Docker's status and text, and nothing left behind: no row, no
    /// interface, no address, no element of the packet filter, no namespace, no file.
    @Suite("bad input of networks")
    struct NetworkBadInput {
        /// A request to the API that is refused.
        struct Refusal: Sendable {
            var path: String
            var body: String
            var status: Int
            var message: String

            init(_ path: String, _ body: String, _ status: Int, _ message: String) {
                self.path = path
                self.body = body
                self.status = status
                self.message = message
            }

            /// A network that cannot be made.
            static func network(_ fields: String, _ status: Int, _ message: String) -> Refusal {
                Refusal("/networks/create", #"{"Name":"new",\#(fields)}"#, status, message)
            }

            static func pool(_ fields: String, _ status: Int, _ message: String) -> Refusal {
                network(#""IPAM":{"Config":[{\#(fields)}]}"#, status, message)
            }

            static func option(
                _ name: String, _ value: String, driver: String = "bridge", _ message: String, status: Int = 400
            ) -> Refusal {
                network(#""Driver":"\#(driver)","Options":{"\#(name)":"\#(value)"}"#, status, message)
            }

            /// A container that cannot be put on a network.
            static func endpoint(
                _ network: String, _ settings: String, _ status: Int, _ message: String
            ) -> Refusal {
                Refusal(
                    "/networks/\(network)/connect", #"{"Container":"idle","EndpointConfig":{\#(settings)}}"#, status,
                    message)
            }

            /// A container that cannot be made.
            static func container(_ host: String, _ status: Int, _ message: String) -> Refusal {
                Refusal(
                    "/containers/create", #"{"Image":"busybox","Cmd":["true"],"HostConfig":{\#(host)}}"#, status,
                    message)
            }
        }

        private static let prefix = "com.docker.network."
        private static let overlap = "invalid pool request: Pool overlaps with other one on this address space"

        static let networks: [Refusal] = [
            .pool(#""Subnet":"10.9.0.128/25""#, 403, overlap),
            .pool(#""Subnet":"10.0.0.0/8""#, 403, overlap),
            // The pool of IPv4 is free again: the next request takes it.
            .network(
                #""EnableIPv6":true,"IPAM":{"Config":[{"Subnet":"10.50.0.0/24"},{"Subnet":"fd99::/80"}]}"#, 403, overlap
            ),
            Refusal("/networks/create", #"{"Name":"front"}"#, 409, "network with name front already exists"),
            Refusal("/networks/create", #"{"Name":""}"#, 400, "invalid name: name is empty"),
            Refusal(
                "/networks/create", #"{"Name":"bridge"}"#, 403,
                "operation is not permitted on predefined bridge network "),
            .network(
                #""Driver":"teleport""#, 404, "could not find plugin teleport in v1 plugin registry: plugin not found"),
            .network(#""Driver":"host""#, 403, #"only one instance of "host" network is allowed"#),
            .network(
                #""IPAM":{"Driver":"teleport"}"#, 404,
                "could not find plugin teleport in v1 plugin registry: plugin not found"),
            .network(#""EnableIPv4":false"#, 400, "IPv4 or IPv6 must be enabled"),
            .network(
                #""ConfigFrom":{"Network":"nowhere"}"#, 404, #"configuration network "nowhere" does not exist"#),
            .pool(
                #""Subnet":"nonsense""#, 400,
                "invalid network config:\ninvalid subnet nonsense: invalid CIDR block notation"),
            .pool(
                #""Subnet":"10.1.0.0/33""#, 400,
                "invalid network config:\ninvalid subnet 10.1.0.0/33: invalid CIDR block notation"),
            .pool(
                #""Subnet":"10.1.0.7/24""#, 400,
                "invalid network config:\ninvalid subnet 10.1.0.7/24: it should be 10.1.0.0/24"),
            .pool(
                #""Subnet":"10.1.0.0/24","Gateway":"10.2.0.1""#, 400,
                "invalid network config:\ninvalid gateway 10.2.0.1: parent subnet 10.1.0.0/24 doesn't contain this "
                    + "address"),
            .pool(
                #""Subnet":"10.1.0.0/24","IPRange":"10.0.0.0/8""#, 400,
                "invalid network config:\ninvalid ip-range 10.0.0.0/8: CIDR block is bigger than its parent subnet "
                    + "10.1.0.0/24"),
            .pool(
                #""Subnet":"10.1.0.0/24","AuxiliaryAddresses":{"router":"10.2.0.1"}"#, 400,
                "invalid network config:\ninvalid auxiliary address router: parent subnet 10.1.0.0/24 doesn't contain "
                    + "this address"),
            .option(
                prefix + "driver.mtu", "big",
                "failed to parse com.docker.network.driver.mtu value: big (strconv.Atoi: parsing \"big\": invalid "
                    + "syntax)"),
            .option(prefix + "driver.mtu", "-1", "invalid MTU number: -1"),
            .option(
                prefix + "bridge.enable_icc", "perhaps",
                "failed to parse com.docker.network.bridge.enable_icc value: perhaps (strconv.ParseBool: parsing "
                    + "\"perhaps\": invalid syntax)"),
            .option(
                prefix + "bridge.host_binding_ipv4", "here",
                "failed to parse com.docker.network.bridge.host_binding_ipv4 value: here (nil ip)"),
            .option(
                prefix + "bridge.gateway_mode_ipv4", "fast",
                "failed to parse com.docker.network.bridge.gateway_mode_ipv4 value: fast (unknown gateway mode fast)"),
            .option(
                prefix + "bridge.gateway_mode_ipv6", "isolated",
                "gateway mode 'isolated' can only be used for an internal network"),
            .option(
                prefix + "bridge.name", "much-too-long-a-name",
                "invalid interface name \"much-too-long-a-name\": it needs 1 to 15 characters, and no space, slash or "
                    + "colon"),
            .option(
                prefix + "bridge.name", "a/b",
                "invalid interface name \"a/b\": it needs 1 to 15 characters, and no space, slash or colon"),
            .option(
                "macvlan_mode", "sideways", driver: "macvlan",
                "requested macvlan mode 'sideways' is not valid, 'bridge' mode is the macvlan driver default"),
            .option(
                "parent", "nothing", driver: "macvlan",
                "invalid subinterface vlan name nothing, example formatting is eth0.10"),
            .option(
                "parent", "lo.4095", driver: "ipvlan", "vlan id must be between 1-4094, received: 4095"),
            .option(
                "ipvlan_mode", "l9", driver: "ipvlan",
                "requested ipvlan mode 'l9' is not valid, 'l2' mode is the ipvlan driver default"),
            .option(
                "ipvlan_flag", "flat", driver: "ipvlan",
                "requested ipvlan flag 'flat' is not valid, 'bridge' is the ipvlan driver default"),
        ]

        static let endpoints: [Refusal] = [
            Refusal(
                "/networks/front/connect", #"{"Container":"box"}"#, 403,
                "endpoint with name box already exists in network front"),
            Refusal("/networks/front/connect", #"{"Container":"nobody"}"#, 404, "No such container: nobody"),
            Refusal("/networks/nowhere/connect", #"{"Container":"idle"}"#, 404, "network nowhere not found"),
            .endpoint(
                "front", #""IPAMConfig":{"IPv4Address":"10.8.0.2"}"#, 400,
                "invalid endpoint settings:\nno configured subnet contains IP address 10.8.0.2"),
            .endpoint("front", #""IPAMConfig":{"IPv4Address":"10.9.0.7"}"#, 403, "Address already in use"),
            .endpoint("front", #""IPAMConfig":{"IPv4Address":"10.9.0.1"}"#, 403, "Address already in use"),
            .endpoint(
                "any", #""IPAMConfig":{"IPv4Address":"172.18.0.9"}"#, 400,
                "invalid endpoint settings:\nuser specified IP address is supported only when connecting to networks "
                    + "with user configured subnets"),
            .endpoint(
                "front", #""IPAMConfig":{"IPv4Address":"nonsense"}"#, 400, "invalid IPv4 address: nonsense"),
            .endpoint("front", #""MacAddress":"02:42""#, 400, "invalid MAC address: 02:42"),
            .endpoint(
                "bridge", #""Aliases":["x"]"#, 400,
                "network-scoped aliases are only supported for user-defined networks"),
            .endpoint(
                "small", "", 500, "no available IPv4 addresses on this network's address pools: small ("),
            .endpoint(
                "front", #""DriverOpts":{"com.docker.network.endpoint.sysctls":"net.core.x=1"}"#, 400,
                "unrecognised network interface sysctl 'net.core.x=1'"),
            .endpoint(
                "front", #""DriverOpts":{"com.docker.network.endpoint.sysctls":"net.ipv4.conf.IFNAME.nothing=1"}"#,
                500, "nothing"),
            .endpoint(
                "front", #""DriverOpts":{"com.docker.network.endpoint.ifname":"eth0"}"#, 400,
                "the container has one of that name"),
            .endpoint(
                "host", "", 400,
                "cannot connect container to host network - container must be created in host network mode"),
            .endpoint(
                "none", "", 400,
                "container cannot be connected to multiple networks with one of the networks in private (none) mode"),
            Refusal(
                "/networks/small/disconnect", #"{"Container":"idle"}"#, 500, "is not connected to the network small"),
        ]

        static let containers: [Refusal] = [
            .container(
                #""PortBindings":{"80/tcp":[{"HostPort":"65536"}]}"#, 400, #"invalid port specification: "65536""#),
            .container(
                #""PortBindings":{"80/tcp":[{"HostPort":"-1"}]}"#, 400, #"invalid port specification: "-1""#),
            .container(
                #""PortBindings":{"80/tcp":[{"HostPort":"9-8"}]}"#, 400, #"invalid port specification: "9-8""#),
            .container(
                #""PortBindings":{"65536/tcp":[{"HostPort":"80"}]}"#, 400,
                #"invalid port specification: "65536/tcp""#),
            .container(
                #""PortBindings":{"80/cp":[{"HostPort":"80"}]}"#, 400, #"invalid port specification: "80/cp""#),
            .container(
                #""PortBindings":{"80-82/tcp":[{"HostPort":"8000-8010"}]}"#, 400,
                "invalid ranges specified for container and host Ports: 80-82 and 8000-8010"),
        ]

        /// What is asked at the command line, without the API.
        static let commands: [(arguments: [String], code: Int32, says: String)] = [
            (["run", "--rm", "-p", "65536:80", "busybox", "true"], 125, "invalid hostPort: 65536"),
            (["run", "--rm", "-p", "80:65536", "busybox", "true"], 125, "invalid containerPort: 65536"),
            (
                ["run", "--rm", "-p", "8000-8001:80-82", "busybox", "true"], 125,
                "invalid ranges specified for container and host Ports: 80-82 and 8000-8001"
            ),
            (["run", "--rm", "-p", "80/cp", "busybox", "true"], 125, "invalid proto: cp"),
            (["run", "--rm", "-p", "8080:80", "busybox", "true"], 125, "port is already allocated"),
            (["run", "--rm", "--network", "nowhere", "busybox", "true"], 125, "network nowhere not found"),
            (
                ["run", "--rm", "--network", "front", "--ip", "10.8.0.2", "busybox", "true"], 125,
                "no configured subnet contains IP address 10.8.0.2"
            ),
            (
                ["run", "--rm", "--network", "front", "--ip", "10.9.0.7", "busybox", "true"], 125,
                "Address already in use"
            ),
            (
                ["run", "--rm", "--network", "any", "--ip", "172.18.0.9", "busybox", "true"], 125,
                "user specified IP address is supported only when connecting to networks with user configured subnets"
            ),
            (["run", "--rm", "--network", "small", "busybox", "true"], 125, "no available IPv4 addresses"),
            (
                ["run", "--rm", "--network-alias", "x", "busybox", "true"], 125,
                "network-scoped aliases are only supported for user-defined networks"
            ),
            (["run", "--rm", "--mac-address", "02:42", "busybox", "true"], 125, "02:42 is not a valid mac address"),
            (["network", "create", "--subnet", "10.9.0.0/25", "new"], 1, "Pool overlaps with other one"),
            (["network", "create", "--subnet", "nonsense", "new"], 1, "invalid subnet: invalid CIDR address"),
            (
                ["network", "create", "--gateway", "10.1.0.1", "new"], 1,
                "every ip-range or gateway must have a corresponding subnet"
            ),
            (["network", "rm", "front"], 1, "network front has active endpoints (name:\"box\""),
            (["network", "rm", "nowhere"], 1, "network nowhere not found"),
            (["network", "connect", "front", "box"], 1, "endpoint with name box already exists in network front"),
        ]

        @Test("each mistake has Docker's status and text, and leaves nothing")
        func mistakes() throws {
            try withNetworks { daemon in
                let before = try daemon.networkFootprint()
                for refusal in Self.networks + Self.endpoints + Self.containers {
                    let answer = try daemon.http("POST", refusal.path, body: refusal.body)
                    let object = try? JSONSerialization.jsonObject(with: Data(answer.body.utf8)) as? [String: Any]
                    let message = object?["message"] as? String ?? ""
                    #expect(
                        answer.status == refusal.status && message.contains(refusal.message),
                        "\(refusal.path) \(refusal.body): \(answer)")
                    // What has been made by mistake does not disturb the next one.
                    if answer.status == 201 { _ = try daemon.http("DELETE", "/networks/new") }
                }
                #expect(try daemon.http("DELETE", "/networks/front").status == 403)
                #expect(try daemon.http("DELETE", "/networks/host").status == 403)
                #expect(try daemon.http("DELETE", "/networks/nowhere").status == 404)
                try daemon.expectNetworkFootprint(before)
                // The blocks that were asked for together with wrong ones are free.
                try daemon.ok(.masu, "network", "create", "--subnet", "10.50.0.0/24", "new")
                try daemon.ok(.masu, "network", "rm", "new")
            }
        }

        @Test("each mistake at the command line has docker's text and exit code, and leaves nothing")
        func commandLine() throws {
            try withNetworks { daemon in
                let before = try daemon.networkFootprint()
                for client in Client.available {
                    for mistake in Self.commands {
                        let result = try daemon.command(client, mistake.arguments).runToEnd()
                        #expect(result.code == mistake.code, "\(client): \(result)")
                        // docker sees fewer mistakes itself, and more with each version.
                        if client == .masu { #expect(result.errors.contains(mistake.says), "\(result)") }
                    }
                }
                try daemon.expectNetworkFootprint(before)
            }
        }

        @Test("a port in use is refused with the name of who has it: a container, or another process")
        func portsInUse() throws {
            try withNetworks { daemon in
                let socket = try InternetSocket.make(.tcp, .ipv4)
                defer { socket.discard() }
                try socket.bind(to: SocketAddress(.unspecified(.ipv4), 9999))
                try socket.listen(backlog: 1)
                let before = try daemon.networkFootprint()
                for (port, texts) in [
                    (8080, ["Bind for 0.0.0.0:8080 failed: port is already allocated", "(by container box)"]),
                    (9999, ["failed to bind host port for 0.0.0.0:9999", "address already in use", "\(getpid())"]),
                ] {
                    let bindings = #"{"80/tcp":[{"HostPort":"\#(port)"}]}"#
                    let body = #"{"Image":"busybox","Cmd":["true"],"HostConfig":{"PortBindings":\#(bindings)}}"#
                    #expect(try daemon.http("POST", "/containers/create?name=late", body: body).status == 201)
                    let answer = try daemon.http("POST", "/containers/late/start")
                    #expect(answer.status == 500, "\(answer)")
                    for text in texts { #expect(answer.body.contains(text), "\(answer)") }
                    try daemon.ok(.masu, "rm", "late")
                }
                try daemon.expectNetworkFootprint(before)
            }
        }

        @Test("when all pools are taken Docker's text says so, and one that is free again is given")
        func exhaustedPools() throws {
            try withDaemon(
                options: ["--default-address-pool", "base=10.200.0.0/29,size=30", "--bip", "10.201.0.1/24"],
                image: false
            ) { (daemon: TestDaemon) throws in
                for name in ["one", "two"] { try daemon.ok(.masu, "network", "create", name) }
                let before = try daemon.networkFootprint()
                let answer = try daemon.http("POST", "/networks/create", body: #"{"Name":"three"}"#)
                #expect(
                    answer.status == 400
                        && answer.body.contains("all predefined address pools have been fully subnetted"), "\(answer)")
                try daemon.expectNetworkFootprint(before)
                try daemon.ok(.masu, "network", "rm", "one")
                try daemon.ok(.masu, "network", "create", "three")
                try daemon.ok(.masu, "network", "rm", "two", "three")
            }
        }

        /// A daemon with networks of several kinds, and containers that run on them.
        private func withNetworks(_ body: (TestDaemon) throws -> Void) throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "network", "create", "--subnet", "10.9.0.0/24", "--ipv6", "--subnet", "fd99::/64", "front")
                try daemon.ok(.masu, "network", "create", "any")
                try daemon.ok(.masu, "network", "create", "--subnet", "10.9.8.0/30", "small")
                try daemon.ok(
                    .masu, "run", "-d", "--name", "box", "--network", "front", "--ip", "10.9.0.7", "-p", "8080:80",
                    "busybox", "sleep", "1000")
                try daemon.ok(.masu, "run", "-d", "--name", "full", "--network", "small", "busybox", "sleep", "1000")
                try daemon.ok(.masu, "run", "-d", "--name", "idle", "busybox", "sleep", "1000")
                try body(daemon)
                try daemon.removeContainers()
                try daemon.ok(.masu, "network", "rm", "front", "any", "small")
            }
        }
    }
}

/// What networks have on the machine at one moment, and all else.
struct NetworkFootprint: Equatable {
    var all: Footprint
    /// Interfaces, addresses, routes and rules, as `ip` shows them.
    var kernel: Set<String>
    /// Sets and rules of the packet filter, an element a line.
    var filter: Set<String>
    /// The files of names.
    var files: Set<String>
}

extension TestDaemon {
    /// To be asked in the daemon's own network namespace.
    func networkFootprint() throws -> NetworkFootprint {
        var footprint = NetworkFootprint(
            all: try footprint(), kernel: [], filter: [], files: files(below: "run/networks"))
        for words in ["link", "addr", "route", "-6 route", "rule", "-6 rule"] {
            let ip = try Command("/bin/busybox", ["ip", "-o"] + words.split(separator: " ").map(String.init)).runToEnd()
            try #require(ip.code == 0, "\(ip)")
            // Number, name and address; what depends on the cable, as link-local addresses do, comes and goes.
            let lines = ip.lines.filter { !$0.contains("fe80:") && !$0.contains("ff00::") }
            let count = words == "link" ? 2 : words == "addr" ? 4 : 6
            footprint.kernel.formUnion(
                lines.map { "\(words): " + $0.split(separator: " ").prefix(count).joined(separator: " ") })
        }
        let nft = try #require(Programs.find("nft"), "nft is not installed (package nftables)")
        let rules = try Command(nft, "list", "ruleset").runToEnd()
        try #require(rules.code == 0, "\(rules)")
        footprint.filter = Set(
            rules.output.replacingOccurrences(of: "elements = {", with: "\n").replacingOccurrences(of: ",", with: "\n")
                .split(separator: "\n").map { $0.trimmingCharacters(in: CharacterSet(charactersIn: " \t}")) })
        return footprint
    }

    /// Waits until things are as they were; complains about each that is not.
    func expectNetworkFootprint(_ before: NetworkFootprint, at location: SourceLocation = #_sourceLocation) throws {
        try expectFootprint(before.all, at: location)
        var after = before
        // The kernel takes an interface away some time after its namespace.
        _ = try eventually {
            after = try networkFootprint()
            return after.kernel == before.kernel && after.filter == before.filter && after.files == before.files
        }
        #expect(after.kernel.symmetricDifference(before.kernel).isEmpty, sourceLocation: location)
        #expect(after.filter.symmetricDifference(before.filter).isEmpty, sourceLocation: location)
        #expect(after.files.symmetricDifference(before.files).isEmpty, sourceLocation: location)
    }
}
