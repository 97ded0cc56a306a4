import Addresses
import Engine
import EngineAPI
import EngineAPIModel
import JSON
import Testing

/// Docker's texts are read here, once: what comes out has the same words when it is shown again.
@Suite("Texts of options")
struct OptionTextTests {
    private func host(_ json: String, version: APIVersion = .newest) throws -> HostConfiguration {
        try ContainerConfiguration(
            try JSON.decode(ContainerCreateRequest.self, from: Array(#"{"HostConfig":\#(json)}"#.utf8)),
            version: version
        ).host
    }

    private func refusal(_ json: String, version: APIVersion = .newest) -> String? {
        do {
            _ = try host(json, version: version)
            return nil
        } catch {
            return "\((error as? EngineError)?.message ?? "\(error)")"
        }
    }

    @Test("what is asked for is shown as it was written")
    func echo() throws {
        let host = try host(
            #"""
            {"Binds":["/tmp:/b/../b:ro,z","/usr:/u"],"SecurityOpt":["no-new-privileges:true","seccomp=unconfined","apparmor:prof",
            "label=disable","writable-cgroups"],"CapAdd":["net_admin","CAP_SYS_TIME"],"CapDrop":["all"],"Isolation":"default",
            "Runtime":"runc","ExtraHosts":["a:10.0.0.1","b=fd00::2","c=[fd00::3]"],"Dns":["9.9.9.9"],
            "Tmpfs":{"/t":"size=64m,mode=1770,exec","/s":""},"DeviceCgroupRules":["c 1:3 rwm","b *:7 r","a *:* m"],
            "Devices":[{"PathOnHost":"/dev/null","PathInContainer":"/dev/x","CgroupPermissions":"mr"}],
            "Ulimits":[{"Name":"nofile","Soft":10,"Hard":20}],
            "PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080-8090"},{}],"53/udp":[]},
            "Mounts":[{"Type":"bind","Source":"/var","Target":"/v","BindOptions":{"Propagation":"rslave"}},
            {"Type":"tmpfs","Target":"/t2","TmpfsOptions":{"SizeBytes":4096,"Mode":448,"Options":[["exec"]]}}],
            "LogConfig":{"Type":"json-file","Config":{"max-size":"10m","max-file":"3","labels":"a,b","env-regex":"^X","tag":"t",
            "mode":"non-blocking","max-buffer-size":"2m","compress":"false"}}}
            """#)
        let shown = HostConfig(shown: host)
        #expect(shown.binds == ["/tmp:/b/../b:ro,z", "/usr:/u"])
        #expect(
            shown.securityOpt == [
                "no-new-privileges:true", "seccomp=unconfined", "apparmor:prof", "label=disable", "writable-cgroups",
            ])
        #expect(shown.capAdd == ["net_admin", "CAP_SYS_TIME"] && shown.capDrop == ["all"])
        #expect(shown.isolation == "default" && shown.runtime == "runc")
        #expect(shown.extraHosts == ["a:10.0.0.1", "b=fd00::2", "c=[fd00::3]"] && shown.dns == ["9.9.9.9"])
        #expect(shown.tmpfs == ["/t": "size=64m,mode=1770,exec", "/s": ""])
        #expect(shown.deviceCgroupRules == ["c 1:3 rwm", "b *:7 r", "a *:* m"])
        #expect(shown.devices?.first?.cgroupPermissions == "mr")
        #expect(shown.ulimits?.first?.name == "nofile")
        #expect(shown.portBindings?["80/tcp"]??.map(\.hostPort) == ["8080-8090", ""])
        #expect(shown.portBindings?["80/tcp"]??.map(\.hostIP) == ["127.0.0.1", ""])
        #expect(shown.mounts.first?.bindOptions?.propagation == "rslave")
        #expect(shown.mounts.last?.tmpfsOptions?.options == [["exec"]])
        #expect(
            shown.logConfig.config == [
                "max-size": "10m", "max-file": "3", "labels": "a,b", "env-regex": "^X", "tag": "t",
                "mode": "non-blocking", "max-buffer-size": "2m", "compress": "false",
            ])
        // And what is stored is the same.
        let stored = try JSON.decode(HostConfiguration.self, from: try JSON.encode(host))
        #expect(stored == host)
    }

    @Test("what is read is the value")
    func values() throws {
        let host = try host(
            #"""
            {"SecurityOpt":["no-new-privileges:false","no-new-privileges","seccomp={}","apparmor=x","label=type:t"],
            "LogConfig":{"Config":{"max-size":"1.5k"}},"ExtraHosts":["c=[fd00::3]","d:host-gateway"],
            "PortBindings":{"80":[{"HostPort":"9"}]}}
            """#)
        let security = host.securityOptions
        #expect(security.noNewPrivileges == true && security.seccomp == .profile("{}"))
        #expect(security.appArmor == "x" && security.labels == ["type:t"] && security.writableCgroups == nil)
        #expect(host.log.driver == nil && host.log.file.maxSize?.value == ByteCount(1536))
        #expect(host.extraHosts.map(\.value.address) == [IPAddress("fd00::3"), nil])
        #expect(host.publishedPorts.map(\.port.description) == ["80/tcp"])
    }

    @Test(
        "nonsense has Docker's text",
        arguments: [
            (#"{"SecurityOpt":["nope"]}"#, "invalid --security-opt 1: \"nope\""),
            (#"{"SecurityOpt":["nope=x"]}"#, "invalid --security-opt 2: \"nope=x\""),
            (#"{"SecurityOpt":["writable-cgroups=potato"]}"#, "invalid --security-opt 2: \"writable-cgroups=potato\""),
            (#"{"SecurityOpt":["writeable-cgroups=true"]}"#, "invalid --security-opt 2: \"writeable-cgroups=true\""),
            (#"{"CapAdd":["NOPE"]}"#, "invalid CapAdd: unknown capability: \"CAP_NOPE\""),
            (#"{"CapDrop":["cap_x"]}"#, "invalid CapDrop: unknown capability: \"CAP_X\""),
            (#"{"LogConfig":{"Type":"syslog"}}"#, "logger: no log driver named 'syslog' is registered"),
            (
                #"{"LogConfig":{"Type":"json-file","Config":{"x":"1"}}}"#,
                "unknown log opt 'x' for json-file log driver"
            ),
            (#"{"LogConfig":{"Type":"none","Config":{"x":"1"}}}"#, "unknown log opt for none log driver"),
            (#"{"LogConfig":{"Config":{"mode":"x"}}}"#, "logger: logging mode not supported: x"),
            (#"{"LogConfig":{"Config":{"max-file":"0"}}}"#, "max-file cannot be less than 1"),
            (#"{"LogConfig":{"Config":{"max-size":"1x"}}}"#, "invalid size: '1x'"),
            (#"{"ExtraHosts":["a"]}"#, "bad format for add-host: \"a\""),
            (#"{"ExtraHosts":["a:b"]}"#, "invalid IP address in add-host: \"b\""),
            (#"{"Dns":["a"]}"#, "invalid IP address in DNS server: a"),
            (#"{"DeviceCgroupRules":["x 1:3 rwm"]}"#, "invalid device cgroup rule format: 'x 1:3 rwm'"),
            (#"{"DeviceCgroupRules":["c 1:3 rr"]}"#, "invalid device cgroup rule format: 'c 1:3 rr'"),
            (#"{"Devices":[{"PathOnHost":"/dev/x","CgroupPermissions":"z"}]}"#, "invalid device mode: z"),
            (#"{"Ulimits":[{"Name":"x"}]}"#, "invalid ulimit type: x"),
            (
                #"{"Ulimits":[{"Name":"core","Soft":2,"Hard":1}]}"#,
                "ulimit soft limit must be less than or equal to hard limit: 2 > 1"
            ),
            (#"{"PortBindings":{"99999/tcp":[]}}"#, "invalid port specification: \"99999/tcp\""),
            (#"{"PortBindings":{"1/tcp":[{"HostIp":"x"}]}}"#, "invalid IP address in port binding: x"),
            (#"{"Tmpfs":{"/x":"size=1m,nope"}}"#, "Invalid tmpfs option \"nope\""),
            (#"{"Tmpfs":{".":""}}"#, "invalid mount path: '.' mount path must be absolute"),
            (#"{"Tmpfs":{"/":""}}"#, "invalid specification: destination can't be '/'"),
            (#"{"Tmpfs":{"//":""}}"#, "invalid specification: destination can't be '/'"),
            (
                #"{"Mounts":[{"Type":"tmpfs","Target":"/"}]}"#,
                "invalid mount config for type \"tmpfs\": invalid specification: destination can't be '/'"
            ),
            (
                #"{"Mounts":[{"Type":"tmpfs","Target":"./"}]}"#,
                "invalid mount config for type \"tmpfs\": invalid mount path: './' mount path must be absolute"
            ),
            (
                #"{"Mounts":[{"Type":"tmpfs"}]}"#,
                "invalid mount config for type \"tmpfs\": field Target must not be empty"
            ),
            (
                #"{"Mounts":[{"Type":"tmpfs","Target":"/x","TmpfsOptions":{"Options":[["suid"]]}}]}"#,
                "invalid mount config for type \"tmpfs\": invalid option: suid"
            ),
            (
                #"{"Mounts":[{"Type":"bind","Source":"/","Target":"/x","BindOptions":{"Propagation":"x"}}]}"#,
                "invalid mount config for type \"bind\": invalid propagation mode: x"
            ),
        ])
    func refusals(_ json: String, _ message: String) { #expect(refusal(json) == message) }

    @Test(
        "bind specifications",
        arguments: [
            ("/a:/b", "/a", "/b", false), ("/a:/b:ro", "/a", "/b", true), ("/a:/b:rw,rslave", "/a", "/b", false),
            ("vol:/b", "vol", "/b", false),
        ])
    func binds(_ text: String, _ source: String, _ destination: String, _ isReadOnly: Bool) throws {
        let bind = try BindSpecification(wire: text, version: .newest)
        #expect(bind.source == source && bind.target.path == destination && bind.isReadOnly == isReadOnly)
        #expect(bind.description == text)
    }

    @Test(
        "bad bind specifications",
        arguments: ["", "/a", "/a:", "/a:b", "/a:/", "/a:/b:xx", "/a:/b:ro,rw", "/a:/b:ro:x", "/a:/b:z,Z", "/a:/b:ro,"])
    func badBinds(_ text: String) {
        #expect(throws: (any Error).self) { try BindSpecification(wire: text, version: .newest) }
    }

    @Test("read-only means the top mount alone for clients before 1.44")
    func readOnly() throws {
        let json =
            #"{"Binds":["/a:/b:ro"],"Mounts":[{"Type":"bind","Source":"/a","Target":"/c","ReadOnly":true}]}"#
        let old = try host(json, version: .v(43))
        #expect(old.binds[0].isReadOnlyNonRecursive == true && old.mounts[0].isReadOnlyNonRecursive == true)
        let new = try host(json, version: .v(44))
        #expect(new.binds[0].isReadOnlyNonRecursive == nil && new.mounts[0].isReadOnlyNonRecursive == nil)
    }

    @Test("the exact list of capabilities of API 1.40 is that and no more")
    func exactCapabilities() throws {
        let host = try host(#"{"Capabilities":["CAP_CHOWN"]}"#)
        #expect(host.capAdd.map(\.value) == [CapabilityName("CHOWN")] && host.capDrop.map(\.value) == [.all])
        #expect(try self.host(#"{"Capabilities":[]}"#).capDrop.map(\.value) == [.all])
        #expect(
            refusal(#"{"Capabilities":["CAP_CHOWN"],"CapAdd":["ALL"]}"#)
                == "conflicting options: Capabilities and CapAdd / CapDrop")
    }

    @Test("clients before 1.41 expect the host's control groups with cgroup version 1")
    func cgroupNamespace() throws {
        #expect(try host("{}", version: .v(40)).cgroupNamespaceMode == .hostOnVersion1)
        #expect(try host("{}", version: .v(41)).cgroupNamespaceMode == .default)
        #expect(try host(#"{"CgroupnsMode":"private"}"#, version: .v(40)).cgroupNamespaceMode == .private)
    }
}
