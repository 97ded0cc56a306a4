import LinuxKernel
import OCISpec
import SystemPackage

/// What a container will need and the kernel takes long for, begun as soon as its configuration is known.
///
/// If the container comes to nothing, or has no use for it, it is taken back when the last reference goes.
package final class Anticipation {
    private let network: PendingNetworkNamespace?

    /// Begins what the container of `spec` will need.
    package init(_ spec: Spec) {
        let linux = spec.linux ?? Linux()
        network = linux.makesOwnNetwork ? PendingNetworkNamespace() : nil
    }

    /// The container's network namespace, once; the caller closes it. `nil` if the process is to make it itself.
    func takeNetwork() -> FileDescriptor? { network?.take() }
}

extension Linux {
    /// Whether the container's network namespace is a new one that can be made apart from the others. One that belongs to a
    /// user namespace is made together with that, and devices can be moved only into one that is there.
    var makesOwnNetwork: Bool {
        let namespaces = namespaces ?? []
        return namespaces.contains { $0.type == .network && $0.path?.isEmpty != false }
            && !namespaces.contains { $0.type == .user } && netDevices?.isEmpty != false
    }
}
