import LinuxKernel
import OCISpec
import SystemPackage
import Testing

extension RuntimeTests {
    @Suite("network devices")
    struct NetworkDevices {
        /// Runs the container with the device `v0` of a host that is a network namespace of its own: a veth with
        /// addresses and an MTU of 1400. What `commands` print afterwards comes after what the container prints.
        private func run(
            _ bundle: TestBundle, then commands: String = "true"
        ) throws -> RuntimeProgram.Result {
            try bundle.save()
            let script = """
                ip() { busybox ip "$@"; }
                ip link add v0 type veth && ip address add 10.9.8.7/24 broadcast 10.9.8.255 dev v0 &&
                ip address add 169.254.3.4/16 scope link dev v0 && ip address add fd00::7/64 dev v0 &&
                ip link set v0 mtu 1400 up || exit 99
                "$0" --root \(bundle.state) run \(bundle.id); code=$?
                \(commands); exit $code
                """
            return try RuntimeProgram.run(
                "/usr/bin/unshare", ["--net", "sh", "-c", script, RuntimeProgram.path], in: bundle.directory)
        }

        private func bundle(_ script: String, _ devices: [String: LinuxNetDevice]) throws -> TestBundle {
            let bundle = try TestBundle(script)
            bundle.spec.linux?.netDevices = devices
            return bundle
        }

        @Test("one is moved, with its addresses and MTU, and is up")
        func moved() throws {
            let bundle = try bundle("busybox ip address show dev v0", ["v0": LinuxNetDevice()])
            let result = try run(bundle, then: "busybox ip link show dev v0 && echo still there")
            #expect(result.code == 0, "\(result)")
            #expect(result.output.contains("inet 10.9.8.7/24 brd 10.9.8.255 scope global v0"), "\(result)")
            #expect(result.output.contains("inet6 fd00::7/64"), "\(result)")
            #expect(result.output.contains("mtu 1400") && result.output.contains(",UP,"), "\(result)")
            #expect(
                !result.output.contains("169.254.3.4"), "an address that means something on the link only: \(result)")
            #expect(!result.output.contains("still there"), "\(result)")
        }

        @Test("it gets another name, which the kernel may number", arguments: [("ctr0", "ctr0"), ("eth%d", "eth0")])
        func renamed(_ name: String, _ expected: String) throws {
            let bundle = try bundle(
                "busybox ip address show dev \(expected)", ["v0": LinuxNetDevice(name: name)])
            let result = try run(bundle)
            #expect(result.code == 0 && result.output.contains("inet 10.9.8.7/24"), "\(result)")
            #expect(result.output.contains("\(expected)@"), "\(result)")
        }

        @Test("in a namespace that is joined it stays when the container is gone")
        func joined() throws {
            let bundle = try bundle("true", ["v0": LinuxNetDevice(name: "ctr0")])
            let index = try #require(bundle.spec.linux?.namespaces?.firstIndex { $0.type == .network })
            let file = bundle.directory.appending("netns")
            try Files.replace(file, with: [])
            bundle.spec.linux?.namespaces?[index].path = file.string
            try bundle.save()
            let script = """
                busybox ip link add v0 type veth && unshare --net=\(file) true || exit 99
                "$0" --root \(bundle.state) run \(bundle.id) && nsenter --net=\(file) busybox ip link show dev ctr0
                code=$?; umount \(file); exit $code
                """
            let result = try RuntimeProgram.run(
                "/usr/bin/unshare", ["--net", "--mount", "sh", "-c", script, RuntimeProgram.path], in: bundle.directory)
            #expect(result.code == 0 && result.output.contains("ctr0@"), "\(result)")
        }

        @Test(
            "what cannot be moved is an error that names it, and stays where it is",
            arguments: [
                ("nosuch", nil, "link not found for interface nosuch"), ("v0", "lo", "File exists"),
                ("v0", "a/b", "invalid network device name \"a/b\""),
                ("v0", "sixteencharacter", "invalid network device name \"sixteencharacter\""),
                ("..", nil, "invalid network device name \"..\""),
            ] as [(String, String?, String)])
        func refused(_ name: String, _ newName: String?, _ text: String) throws {
            let bundle = try bundle("true", [name: LinuxNetDevice(name: newName)])
            let result = try run(bundle, then: "busybox ip address show dev v0")
            #expect(result.code == 1 && result.said.contains(text), "\(result)")
            #expect(result.errors.split(separator: "\n").count == 1, "\(result)")
            #expect(result.output.contains("inet 10.9.8.7/24") && result.output.contains(",UP,"), "\(result)")
            #expect(result.output.contains("inet6 fd00::7/64"), "\(result)")
            #expect(bundle.leftovers() == [])
        }

        @Test("without a network namespace there is nowhere to move one to")
        func withoutNamespace() throws {
            let bundle = try bundle("true", ["v0": LinuxNetDevice()])
            bundle.spec.linux?.namespaces?.removeAll { $0.type == .network }
            let result = try run(bundle)
            #expect(result.code == 1, "\(result)")
            #expect(result.errors.contains("unable to move network devices without a NET namespace"), "\(result)")
        }
    }

    @Suite("shares of caches and memory bandwidth")
    struct Shares {
        @Test(
            "are refused on a machine that cannot give them",
            .enabled(if: !Files.exists("/sys/fs/resctrl"), "this machine has resctrl"))
        func refused() throws {
            let bundle = try TestBundle("exec sleep 60")
            #expect(try bundle.start().code == 0)
            for (flag, value, text) in [
                ("--l3-cache-schema", "L3:0=f", "Intel RDT/CAT: l3 cache schema is not enabled"),
                ("--mem-bw-schema", "MB:0=20", "Intel RDT/MBA: memory bandwidth schema is not enabled"),
            ] {
                let result = try bundle.runtime("update", flag, value, bundle.id)
                #expect(result.code == 1 && result.errors.contains(text), "\(result)")
            }
            let ignored = try bundle.runtime("update", "--kernel-memory", "50M", bundle.id)
            #expect(ignored.code == 0 && ignored.errors.contains("Kernel memory settings are ignored"), "\(ignored)")
            #expect(try bundle.runtime("delete", "--force", bundle.id).code == 0)
            bundle.spec.linux?.intelRdt = LinuxIntelRdt()
            let created = try bundle.run()
            #expect(
                created.code == 1 && created.errors.contains("but Intel RDT is not enabled")
                    && bundle.leftovers() == [], "\(created)")
        }
    }
}
