import Engine
import EngineAPI
import EngineAPIModel
import JSON
import OCISpec
import PublishedPorts
import Testing

@Suite("Wire mapping")
struct WireMappingTests {
    private func configuration(_ json: String, version: APIVersion = .newest) throws -> ContainerConfiguration {
        let wire = try JSON.decode(
            ContainerCreateRequest.self, from: try JSON.parse(json), rules: WireRules.reading(version))
        return try ContainerConfiguration(wire, version: version)
    }

    @Test("a create request as the docker CLI sends it")
    func create() throws {
        let configuration = try configuration(
            """
            {"Hostname":"h","User":"u:g","AttachStdout":true,"AttachStderr":true,"Tty":true,"OpenStdin":true,"StdinOnce":true,
            "Env":["A=b"],"Cmd":["sh","-c","x"],"Image":"debian","Volumes":{},"WorkingDir":"/w","Entrypoint":null,"Labels":{"l":"v"},
            "StopSignal":"SIGINT","StopTimeout":3,"ExposedPorts":{"80/tcp":{}},
            "HostConfig":{"Binds":["/a:/b:ro"],"NetworkMode":"none","RestartPolicy":{"Name":"on-failure","MaximumRetryCount":3},
            "ConsoleSize":[24,80],"CapAdd":["NET_ADMIN"],"Dns":[],"PidMode":"host","Memory":1048576,"NanoCpus":1500000000,"PidsLimit":7,
            "ShmSize":0,"Init":true,"Ulimits":[{"Name":"nofile","Hard":20,"Soft":10}],"MemorySwappiness":-1,"OomKillDisable":false,
            "Devices":[{"PathOnHost":"/dev/null","PathInContainer":"/dev/x","CgroupPermissions":"r"}],
            "BlkioDeviceReadBps":[{"Path":"/dev/sda","Rate":1024}],"LogConfig":{"Type":"","Config":{}},
            "Mounts":[{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"SizeBytes":4096,"Mode":448}}]},
            "NetworkingConfig":{"EndpointsConfig":{}}}
            """)
        #expect(configuration.image == "debian")
        #expect(configuration.command == ["sh", "-c", "x"])
        #expect(configuration.entrypoint == nil)
        #expect(configuration.tty && configuration.openStdin && configuration.stdinOnce && configuration.attachStdout)
        #expect(configuration.stopTimeout == 3)
        #expect(configuration.exposedPorts == [PortRange(80)])
        let host = configuration.host
        #expect(host.networkMode == .none)
        #expect(host.pidMode == .host)
        #expect(host.binds.first?.description == "/a:/b:ro")
        #expect(host.restartPolicy == .onFailure(maximumRetryCount: 3))
        #expect(host.consoleSize == ConsoleSize(rows: 24, columns: 80))
        #expect(host.resources.memory == 1 << 20)
        #expect(host.resources.nanoCPUs == 1_500_000_000)
        #expect(host.resources.pidsLimit == 7)
        #expect(host.resources.devices.first?.pathInContainer == "/dev/x")
        #expect(host.resources.blkioDeviceReadBps.first?.rate == 1024)
        #expect(host.resources.ulimits.first?.soft == 10)
        #expect(host.shmSize == nil)
        #expect(host.log == LogSettings())
        #expect(host.`init` == true)
        #expect(host.mounts.first?.tmpfs?.sizeBytes == 4096)
        #expect(host.mounts.first?.tmpfs?.mode == 0o700)
    }

