import Addresses
import Glibc
import LinuxKernel
import Netlink
import PublishedPorts
import SystemPackage

/// Where a shim's own connections into its container go.
struct PortDestination {
    /// The container's network namespace.
    let namespace: FileDescriptor
    /// The addresses of the sandbox.
    let target: PortTarget
    /// Whether the namespace sends answers to the client's address back to the shim; see `TransparentAccept`.
    let isTransparent: Bool

    /// The address for packets of this family: the sandbox's of the same family, else that of the other one. A sandbox
    /// without any has its loopback interface.
    func address(for family: IPAddress.Family) -> IPAddress {
        target[family]?.address ?? target.ipv4?.address ?? target.ipv6?.address ?? .loopback(family)
    }

    /// A connection to `port` inside the namespace, which may not be made yet: the socket is writable when it is, or
    /// when it has failed.
    ///
    /// - Parameter client: Whose address the container is to see, where that can be done.
    func connect(_ port: UInt16, client: SocketAddress) throws(Errno) -> FileDescriptor {
        let address = SocketAddress(address(for: client.address.family), port)
        return try visit { () throws(Errno) in
            if mayImpersonate(client, at: address), let socket = try? Self.connect(.tcp, to: address, from: client) {
                return socket
            }
            // The container sees one of its own addresses then.
            return try Self.connect(.tcp, to: address, from: nil)
        }
    }

    /// A socket of UDP inside the namespace, for one client.
    struct DatagramConnection {
        let socket: FileDescriptor
        /// What brings answers back to it where the container sees the client's address; to be removed with it.
        var answers: RoutingRule?
    }

    /// A socket of UDP for one client, whose address the container sees where that can be done.
    ///
    /// - Parameter route: Talks to the kernel about routes of the namespace; opened when it is needed first.
    func connectDatagrams(
        _ port: UInt16, client: SocketAddress, by route: inout RouteSocket?
    ) throws(Errno) -> DatagramConnection {
        let address = SocketAddress(address(for: client.address.family), port)
        if mayImpersonate(client, at: address), let connection = impersonate(client, at: address, by: &route) {
            return connection
        }
        return DatagramConnection(
            socket: try visit { () throws(Errno) in try Self.connect(.udp, to: address, from: nil) })
    }

    /// nil where the namespace, or the kernel, does not let it.
    private func impersonate(
        _ client: SocketAddress, at address: SocketAddress, by route: inout RouteSocket?
    ) -> DatagramConnection? {
        // Another way is tried whatever the reason is.
        guard let socket = try? visit({ () throws(Errno) in try Self.connect(.udp, to: address, from: client) }) else {
            return nil
        }
        do throws(NetlinkError) {
            // The port may be another one than the client's.
            let rule = TransparentAccept.answers(to: socket.socketName() ?? client, from: address.port)
            if route == nil {
                let opened = try RouteSocket.opened(in: namespace)
                if let answers = TransparentAccept.answerRoute(from: address.address) {
                    try opened.perform(answers.replacement)
                }
                route = opened
            }
            try route?.perform(rule.addition)
            return DatagramConnection(socket: socket, answers: rule)
        } catch {
            socket.discard()
            return nil
        }
    }

    private func mayImpersonate(_ client: SocketAddress, at address: SocketAddress) -> Bool {
        // The host's loopback addresses are not the container's, whose programs trust their own.
        isTransparent && client.address.family == address.address.family && !client.address.isLinkLocal
            && !client.address.isLoopback
    }

    private func visit<Value>(_ body: () throws(Errno) -> Value) throws(Errno) -> Value {
        try NetworkNamespace.visit(namespace) { Result(catching: body) }.get()
    }

    private static func connect(
        _ transport: TransportProtocol, to address: SocketAddress, from client: SocketAddress?
    ) throws(Errno) -> FileDescriptor {
        let socket = try InternetSocket.make(transport, address.address.family)
        do throws(Errno) {
            if let client { try bind(socket, as: client) }
            if transport == .tcp { try socket.set(CInt(IPPROTO_TCP), TCP_NODELAY, 1) }
            _ = try socket.connect(to: address)
            return socket
        } catch {
            socket.discard()
            throw error
        }
    }

    private static func bind(_ socket: FileDescriptor, as client: SocketAddress) throws(Errno) {
        // IP_TRANSPARENT and IPV6_TRANSPARENT: the address need not be one of the namespace's.
        switch client.address.family {
        case .ipv4: try socket.set(CInt(IPPROTO_IP), 19, 1)
        case .ipv6: try socket.set(CInt(IPPROTO_IPV6), 75, 1)
        }
        try socket.set(SOL_SOCKET, SO_MARK, CInt(bitPattern: TransparentAccept.mark))
        do throws(Errno) {
            try socket.bind(to: client)
        } catch .addressInUse {
            // A program in the container has that very port. The address is what people look at.
            try socket.bind(to: SocketAddress(client.address, 0))
        }
    }
}
