import EngineAPIModel
import Flags
import MasuCommand
import Testing

@Suite("Options of a container")
struct OptionTests {
    @Test(
        "published ports become a container port, an address and a host port",
        arguments: [
            ("80", ["80/tcp||"]), ("8080:80", ["80/tcp||8080"]), ("8080:80/udp", ["80/udp||8080"]),
            ("127.0.0.1:8080:80", ["80/tcp|127.0.0.1|8080"]), ("127.0.0.1::80", ["80/tcp|127.0.0.1|"]),
            ("[::1]:8080:80", ["80/tcp|::1|8080"]), ("1-2:3-4", ["3/tcp||1", "4/tcp||2"]), ("1-3:80", ["80/tcp||1-3"]),
            ("target=80,published=8080,protocol=udp", ["80/udp||8080"]),
        ])
    func ports(text: String, expected: [String]) throws {
        let parsed = try PortSpecification.parse(text)
        #expect(parsed.map { "\($0.containerPort)|\($0.hostAddress)|\($0.hostPort)" } == expected)
    }

    @Test(
        "a bad port is refused in docker's words",
        arguments: [
            ("x", "invalid containerPort: x"), ("80/foo", "invalid proto: foo"), ("99999:1", "invalid hostPort: 99999"),
            ("1.2.3.4.5:80:80", "invalid IP address: 1.2.3.4.5"), ("80:", "no port specified: 80:<empty>"),
            ("1-3:1-2", "invalid ranges specified for container and host Ports: 1-2 and 1-3"),
        ])
    func badPorts(text: String, message: String) {
        #expect(throws: CommandError(message)) { try PortSpecification.parse(text) }
    }

    @Test("exposed ports may be ranges")
    func exposed() throws {
        #expect(try PortSpecification.parseExposed("7000-7002/udp") == ["7000/udp", "7001/udp", "7002/udp"])
        #expect(throws: CommandError.self) { try PortSpecification.parseExposed("1:2") }
    }

    @Test("a mount in the long form carries its options; quotes protect commas")
    func mounts() throws {
        let bind = try MountText.parse("type=bind,\"src=/a,b\",dst=/c,ro,bind-propagation=rshared")
        #expect(bind.type == "bind" && bind.source == "/a,b" && bind.target == "/c" && bind.readOnly)
        #expect(bind.bindOptions?.propagation == "rshared")
        let tmpfs = try MountText.parse("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1770")
        #expect(tmpfs.tmpfsOptions?.sizeBytes == 1_048_576 && tmpfs.tmpfsOptions?.mode == 0o1770)
        let volume = try MountText.parse("source=data,target=/d,volume-nocopy,volume-opt=o=x=y")
        #expect(volume.type == "volume" && volume.volumeOptions?.noCopy == true)
        #expect(volume.volumeOptions?.driverConfig?.options == ["o": "x=y"])
        let part = try MountText.parse("src=data,dst=/d,volume-subpath=a/b,volume-label=k=v,volume-driver=local")
        #expect(part.volumeOptions?.subpath == "a/b" && part.volumeOptions?.labels == ["k": "v"])
        #expect(part.volumeOptions?.driverConfig?.name == "local")
        let image = try MountText.parse("type=image,src=box:latest,dst=/i,image-subpath=etc")
        #expect(image.type == "image" && image.imageOptions?.subpath == "etc")
        let made = try MountText.parse("type=bind,src=/x,dst=/y,bind-create-src,bind-recursive=disabled")
        #expect(made.bindOptions?.createMountpoint == true && made.bindOptions?.nonRecursive == true)
        let forced = try MountText.parse("type=bind,src=/x,dst=/y,ro,bind-recursive=readonly,bind-propagation=rprivate")
        #expect(forced.bindOptions?.readOnlyForceRecursive == true)
        #expect(try MountText.parse("src=.hidden,dst=/y").source == ".hidden")
    }

