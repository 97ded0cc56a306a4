import Glibc
import JSON
import LinuxKernel
import OCISpec
import SystemPackage

/// A bundle with busybox as its root file system, and a runtime root of its own; gone with everything in it at the end.
final class TestBundle {
    let directory: FilePath
    let id: String
    var spec: Spec
    /// Show the runtime the unified hierarchy of a hybrid system as if there were no other.
    var usesUnifiedHierarchy = false

    var rootfs: FilePath { directory.appending("rootfs") }
    var state: FilePath { directory.appending("state") }

    /// A container that runs `script` with a shell.
    init(_ script: String = "true") throws {
        var template = Array("/tmp/masu-runtime-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
        directory = FilePath(String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
        id = "test-" + String(directory.string.suffix(6))
        spec = Spec()
        for name in ["bin", "proc", "sys", "dev", "tmp", "etc", "data"] {
            try Files.makeDirectories(rootfs.appending(name))
        }
        try Self.copyBusybox(to: rootfs.appending("bin/busybox"))
        let bin = try Files.open(rootfs.appending("bin"), [.path, .directory])
        defer { bin.discard() }
        for applet in [
            "sh", "cat", "ls", "id", "sleep", "mkdir", "true", "pwd", "stty", "mount", "grep", "touch", "dd",
        ] {
            try bin.makeSymlink(applet, to: "busybox")
        }
        spec.root = Root(path: "rootfs")
        spec.process = Process(args: ["sh", "-c", script], env: ["PATH=/bin"])
        spec.process?.capabilities = LinuxCapabilities(["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_DAC_OVERRIDE"])
        spec.mounts = [
            Mount(destination: "/proc", type: "proc", source: "proc"),
            Mount(destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"]),
            Mount(
                destination: "/dev/pts", type: "devpts", source: "devpts",
                options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            Mount(destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro", "nosuid", "noexec", "nodev"]),
        ]
        var linux = Linux()
        linux.namespaces = [LinuxNamespaceType.pid, .network, .ipc, .uts, .cgroup, .mount].map {
            LinuxNamespace(type: $0)
        }
        linux.cgroupsPath = "/masu-runtime-test/\(id)"
        spec.linux = linux
    }

    private static func copyBusybox(to path: FilePath) throws {
        let bytes = try Files.read("/usr/bin/busybox")
        let file = try Files.open(path, [.writeOnly, .create], mode: 0o755)
        defer { file.discard() }
        try file.writeEntire(bytes)
    }

    deinit {
        _ = try? runtime("delete", "--force", id)
        _ = try? RuntimeProgram.run("/bin/rm", ["-rf", directory.string], in: "/")
        for hierarchy in (try? Files.names(in: "/sys/fs/cgroup")) ?? [] {
            try? Files.removeDirectory(FilePath("/sys/fs/cgroup/\(hierarchy)/masu-runtime-test"))
        }
    }

    /// A file in the root file system.
    func write(_ text: String, to path: String, mode: UInt16 = 0o644) throws {
        let file = try Files.open(rootfs.appending(path), [.writeOnly, .create, .truncate], mode: mode)
        defer { file.discard() }
        try file.writeEntire(Array(text.utf8))
    }

    /// The runtime on this bundle's own root.
    func runtime(_ arguments: String..., descriptors: [(FileDescriptor, Int32)] = []) throws -> RuntimeProgram.Result {
        let words = ["--root", state.string] + arguments
        guard usesUnifiedHierarchy else {
            return try RuntimeProgram.run(words, in: directory, descriptors: descriptors)
        }
        let script = "mount --bind /sys/fs/cgroup/unified /sys/fs/cgroup && exec \"$@\""
        return try RuntimeProgram.run(
            "/usr/bin/unshare", ["--mount", "sh", "-c", script, "sh", RuntimeProgram.path] + words, in: directory)
    }

    func save() throws {
        try Files.replace(directory.appending("config.json"), with: JSON.encode(spec))
    }

    /// Runs the container in the foreground to its end.
    func run(_ options: String..., descriptors: [(FileDescriptor, Int32)] = []) throws -> RuntimeProgram.Result {
        try save()
        return try RuntimeProgram.run(
            ["--root", state.string, "run"] + options + [id], in: directory, descriptors: descriptors)
    }

    /// Starts the container and leaves it running.
    func start() throws -> RuntimeProgram.Result {
        try save()
        return try runtime("run", "--detach", id)
    }

    func status() throws -> String? {
        let result = try runtime("state", id)
        guard result.code == 0 else { return nil }
        return try JSON.parse(result.output)["status"]?.string
    }

    /// Waits until `condition` holds, for at most two minutes: a machine may be busy.
    func wait(until condition: () throws -> Bool) throws -> Bool {
        for _ in 0..<6000 {
            if try condition() { return true }
            usleep(20_000)
        }
        return false
    }

    /// The directory of `controller` for this container, on either version of control groups.
    func cgroup(_ controller: String) -> FilePath {
        let isUnified = Files.exists("/sys/fs/cgroup/cgroup.controllers")
        return FilePath(isUnified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/\(controller)").appending("masu-runtime-test")
            .appending(id)
    }

    /// What a container that is gone has left behind.
    func leftovers() -> [String] {
        var left = ((try? Files.names(in: state)) ?? []).map { "state \($0)" }
        for directory in ["memory", "unified"].map(cgroup) where Files.exists(directory) {
            left.append("control group \(directory)")
        }
        let mounts = (try? Files.readText("/proc/self/mountinfo")) ?? ""
        left += mounts.split(separator: "\n").filter { $0.contains(directory.string) }.map { "mount \($0)" }
        return left
    }
}
