import Addresses
import Engine
import JSON
import LinuxKernel
import OCISpec
import PublishedPorts
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
        #expect(message { $0.environment = ["=x"] } == "invalid environment variable: =x")
        #expect(message { $0.host.runtime = "kata" } == "unknown or invalid runtime name: kata")
        #expect(message { $0.host.runtime = "crun" } == nil)
        #expect(
            message {
                $0.host.privileged = true
                $0.host.securityOptions = SecurityOptions([.writableCgroups(false)])
            } == "conflicting options: privileged mode and the security option writable-cgroups=false")
        #expect(
            message {
                $0.host.utsMode = .host
                $0.hostname = "a"
            } == "conflicting options: hostname and the UTS mode")
    }

    @Test("a bind mount's source must exist with --mount, and two mounts cannot share a place")
    func mounts() throws {
        let target = try MountTarget("/x")
        #expect(
            message { $0.host.mounts = [MountSpecification(kind: .bind, source: "/nowhere/x", target: target)] }
                == "invalid mount config for type \"bind\": bind source path does not exist: /nowhere/x")
        let same = try MountTarget("/x/../x")
        #expect(
            message {
                $0.host.binds = [BindSpecification(source: "/tmp", target: target)]
                $0.host.tmpfs = [TmpfsMount(target: same)]
            } == "Duplicate mount point: /x")
    }

    @Test(
        "a bind mount of the daemon's files, or of a directory that holds them, must let the host's unmounting in",
        arguments: [
            ("/data/x", MountPropagationMode.private, false), ("/data", .rprivate, false), ("/", .shared, false),
            ("/data", .slave, false), ("/data", .rslave, true), ("/data/x", .rshared, true),
            ("/database", .private, true), ("/data", nil, true),
        ] as [(String, MountPropagationMode?, Bool)])
    func daemonRoot(_ source: String, _ propagation: MountPropagationMode?, _ isAllowed: Bool) throws {
        var context = Self.context
        context.dataRoot = "/data"
        var configuration = ContainerConfiguration(image: "debian")
        let option = propagation.flatMap { BindSpecification.Option(rawValue: $0.rawValue) }
        configuration.host.binds = [
            BindSpecification(source: source, target: try MountTarget("/x"), options: option.map { [$0] } ?? [])
        ]
        var refusal: String?
        do { _ = try configuration.validate(in: context) } catch { refusal = error.message }
        #expect((refusal == nil) == isAllowed)
        if let refusal {
            #expect(
                refusal.hasPrefix(
                    "invalid mount config: must use either propagation mode \"rslave\" or \"rshared\" when mount "
                        + "source is within the daemon root"
                ))
        }
    }

    @Test(
        "places of mounts",
        arguments: [
            ("/x", nil), ("/x/./y/", nil), (".", .relative), ("./", .relative), ("../", .relative), ("x", .relative),
            ("/", .root), ("//", .root), ("/..", .root), ("/x/..", .root),
        ] as [(String, MountTarget.Refusal?)])
    func targets(_ text: String, _ refusal: MountTarget.Refusal?) {
        do throws(MountTarget.Refusal) {
            #expect(try MountTarget(text).description == text && refusal == nil)
        } catch {
            #expect(error == refusal)
        }
    }

    @Test("what networks without a subnet of the user's cannot give is refused in Docker's words, all at once")
    func endpoints() throws {
        var endpoint = NetworkEndpoint()
        endpoint.ipv4 = IPAddress("10.0.0.2")
        #expect(
            message { $0.endpoints["bridge"] = endpoint }
                == "invalid config for network bridge: invalid endpoint settings:\nuser specified IP address is supported on user defined networks only"
        )
        endpoint.aliases = ["web"]
        #expect(
            message { $0.endpoints["bridge"] = endpoint }
                == "invalid config for network bridge: invalid endpoint settings:\n* user specified IP address is supported on user defined networks only\n* network-scoped aliases are only supported for user-defined networks"
        )
        // It may come to be before the container is started.
        #expect(message { $0.endpoints["other"] = NetworkEndpoint() } == nil)
        endpoint = NetworkEndpoint()
        endpoint.driverOptions = [NetworkEndpoint.sysctlOption: "net.ipv4.conf.eth0.forwarding=1"]
        #expect(
            message { $0.endpoints["bridge"] = endpoint }?.contains("unrecognised network interface sysctl") ?? false)
        #expect(
            message {
                $0.host.networkMode = .container("x")
                $0.endpoints["bridge"] = endpoint
            } != nil)
    }

    @Test("what is taken but has no effect is said")
    func warnings() throws {
        var configuration = ContainerConfiguration(image: "debian")
        configuration.host.securityOptions = SecurityOptions([.label("type:svirt_t")])
        let warnings = try configuration.validate(in: Self.context)
        #expect(warnings == ["This version does not set SELinux labels. Labels discarded."])
        configuration = ContainerConfiguration(image: "debian")
        configuration.host.securityOptions = SecurityOptions([.label("disable")])
        #expect(try configuration.validate(in: Self.context).isEmpty)
    }

    @Test("options of the other kind of source are refused in Docker's words")
    func bindOptions() throws {
        let target = try MountTarget("/x")
        #expect(
            message { $0.host.binds = [BindSpecification(source: "v", target: target, options: [.rslave])] }
                == "invalid volume specification: 'v:/x:rslave': invalid mount config for type \"volume\": "
                + "field BindOptions must not be specified")
        #expect(
            message { $0.host.binds = [BindSpecification(source: "/tmp", target: target, options: [.nocopy])] }
                == "invalid volume specification: '/tmp:/x:nocopy': invalid mount config for type \"bind\": "
                + "field VolumeOptions must not be specified")
        #expect(
            message { $0.host.mounts = [MountSpecification(kind: .volume, target: target, readOnly: true)] }
                == "invalid mount config for type \"volume\": must not set ReadOnly mode when using anonymous volumes")
        #expect(
            message { $0.host.mounts = [MountSpecification(kind: .image, target: target)] }
                == "invalid mount config for type \"image\": field Source must not be empty")
        #expect(
            message { $0.host.mounts = [MountSpecification(kind: .npipe, target: target)] }
                == "invalid mount config for type \"npipe\": mount type unknown")
    }

    @Test(
        "links need a network of the container's own",
        arguments: [(NetworkMode.host, "host type networking"), (.container("a"), "container type network")])
    func links(_ mode: NetworkMode, _ word: String) {
        #expect(
            message {
                $0.host.networkMode = mode
                $0.host.links = ["a:b"]
            }
                == "conflicting options: \(word) can't be used with links. This would result in undefined behavior"
        )
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
        "a privileged container sees the host's control groups with version 1 only",
        arguments: [
            (.default, true, true, nil, .private), (.default, true, false, nil, .host),
            (.default, true, false, .private, .host), (.default, true, true, .private, .private),
            (.default, false, true, nil, .private), (.default, false, false, nil, .host),
            (.default, false, false, .private, .private), (.private, true, false, nil, .private),
            (.hostOnVersion1, false, false, .private, .host), (.hostOnVersion1, false, true, .private, .private),
            (.hostOnVersion1, false, true, nil, .private),
        ] as [(CgroupNamespaceMode, Bool, Bool, CgroupNamespaceMode?, CgroupNamespaceMode)])
    func cgroupNamespaces(
        _ mode: CgroupNamespaceMode, _ isPrivileged: Bool, _ isVersion2: Bool, _ standard: CgroupNamespaceMode?,
        _ expected: CgroupNamespaceMode
    ) {
        #expect(
            mode.resolved(isPrivileged: isPrivileged, isVersion2: isVersion2, standard: standard) == expected)
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

    @Test(
        "modes come back from the database as they were",
        arguments: [NetworkMode.default, .none, .host, .container("host"), .network("none"), .network("my net")])
    func storedModes(_ mode: NetworkMode) throws {
        var configuration = ContainerConfiguration(image: "debian")
        configuration.host.networkMode = mode
        configuration.host.pidMode = .container("x")
        configuration.host.ipcMode = .none
        configuration.host.utsMode = .host
        let text = String(decoding: try JSON.encode(configuration), as: UTF8.self)
        #expect(try ContainerConfiguration(stored: text) == configuration)
    }

    @Test("a stored configuration comes back as it was, and takes defaults for what is newer")
    func storing() throws {
        var configuration = ContainerConfiguration(image: "debian")
        configuration.labels = ["a": "b"]
        configuration.stopTimeout = 3
        configuration.host.restartPolicy = .onFailure(maximumRetryCount: 4)
        configuration.host.securityOptions = SecurityOptions([
            .seccomp(.profile(SeccompProfile(defaultAction: "SCMP_ACT_ALLOW"))), .noNewPrivileges(true),
        ])
        configuration.host.ipcMode = .container("abc")
        configuration.host.binds = [BindSpecification(source: "/a", target: try MountTarget("/b"), options: [.ro])]
        configuration.host.resources.pidsLimit = 9
        let text = String(decoding: try JSON.encode(configuration), as: UTF8.self)
        #expect(try ContainerConfiguration(stored: text) == configuration)
        let old = try ContainerConfiguration(stored: #"{"image":"x","host":{"privileged":true}}"#)
        #expect(old.image == "x" && old.host.privileged && old.host.networkMode == .default)
    }
}
