import Addresses
import Engine
import EngineAPI
import EngineAPIModel
import JSON
import Testing

@Suite("NetworkingConfig")
struct NetworkTextTests {
    private func read(_ json: String, version: APIVersion = .newest) throws -> (ContainerConfiguration, [String]) {
        var warnings: [String] = []
        let configuration = try ContainerConfiguration(
            try JSON.decode(ContainerCreateRequest.self, from: Array(json.utf8)), version: version,
            warnings: &warnings)
        return (configuration, warnings)
    }

    private func refusal(_ json: String, version: APIVersion = .newest) -> String? {
        do {
            _ = try read(json, version: version)
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test("what is asked of a network is read and shown again")
    func endpoint() throws {
        let (configuration, warnings) = try read(
            #"""
            {"NetworkingConfig":{"EndpointsConfig":{"default":{"IPAMConfig":{"IPv4Address":"10.0.0.2","LinkLocalIPs":["169.254.1.1"]},
            "Aliases":["a"],"Links":["x:y"],"MacAddress":"02:42:AC:11:00:02","DriverOpts":{"k":"v"},"GwPriority":3},
            "none":{}}}}
            """#)
        #expect(warnings.isEmpty && Array(configuration.endpoints.keys) == ["bridge"])
        let endpoint = try #require(configuration.endpoints["bridge"])
        #expect(endpoint.ipv4 == IPAddress("10.0.0.2") && endpoint.linkLocal == [IPAddress("169.254.1.1")])
        let shown = EndpointSettings(
            EndpointDetails(
                network: "bridge", networkID: "abc", asked: endpoint, endpointID: "", dnsNames: []))
        #expect(shown.ipamConfig?.ipv4Address == "10.0.0.2" && shown.ipamConfig?.linkLocalIPs == ["169.254.1.1"])
        #expect(shown.aliases == ["a"] && shown.links == ["x:y"] && shown.macAddress == "02:42:AC:11:00:02")
        #expect(shown.driverOpts == ["k": "v"] && shown.gwPriority == 3)
        #expect(shown.networkID == "abc" && shown.endpointID.isEmpty && shown.ipAddress.isEmpty)
    }

    @Test("the container-wide hardware address moves to its network, with a warning since 1.44")
    func hardwareAddress() throws {
        let json = #"{"MacAddress":"02:42:ac:11:00:02","HostConfig":{"NetworkMode":"bridge"}}"#
        let (new, warnings) = try read(json, version: .v(51))
        #expect(new.endpoints["bridge"]?.macAddress?.text == "02:42:ac:11:00:02" && new.macAddress == nil)
        #expect(
            warnings == [
                "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig "
                    + "instead."
            ])
        let (old, none) = try read(json, version: .v(43))
        #expect(old.endpoints["bridge"]?.macAddress != nil && none.isEmpty)
        #expect(
            refusal(#"{"MacAddress":"02:42:ac:11:00:02","HostConfig":{"NetworkMode":"host"}}"#, version: .v(43))
                == "conflicting options: mac-address and the network mode")
        #expect(
            refusal(
                #"{"MacAddress":"02:42:ac:11:00:02","NetworkingConfig":{"EndpointsConfig":{"bridge":{"MacAddress":"02:42:ac:11:00:03"}}}}"#,
                version: .v(51))
                == "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty"
        )
        #expect(refusal(#"{"MacAddress":"02:42"}"#, version: .v(51)) == "invalid MAC address: 02:42")
    }

    @Test("kernel parameters of an interface go to the endpoint, and are refused since 1.48")
    func interfaceSysctls() throws {
        let json = #"{"HostConfig":{"Sysctls":{"net.ipv4.conf.eth0.forwarding":"1","net.core.somaxconn":"5"}}}"#
        #expect(
            refusal(json)
                == "interface specific sysctl setting \"net.ipv4.conf.eth0.forwarding\" must be supplied using driver option 'com.docker.network.endpoint.sysctls'"
        )
        let (configuration, warnings) = try read(json, version: .v(47))
        #expect(configuration.host.sysctls == ["net.core.somaxconn": "5"])
        #expect(
            configuration.endpoints["bridge"]?.driverOptions == [
                "com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.forwarding=1"
            ])
        #expect(warnings.first?.hasPrefix("Migrated sysctl \"net.ipv4.conf.eth0.forwarding\"") ?? false)
        #expect(
            refusal(#"{"HostConfig":{"Sysctls":{"net.ipv4.conf.eth1.forwarding":"1"}}}"#, version: .v(47))?
                .hasPrefix("unable to determine network endpoint for sysctl net.ipv4.conf.eth1.forwarding") ?? false)
    }

    @Test("more than one network needs 1.44")
    func several() throws {
        let json = #"{"NetworkingConfig":{"EndpointsConfig":{"a":{},"b":{}}}}"#
        #expect(
            refusal(json, version: .v(43)) == "Container cannot be created with multiple network endpoints: a, b")
        #expect(try read(json).0.endpoints.count == 2)
    }
}
