import Glibc
import JSON
import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage
import TemporaryDirectories

/// A container of busybox behind a real `masu-shim`.
final class TestContainer {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    static let shim = FilePath(
        (try? FileDescriptor.workingDirectory.readSymlink("/proc/self/exe")) ?? ""
    ).removingLastComponent().appending("masu-shim")

    /// Why tests with containers cannot run here; empty if they can.
    static let obstacle: String =
        if geteuid() != 0 {
            "needs root"
        } else if !Files.exists("/bin/busybox") {
            "needs /bin/busybox (package busybox-static)"
        } else if !Files.exists(shim) {
            "needs \(shim)"
        } else {
            ""
        }

    private static let parentGroup = "/masu-shim-tests-\(getpid())"

    let id = "c\(UInt32.random(in: 0...UInt32.max))"
    private let directory: TemporaryDirectory
    let bundle: FilePath
    let log: FilePath
    /// The bundle with the shim's socket: the container's own, or that of the container it was created beside.
    let home: FilePath
    /// How requests name the container; `nil` is the shim's first.
    let address: String?
    /// Kept, so that the shim lives until this one has ended.
    private let first: TestContainer?
    /// The control group, below a hierarchy's root.
    var group: String { Self.parentGroup + "/" + id }
    private(set) var launchResult = ShimLaunchResult.failed(ShimError(.invalid, "not launched"))

