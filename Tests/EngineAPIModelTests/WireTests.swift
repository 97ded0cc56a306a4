import EngineAPIModel
import JSON
import Testing

@Suite("The wire types of the Engine API")
struct WireTests {
    @Test("a create request may leave out or null whatever it likes")
    func lenientRequest() throws {
        let body = #"{"Image":"debian","Cmd":null,"HostConfig":{"Binds":null,"Memory":5,"Init":true},"Unknown":1}"#
        let request = try JSON.decode(ContainerCreateRequest.self, from: Array(body.utf8))
        #expect(request.config.image == "debian")
        #expect(request.config.cmd == nil)
        #expect(request.hostConfig.memory == 5)
        #expect(request.hostConfig.initProcess == true)
        #expect(request.hostConfig.pidsLimit == nil)
        #expect(request.networkingConfig == NetworkingConfig())
    }

    @Test("a command is a list of words or one word; anything else is told")
    func commandWords() throws {
        let body = #"{"Cmd":"ls -l","Entrypoint":["/bin/sh","-c"]}"#
        let config = try JSON.decode(ContainerConfig.self, from: Array(body.utf8))
        #expect(config.cmd == ["ls -l"])
        #expect(config.entrypoint == ["/bin/sh", "-c"])
        #expect(throws: (any Error).self) {
            try JSON.decode(ContainerConfig.self, from: Array(#"{"Cmd":5}"#.utf8))
        }
    }

    @Test("a create request survives the wire")
    func roundTrip() throws {
        var request = ContainerCreateRequest()
        request.config.image = "busybox"
        request.config.env = ["A=1", "B"]
        request.config.exposedPorts = ["80/tcp": EmptyObject()]
        request.config.stopTimeout = 3
        request.hostConfig.portBindings = ["80/tcp": [PortBinding()], "81/udp": nil]
        var mount = Mount()
        mount.type = "tmpfs"
        mount.target = "/t"
        mount.tmpfsOptions = TmpfsOptions()
        request.hostConfig.mounts = [mount]
        request.networkingConfig.endpointsConfig = ["none": EndpointSettings()]
        let bytes = try JSON.encode(request)
        #expect(try JSON.decode(ContainerCreateRequest.self, from: bytes) == request)
    }

    @Test("nil is written as null, empty omittable fields not at all, and keys of maps are sorted")
    func omission() throws {
        var config = ContainerConfig()
        config.labels = ["b": "2", "a": "1"]
        let value = try JSON.encodeValue(config)
        #expect(value["Cmd"] == .null)
        #expect(value["Hostname"] == "")
        #expect(value["ExposedPorts"] == nil)
        #expect(value["StopTimeout"] == nil)
        #expect(value["Labels"]?.object?.keys == ["a", "b"])
        #expect(value.object?.keys.first == "Hostname")
    }

    @Test("published ports keep null beside lists")
    func ports() throws {
        var settings = NetworkSettings()
        var binding = PortBinding()
        binding.hostIP = "0.0.0.0"
        binding.hostPort = "8080"
        settings.ports = ["80/tcp": [binding], "443/tcp": nil]
        let ports = try JSON.encodeValue(settings)["Ports"]
        #expect(ports?.text() == #"{"443/tcp":null,"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}]}"#)
    }

    @Test("an event carries its fields in docker's spelling")
    func event() throws {
        let line = #"{"Type":"container","Action":"die","Actor":{"ID":"ab","Attributes":{"exitCode":"1"}},"time":5}"#
        let event = try JSON.decode(EventMessage.self, from: Array(line.utf8))
        #expect(event.actor.attributes["exitCode"] == "1")
        #expect(event.time == 5)
    }
}
