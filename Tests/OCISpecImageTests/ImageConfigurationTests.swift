import JSON
import OCISpec
import Testing

struct ImageConfigurationTests {
    @Test("a configuration as Docker writes it is understood, nulls included")
    func docker() throws {
        let document = """
            {"architecture":"amd64","config":{"Hostname":"","Domainname":"","User":"1000:1000","AttachStdin":false,
            "ExposedPorts":{"80/tcp":{},"53/udp":{}},"Tty":false,"Env":["PATH=/bin","A=b=c"],"Cmd":["sh","-c","x"],
            "Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":30000000000,"Retries":3},"ArgsEscaped":true,"Image":"",
            "Volumes":null,"WorkingDir":"/w","Entrypoint":null,"OnBuild":["RUN x"],"Labels":{"b":"2","a":"1"},
            "StopSignal":"SIGQUIT","StopTimeout":7,"Shell":["/bin/bash","-c"]},"created":"2024-05-01T10:00:00.123456789Z",
            "docker_version":"24.0","history":[{"created":"2024-05-01T10:00:00Z","created_by":"CMD","empty_layer":true}],
            "os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:\(String(repeating: "ab", count: 32))"]}}
            """
        let image = try JSON.decode(ImageConfiguration.self, from: Array(document.utf8))
        #expect(image.platform == Platform(os: "linux", architecture: "amd64"))
        let config = try #require(image.config)
        #expect(config.user == "1000:1000")
        #expect(config.exposedPorts?.sorted == ["53/udp", "80/tcp"])
        #expect(config.cmd == ["sh", "-c", "x"])
        #expect(config.entrypoint == nil && config.volumes == nil)
        #expect(config.healthcheck?.interval == 30_000_000_000)
        #expect(config.onBuild == ["RUN x"])
        #expect(config.labels == ["a": "1", "b": "2"])
        #expect(config.stopTimeout == 7)
        #expect(image.history?.first?.emptyLayer == true)
        #expect(image.rootfs.diffIDs.count == 1)
    }

    @Test(
        "a text with a NUL is refused wherever it stands, and its place is named",
        arguments: [
            (#""config":{"WorkingDir":"/a\u0000b"}"#, "config.WorkingDir"),
            (#""config":{"Env":["A=b","C=\u0000"]}"#, "config.Env[1]"),
            (#""config":{"Cmd":["\u0000"]}"#, "config.Cmd[0]"), (#""config":{"User":"a\u0000"}"#, "config.User"),
            (#""config":{"Volumes":{"/v\u0000":{}}}"#, "config.Volumes"),
            (#""config":{"Labels":{"l":"\u0000"}}"#, "config.Labels.l"),
            (#""config":{"Healthcheck":{"Test":["CMD","\u0000"]}}"#, "config.Healthcheck.Test[1]"),
            (#""author":"\u0000""#, "author"), (#""history":[{"comment":"\u0000"}]"#, "history[0].comment"),
            (#""x":{"unknown":"\u0000"}"#, "x.unknown"),
        ])
    func null(_ member: String, _ path: String) {
        let document = #"{"os":"linux","rootfs":{"diff_ids":[]},\#(member)}"#
        #expect(throws: JSONError.value(path: path, reason: "the text contains a NUL character")) {
            try JSON.decode(ImageConfiguration.self, from: Array(document.utf8))
        }
    }

    @Test("a document comes out the same each time, maps in alphabetical order")
    func deterministic() throws {
        var config = ImageProcess()
        config.labels = ["z": "1", "a": "2", "m": "3"]
        config.exposedPorts = ["80/tcp", "443/tcp"]
        let image = ImageConfiguration(
            platform: Platform(os: "linux", architecture: "amd64"), config: config, diffIDs: [])
        let text = String(decoding: try JSON.encode(image), as: UTF8.self)
        #expect(
            text == #"{"architecture":"amd64","os":"linux","config":{"ExposedPorts":{"443/tcp":{},"80/tcp":{}},"#
                + #""Labels":{"a":"2","m":"3","z":"1"}},"rootfs":{"type":"layers","diff_ids":[]}}"#)
    }

    @Test("a negative size in a descriptor is refused")
    func descriptor() {
        let document = #"{"mediaType":"x","digest":"sha256:\#(String(repeating: "ab", count: 32))","size":-1}"#
        #expect(throws: (any Error).self) { try JSON.decode(Descriptor.self, from: Array(document.utf8)) }
    }
}
