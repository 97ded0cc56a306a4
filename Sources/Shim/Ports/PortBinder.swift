import Addresses
import Glibc
import LinuxKernel
import PublishedPorts
import ShimProtocol
import SystemPackage

/// A socket of the host that has a published port.
struct PortSocket {
    let port: PublishedPort
    let descriptor: FileDescriptor
}

/// Binds ports of the host.
///
/// The sockets listen, as only that keeps the port from others, and let nothing through: until the container is started
/// its ports are closed to the network as if nobody had them.
enum PortBinder {
    /// How many connections may wait; the kernel lowers it to `net.core.somaxconn`.
    private static let backlog: Int32 = 4096

    /// Binds all that is asked for, or nothing.
    ///
    /// - Parameter handedOver: sockets that have their places already, and that others may have beside their owners.
    static func bind(
        _ publication: PortPublication, handedOver: [PortSocket] = []
    ) throws(ShimError) -> [PortSocket] {
        var sockets: [PortSocket] = []
        do throws(ShimError) {
            for group in PortSearch(publication).groups {
                sockets += try bind(group, for: publication.target, handedOver)
            }
            return sockets
        } catch {
            for socket in sockets { socket.descriptor.discard() }
            throw error
        }
    }

    private static func bind(
        _ group: PortSearch.Group, for target: PortTarget, _ handedOver: [PortSocket]
    ) throws(ShimError) -> [PortSocket] {
        var last: (port: PublishedPort, error: Errno)?
        for number in group.candidates(ephemeral: .ofThisMachine(), random: .random(in: .min ... .max)) {
            do throws(BindFailure) {
                return try bind(group.ports(number), handedOver)
            } catch {
                last = (error.port, error.error)
                // No other number helps against a missing address or a lack of permission.
                if error.error != .addressInUse { break }
            }
        }
        let conflict = conflict(last, group)
        throw ShimError(
            conflict.isInUse ? .conflict : .system, conflict.reason(for: target), portConflict: conflict)
    }

    private static func conflict(
        _ last: (port: PublishedPort, error: Errno)?, _ group: PortSearch.Group
    ) -> PortConflict {
        guard let (port, error) = last, error != .addressInUse || isExact(group) else {
            // Docker's words.
            let port = last?.port ?? PublishedPort(group.transport, group.addresses[0], 0, to: group.containerPort)
            return PortConflict(port, reason: "all ports are allocated", isInUse: true)
        }
        if error == .addressInUse {
            return PortConflict(port, reason: error.words, isInUse: true, holder: PortHolders.holder(of: port))
        }
        let isMissing = error == .protocolNotSupported && port.transport == .sctp
        return PortConflict(
            port, reason: error.words + (isMissing ? ": the kernel has no SCTP; load its module sctp" : ""),
            isInUse: false)
    }

    private static func isExact(_ group: PortSearch.Group) -> Bool {
        if case .exact = group.hostPort { true } else { false }
    }

    private struct BindFailure: Error {
        let port: PublishedPort
        let error: Errno
    }

    private static func bind(
        _ ports: [PublishedPort], _ handedOver: [PortSocket]
    ) throws(BindFailure) -> [PortSocket] {
        var sockets: [PortSocket] = []
        for port in ports {
            do throws(Errno) {
                let descriptor =
                    if let held = handedOver.first(where: { $0.port.hasPlace(of: port) }) {
                        try held.descriptor.duplicate(from: 3)
                    } else {
                        try bind(port)
                    }
                sockets.append(PortSocket(port: port, descriptor: descriptor))
            } catch {
                // Where the kernel has no IPv6, "all addresses" are those of IPv4.
                if error == .addressFamilyNotSupported, port.hostAddress.isUnspecified, ports.count > 1 { continue }
                for socket in sockets { socket.descriptor.discard() }
                throw BindFailure(port: port, error: error)
            }
        }
        return sockets
    }

    private static func bind(_ port: PublishedPort) throws(Errno) -> FileDescriptor {
        let socket = try InternetSocket.make(port.transport, port.hostAddress.family)
        do throws(Errno) {
            try socket.dropPackets()
            if port.transport == .udp {
                try socket.tellLocalAddress(port.hostAddress.family)
            } else {
                // Connections of an earlier container that the kernel still remembers do not keep the port.
                try socket.set(SOL_SOCKET, SO_REUSEADDR, 1)
            }
            try socket.bind(to: SocketAddress(port.hostAddress, port.hostPort))
            if port.transport != .udp { try socket.listen(backlog: backlog) }
            return socket
        } catch {
            socket.discard()
            throw error
        }
    }
}

extension FileDescriptor {
    /// Opens a socket of `PortBinder` to the network, unless that was done before it was handed over.
    func admitPackets() throws(Errno) {
        do throws(Errno) { try acceptPackets() } catch .noSuchFileOrDirectory {
            // The filter is the socket's, and not that of one of its descriptors.
        }
    }
}
