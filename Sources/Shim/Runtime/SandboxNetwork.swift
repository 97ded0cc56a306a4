import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage

/// The network of a container whose runtime (gVisor) has a network stack of its own, which takes over the interfaces
/// and addresses of the container's network namespace.
package enum SandboxNetwork: Hashable {
    /// The host's: the sandbox leaves it to the kernel.
    case host
    /// A new namespace with nothing but a loopback device, which the sandbox's stack has by itself.
    case empty
    /// A namespace with interfaces to take over.
    case prepared

    /// That of a container with the configuration `spec`; `nil` for runtimes that use the kernel's stack.
    package init?(of program: ShimConfiguration.Runtime, for spec: Spec) throws(ShimError) {
        guard program.name == "runsc" else { return nil }
        guard let namespace = spec.linux?.namespaces?.first(where: { $0.type == .network }) else {
            self = .host
            return
        }
        guard let path = namespace.path else {
            self = .empty
            return
        }
        // A container that shares another's network can get the host's that way, whose addresses have to stay.
        let isHost = try attempt("stat \(path)") { () throws(Errno) in
            let (own, other) = (try FileStatus.of("/proc/self/ns/net"), try FileStatus.of(FilePath(path)))
            return own.device == other.device && own.inode == other.inode
        }
        self = isHost ? .host : .prepared
    }

    /// Flags before the runtime's command.
    package var flags: [String] {
        switch self {
        case .host: ["--network=host"]
        case .empty: ["--network=none"]
        case .prepared: []
        }
    }

    /// Hides `/proc/sys/net` from this process and its children.
    ///
    /// To protect the host's addresses, Debian 12's gVisor refuses to start containers in namespaces that have the
    /// kernel parameter `net.core.rmem_default`, which before Linux 6.11 only the host's had (google/gvisor#10704).
    static func hideParameters() throws(Errno) {
        try Namespaces.mount.unshare()
        // What happens here is not for the host.
        try Mounts.mount(nil, on: "/proc", flags: [.slave, .recursive])
        try Mounts.mount(
            "tmpfs", on: "/proc/sys/net", type: "tmpfs", flags: [.readOnly, .noSetUserID, .noDevices, .noExecute])
    }
}
