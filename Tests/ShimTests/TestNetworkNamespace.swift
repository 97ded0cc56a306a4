import Addresses
import Glibc
import LinuxKernel
import SystemPackage

/// A network namespace that nothing leaves.
final class TestNetworkNamespace: Sendable {
    let descriptor: FileDescriptor

    /// A new one, with a loopback interface.
    init() throws {
        let made = try NetworkNamespace.make { Result { () throws(Errno) in try NetworkInterface.bringUp("lo") } }
        descriptor = made.namespace
        try made.value.get()
    }

    /// That of a process.
    init(of pid: Int32) throws {
        descriptor = try Files.open(FilePath("/proc/\(pid)/ns/net"), .readOnly)
    }

    deinit { descriptor.discard() }

    /// A socket in the namespace that waits for at most half a minute.
    func socket(_ transport: TransportProtocol) throws -> FileDescriptor {
        let socket = try NetworkNamespace.visit(descriptor) {
            Result { () throws(Errno) in try InternetSocket.make(transport, .ipv4) }
        }.get()
        try socket.setNonBlocking(false)
        var time = timeval(tv_sec: 30, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(socket.rawValue, SOL_SOCKET, SO_RCVTIMEO, &time, size)
        setsockopt(socket.rawValue, SOL_SOCKET, SO_SNDTIMEO, &time, size)
        return socket
    }
}