    /// Launches a shim for a container that runs `arguments`, or has the shim of another container (`beside`) create
    /// it.
    init(
        _ arguments: [String], terminal: Bool = false, openStdin: Bool = false, stdinOnce: Bool = false,
        hostPIDs: Bool = false, beside first: TestContainer? = nil, isLaunched: Bool = true,
        configure: (inout Spec, inout ShimConfiguration) -> Void = { _, _ in }
    ) throws {
        directory = try TemporaryDirectory(mode: 0o755)
        bundle = directory.path.appending("bundle")
        log = directory.path.appending("\(id)-json.log")
        self.first = first
        home = first?.bundle ?? bundle
        address = first == nil ? nil : id
        let root = directory.path.appending("root")
        for name in ["bin", "dev", "proc", "tmp"] { try Files.makeDirectories(root.appending(name)) }
        try Files.makeDirectories(bundle.appending("rootfs"))
        let busybox = try Files.open(root.appending("bin/busybox"), [.writeOnly, .create, .exclusive], mode: 0o755)
        try busybox.writeEntire(try Files.read("/bin/busybox"))
        try busybox.close()
        for name in ["sh", "cat", "sleep", "echo", "head", "wc", "yes", "stty", "true", "seq", "tail"] {
            try FileDescriptor.workingDirectory.makeSymlink(root.appending("bin").appending(name).string, to: "busybox")
        }

        var spec = Spec()
        spec.process = Process(args: arguments, env: ["PATH=/bin"])
        spec.process?.terminal = terminal
        spec.root = Root(path: "rootfs")
        spec.mounts = [
            Mount(destination: "/proc", type: "proc", source: "proc"),
            Mount(destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["mode=755"]),
            Mount(
                destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666"]),
        ]
        var linux = Linux()
        linux.namespaces = [LinuxNamespace(type: .mount), LinuxNamespace(type: .ipc), LinuxNamespace(type: .uts)]
        if !hostPIDs { linux.namespaces?.append(LinuxNamespace(type: .pid)) }
        linux.cgroupsPath = Self.parentGroup + "/" + id
        spec.linux = linux
        var configuration = ShimConfiguration(
            id: id, terminal: terminal, openStdin: openStdin, stdinOnce: stdinOnce, log: .jsonFile(log.string),
            rootfsMounts: [RootMount(type: "bind", source: root.string, options: ["bind"])],
            cgroupPath: linux.cgroupsPath)
        configure(&spec, &configuration)
        try Files.replace(bundle.appending(ShimBundle.specification), with: try JSON.encode(spec))
        try Files.replace(bundle.appending(ShimBundle.configuration), with: try JSON.encode(configuration))

        guard isLaunched else { return }
        if let first {
            let connection = try ShimConnection(bundle: home, timeout: 30)
            do throws(ShimError) {
                guard case .created(let pid) = try connection.call(.create(bundle: bundle.string)) else { return }
                launchResult = .launched(pid: pid, shimPid: first.shimPID ?? 0)
            } catch {
                launchResult = .failed(error)
            }
            return
        }
        guard let output = popen("\(Self.shim) --bundle \(bundle)", "re") else { throw Failure(description: "popen") }
        defer { pclose(output) }
        var line = [CChar](repeating: 0, count: 65536)
        guard fgets(&line, 65536, output) != nil else { throw Failure(description: "the shim has printed nothing") }
        launchResult = try JSON.decode(
            ShimLaunchResult.self, from: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
    }

    deinit {
        // What a failed test leaves running.
        if let connection = try? ShimConnection(bundle: home, timeout: 5),
            (try? connection.call(.subscribe, container: address)) != nil,
            (try? connection.call(.kill(signal: .kill), container: address)) != nil
        {
            while let event = try? connection.nextEvent() { if case .exited = event { break } }
        }
        for hierarchy in (try? Files.names(in: "/sys/fs/cgroup")) ?? [] {
            // Empty with the last container.
            rmdir("/sys/fs/cgroup/\(hierarchy)\(Self.parentGroup)")
        }
        rmdir("/sys/fs/cgroup\(Self.parentGroup)")
    }

    /// The first process.
    var pid: Int32? {
        if case .launched(let pid, _, _, _) = launchResult { pid } else { nil }
    }

    var shimPID: Int32? {
        if case .launched(_, let pid, _, _) = launchResult { pid } else { nil }
    }

    /// A connection with events.
    func connect() throws -> ShimConnection {
        if case .failed(let error) = launchResult { throw error }
        let connection = try ShimConnection(bundle: home, timeout: 30)
        try connection.call(.subscribe, container: address)
        return connection
    }

    /// An attached stream.
    func attach(
        execID: String? = nil, stdin: Bool = false, detachKeys: [UInt8] = [], framing: StreamFraming? = nil
    ) throws -> FileDescriptor {
        try ShimConnection(bundle: home, timeout: 30).attach(
            execID: execID, stdin: stdin, stdout: true, stderr: true, detachKeys: detachKeys, framing: framing,
            container: address)
    }

    /// The files in the bundle that are the shim's.
    var shimFiles: [String] {
        get throws {
            let written = ["rootfs", ShimBundle.specification, ShimBundle.configuration]
            return try Files.names(in: bundle).filter { !written.contains($0) }.sorted()
        }
    }

    /// What is written in the file `exit`.
    var exitRecord: ExitRecord? {
        get throws {
            guard Files.exists(bundle.appending(ShimBundle.exit)) else { return nil }
            return try JSON.decode(ExitRecord.self, from: try Files.read(bundle.appending(ShimBundle.exit)))
        }
    }

    /// The log's texts with their streams.
    var records: [String] {
        get throws {
            try String(decoding: try Files.read(log), as: UTF8.self).split(separator: "\n").map { line in
                let record = try JSON.parse(String(line))
                return "\(record["stream"]?.string ?? "?"): \(record["log"]?.string ?? "?")"
            }
        }
    }

    /// Waits until `condition` holds, two minutes at most: a machine may be busy.
    static func eventually(_ condition: () throws -> Bool) throws -> Bool {
        for _ in 0..<12_000 {
            if try condition() { return true }
            usleep(10_000)
        }
        return false
    }

    /// Whether the shim has ended (reaped or not).
    var hasShimEnded: Bool {
        guard let shimPID, let status = try? Files.readText(FilePath("/proc/\(shimPID)/stat")) else { return true }
        return status.contains(") Z ")
    }
}

extension ShimConnection {
    /// The end of the container, skipping other events.
    func exit() throws -> ExitRecord {
        while let event = try nextEvent() {
            if case .exited(let record) = event { return record }
        }
        throw TestContainer.Failure(description: "the connection ended without an exit")
    }
}

/// The bytes of each stream in a sequence of frames: standard output and standard error.
func unframed(_ bytes: [UInt8]) -> (output: [UInt8], error: [UInt8]) {
    var result: (output: [UInt8], error: [UInt8]) = ([], [])
    var position = 0
    while position + 8 <= bytes.count {
        let length = bytes[(position + 4)..<(position + 8)].reduce(0) { $0 << 8 | Int($1) }
        let part = bytes[(position + 8)..<min(position + 8 + length, bytes.count)]
        if bytes[position] == 1 { result.output += part } else { result.error += part }
        position += 8 + length
    }
    return result
}
