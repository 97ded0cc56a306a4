import LinuxKernel
import Netlink
import PublishedPorts
import SystemPackage

/// A network namespace that is held by its descriptor alone, with its loopback interface up: the kernel removes it,
/// and all interfaces in it, when the descriptor is closed and no process is in it.
final class PreparedNamespace: Sendable {
    let descriptor: FileDescriptor
    /// A connection to the kernel in it.
    let route: RouteSocket
    /// The first number that no interface in it has: what tunnels the kernel makes in every namespace depends on it.
    let nextIndex: Int32

    /// Takes over the descriptor.
    private init(_ descriptor: FileDescriptor, _ route: RouteSocket) throws(NetlinkError) {
        self.descriptor = descriptor
        self.route = route
        do throws(NetlinkError) {
            nextIndex = (try route.links().map(\.index).max() ?? 1) + 1
        } catch {
            descriptor.discard()
            throw error
        }
    }

    deinit { descriptor.discard() }

    /// Makes a new one.
    static func make() throws(NetworksError) -> PreparedNamespace {
        let made: (namespace: FileDescriptor, value: Result<RouteSocket, NetlinkError>)
        do throws(Errno) {
            made = try NetworkNamespace.make {
                // IPv6 stays off on interfaces to come until their network wants it, so that they say nothing on the
                // wire; `Inside.sysctls` puts the default back. A kernel without IPv6 has no such file.
                try? ProcFile.write("1", to: "sys/net/ipv6/conf/default/disable_ipv6")
                return Result { () throws(NetlinkError) in
                    let route = try RouteSocket()
                    try route.perform(Link.set(.index(1), LinkSettings(isUp: true)))
                    try TransparentAccept.prepare(by: route)
                    return route
                }
            }
        } catch {
            throw .system("cannot make a network namespace: \(error.words)")
        }
        let route: RouteSocket
        do throws(NetlinkError) {
            route = try made.value.get()
        } catch {
            made.namespace.discard()
            throw .system("cannot prepare a network namespace: \(error)")
        }
        do throws(NetlinkError) {
            return try PreparedNamespace(made.namespace, route)
        } catch {
            throw .system("cannot prepare a network namespace: \(error)")
        }
    }
}
