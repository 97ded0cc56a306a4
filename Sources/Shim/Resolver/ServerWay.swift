import DNS
import LinuxKernel
import SystemPackage

/// How servers are reached.
struct ServerWay {
    let context: StreamContext
    /// The container's network namespace.
    let namespace: FileDescriptor
    /// How long a server may take, in milliseconds.
    let patience: Int64

    /// A socket on its way to a server, from a random port: the kernel chooses one at `connect`.
    func connect(
        to server: ResolverConfiguration.Server, by transport: ResolverTransport
    ) throws(Errno) -> (socket: FileDescriptor, isConnected: Bool) {
        let socket =
            switch server.namespace {
            case .host: try Self.open(server, transport)
            case .container:
                try NetworkNamespace.visit(namespace) {
                    Result { () throws(Errno) in try Self.open(server, transport) }
                }.get()
            }
        do throws(Errno) {
            return (socket, try socket.connect(to: SocketAddress(server.address, 53)))
        } catch {
            socket.discard()
            throw error
        }
    }

    private static func open(
        _ server: ResolverConfiguration.Server, _ transport: ResolverTransport
    ) throws(Errno) -> FileDescriptor {
        try InternetSocket.make(transport == .udp ? .udp : .tcp, server.address.family)
    }
}
