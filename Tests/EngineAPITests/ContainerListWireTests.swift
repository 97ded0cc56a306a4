import EngineAPI
import EngineAPIModel
import JSON
import Testing

@Suite("Lists of containers on the wire") struct ContainerListWireTests {
    /// Containers that differ in all that a list shows.
    private var list: [ContainerSummary] {
        var full = ContainerSummary()
        full.id = "0f"
        full.names = ["/web", "/other/alias \"x\""]
        full.image = "büsy\\box"
        full.imageID = "sha256:1"
        var descriptor = ImageDescriptor()
        descriptor.mediaType = "application/x"
        descriptor.size = 7
        descriptor.platform = PlatformDescription()
        full.imageManifestDescriptor = descriptor
        full.command = "sh -c 'echo \u{1}\t\u{7f}'"
        full.created = -5
        var port = PortSummary()
        port.ip = "::"
        port.privatePort = 80
        port.publicPort = 8080
        port.type = "tcp"
        full.ports = [port, PortSummary()]
        full.sizeRw = 12
        full.sizeRootFs = 1 << 40
        full.labels = ["b": "", "a": "1", "c": "\"quoted\"\nline"]
        full.state = "running"
        full.status = "Up 3 seconds"
        var health = HealthSummary()
        health.status = "healthy"
        health.failingStreak = 2
        full.health = health
        full.hostConfig.networkMode = "back"
        full.hostConfig.annotations = ["x": "y"]
        var endpoint = EndpointSettings()
        endpoint.ipamConfig = EndpointIPAMConfig()
        endpoint.ipamConfig?.ipv4Address = "192.0.2.7"
        endpoint.links = ["a:b"]
        endpoint.aliases = []
        endpoint.macAddress = "02:00:00:00:00:01"
        endpoint.driverOpts = ["k": "v", "j": "w"]
        endpoint.gwPriority = -1
        endpoint.networkID = "n1"
        endpoint.endpointID = "e1"
        endpoint.gateway = "192.0.2.1"
        endpoint.ipAddress = "192.0.2.7"
        endpoint.ipPrefixLen = 24
        endpoint.ipv6Gateway = "2001:db8::1"
        endpoint.globalIPv6Address = "2001:db8::7"
        endpoint.globalIPv6PrefixLen = 64
        endpoint.dnsNames = ["web", "0f"]
        endpoint.cniResult = ["ips": [1, nil, "x"]]
        full.networkSettings.networks = ["back": endpoint, "another": EndpointSettings()]
        var mount = MountPoint()
        mount.destination = "/data"
        full.mounts = [mount, MountPoint()]
        var other = full
        other.imageManifestDescriptor?.size = 8
        other.labels = [:]
        return [full, ContainerSummary(), other, full]
    }

    @Test(
        "every version gets what its types and rules say",
        arguments: APIVersion.oldest.minor...APIVersion.newest.minor)
    func equality(_ minor: Int) throws {
        let version = APIVersion.v(minor)
        let written = try ContainerListWire.document(list, version: version)
        let encoded = try JSON.encode(list, rules: WireRules.sending(version))
        #expect(String(decoding: written, as: UTF8.self) == String(decoding: encoded, as: UTF8.self) + "\n")
        #expect(try ContainerListWire.document([], version: version) == Array("[]\n".utf8))
    }
}
