import Addresses
import JSON
import PublishedPorts
import ShimProtocol
import Testing

@Suite("ports in messages of shims")
struct PortMessageTests {
    private let port = PublishedPort(.tcp, .unspecified(.ipv4), 8080, to: 80)

    @Test("what a shim has bound stands in its first line, and nothing does without ports")
    func launch() throws {
        let result = ShimLaunchResult.launched(pid: 1, shimPid: 2, ports: [port])
        #expect(try JSON.decode(ShimLaunchResult.self, from: JSON.encode(result)) == result)
        let plain = try JSON.encode(ShimLaunchResult.launched(pid: 1, shimPid: 2))
        #expect(String(decoding: plain, as: UTF8.self) == #"{"pid":1,"shimPid":2}"#)
    }

    @Test("a shim that knows no ports has bound none")
    func oldShim() throws {
        let line = Array(#"{"pid":1,"shimPid":2}"#.utf8)
        #expect(try JSON.decode(ShimLaunchResult.self, from: line) == .launched(pid: 1, shimPid: 2, ports: []))
        let error = Array(#"{"kind":"conflict","message":"x"}"#.utf8)
        #expect(try JSON.decode(ShimError.self, from: error).portConflict == nil)
    }

    @Test("a configuration without ports is as it was before there were any")
    func configuration() throws {
        let plain = try JSON.parse(JSON.encode(ShimConfiguration(id: "a")))
        #expect(plain["publishedPorts"] == nil)
        let target = PortTarget(sandbox: "a", ipv4: PortTarget.Place(IPAddress(.ipv4, 0xAC11_0002), .natUnprotected))
        var configuration = ShimConfiguration(id: "a")
        configuration.publishedPorts = PortPublication(
            [PortRequest(80, host: .range(1...9)), PortRequest(53, .udp)], to: target, mode: .input, splices: false,
            isTransparent: true)
        #expect(try JSON.decode(ShimConfiguration.self, from: JSON.encode(configuration)) == configuration)
    }

    @Test("requests about ports are the same after they were written and read")
    func requests() throws {
        let target = PortTarget(sandbox: "a")
        let requests: [ShimRequest] = [
            .publishedPorts, .publish(PortPublication([PortRequest(80)], to: target)), .openPorts,
            .unpublish(ports: [port]), .retarget(target),
        ]
        for request in requests {
            #expect(try JSON.decode(ShimRequest.self, from: JSON.encode(request)) == request)
        }
        let response = ShimResponse.published([port])
        #expect(try JSON.decode(ShimResponse.self, from: JSON.encode(response)) == response)
    }
}