    @Test("the least a client may send")
    func minimal() throws {
        let configuration = try configuration(#"{"Image":"x"}"#)
        #expect(configuration.command == nil)
        #expect(configuration.host.networkMode == .default)
        #expect(configuration.host.restartPolicy == .no)
        #expect(configuration.host.maskedPaths == nil)
    }

    @Test(
        "what makes no sense is refused before the engine sees it",
        arguments: [
            #"{"HostConfig":{"Mounts":[{"Type":"disk","Target":"/a"}]}}"#,
            #"{"HostConfig":{"Mounts":[{"Type":"bind","Source":"/a","Target":"/a","TmpfsOptions":{}}]}}"#,
            #"{"HostConfig":{"Isolation":"hyperv"}}"#, #"{"HostConfig":{"RestartPolicy":{"Name":"sometimes"}}}"#,
            #"{"HostConfig":{"PidMode":"elsewhere"}}"#, #"{"HostConfig":{"Binds":["/a"]}}"#,
        ])
    func refused(_ json: String) { #expect(throws: (any Error).self) { try configuration(json) } }

    @Test("fields that old clients did not know are not read from them")
    func oldClients() throws {
        let json = #"{"HostConfig":{"PidsLimit":5,"ConsoleSize":[1,2],"Annotations":{"a":"b"}}}"#
        let old = try configuration(json, version: .v(39))
        #expect(old.host.resources.pidsLimit == nil)
        #expect(old.host.consoleSize == nil)
        #expect(old.host.annotations.isEmpty)
        #expect(old.host.ipcMode == .shareable)
    }

    @Test("an exec needs a command")
    func exec() throws {
        var wire = ExecCreateRequest()
        let error = #expect(throws: APIError.self) { try ExecConfiguration(wire, version: .newest) }
        #expect(error?.description == "No exec command specified")
        wire.cmd = ["ls"]
        wire.consoleSize = [10, 20]
        #expect(try ExecConfiguration(wire, version: .newest).consoleSize == ConsoleSize(rows: 10, columns: 20))
        let old = try JSON.decode(
            ExecCreateRequest.self, from: try JSON.encodeValue(wire), rules: WireRules.reading(.v(41)))
        #expect(old.consoleSize.isEmpty && old.cmd == ["ls"])
    }

    @Test("an event carries the fields of old beside the new ones, until API 1.51")
    func event() throws {
        let event = EngineEvent(
            kind: .container, action: "die", actorID: "abc", attributes: ["image": "debian", "exitCode": "1"],
            time: Timestamp(seconds: 3, nanoseconds: 4))
        func json(_ version: APIVersion) throws -> String {
            String(
                decoding: try JSON.encode(EventMessage(event), rules: WireRules.sending(version)), as: UTF8.self)
        }
        #expect(
            try json(.v(51))
                == #"{"status":"die","id":"abc","from":"debian","Type":"container","Action":"die","Actor":{"ID":"abc","Attributes":{"exitCode":"1","image":"debian"}},"scope":"local","time":3,"timeNano":3000000004}"#
        )
        #expect(try json(.v(52)).hasPrefix(#"{"Type":"container","Action":"die","#))
    }

    @Test("the container-wide MAC address is a warning since API 1.44 and refused since 1.52")
    func containerWideAddress() throws {
        let json = #"{"Image":"x","MacAddress":"02:42:ac:11:00:02"}"#
        let wire = try JSON.decode(ContainerCreateRequest.self, from: Array(json.utf8))
        var warnings: [String] = []
        _ = try ContainerConfiguration(wire, version: .v(51), warnings: &warnings)
        #expect(warnings.first?.hasPrefix("The container-wide MacAddress field is now deprecated.") == true)
        let error = #expect(throws: APIError.self) { try ContainerConfiguration(wire, version: .v(52)) }
        #expect(
            error?.message
                == "container-wide MAC address no longer supported; use endpoint-specific MAC address instead")
    }

    @Test("empty port bindings are a warning since API 1.52")
    func emptyBindings() throws {
        let json = #"{"Image":"x","HostConfig":{"PortBindings":{"80/tcp":[],"81/tcp":[{"HostPort":"8081"}]}}}"#
        let wire = try JSON.decode(ContainerCreateRequest.self, from: Array(json.utf8))
        for (version, count) in [(APIVersion.v(51), 0), (.v(52), 1)] {
            var warnings: [String] = []
            _ = try ContainerConfiguration(wire, version: version, warnings: &warnings)
            #expect(warnings.count == count)
            if let warning = warnings.first { #expect(warning.contains("list of port-bindings: 80/tcp. Such")) }
        }
    }
}