    @Test(
        "a bad mount is refused in docker's words",
        arguments: [
            ("x", "invalid field 'x' must be a key=value pair"), ("type=bind,source=/x", "target is required"),
            ("type=bind,foo=bar", "unexpected key 'foo' in 'foo=bar'"),
            ("type=bind,target=/t,tmpfs-size=x", "invalid value for tmpfs-size: x"),
            ("type=bind,target=/t,tmpfs-size=1", "cannot mix 'tmpfs-*' options with mount type 'bind'"),
            ("type=bind,target=/t,readonly=x", "invalid value for readonly: x"),
            ("type=bind,target=/t,volume-nocopy", "cannot mix 'volume-*' options with mount type 'bind'"),
            ("target=/t,bind-nonrecursive", "cannot mix 'bind-*' options with mount type 'volume'"),
            ("target=/t,image-subpath=x", "cannot mix 'image-*' options with mount type 'volume'"),
            ("type=tmpfs,target=/t,tmpfs-mode=9", "invalid value for tmpfs-mode: 9"),
            (
                "type=bind,src=/a,target=/t,bind-recursive=writable",
                "option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction"
            ),
            (
                "type=bind,src=/a,target=/t,bind-recursive=readonly",
                "option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction"
            ),
            (
                "type=bind,src=/a,target=/t,ro,bind-recursive=readonly",
                "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction"
            ),
            (
                "type=bind,src=/a,target=/t,bind-recursive=x",
                "invalid value for bind-recursive: x (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")"
            ),
        ])
    func badMounts(text: String, reason: String) {
        #expect(throws: InvalidFlagValue(reason)) { try MountText.parse(text) }
    }

    @Test("numbers of CPUs are exact to a billionth")
    func cpus() throws {
        #expect(try ResourceTexts.cpus("1.5") == 1_500_000_000)
        #expect(try ResourceTexts.cpus(".25") == 250_000_000)
        #expect(try ResourceTexts.cpus("1/2") == 500_000_000)
        #expect(try ResourceTexts.cpus("-1") == -1_000_000_000)
        #expect(throws: InvalidFlagValue("value is too precise")) { try ResourceTexts.cpus("0.0000000001") }
        #expect(throws: InvalidFlagValue("failed to parse x as a rational number")) { try ResourceTexts.cpus("x") }
    }

    @Test("resource limits and devices are parsed and refused as docker does")
    func resources() throws {
        let limit = try ResourceTexts.ulimit("nofile=1024:2048")
        #expect(limit.name == "nofile" && limit.soft == 1024 && limit.hard == 2048)
        #expect(throws: InvalidFlagValue("invalid ulimit type: foo")) { try ResourceTexts.ulimit("foo=1") }
        #expect(
            throws: InvalidFlagValue("ulimit soft limit must be less than or equal to hard limit: 3 > 2")
        ) { try ResourceTexts.ulimit("nofile=3:2") }
        #expect(try ResourceTexts.byteRate("/dev/sda:1mb").rate == 1_048_576)
        #expect(throws: InvalidFlagValue("bad format for device path: null:5")) { try ResourceTexts.weight("null:5") }
        let device = try ResourceTexts.deviceMapping("/dev/fuse:/dev/x:r")
        #expect(device.pathInContainer == "/dev/x" && device.cgroupPermissions == "r")
        #expect(try ResourceTexts.deviceMapping("/dev/fuse:rw").pathInContainer == "/dev/fuse")
        #expect(throws: CommandError("bad mode specified: zz")) { try ResourceTexts.deviceMapping("/dev/null:/x:zz") }
        #expect(throws: CommandError("x is not an absolute path")) { try ResourceTexts.deviceMapping("x") }
        #expect(try ResourceTexts.restartPolicy("on-failure:3").maximumRetryCount == 3)
        #expect(throws: InvalidFlagValue("invalid device cgroup format 'x'")) { try ResourceTexts.checkCgroupRule("x") }
        try ResourceTexts.checkCgroupRule("c 42:* rmw")
    }

    @Test("a file of variables skips comments and takes bare names from the environment")
    func variableFile() throws {
        let text = "\u{FEFF}# comment\nA=1 # not a comment\n\n  B = no\r\nHOME\nNOTHING\nC=\"quoted\"\n"
        let lines = text.replacing("  B = no", with: "  B=yes")
        let parsed = try KeyValueTexts.parseFile(
            Array(lines.utf8), path: "f", environment: { $0 == "HOME" ? "/root" : nil })
        #expect(parsed == ["A=1 # not a comment", "B=yes", "HOME=/root", "C=\"quoted\""])
        #expect(throws: CommandError("invalid env file (f): variable 'B ' contains whitespaces")) {
            try KeyValueTexts.parseFile(Array("B = no".utf8), path: "f", environment: nil)
        }
        #expect(throws: CommandError("invalid env file (f): no variable name on line '=x'")) {
            try KeyValueTexts.parseFile(Array("=x".utf8), path: "f", environment: nil)
        }
    }

    @Test("volumes, networks and image names are told apart")
    func otherTexts() throws {
        #expect(try VolumeText(parsing: "/a:/b:ro") == .bind("/a:/b:ro"))
        #expect(try VolumeText(parsing: "/data") == .anonymous("/data"))
        let networks = try NetworkText.parse(["none"])
        #expect(networks.map(\.target) == ["none"] && networks[0].settings == EndpointSettings())
        #expect(try NetworkText.parse(["name=front,alias=web"])[0].settings.aliases == ["web"])
        #expect(throws: CommandError("no name set for network")) { try NetworkText.parse([""]) }
        #expect(ImageText.familiar("registry:5000/debian") == "registry:5000/debian:latest")
        #expect(ImageText.familiar("debian:12") == "debian:12")
        #expect(
            throws: CommandError("invalid reference format: repository name (library/BAD) must be lowercase")
        ) { try ImageText.check("BAD") }
        try ImageText.check("localhost/a:TAG")
    }

    @Test("filters become docker's JSON")
    func filters() {
        #expect(
            Filters.query(["Status=running", "label=a=b", "status=exited"])
                == #"{"status":{"running":true,"exited":true},"label":{"a=b":true}}"#)
        #expect(Filters.query([]) == nil)
    }

    @Test(
        "the text of a failed start tells the exit status",
        arguments: [
            (#"exec: "foo": executable file not found in $PATH"#, 127), ("stat /x: no such file or directory", 127),
            (#"exec: "/etc/passwd": permission denied"#, 126), ("is a directory", 126), ("anything else", 125),
        ] as [(String, Int32)])
    func startStatus(message: String, status: Int32) {
        #expect(StartStatus.of(message) == status)
    }

    @Test("a daemon's address is a Unix socket or a host and port")
    func addresses() throws {
        #expect(try DaemonAddress(parsing: "unix:///run/x.sock") == .unix("/run/x.sock"))
        #expect(try DaemonAddress(parsing: "tcp://[::1]:99") == .tcp(host: "::1", port: 99))
        #expect(try DaemonAddress(parsing: "tcp://box") == .tcp(host: "box", port: 2375))
        #expect(throws: CommandError.self) { try DaemonAddress(parsing: "npipe://box") }
        #expect(throws: CommandError.self) { try DaemonAddress(parsing: "tcp://box:port") }
    }

    @Test("the line up to a command is parsed as docker parses it")
    func commandLine() throws {
        let run = try MasuProgram.root.parse(["run", "-itp80:80", "--rm", "-m1g", "debian", "ls", "-l"])
        #expect(run.commandPath == "masu run" && run.operands == ["debian", "ls", "-l"])
        #expect(try MasuProgram.root.parse(["container", "ps", "-aq"]).command.name == "ls")
        #expect(try MasuProgram.root.parse(["image", "remove", "x"]).command.name == "rm")
        let error = #expect(throws: UsageError.self) { try MasuProgram.root.parse(["run", "-m", "1x", "debian"]) }
        #expect(error?.exitStatus == 125)
        #expect(error?.message == "invalid argument \"1x\" for \"-m, --memory\" flag: invalid suffix: 'x'")
    }

    @Test("every command has help with an example")
    func help() throws {
        for command in MasuProgram.root.subcommands() where !command.isHidden {
            let text = try MasuProgram.root.parse([command.name, "--help"]).help()
            #expect(text.hasPrefix("Usage:  masu \(command.name)"))
            if command.group != "Management Commands" { #expect(text.contains("Example"), "\(command.name)") }
        }
    }
}
