// Reads whatever comes as the kernel's answers about links, routes, the packet filter, connections and sockets. With
// the argument `--seeds DIRECTORY` it writes messages there to begin with.
import Addresses
import CFuzzer
import Glibc
import Netlink

/// Everything that a message's content can be.
private func read(_ payload: ArraySlice<UInt8>) {
    _ = try? Link(payload: payload)
    _ = try? InterfaceAddress(payload: payload)
    _ = try? IPRoute(payload: payload)
    _ = try? RoutingRule(payload: payload)
    _ = try? Neighbour(payload: payload)
    _ = try? ForwardingEntry(payload: payload)
    _ = try? FirewallTable(payload: payload)
    _ = try? FirewallChain(payload: payload)
    _ = try? FirewallRule(payload: payload)
    _ = try? ConnectionEntry(payload: payload)
    _ = try? BoundSocket(payload: payload, .tcp)
    guard let set = try? FirewallSet(payload: payload) else { return }
    for key in [set.key, [.port], [.ipv4, .port]] {
        let reader = FirewallSet(set.table, set.name, key: key, hasIntervals: true)
        for element in (try? reader.elements(payloads: [payload])) ?? [] {
            _ = element.key.values(key)
            _ = element.userData?.comment
        }
    }
}

private func read(_ message: Message) {
    if let failure = try? message.failure() { precondition(failure.errno.rawValue != 0) }
    _ = try? Link(message)
    _ = try? FirewallNotification(message)
    read(message.payload)
}

/// Requests have the same form as answers.
private func seeds() -> [Request] {
    let table = FirewallTable(.inet, "masu")
    let chain = FirewallChain(table, "c", .init(.nat, .prerouting, priority: -100, devices: ["a"]))
    let map = FirewallSet(table, "m", key: [.ipv4, .port], .values([.ipv6, .port]), hasIntervals: true, size: 5)
    let ports = FirewallSet(table, "p", key: [.port], .verdicts, hasIntervals: true)
    let address = IPAddress(.ipv4, 0x0A09_0007)
    let hardware = MACAddress(derivedFrom: address)
    var requests = [
        table.addition, chain.addition, map.addition, ports.addition,
        Link.set(.index(1), port: BridgePortSettings(isIsolated: true, learns: false)),
        RoutingRule(.ipv4, preference: 1, table: 300, mark: .init(1), inputInterface: "a").addition,
        Neighbour(address, at: hardware, interface: 1).replacement,
        ForwardingEntry(hardware, port: 1).replacement,
        FirewallRule(in: chain, comment: "why") {
            $0.require([.established])
            $0.require(.destinationPort, from: .port(1), through: .port(9))
            $0.translateDestination(.transportProtocol, .destinationPort, by: map, .ipv4)
            $0.limit(to: RateLimit(1))
            $0.log("x")
            $0.goTo(chain)
        }.addition,
    ]
    if let interface = IPInterface("10.9.0.1/16"), let subnet = IPSubnet("10.9.0.0/16") {
        requests.append(InterfaceAddress(interface).addition(to: 1))
        requests.append(IPRoute(subnet, gateway: address, interface: 1, table: 300, mtu: 9).addition)
    }
    let peer = NewLink.Peer(name: "eth0", index: 2, address: hardware, mtu: 1400)
    requests += NewLink("a", .veth(peer: peer), index: 5, LinkSettings(isUp: true, alias: "a")).requests
    requests += NewLink("b", .bridge(BridgeOptions(snoopsMulticast: false, ageingTime: 1)), index: 6).requests
    requests += map.addition(of: [
        FirewallElement(
            FirewallKey(.address(address), .port(1)), through: FirewallKey(.address(address), .port(9)),
            .value(FirewallKey(bytes: Array(repeating: 1, count: 20))), userData: FirewallUserData(comment: "s"))
    ])
    requests += ports.addition(of: [FirewallElement(FirewallKey(.port(65535)), .verdict(.jump("c")))])
    return requests
}

private func writeSeeds(_ directory: String) {
    for (number, request) in seeds().enumerated() {
        let file = fopen("\(directory)/\(number)", "we")
        precondition(file != nil, "cannot write to \(directory)")
        fwrite(request.bytes, 1, request.bytes.count, file)
        fclose(file)
    }
}

if CommandLine.arguments.count == 3, CommandLine.arguments[1] == "--seeds" {
    writeSeeds(CommandLine.arguments[2])
    exit(0)
}

var count = CommandLine.argc
var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
let status = LLVMFuzzerRunDriver(&count, &arguments) { data, size in
    let bytes = Array(UnsafeRawBufferPointer(start: data, count: size))
    if let messages = try? Message.all(in: bytes) {
        precondition(messages.reduce(0) { $0 + $1.payload.count + 16 } <= bytes.count)
        for message in messages { read(message) }
    }
    read(bytes[...])
    return 0
}
exit(status)
