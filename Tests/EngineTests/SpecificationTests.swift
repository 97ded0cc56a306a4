import Engine
import OCISpec
import SystemPackage
import Testing

@Suite("OCI specification") struct SpecificationTests {
    private func context(ipc: IPCMode) throws -> SpecificationContext {
        var context = SpecificationContext(
            id: "abc", path: "/bin/sh", arguments: ["-c", "true"], rootfs: "/run/x/rootfs", files: "/var/x",
            user: try ContainerUser("", passwd: [], group: []), hostname: "box")
        context.ipcMode = ipc
        context.defaultUlimits = [try #require(Ulimit(.nofile, soft: 1, hard: 2))]
        return context
    }

    private func spec(
        ipc: IPCMode = .private,
        _ change: (inout ContainerConfiguration, inout SpecificationContext) throws -> Void = { _, _ in }
    ) throws -> Spec {
        var configuration = ContainerConfiguration(image: "debian")
        var context = try context(ipc: ipc)
        try change(&configuration, &context)
        configuration.mountPoints += MountPlan(configuration).settled
        return try SpecificationBuilder(configuration: configuration, context: context).build()
    }

    @Test("a plain container has Docker's defaults")
    func defaults() throws {
        let spec = try spec()
        let process = try #require(spec.process)
        let linux = try #require(spec.linux)
        #expect(process.args == ["/bin/sh", "-c", "true"])
        #expect(
            process.env == [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=box", "HOME=/",
            ])
        #expect(process.cwd == "/")
        #expect(process.capabilities?.bounding?.count == 14)
        #expect(process.capabilities?.inheritable == nil && process.capabilities?.ambient == nil)
        #expect(process.rlimits == [POSIXRlimit(type: "RLIMIT_NOFILE", soft: 1, hard: 2)])
        #expect(Set((linux.namespaces ?? []).map(\.type)) == [.mount, .network, .uts, .pid, .ipc, .cgroup])
        #expect(linux.cgroupsPath == "/masu/abc")
        #expect(linux.maskedPaths?.contains("/proc/kcore") ?? false)
        #expect(linux.readonlyPaths?.contains("/proc/sys") ?? false)
        #expect(linux.seccomp?.defaultAction == "SCMP_ACT_ERRNO")
        #expect(linux.resources?.devices?.first?.allow == false)
        #expect(spec.hostname == "box")
        let destinations = (spec.mounts ?? []).map(\.destination)
        #expect(destinations.starts(with: ["/proc", "/dev", "/sys"]))
        #expect(destinations.contains("/etc/resolv.conf") && destinations.contains("/dev/shm"))
    }

    @Test("variables are replaced in their place, and a bare name removes one")
    func environment() {
        let result = SpecificationBuilder.environment(
            ["PATH=/bin", "HOSTNAME", "X=1", "X=2"], hostname: "box", tty: true, home: "/root")
        #expect(result == ["PATH=/bin", "TERM=xterm", "X=2", "HOME=/root"])
    }

    @Test("modes choose name spaces")
    func namespaces() throws {
        let shared = try spec(ipc: .host) { configuration, context in
            configuration.host.networkMode = .host
            configuration.host.pidMode = .host
            configuration.host.utsMode = .host
            context.cgroupNamespace = .host
        }
        #expect(shared.linux?.namespaces?.map(\.type) == [.mount])
        #expect(shared.hostname == nil)
        #expect(shared.mounts?.first { $0.destination == "/dev/shm" }?.type == "bind")
        #expect(shared.linux?.sysctl == nil)
        let joined = try spec { configuration, context in
            configuration.host.networkMode = .container("x")
            context.networkTarget = 42
        }
        #expect(joined.linux?.namespaces?.contains(LinuxNamespace(type: .network, path: "/proc/42/ns/net")) ?? false)
    }

    @Test("privileged: all capabilities, devices, no masks, no seccomp")
    func privileged() throws {
        let spec = try spec { configuration, _ in configuration.host.privileged = true }
        #expect(spec.process?.capabilities?.bounding?.count == Capabilities.all.count)
        #expect(spec.linux?.seccomp == nil && spec.linux?.maskedPaths == nil)
        #expect(spec.linux?.resources?.devices == [LinuxDeviceCgroup(allow: true, access: "rwm")])
        #expect(spec.mounts?.first { $0.destination == "/sys" }?.options?.contains("rw") ?? false)
    }

    @Test("another user than root keeps capabilities as a bound only")
    func otherUser() throws {
        let spec = try spec { _, context in context.user.uid = 1000 }
        #expect(spec.process?.capabilities?.bounding?.isEmpty == false)
        #expect(spec.process?.capabilities?.effective == nil)
    }

