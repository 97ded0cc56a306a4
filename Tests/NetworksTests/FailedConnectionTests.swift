import Addresses
import LinuxKernel
import Netlink
import Networks
import SystemPackage
import Testing

@Suite("connections that fail, and interfaces of containers' own", .needsNamespaces)
struct FailedConnectionTests {
    private func request(_ number: Int, _ network: String, _ options: [String: String] = [:]) -> SandboxRequest {
        SandboxRequest(
            id: TestID.make(number), name: "c\(number)",
            endpoints: [EndpointRequest(network: network, driverOptions: options)])
    }

    /// A container on the default network, and the name of another one.
    private func begin(_ host: TestHost) async throws -> (Networks, FileDescriptor, Sandbox) {
        let networks = try await host.open()
        _ = try await networks.create(NetworkRequest(name: "web"))
        let sandbox = try await networks.join(request(1, "bridge"))
        return (networks, try #require(sandbox.namespace), sandbox)
    }

    private func connect(
        _ networks: Networks, _ namespace: FileDescriptor, _ options: [String: String] = [:]
    ) async throws -> Endpoint {
        try await networks.connect(
            EndpointRequest(network: "web", driverOptions: options),
            SandboxRequest(id: TestID.make(1), name: "c1", endpoints: [], namespace: namespace))
    }

    @Test("a connection that fails leaves interfaces that the container made itself, and nothing of its own")
    func undo() async throws {
        let host = try TestHost()
        let (networks, inside, sandbox) = try await begin(host)
        let route = try RouteSocket.opened(in: inside)
        try route.perform(Batch(NewLink("own0", .veth(peer: .init(name: "own1"))).requests))
        let before = try (route.links().map(\.name), host.links().map(\.name))
        // The kernel takes the interface and refuses the parameter.
        await #expect(throws: NetworksError.self) {
            try await connect(
                networks, inside, ["com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.forwarding=nonsense"])
        }
        #expect(try await TestHost.wait { try route.links().map(\.name) == before.0 })
        #expect(try await TestHost.wait { try host.links().map(\.name) == before.1 })
        #expect(networks.endpoints(of: TestID.make(1)).map(\.networkName) == ["bridge"])
        // An interface with the very name that was wished for is the container's as well.
        await #expect(throws: NetworksError.self) {
            try await connect(networks, inside, ["com.docker.network.endpoint.ifname": "own0"])
        }
        #expect(try await TestHost.wait { try route.links().map(\.name) == before.0 })
        withExtendedLifetime(sandbox) {}
    }

    @Test("a disconnection leaves an interface that has the name of one that is gone")
    func disconnection() async throws {
        let host = try TestHost()
        let (networks, inside, sandbox) = try await begin(host)
        let endpoint = try await connect(networks, inside)
        let route = try RouteSocket.opened(in: inside)
        try route.perform(Link.delete(.name(endpoint.interfaceName)))
        try route.perform(
            Batch(NewLink(endpoint.interfaceName, .veth(peer: .init(name: "own1"))).requests))
        try await networks.disconnect("web", sandbox: TestID.make(1), namespace: inside)
        #expect(try route.link(.name(endpoint.interfaceName)) != nil)
        #expect(networks.endpoints(of: TestID.make(1)).map(\.networkName) == ["bridge"])
        withExtendedLifetime(sandbox) {}
    }
}
