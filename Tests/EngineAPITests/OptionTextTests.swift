import Addresses
import Engine
import EngineAPI
import EngineAPIModel
import JSON
import OCISpec
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
            {"SecurityOpt":["no-new-privileges:false","no-new-privileges","seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}","apparmor=x","label=type:t"],
            "LogConfig":{"Config":{"max-size":"1.5k"}},"ExtraHosts":["c=[fd00::3]","d:host-gateway"],
            "PortBindings":{"80":[{"HostPort":"9"}]}}
            """#)
        let security = host.securityOptions
        #expect(security.noNewPrivileges == true && security.writableCgroups == nil)
        #expect(security.seccomp == .profile(SeccompProfile(defaultAction: "SCMP_ACT_ALLOW")))
        #expect(security.appArmor == "x" && security.labels == ["type:t"])
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
        "a driver that heeds no option takes any, as dockerd, and shows it",
        arguments: [(#"{"Type":"none","Config":{"x":"1"}}"#, LogDriver.jsonFile), (#"{"Config":{"x":"1"}}"#, .none)])
    func ignoredLogOptions(_ json: String, _ standard: LogDriver) throws {
        let wire = try JSON.decode(
            ContainerCreateRequest.self, from: Array(#"{"HostConfig":{"LogConfig":\#(json)}}"#.utf8))
        var warnings: [String] = []
        let log = try ContainerConfiguration(wire, version: .newest, logDriver: standard, warnings: &warnings).host.log
        #expect(log.file == LogFileOptions() && log.wireOptions == ["x": "1"] && warnings.isEmpty)
    }

    @Test(
        "modes of name spaces",
        arguments: [
            ("NetworkMode", "", "default"), ("NetworkMode", "default", "default"), ("NetworkMode", "none", "none"),
            ("NetworkMode", "container:a", "container:a"), ("NetworkMode", "own", "own"), ("PidMode", "host", "host"),
            ("PidMode", "private", ""), ("PidMode", "container:a", "container:a"), ("IpcMode", "none", "none"),
            ("IpcMode", "container:a", "container:a"), ("UTSMode", "host", "host"), ("UsernsMode", "host", "host"),
            ("CgroupnsMode", "private", "private"),
        ])
    func modes(_ field: String, _ text: String, _ shown: String) throws {
        let wire = HostConfig(shown: try host(#"{"\#(field)":"\#(text)"}"#))
        let document = try JSON.encodeValue(wire)
        #expect(document[field]?.string == shown)
    }

    @Test(
        "modes that do not exist have Docker's text",
        arguments: [
            (#"{"NetworkMode":"container:"}"#, "invalid network mode: invalid container format container:<name|id>"),
            (#"{"PidMode":"x"}"#, "invalid PID mode: x"), (#"{"IpcMode":"x"}"#, "invalid IPC mode: x"),
            (#"{"UTSMode":"x"}"#, "invalid UTS mode: x"), (#"{"UsernsMode":"x"}"#, "invalid USER mode: x"),
            (#"{"CgroupnsMode":"x"}"#, "invalid cgroup namespace mode: x"),
        ])
    func badModes(_ json: String, _ message: String) { #expect(refusal(json) == message) }

    @Test("restart policies are read in Docker's words")
    func restartPolicies() throws {
        let policy = try host(#"{"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":3}}"#).restartPolicy
        #expect(policy == .onFailure(maximumRetryCount: 3))
        #expect(try host(#"{"RestartPolicy":{"Name":""}}"#).restartPolicy == .no)
        #expect(
            refusal(#"{"RestartPolicy":{"Name":"always","MaximumRetryCount":3}}"#)
                == "invalid restart policy: maximum retry count can only be used with 'on-failure'")
        #expect(
            refusal(#"{"RestartPolicy":{"Name":"sometimes"}}"#)
                == "invalid restart policy: unknown policy 'sometimes'; use one of 'no', 'always', 'on-failure', or "
                + "'unless-stopped'")
    }

    @Test("a seccomp profile is read when the container is made, and shown as it was given")
    func seccompProfiles() throws {
        let text =
            #"{"defaultAction":"SCMP_ACT_ERRNO","archMap":[],"syscalls":[{"names":["read"],"#
            + #""action":"SCMP_ACT_ALLOW","includes":{"minKernel":"4.8"}},{"name":"bpf","action":"SCMP_ACT_LOG"}]}"#
        let options = try SecurityOptions(wire: ["seccomp=" + text])
        var profile = SeccompProfile(defaultAction: "SCMP_ACT_ERRNO")
        profile.rules = [
            .init(
                LinuxSyscall(names: ["read"], action: "SCMP_ACT_ALLOW"),
                includes: .init(minimumKernel: KernelVersion(4, 8))),
            .init(LinuxSyscall(names: ["bpf"], action: "SCMP_ACT_LOG")),
        ]
        #expect(options.seccomp == .profile(profile) && options.wire == ["seccomp=" + text])
    }

    @Test(
        "a seccomp profile that makes no sense is refused when the container is made",
        arguments: [
            ("{", "Decoding seccomp profile failed: "),
            (#"{"defaultAction":"a","architectures":["x"],"archMap":[{"architecture":"x"}]}"#, "both 'architectures'"),
            (#"{"defaultAction":"a","syscalls":[{"name":"x","names":["y"],"action":"a"}]}"#, "both 'name' and 'names'"),
            (
                #"{"defaultAction":"a","syscalls":[{"name":"x","action":"a","includes":{"minKernel":"4"}}]}"#,
                #"Decoding seccomp profile failed: invalid kernel version "4""#
            ),
        ])
    func badSeccompProfiles(_ text: String, _ message: String) {
        #expect {
            try SecurityOptions(wire: ["seccomp=" + text])
        } throws: { error in
            (error as? APIError)?.message.hasPrefix(message) ?? false
        }
    }

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
        #expect(host.capAdd.map(\.value) == [CapabilityName("CAP_CHOWN")] && host.capDrop.map(\.value) == [.all])
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
