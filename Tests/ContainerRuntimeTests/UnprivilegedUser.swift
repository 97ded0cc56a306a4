import Glibc
import LinuxKernel
import OCISpec
import SystemPackage

/// Somebody without rights or an entry in any file, as whom tests run the runtime.
struct UnprivilegedUser {
    static let id: UInt32 = 54_321
    /// Ids that the tests delegate to the user, for tests with newuidmap(1).
    static let delegated: (uids: UInt32, gids: UInt32) = (700_000, 800_000)

    /// Whether such a user may make user namespaces here.
    static let canMakeNamespaces =
        (try? run(["/usr/bin/unshare", "--user", "--map-root-user", "true"], in: "/"))?.code == 0

    /// Whether there are the programs, and files that a copy can be mounted on.
    static var hasMappingTools: Bool {
        ["/usr/bin/newuidmap", "/usr/bin/newgidmap", "/etc/subuid", "/etc/subgid"].allSatisfy { Files.exists($0) }
    }

    let bundle: TestBundle
    /// The user's own copy of the runtime.
    let program: FilePath
    var runtimeDirectory: FilePath { bundle.directory.appending("run") }

    /// A user with a bundle whose container runs `script`.
    init(_ script: String = "true") throws {
        bundle = try TestBundle(script)
        program = bundle.directory.appending("masu-runtime")
        _ = try RuntimeProgram.run("/bin/cp", [RuntimeProgram.path, program.string], in: "/")
        try Files.makeDirectories(runtimeDirectory)
        _ = try RuntimeProgram.run(
            "/bin/chown", ["-R", "\(Self.id):\(Self.id)", bundle.directory.string], in: "/")
        var linux = bundle.spec.linux ?? Linux()
        linux.namespaces = [LinuxNamespaceType.pid, .ipc, .uts, .mount, .user].map { LinuxNamespace(type: $0) }
        linux.uidMappings = [LinuxIDMapping(containerID: 0, hostID: Self.id, size: 1)]
        linux.gidMappings = linux.uidMappings
        linux.cgroupsPath = nil
        bundle.spec.linux = linux
        bundle.spec.mounts = bundle.spec.mounts?.map { mount in
            var mount = mount
            mount.options?.removeAll { $0 == "gid=5" }
            guard mount.type == "sysfs" else { return mount }
            return Mount(destination: "/sys", type: "none", source: "/sys", options: ["rbind", "ro"])
        }
    }

    /// Runs a program as the user, to its end.
    static func run(_ command: [String], in directory: FilePath, setUp: String = "") throws -> RuntimeProgram.Result {
        let script = """
            \(setUp)
            exec /usr/bin/setpriv --reuid \(id) --regid \(id) --clear-groups "$@"
            """
        return try RuntimeProgram.run("/bin/sh", ["-ec", script, "sh"] + command, in: directory)
    }

    /// The runtime, with its state in the bundle.
    func runtime(_ arguments: String..., setUp: String = "") throws -> RuntimeProgram.Result {
        try Self.run(
            [program.string, "--root", bundle.state.string] + arguments, in: bundle.directory, setUp: setUp)
    }

    /// Writes the configuration, as a file of the user's.
    func save() throws {
        try bundle.save()
        chown(bundle.directory.appending("config.json").string, Self.id, Self.id)
    }

    /// Runs the container in the foreground to its end.
    func run(setUp: String = "") throws -> RuntimeProgram.Result {
        try save()
        return try runtime("run", bundle.id, setUp: setUp)
    }

    /// Starts the container and leaves it running.
    func start() throws -> RuntimeProgram.Result {
        try save()
        return try runtime("run", "--detach", bundle.id)
    }

    /// The same with ids delegated to the user, as far as the programs of a mount namespace of its own can see.
    func runWithDelegatedIDs() throws -> RuntimeProgram.Result {
        try save()
        let lines = [
            "passwd": "masu-test:x:\(Self.id):\(Self.id)::/:/bin/sh", "subuid": "masu-test:\(Self.delegated.uids):1000",
            "subgid": "masu-test:\(Self.delegated.gids):1000",
        ]
        var script = ""
        for (name, line) in lines {
            let copy = bundle.directory.appending(name)
            // A machine without such a file has no ids delegated.
            let text = (try? Files.readText(FilePath("/etc/\(name)"))) ?? ""
            try Files.replace(copy, with: Array("\(text)\n\(line)\n".utf8), mode: 0o644)
            script += "mount --bind \(copy) /etc/\(name); "
        }
        script += "exec /usr/bin/setpriv --reuid \(Self.id) --regid \(Self.id) --clear-groups \"$@\""
        return try RuntimeProgram.run(
            "/usr/bin/unshare",
            ["--mount", "sh", "-ec", script, "sh", program.string, "--root", bundle.state.string, "run", bundle.id],
            in: bundle.directory)
    }
}
