import Addresses
import CLinux
import Glibc
import SystemPackage

/// An address and a port of TCP, UDP or SCTP; ip(7), ipv6(7).
package struct SocketAddress: Hashable, Sendable {
    /// The address.
    package var address: IPAddress
    /// The port.
    package var port: UInt16
    /// The number of the interface that a link-local IPv6 address is on; else 0.
    package var zone: UInt32

    /// An address and a port.
    package init(_ address: IPAddress, _ port: UInt16, zone: UInt32 = 0) {
        self.address = address
        self.port = port
        self.zone = zone
    }

    /// Reads what the kernel has filled in; `nil` for any other family.
    init?(_ storage: sockaddr_storage) {
        let value: SocketAddress? = withUnsafeBytes(of: storage) { bytes in
            switch Int32(storage.ss_family) {
            case AF_INET:
                let value = bytes.loadUnaligned(as: sockaddr_in.self)
                return SocketAddress(
                    IPAddress(.ipv4, UInt128(UInt32(bigEndian: value.sin_addr.s_addr))),
                    UInt16(bigEndian: value.sin_port))
            case AF_INET6:
                let value = bytes.loadUnaligned(as: sockaddr_in6.self)
                let number = withUnsafeBytes(of: value.sin6_addr) {
                    UInt128(bigEndian: $0.loadUnaligned(as: UInt128.self))
                }
                return SocketAddress(
                    IPAddress(.ipv6, number), UInt16(bigEndian: value.sin6_port), zone: value.sin6_scope_id)
            default: return nil
            }
        }
        guard let value else { return nil }
        self = value
    }

    func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        switch address.family {
        case .ipv4:
            var value = sockaddr_in()
            value.sin_family = sa_family_t(AF_INET)
            value.sin_port = port.bigEndian
            value.sin_addr.s_addr = UInt32(truncatingIfNeeded: address.number).bigEndian
            return withUnsafeBytes(of: value) { bytes in call(bytes, body) }
        case .ipv6:
            var value = sockaddr_in6()
            value.sin6_family = sa_family_t(AF_INET6)
            value.sin6_port = port.bigEndian
            let number = address.number.bigEndian
            withUnsafeMutableBytes(of: &value.sin6_addr) { $0.storeBytes(of: number, as: UInt128.self) }
            value.sin6_scope_id = zone
            return withUnsafeBytes(of: value) { bytes in call(bytes, body) }
        }
    }

    private func call<Result>(
        _ bytes: UnsafeRawBufferPointer, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        // The buffer is a structure that begins as sockaddr does and is at least as large.
        guard let start = bytes.baseAddress else { preconditionFailure("a structure without bytes") }
        return body(start.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
}

/// Sockets of TCP, UDP and SCTP. None of them blocks, all are close-on-exec.
package enum InternetSocket {
    /// A socket without an address, in this thread's network namespace. One of IPv6 is for IPv6 only.
    ///
    /// - Throws: `.protocolNotSupported` for a protocol that the kernel does not have, as SCTP without its module;
    ///   `.addressFamilyNotSupported` without IPv6.
    package static func make(
        _ transport: TransportProtocol, _ family: IPAddress.Family
    ) throws(Errno) -> FileDescriptor {
        let style = transport == .udp ? SOCK_DGRAM : SOCK_STREAM
        let number = Glibc.socket(
            family == .ipv4 ? AF_INET : AF_INET6,
            CInt(style.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue),
            CInt(transport.number))
        if number < 0 { throw Errno(rawValue: errno) }
        let socket = FileDescriptor(rawValue: number)
        guard family == .ipv6 else { return socket }
        do throws(Errno) { try socket.set(CInt(IPPROTO_IPV6), IPV6_V6ONLY, 1) } catch {
            socket.discard()
            throw error
        }
        return socket
    }
}

extension FileDescriptor {
    /// setsockopt(2) with a number.
    package func set(_ level: CInt, _ option: CInt, _ value: CInt) throws(Errno) {
        var value = value
        if setsockopt(rawValue, level, option, &value, socklen_t(MemoryLayout<CInt>.size)) < 0 {
            throw Errno(rawValue: errno)
        }
    }

    /// bind(2).
    package func bind(to address: SocketAddress) throws(Errno) {
        if address.withSocketAddress({ Glibc.bind(rawValue, $0, $1) }) < 0 { throw Errno(rawValue: errno) }
    }

    /// listen(2).
    package func listen(backlog: Int32) throws(Errno) {
        if Glibc.listen(rawValue, backlog) < 0 { throw Errno(rawValue: errno) }
    }

    /// connect(2). Of a socket that does not block, `false` means that the connection is being made: the descriptor is
    /// writable when that has ended.
    package func connect(to address: SocketAddress) throws(Errno) -> Bool {
        while address.withSocketAddress({ Glibc.connect(rawValue, $0, $1) }) < 0 {
            switch errno {
            case EINTR: continue
            case EINPROGRESS: return false
            default: throw Errno(rawValue: errno)
            }
        }
        return true
    }

    /// The error that the socket has met since this was asked for last (`SO_ERROR`); `nil` if there was none.
    package func takeSocketError() -> Errno? {
        var value: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        if getsockopt(rawValue, SOL_SOCKET, SO_ERROR, &value, &size) < 0 { return Errno(rawValue: errno) }
        return value == 0 ? nil : Errno(rawValue: value)
    }

    /// getsockname(2); `nil` if it is no internet socket.
    package func socketName() -> SocketAddress? { name { getsockname(rawValue, $0, $1) } }

    /// getpeername(2); `nil` if it is no internet socket, or not connected.
    package func peerName() -> SocketAddress? { name { getpeername(rawValue, $0, $1) } }

    private func name(
        _ call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> CInt
    ) -> SocketAddress? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { call($0, &size) }
        }
        return result < 0 ? nil : SocketAddress(storage)
    }

    /// Lets nothing that comes from the network reach the socket, which is as if it were not there, until
    /// `acceptPackets`.
    package func dropPackets() throws(Errno) { try checked(masu_socket_drop_all(rawValue)) }

    /// Ends `dropPackets`.
    package func acceptPackets() throws(Errno) { try set(SOL_SOCKET, SO_DETACH_FILTER, 0) }
}

