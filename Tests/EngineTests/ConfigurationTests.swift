import Engine
import JSON
import LinuxKernel
import OCISpec
import Testing

@Suite("Container configuration") struct ConfigurationTests {
    private static let context = ValidationContext(
        processors: 4, availableCPUs: "0-3", availableMems: "0", runtimes: ["crun"])

    private func message(_ change: (inout ContainerConfiguration) -> Void) -> String? {
        var configuration = ContainerConfiguration(image: "debian")
        change(&configuration)
        do {
            _ = try configuration.validate(in: Self.context)
            return nil
        } catch {
            return error.message
        }
    }

    @Test("contradictions and values out of range are refused in Docker's words")
    func refusals() {
        #expect(message { _ in } == nil)
        #expect(message { $0.host.resources.memory = 1 << 20 } == "Minimum memory limit allowed is 6MB")
        #expect(
            message {
                $0.host.resources.memory = 64 << 20
                $0.host.resources.memorySwap = 32 << 20
            } == "Minimum memoryswap limit should be larger than memory limit, see usage")
        #expect(
            message { $0.host.resources.memorySwap = 32 << 20 }
                == "You should always set the Memory limit when using Memoryswap limit, see usage")
        #expect(
            message { $0.host.resources.nanoCPUs = 9_000_000_000 }
                == "range of CPUs is from 0.01 to 4.00, as there are only 4 CPUs available")
        #expect(
            message { $0.host.resources.cpusetCPUs = "2-9" }
                == "Requested CPUs are not available - requested 2-9, available: 0-3")
        #expect(message { $0.host.resources.cpusetCPUs = "x" } == "Invalid value x for cpuset cpus")
        #expect(message { $0.host.resources.blkioWeight = 5 } == "Range of blkio weight is from 10 to 1000")
        #expect(
            message { $0.host.oomScoreAdj = 2000 } == "Invalid value 2000, range for oom score adj is [-1000, 1000]")
        #expect(
            message {
                $0.host.autoRemove = true
                $0.host.restartPolicy = .always
            } == "can't create 'AutoRemove' container with restart policy")
        #expect(
            message { $0.workingDirectory = "x" }
                == "the working directory 'x' is invalid, it needs to be an absolute path")
        #expect(message { $0.stopSignal = "SIGNOPE" } == "invalid signal: SIGNOPE")
        #expect(message { $0.environment = ["=x"] } == "invalid environment variable: =x")
        #expect(message { $0.host.capAdd = ["NOPE"] } == "invalid CapAdd: unknown capability: \"CAP_NOPE\"")
        #expect(message { $0.host.runtime = "kata" } == "unknown or invalid runtime name: kata")
        #expect(message { $0.host.runtime = "crun" } == nil)
        #expect(message { $0.host.securityOptions = ["nope"] } == "invalid --security-opt 1: \"nope\"")
        #expect(
            message { $0.host.logConfiguration = LogConfiguration(driver: "syslog") }
                == "logger: no log driver named 'syslog' is registered")
        #expect(
            message { $0.host.logConfiguration = LogConfiguration(driver: "json-file", options: ["x": "1"]) }
                == "unknown log opt 'x' for json-file log driver")
        #expect(
            message {
                $0.host.utsMode = .host
                $0.hostname = "a"
            } == "conflicting options: hostname and the UTS mode")
    }

    @Test("a bind mount's source must exist with --mount, and two mounts cannot share a place")
    func mounts() throws {
        #expect(
            message { $0.host.mounts = [MountSpecification(kind: .bind, source: "/nowhere/x", target: "/x")] }
                == "invalid mount config for type \"bind\": bind source path does not exist: /nowhere/x")
        let bind = try BindSpecification("/tmp:/x")
        #expect(
            message {
                $0.host.binds = [bind]
                $0.host.tmpfs = ["/x/../x": ""]
            } == "Duplicate mount point: /x")
        #expect(message { $0.host.tmpfs = ["/x": "size=1m,nope"] } == "Invalid tmpfs option \"nope\"")
    }

    @Test("what is not there yet says so", arguments: ["name:/x", "-p", "--link", "-v /x"])
    func notImplemented(_ option: String) throws {
        var configuration = ContainerConfiguration(image: "debian")
        switch option {
        case "name:/x": configuration.host.binds = [try BindSpecification(option)]
        case "-p": configuration.host.portBindings = ["80/tcp": [PortBinding(hostPort: "8080")]]
        case "--link": configuration.host.links = ["a:b"]
        default: configuration.volumes = ["/x"]
        }
        #expect {
            try configuration.validate(in: Self.context)
        } throws: {
            ($0 as? EngineError)?.kind == .notImplemented
        }
    }

    @Test(
        "sysctls are allowed where their name space is the container's own",
        arguments: [
            ("net.core.somaxconn", NetworkMode.default, true), ("net.core.somaxconn", .host, false),
            ("net.ipv4.ip_forward", .none, true), ("kernel.shmmax", .host, true), ("vm.swappiness", .default, false),
            ("kernel.panic", .default, false), ("fs.mqueue.msg_max", .default, true),
        ])
    func sysctls(_ name: String, _ network: NetworkMode, _ isAllowed: Bool) {
        let result = message {
            $0.host.sysctls = [name: "1"]
            $0.host.networkMode = network
        }
        #expect((result == nil) == isAllowed)
    }

    @Test(
        "bind specifications",
        arguments: [
            ("/a:/b", "/a", "/b", false), ("/a:/b:ro", "/a", "/b", true), ("/a:/b:rw,rslave", "/a", "/b", false),
            ("vol:/b", "vol", "/b", false),
        ])
    func binds(_ text: String, _ source: String, _ destination: String, _ isReadOnly: Bool) throws {
        let bind = try BindSpecification(text)
        #expect(bind.source == source && bind.destination == destination && bind.isReadOnly == isReadOnly)
        #expect(bind.description == text)
    }

    @Test(
        "bad bind specifications",
        arguments: ["", "/a", "/a:", "/a:b", "/a:/", "/a:/b:xx", "/a:/b:ro,rw", "/a:/b:ro:x"])
    func badBinds(_ text: String) {
        #expect(throws: EngineError.self) { try BindSpecification(text) }
    }

    @Test("the image's command belongs to the image's entrypoint")
    func imageDefaults() {
        var image = ImageProcess()
        image.entrypoint = ["/entry"]
        image.cmd = ["serve"]
        image.env = ["PATH=/bin", "A=image"]
        image.labels = ["x": "image", "y": "image"]
        var own = ContainerConfiguration(image: "debian")
        #expect(own.merged(with: image).entrypoint == ["/entry"])
        #expect(own.merged(with: image).command == ["serve"])
        own.command = ["other"]
        #expect(own.merged(with: image).entrypoint == ["/entry"])
        #expect(own.merged(with: image).command == ["other"])
        own.command = nil
        own.entrypoint = ["/mine"]
        #expect(own.merged(with: image).command == nil)
        own.entrypoint = [""]
        #expect(own.merged(with: image).entrypoint == nil)
        #expect(own.merged(with: image).command == nil)
        own.environment = ["A=own"]
        own.labels = ["x": "own"]
        #expect(own.merged(with: image).environment == ["A=own", "PATH=/bin"])
        #expect(own.merged(with: image).labels == ["x": "own", "y": "image"])
    }

    @Test("a stored configuration comes back as it was, and takes defaults for what is newer")
    func storing() throws {
        var configuration = ContainerConfiguration(image: "debian")
        configuration.labels = ["a": "b"]
        configuration.stopTimeout = 3
        configuration.host.restartPolicy = .onFailure(maximumRetryCount: 4)
        configuration.host.ipcMode = .container("abc")
        configuration.host.binds = [try BindSpecification("/a:/b:ro")]
        configuration.host.resources.pidsLimit = 9
        let text = String(decoding: try JSON.encode(configuration), as: UTF8.self)
        #expect(try ContainerConfiguration(stored: text) == configuration)
        let old = try ContainerConfiguration(stored: #"{"image":"x","host":{"privileged":true}}"#)
        #expect(old.image == "x" && old.host.privileged && old.host.networkMode == .default)
    }

    @Test(
        "signals by name and number",
        arguments: [("KILL", 9), ("sigterm", 15), ("SIGRTMIN+3", 37), ("RTMAX-1", 63), ("10", 10)] as [(String, Int32)])
    func signals(_ text: String, _ number: Int32) throws {
        #expect(try Signal.parse(text).rawValue == number)
    }

    @Test("no signals", arguments: ["", "0", "65", "SIGFOO", "-9", "RTMIN+16"])
    func badSignals(_ text: String) {
        #expect(throws: EngineError.self) { try Signal.parse(text) }
    }
}
