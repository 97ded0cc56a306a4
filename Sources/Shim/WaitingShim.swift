import CShim
import Glibc
import JSON
import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage

/// A shim that has been started before there is anything to run: what every container needs alike is done by the time
/// that one is wanted.
enum WaitingShim {
    /// What `ps` calls it until then.
    private static let name = "masu-shim-idle"
    /// A path is no longer than that (PATH_MAX), and ends with a line feed.
    private static let limit = 4097

    /// Waits for the path of a bundle; `nil` if the caller goes away instead.
    static func bundle(from caller: FileDescriptor) throws(ShimError) -> FilePath? {
        // A name is for people: whoever has none to give has nothing to tell them.
        try? ProcessAttributes.setName(name)
        try Shim.becomeBackgroundProcess()
        getReady()
        masu_malloc_trim()
        let line = try attempt("cannot read the bundle's path") { () throws(Errno) in
            try caller.readLine(limit: limit)
        }
        guard line.last == 0x0a else { return nil }
        let path = String(decoding: line.dropLast(), as: UTF8.self)
        // As above.
        try? ProcessAttributes.setName("masu-shim")
        showInCommandLine([nil, nil, path, "--child"])
        return FilePath(path)
    }

    /// Reads and writes one message of each kind that a container needs from its start to its end. Swift's runtime
    /// looks up how a type is read when that is done for the first time, which takes longer than all reading.
    private static func getReady() {
        func read<T: Codable>(_ value: T) {
            // Everything here can be written and read.
            guard let bytes = try? JSON.encode(value) else { return }
            _ = try? JSON.decode(T.self, from: bytes)
        }
        let time = Timestamp.now()
        let end = ExitRecord(exitCode: 0, exitedAt: time, pid: 1, startedAt: time)
        read(
            ShimConfiguration(
                id: "", log: .jsonFile("/"),
                rootfsMounts: [RootMount(type: "overlay", source: "overlay", options: ["lowerdir=/"])]))
        for request in [
            ShimRequest.subscribe, .start, .kill(signal: .kill), .attach(stdin: false, stdout: true, stderr: true),
        ] {
            read(AddressedRequest(request))
        }
        for response in [ShimResponse.done, .state(.running(pid: 1, startedAt: time, paused: false))] {
            read(ShimMessage.response(response))
        }
        read(ShimMessage.event(.exited(end), container: nil))
        read(end)
        read(ShimLaunchResult.launched(pid: 1, shimPid: 1, isConnected: true))
        // It is known to be one.
        _ = try? Spec(json: Array(specification.utf8))
    }

    /// Has the parts that every container has.
    private static let specification = """
        {"ociVersion": "1.2.0", "hostname": "a", "root": {"path": "rootfs"}, "process": {"args": ["a"], "cwd": "/",
        "env": ["A=a"], "user": {"uid": 0, "gid": 0, "additionalGids": [0]}, "capabilities": {"bounding": ["CAP_KILL"]},
        "rlimits": [{"type": "RLIMIT_CORE", "hard": 1, "soft": 1}]}, "mounts": [{"destination": "/proc", "type": "proc",
        "source": "proc", "options": ["nosuid"]}], "annotations": {"a": "a"}, "linux": {"namespaces": [{"type": "pid"}],
        "resources": {"devices": [{"allow": false, "access": "rwm"}], "memory": {"limit": 1}, "cpu": {"shares": 2},
        "pids": {"limit": 1}}, "seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}, "maskedPaths": ["/a"], "readonlyPaths": ["/a"]}}
        """

    /// Shows other words in the place of the program's arguments, where there is room for them; `nil` leaves one.
    private static func showInCommandLine(_ words: [String?]) {
        let arguments = CommandLine.unsafeArgv
        for (index, word) in words.enumerated() where index < CommandLine.argc {
            guard let word, let argument = arguments[index] else { continue }
            let room = strlen(argument)
            memset(argument, 0, room)
            word.withCString { _ = memcpy(argument, $0, min(room, strlen($0))) }
        }
    }
}