/// A datagram's addresses.
package struct DatagramOrigin {
    /// Who has sent it.
    package let peer: SocketAddress
    /// The address that it was sent to, from which the answer has to come.
    fileprivate let local: masu_local_address

    /// The address that it was sent to; `nil` where the kernel does not say.
    package var localAddress: IPAddress? {
        withUnsafeBytes(of: local.address) { bytes in
            switch local.family {
            case 4: IPAddress(bytes: bytes.prefix(4))
            case 6: IPAddress(bytes: bytes)
            default: nil
            }
        }
    }
}

extension FileDescriptor {
    /// Has `receiveDatagram` tell which of the host's addresses a datagram was sent to.
    package func tellLocalAddress(_ family: IPAddress.Family) throws(Errno) {
        switch family {
        case .ipv4: try set(CInt(IPPROTO_IP), IP_PKTINFO, 1)
        // IPV6_RECVPKTINFO, which the C library declares with _GNU_SOURCE only.
        case .ipv6: try set(CInt(IPPROTO_IPV6), 49, 1)
        }
    }

    /// The next datagram, without waiting; `nil` if its sender cannot be told.
    package func receiveDatagram(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> (count: Int, origin: DatagramOrigin?) {
        var storage = sockaddr_storage()
        var local = masu_local_address()
        let count = try retried {
            masu_receive_datagram(rawValue, buffer.baseAddress, buffer.count, &storage, &local)
        }
        return (count, SocketAddress(storage).map { DatagramOrigin(peer: $0, local: local) })
    }

    /// Sends an answer to whoever has sent a datagram, from the address that was sent to, without waiting.
    package func sendDatagram(_ bytes: UnsafeRawBufferPointer, to origin: DatagramOrigin) throws(Errno) {
        var local = origin.local
        try retried {
            origin.peer.withSocketAddress {
                masu_send_datagram(rawValue, bytes.baseAddress, bytes.count, $0, $1, &local)
            }
        }
    }

    /// splice(2): moves up to `count` bytes into `target` without waiting; one of both is a pipe. Zero is the end.
    package func splice(into target: FileDescriptor, count: Int) throws(Errno) -> Int {
        // SPLICE_F_MOVE and SPLICE_F_NONBLOCK.
        try retried { masu_splice(rawValue, target.rawValue, count, 3) }
    }
}
