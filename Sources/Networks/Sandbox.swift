import Addresses
import Glibc
import SystemPackage

/// A container's network while somebody needs its namespace by descriptor: up to its start. After that the container's
/// processes keep the namespace, and letting go of this object takes nothing from them.
package final class Sandbox: Sendable {
    /// The container's id.
    package let id: String
    /// Its places on networks, in the order of the interfaces.
    package let endpoints: [Endpoint]
    /// The network namespace; `nil` where it is the host's. Closed with this object, if Masu made it.
    package let namespace: FileDescriptor?
    private let prepared: PreparedNamespace?

    init(id: String, endpoints: [Endpoint], namespace: FileDescriptor?, prepared: PreparedNamespace?) {
        self.id = id
        self.endpoints = endpoints
        self.namespace = namespace
        self.prepared = prepared
    }

    /// Where other processes can open the namespace as long as this object lives; `nil` where it is the host's.
    package var namespacePath: String? { namespace.map { "/proc/\(getpid())/fd/\($0.rawValue)" } }
}
