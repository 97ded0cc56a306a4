import JSON
import LinuxKernel
import OCISpec
import SystemPackage

/// The program that answers questions of a system call filter (`config-linux.md`, "Seccomp", `listenerPath`).
struct SeccompAgent {
    /// Where it listens: a path, or with `@` in front an abstract name.
    let path: String
    /// What the configuration wants it to be told.
    let metadata: String

    /// The agent of `profile`; `nil` if nobody is to be asked.
    ///
    /// - Throws: if the profile wants somebody asked and does not say who.
    init?(_ profile: LinuxSeccomp?) throws(RuntimeError) {
        guard let profile, (profile.syscalls ?? []).contains(where: { $0.action == "SCMP_ACT_NOTIFY" }) else {
            return nil
        }
        guard let path = profile.listenerPath, !path.isEmpty else {
            throw RuntimeError(.invalid, "the seccomp profile uses SCMP_ACT_NOTIFY, but listenerPath is not set")
        }
        self.path = path
        metadata = profile.listenerMetadata ?? ""
    }

    /// Takes a copy of the descriptor `number` of the process `pid`, a child of the caller.
    static func listener(_ number: Int32, of pid: Int32) throws(RuntimeError) -> FileDescriptor {
        try attempt("cannot take the seccomp listener") { () throws(Errno) in
            let process = try PIDFD.open(pid)
            defer { process.close() }
            return try process.copy(ofDescriptor: number)
        }
    }

    /// Hands over `listener`, which the process `pid` in the container with `state` has.
    func send(_ listener: FileDescriptor, process pid: Int32, state: State) throws(RuntimeError) {
        let message: [UInt8]
        do {
            message = try JSON.encode(
                ContainerProcessState(pid: pid, metadata: metadata.isEmpty ? nil : metadata, state: state))
        } catch {
            throw RuntimeError(.system, "cannot encode the container's state for the seccomp agent: \(error)")
        }
        do throws(Errno) {
            let socket =
                path.hasPrefix("@")
                ? try UnixSocket.connect(toAbstract: String(path.dropFirst()))
                : try UnixSocket.connect(to: FilePath(path))
            defer { socket.discard() }
            try socket.sendMessage(message, descriptors: [listener])
        } catch {
            throw RuntimeError(
                .system,
                "failed to connect with seccomp agent specified in the seccomp profile: dial unix \(path): "
                    + "\(error.words)"
            )
        }
    }

    /// What an agent is sent together with the listener.
    private struct ContainerProcessState: Codable {
        var ociVersion = "1.3.0"
        /// What the descriptors are that come along, in order.
        var fds = ["seccompFd"]
        var pid: Int32
        var metadata: String?
        var state: State
    }
}