    @Test(
        "capabilities are added and dropped",
        arguments: [
            ([], ["ALL"], []), (["CAP_NET_RAW"], ["ALL"], ["CAP_NET_RAW"]),
        ] as [([String], [String], [String])])
    func capabilities(_ added: [String], _ dropped: [String], _ expected: [String]) throws {
        func names(_ texts: [String]) throws -> [CapabilityName] { try texts.map { try #require(CapabilityName($0)) } }
        #expect(
            Capabilities.effective(adding: try names(added), dropping: try names(dropped), privileged: false)
                == expected)
        let all = Capabilities.effective(adding: [.all], dropping: try names(["CAP_MKNOD"]), privileged: false)
        #expect(all.count == Capabilities.all.count - 1 && !all.contains("CAP_MKNOD"))
    }

    @Test("the default seccomp profile opens with capabilities")
    func seccomp() {
        func names(_ capabilities: [String]) -> Set<String> {
            let rules = DefaultSeccompProfile.profile(capabilities: capabilities).syscalls ?? []
            return Set(rules.filter { $0.action == "SCMP_ACT_ALLOW" && $0.args == nil }.flatMap(\.names))
        }
        let plain = names(Capabilities.defaults)
        #expect(plain.contains("read") && plain.contains("chroot"))
        #expect(!plain.contains("mount") && !plain.contains("unshare") && !plain.contains("clone"))
        #expect(names(["CAP_SYS_ADMIN"]).isSuperset(of: ["mount", "clone", "setns"]))
        let clone3 = DefaultSeccompProfile.profile(capabilities: []).syscalls?.first { $0.names == ["clone3"] }
        #expect(clone3?.errnoRet == 38)
    }

    @Test("a profile's conditions decide by capability, machine and kernel")
    func seccompProfile() throws {
        func rule(
            _ name: String, includes: SeccompProfile.Condition? = nil, excludes: SeccompProfile.Condition? = nil
        ) -> SeccompProfile.Rule {
            .init(LinuxSyscall(names: [name], action: "SCMP_ACT_ALLOW"), includes: includes, excludes: excludes)
        }
        var profile = SeccompProfile(defaultAction: "SCMP_ACT_ERRNO")
        profile.architectures = .byMachine(others: ["SCMP_ARCH_X86_64": ["SCMP_ARCH_X86"]])
        profile.rules = [
            rule("read"), rule("mount", includes: .init(capabilities: ["CAP_SYS_ADMIN"])),
            rule("clone3", excludes: .init(capabilities: ["CAP_SYS_ADMIN"])),
            rule("ptrace", includes: .init(minimumKernel: KernelVersion(7, 5))),
            rule("bpf", excludes: .init(minimumKernel: KernelVersion(4, 8))),
            rule("modify_ldt", includes: .init(machines: ["amd64"])),
        ]
        func resolved(_ capabilities: [String], _ machine: String = "amd64") -> LinuxSeccomp {
            profile.resolved(capabilities: capabilities, machine: machine, kernel: KernelVersion(6, 1))
        }
        #expect((resolved([]).syscalls ?? []).flatMap(\.names) == ["read", "clone3", "modify_ldt"])
        #expect(
            (resolved(["CAP_SYS_ADMIN"]).syscalls ?? []).flatMap(\.names) == ["read", "mount", "modify_ldt"])
        #expect(resolved([]).architectures == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"])
        #expect(resolved([], "arm64").architectures == nil)
    }

    @Test("the user's mounts replace defaults and are ordered by depth")
    func mounts() throws {
        let spec = try spec { configuration, _ in
            let options = [TmpfsOption(name: "size", value: "1m"), TmpfsOption(name: "exec")].compactMap(\.self)
            configuration.host.tmpfs = [
                TmpfsMount(target: try MountTarget("/dev/shm"), options: options),
                TmpfsMount(target: try MountTarget("/a/b/c")),
            ]
            configuration.host.binds = [
                BindSpecification(source: "/tmp", target: try MountTarget("/a"), options: [.ro])
            ]
        }
        let mounts = try #require(spec.mounts)
        let memory = mounts.filter { $0.destination == "/dev/shm" }
        #expect(memory.count == 1)
        #expect(memory.first?.options == ["nosuid", "nodev", "rprivate", "size=1m", "exec"])
        let order = mounts.map(\.destination)
        let outer = try #require(order.firstIndex(of: "/a"))
        let inner = try #require(order.firstIndex(of: "/a/b/c"))
        #expect(outer < inner)
        #expect(mounts[outer].options == ["rbind", "rprivate", "rro"])
    }

    @Test("limits are written in the specification's terms")
    func resources() throws {
        let spec = try spec { configuration, context in
            configuration.host.resources.memory = 64 << 20
            configuration.host.resources.memorySwap = -1
            configuration.host.resources.nanoCPUs = 1_500_000_000
            configuration.host.resources.pidsLimit = 100
            context.cgroupParent = "/custom/"
        }
        let resources = try #require(spec.linux?.resources)
        #expect(resources.memory?.limit == 64 << 20 && resources.memory?.swap == -1)
        #expect(resources.cpu?.quota == 150_000 && resources.cpu?.period == 100_000)
        #expect(resources.pids?.limit == 100)
        #expect(spec.linux?.cgroupsPath == "/custom/abc")
    }

