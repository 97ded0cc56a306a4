import Foundation
import Testing

extension Integration {
    /// What `POST /containers/create` says to values of the wrong type, out of range, or that do not fit together:
    /// Docker's status, and where Docker has a text of its own, that.
    @Suite("rules of create")
    struct CreateRuleTests {
        struct Rule: CustomTestStringConvertible, Sendable {
            /// The document without its image.
            var body: String
            var status = 400
            var message: String
            var version = "v1.55"
            var testDescription: String { "\(version) \(body)" }

            init(_ body: String, _ message: String, status: Int = 400, version: String = "v1.55") {
                self.body = body
                self.message = message
                self.status = status
                self.version = version
            }
        }

        /// Members of the document itself.
        static let configuration = [
            Rule(#""WorkingDir":"tmp""#, "the working directory 'tmp' is invalid, it needs to be an absolute path"),
            Rule(#""StopSignal":"SIGFLY""#, "invalid signal: SIGFLY"),
            Rule(#""Env":["A=b",""]"#, "invalid environment variable: "),
            Rule(#""Env":["=b"]"#, "invalid environment variable: =b"),
            Rule(
                #""Hostname":"\#(String(repeating: "h", count: 65))""#,
                "hostname \"\(String(repeating: "h", count: 65))\" is too long (maximum 64 bytes)"),
            Rule(#""ExposedPorts":{"http/tcp":{}}"#, "invalid port specification: \"http/tcp\""),
            Rule(
                #""MacAddress":"02:42:ac:11:00:02""#,
                "container-wide MAC address no longer supported; use endpoint-specific MAC address instead"),
            Rule(
                #""MacAddress":"02:42:ac:11:00:02","HostConfig":{"NetworkMode":"host"}"#,
                "conflicting options: mac-address and the network mode", version: "v1.43"),
        ]

        /// Members of `HostConfig`.
        static let host = [
            Rule(#""Memory":1048576"#, "Minimum memory limit allowed is 6MB"),
            Rule(#""Memory":-5"#, "Minimum memory limit allowed is 6MB"),
            Rule(
                #""Memory":16777216,"MemorySwap":8388608"#,
                "Minimum memoryswap limit should be larger than memory limit, see usage"),
            Rule(
                #""MemorySwap":8388608"#,
                "You should always set the Memory limit when using Memoryswap limit, see usage"),
            Rule(#""MemorySwappiness":101"#, "Invalid value: 101, valid memory swappiness range is 0-100"),
            Rule(#""MemoryReservation":1024"#, "Minimum memory reservation allowed is 6MB"),
            Rule(
                #""Memory":8388608,"MemoryReservation":16777216"#,
                "Minimum memory limit can not be less than memory reservation limit, see usage"),
            Rule(
                #""NanoCpus":1000000000,"CpuPeriod":100000"#,
                "Conflicting options: Nano CPUs and CPU Period cannot both be set"),
            Rule(
                #""NanoCpus":1000000000,"CpuQuota":100000"#,
                "Conflicting options: Nano CPUs and CPU Quota cannot both be set"),
            Rule(#""NanoCpus":-1"#, "range of CPUs is from 0.01 to "),
            Rule(#""NanoCpus":9000000000000"#, "range of CPUs is from 0.01 to "),
            Rule(#""CpuShares":-1"#, "invalid CPU shares (-1): value must be a positive integer"),
            Rule(
                #""CpuPeriod":10"#,
                "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"),
            Rule(#""CpuQuota":10"#, "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
            Rule(#""CpusetCpus":"x""#, "Invalid value x for cpuset cpus"),
            Rule(#""CpusetCpus":"4095""#, "Requested CPUs are not available - requested 4095, available: "),
            Rule(#""CpusetMems":"1-0""#, "Invalid value 1-0 for cpuset mems"),
            Rule(#""BlkioWeight":5"#, "Range of blkio weight is from 10 to 1000"),
            Rule(
                #""IOMaximumBandwidth":1"#,
                "invalid option: QoS maximum bandwidth configuration is not supported on linux"),
            Rule(#""IOMaximumIOps":1"#, "invalid option: QoS maximum IOPs configuration is not supported on linux"),
            Rule(#""Isolation":"hyperv""#, "invalid isolation (hyperv): linux only supports 'default'"),
            Rule(
                #""StorageOpt":{"size":"10g"}"#,
                "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"),
            Rule(#""StorageOpt":{"size":"much"}"#, "invalid size: 'much'"),
            Rule(#""StorageOpt":{"Speed":"1"}"#, "Unknown option speed"),
            Rule(#""IpcMode":"some""#, "invalid IPC mode: some"),
            Rule(#""PidMode":"some""#, "invalid PID mode: some"),
            Rule(#""UTSMode":"some""#, "invalid UTS mode: some"),
            Rule(#""CgroupnsMode":"some""#, "invalid cgroup namespace mode: some"),
            Rule(#""ShmSize":-1"#, "SHM size can not be less than 0"),
            Rule(#""OomScoreAdj":1001"#, "Invalid value 1001, range for oom score adj is [-1000, 1000]"),
            Rule(
                #""AutoRemove":true,"RestartPolicy":{"Name":"always"}"#,
                "can't create 'AutoRemove' container with restart policy"),
            Rule(
                #""RestartPolicy":{"Name":"sometimes"}"#,
                "invalid restart policy: unknown policy 'sometimes'; use one of 'no', 'always', 'on-failure', or "
                    + "'unless-stopped'"),
            Rule(
                #""RestartPolicy":{"Name":"always","MaximumRetryCount":3}"#,
                "invalid restart policy: maximum retry count can only be used with 'on-failure'"),
            Rule(
                #""RestartPolicy":{"Name":"no","MaximumRetryCount":-3}"#,
                "invalid restart policy: maximum retry count can only be used with 'on-failure' and cannot be negative"),
            Rule(
                #""RestartPolicy":{"Name":"on-failure","MaximumRetryCount":-3}"#,
                "invalid restart policy: maximum retry count cannot be negative"),
            Rule(#""ExtraHosts":["web"]"#, "bad format for add-host: \"web\""),
            Rule(#""ExtraHosts":["web:300.1.1.1"]"#, "invalid IP address in add-host: \"300.1.1.1\""),
            Rule(#""CapAdd":["FLY"]"#, "invalid CapAdd: unknown capability: \"CAP_FLY\""),
            Rule(#""CapDrop":["FLY"]"#, "invalid CapDrop: unknown capability: \"CAP_FLY\""),
            Rule(
                #""Annotations":{"":"x"}"#,
                "invalid Annotations: the empty string is not permitted as an annotation key"),
            Rule(#""PortBindings":{"0/tcp":[]}"#, "invalid port specification: \"0/tcp\""),
            Rule(#""PortBindings":{"80/tcp":[{"HostPort":"x"}]}"#, "invalid port specification: \"x\""),
            Rule(#""Runtime":"none-such""#, "unknown or invalid runtime name: none-such"),
            Rule(
                #""NetworkMode":"container:""#, "invalid network mode: invalid container format container:<name|id>"),
            Rule(
                #""NetworkMode":"container:x","Dns":["1.1.1.1"]"#, "conflicting options: dns and the network mode"),
            Rule(
                #""NetworkMode":"container:x","Links":["a:b"]"#,
                "conflicting options: container type network can't be used with links. This would result in undefined "
                    + "behavior"),
            Rule(
                #""NetworkMode":"host","Links":["a:b"]"#,
                "conflicting options: host type networking can't be used with links. This would result in undefined "
                    + "behavior"),
            Rule(
                #""NetworkMode":"container:x","ExtraHosts":["a:1.1.1.1"]"#,
                "conflicting options: custom host-to-IP mapping and the network mode"),
            Rule(
                #""NetworkMode":"container:x","PublishAllPorts":true"#,
                "conflicting options: port publishing and the container type network mode"),
            Rule(#""Ulimits":[{"Name":"fly","Soft":1,"Hard":1}]"#, "invalid ulimit type: fly"),
            Rule(
                #""Ulimits":[{"Name":"nofile","Soft":2,"Hard":1}]"#,
                "ulimit soft limit must be less than or equal to hard limit: 2 > 1"),
            Rule(#""SecurityOpt":["fly"]"#, "invalid --security-opt 1: \"fly\""),
            Rule(#""Sysctls":{"net.ipv4.conf.eth0.forwarding":"1"}"#, "must be supplied using driver option"),
            Rule(
                #""Capabilities":["CAP_CHOWN"],"CapAdd":["CAP_CHOWN"]"#,
                "conflicting options: Capabilities and CapAdd / CapDrop", version: "v1.40"),
        ]

        @Test("values that make no sense get Docker's status and words, and leave nothing")
        func rules() throws {
            try withDaemon { daemon in
                let before = try daemon.footprint()
                func check(_ rule: Rule, _ body: String) throws {
                    let answer = try daemon.http("POST", "/\(rule.version)/containers/create", body: body)
                    let json = try? JSONSerialization.jsonObject(with: Data(answer.body.utf8)) as? [String: Any]
                    let message = json?["message"] as? String ?? ""
                    #expect(answer.status == rule.status, "\(rule.testDescription): \(answer)")
                    #expect(message.contains(rule.message), "\(rule.testDescription): \(answer)")
                }
                for rule in Self.configuration { try check(rule, #"{"Image":"busybox",\#(rule.body)}"#) }
                for rule in Self.host { try check(rule, #"{"Image":"busybox","HostConfig":{\#(rule.body)}}"#) }
                try daemon.expectFootprint(before)
            }
        }

        /// Members by what they are.
        static let types: [(members: [String], wrong: [String])] = [
            (
                ["Hostname", "User", "Image", "WorkingDir", "StopSignal"], ["7", "true", "[]", "{}"]
            ),
            (["Tty", "OpenStdin", "AttachStdin"], ["7", #""x""#, "[]"]),
            (["Env", "OnBuild"], ["7", #""x""#, "{}", "[7]"]),
            (["Cmd", "Entrypoint"], ["7", "{}", "[7]"]),
            (
                ["Labels", "Volumes", "ExposedPorts", "Healthcheck", "HostConfig", "NetworkingConfig"],
                ["7", #""x""#, "[]"]
            ),
            (["StopTimeout"], [#""x""#, "1.5", "[]", "99999999999999999999"]),
        ]

        static let hostTypes: [(members: [String], wrong: [String])] = [
            (
                ["Memory", "NanoCpus", "CpuShares", "ShmSize", "PidsLimit", "OomScoreAdj", "BlkioWeight"],
                [#""x""#, "1.5", "[]", "99999999999999999999"]
            ),
            (["Privileged", "AutoRemove", "ReadonlyRootfs", "PublishAllPorts", "Init"], ["7", #""x""#, "[]"]),
            (["NetworkMode", "PidMode", "IpcMode", "CgroupParent", "Runtime", "CpusetCpus"], ["7", "true", "[]"]),
            (["Binds", "CapAdd", "Dns", "ExtraHosts", "GroupAdd", "SecurityOpt", "Links"], ["7", #""x""#, "[7]"]),
            (["Mounts", "Ulimits", "Devices", "BlkioWeightDevice"], ["7", #""x""#, "[7]"]),
            (["Sysctls", "Tmpfs", "Annotations", "PortBindings", "LogConfig", "RestartPolicy"], ["7", #""x""#, "[]"]),
        ]

        @Test("a value of the wrong type is refused, whichever member it is")
        func wrongTypes() throws {
            try withDaemon { daemon in
                let before = try daemon.footprint()
                func check(_ body: String) throws {
                    let answer = try daemon.http("POST", "/containers/create", body: body)
                    #expect(answer.status == 400 && answer.body.hasPrefix(#"{"message":"#), "\(body): \(answer)")
                }
                for (members, wrong) in Self.types {
                    for member in members {
                        let rest = member == "Image" ? "" : #""Image":"busybox","#
                        for value in wrong { try check(#"{\#(rest)"\#(member)":\#(value)}"#) }
                    }
                }
                for (members, wrong) in Self.hostTypes {
                    for member in members {
                        for value in wrong { try check(#"{"Image":"busybox","HostConfig":{"\#(member)":\#(value)}}"#) }
                    }
                }
                try check(#"{"Image":"busybox"} x"#)
                try daemon.expectFootprint(before)
            }
        }
    }
}