    @Test("the harmless devices may be used, the host's console may not")
    func deviceRules() throws {
        let rules = try #require(spec().linux?.resources?.devices)
        func isAllowed(_ major: Int64, _ minor: Int64) -> Bool {
            rules.contains {
                $0.allow && $0.type == "c" && $0.major == major && $0.minor == minor && $0.access == "rwm"
            }
        }
        #expect(isAllowed(1, 3) && isAllowed(5, 0) && isAllowed(5, 2) && !isAllowed(5, 1))
    }

    @Test("control groups are mounted for writing if that was chosen")
    func writableCgroups() throws {
        for (choice, option) in [(nil, "ro"), (false, "ro"), (true, "rw")] as [(Bool?, String)] {
            let spec = try spec { configuration, _ in
                if let choice { configuration.host.securityOptions = SecurityOptions([.writableCgroups(choice)]) }
            }
            let mount = try #require(spec.mounts?.first { $0.destination == "/sys/fs/cgroup" })
            #expect(mount.options?.contains(option) ?? false)
        }
    }

    @Test("a read-only bind mount is recursive, unless the client is older than that")
    func readOnlyBinds() throws {
        let spec = try spec { configuration, _ in
            var old = BindSpecification(source: "/tmp", target: try MountTarget("/old"), options: [.ro])
            old.isReadOnlyNonRecursive = true
            var mount = MountSpecification(
                kind: .bind, source: "/tmp", target: try MountTarget("/mount"), readOnly: true)
            mount.isReadOnlyNonRecursive = true
            configuration.host.binds = [
                old, BindSpecification(source: "/tmp", target: try MountTarget("/new"), options: [.ro, .rslave]),
            ]
            configuration.host.mounts = [mount]
        }
        func options(_ path: String) -> [String]? { spec.mounts?.first { $0.destination == path }?.options }
        #expect(options("/old") == ["rbind", "rprivate", "ro"] && options("/new") == ["rbind", "rslave", "rro"])
        #expect(options("/mount") == ["rbind", "rprivate", "ro"])
    }

    @Test("a bind mount without those below it has the propagation of one mount")
    func bindsAlone() throws {
        let spec = try spec { configuration, _ in
            let propagations: [MountPropagationMode] = [.rprivate, .rslave, .shared]
            configuration.host.mounts = try propagations.enumerated().map { index, propagation in
                var mount = MountSpecification(kind: .bind, source: "/tmp", target: try MountTarget("/m\(index)"))
                var options = MountSpecification.BindOptions()
                options.nonRecursive = true
                options.propagation = propagation
                mount.bind = options
                return mount
            }
        }
        func options(_ path: String) -> [String]? { spec.mounts?.first { $0.destination == path }?.options }
        #expect(options("/m0") == ["bind", "private"] && options("/m1") == ["bind", "slave"])
        #expect(options("/m2") == ["bind", "shared"])
    }

    @Test("volumes are bound from where the start has found them, read-only ones all the way down")
    func volumes() throws {
        let spec = try spec { configuration, context in
            let volume = MountedVolume(name: "v", driver: "local", path: "/volumes/v/_data")
            configuration.mountPoints = [
                MountPoint(.volume(volume), at: try MountTarget("/plain")),
                MountPoint(.volume(volume), at: try MountTarget("/part"), isWritable: false),
            ]
            context.mountSources = ["/part": "/run/bundle/mounts/0"]
        }
        func mount(_ path: String) -> Mount? { spec.mounts?.first { $0.destination == path } }
        #expect(mount("/plain")?.source == "/volumes/v/_data" && mount("/plain")?.options == ["rbind", "rprivate"])
        #expect(mount("/part")?.source == "/run/bundle/mounts/0")
        #expect(mount("/part")?.options == ["rbind", "rprivate", "rro"])
    }

    @Test("without network a container has a name space of its own, whatever its network mode says")
    func networkDisabled() throws {
        let spec = try spec { configuration, _ in
            configuration.networkDisabled = true
            configuration.host.networkMode = .host
        }
        #expect(spec.linux?.namespaces?.contains(LinuxNamespace(type: .network)) ?? false)
    }

    @Test("an unknown device is refused by name")
    func unknownDevice() {
        #expect {
            _ = try spec { configuration, _ in
                configuration.host.resources.devices = [DeviceMapping(pathOnHost: "/dev/nope")]
            }
        } throws: {
            ($0 as? EngineError)?.message.contains("\"/dev/nope\": no such file or directory") ?? false
        }
    }
}
