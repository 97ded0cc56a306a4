import Addresses
import Glibc
import LinuxKernel
import Netlink
import PublishedPorts
import Shim
import ShimProtocol
import Synchronization
import SystemPackage

/// Published ports between two network namespaces of a test's own: one plays the host, the other the container. Both
/// have a loopback interface and nothing else.
final class PortRig: Sendable {
    static let obstacle = geteuid() == 0 ? "" : "needs root: makes network namespaces"

    let host: FileDescriptor
    let inside: FileDescriptor
    private let wake: EventFD
    private let work = Mutex<[@Sendable (PublishedSockets, EventLoop) -> Void]>([])
    private let result = Mutex<Result<[PublishedPort], ShimError>?>(nil)
    private let isOver = Mutex(false)

    /// Publishes ports of a container whose address is `127.0.0.5`, and `::1` if it has IPv6.
    init(
        _ requests: [PortRequest], hasIPv6: Bool = true, splices: Bool = true, isOpen: Bool = true,
        isTransparent: Bool = false, openFiles: Int = 10_000
    ) throws {
        func namespace() throws -> FileDescriptor {
            let (namespace, result) = try NetworkNamespace.make {
                Result { () throws(Errno) in try NetworkInterface.bringUp("lo") }
            }
            try result.get()
            return namespace
        }
        host = try namespace()
        inside = try namespace()
        wake = try EventFD()
        let target = PortTarget(
            sandbox: "test", ipv4: PortTarget.Place(IPAddress(.ipv4, 0x7F00_0005)),
            ipv6: hasIPv6 ? PortTarget.Place(.loopback(.ipv6)) : nil)
        if isTransparent {
            try NetworkNamespace.visit(inside) {
                Result { () throws(NetlinkError) in try TransparentAccept.prepare(by: RouteSocket()) }
            }.get()
        }
        let publication = PortPublication(
            requests, to: target, mode: isTransparent ? .input : .nat, splices: splices, isTransparent: isTransparent)
        _ = Threads.start(name: "ports") { [self] in serve(publication, isOpen: isOpen, openFiles: openFiles) }
        _ = try awaited { result.withLock { $0 } }.get()
    }

    deinit {
        host.discard()
        inside.discard()
    }

    /// What is bound.
    var ports: [PublishedPort] { get throws { try awaited { result.withLock { $0 } }.get() } }

    /// Closes all ports, and ends the thread.
    func close() throws {
        perform { sockets, loop in
            sockets.close()
            loop.stop()
        }
        _ = try awaited { isOver.withLock { $0 } ? true : nil }
        wake.descriptor.discard()
    }

    /// Does something on the thread of the ports.
    func perform(_ body: @escaping @Sendable (PublishedSockets, EventLoop) -> Void) {
        work.withLock { $0.append(body) }
        var one: UInt64 = 1
        write(wake.descriptor.rawValue, &one, 8)
    }

    private func serve(_ publication: PortPublication, isOpen: Bool, openFiles: Int) {
        // As in a shim.
        SignalSet([SIGPIPE]).block()
        do throws(ShimError) {
            try attempt { () throws(Errno) in try Namespaces.network.enter(host) }
            let loop = try attempt { () throws(Errno) in try EventLoop() }
            let buffer = try attempt { () throws(Errno) in try PageBuffer(count: 64 << 10) }
            let sockets = try PublishedSockets(
                publication, loop: loop, buffer: buffer, descriptors: DescriptorBudget(openFiles: openFiles))
            sockets.enter(try attempt { () throws(Errno) in try inside.duplicate(from: 3) })
            if isOpen { try sockets.open() }
            _ = try attempt { () throws(Errno) in
                try loop.watch(wake.descriptor, .readable) { [self] _ in
                    var count: UInt64 = 0
                    read(wake.descriptor.rawValue, &count, 8)
                    for body in work.withLock({ work in
                        defer { work = [] }
                        return work
                    }) { body(sockets, loop) }
                }
            }
            result.withLock { $0 = .success(sockets.ports) }
            loop.run()
        } catch {
            result.withLock { $0 = .failure(error) }
        }
        isOver.withLock { $0 = true }
    }

    private func attempt<Value>(_ body: () throws(Errno) -> Value) throws(ShimError) -> Value {
        do throws(Errno) { return try body() } catch { throw ShimError(.system, "\(error)") }
    }

    /// Waits for something, two minutes at most.
    func awaited<Value>(_ look: () -> Value?) throws -> Value {
        for _ in 0..<120_000 {
            if let value = look() { return value }
            usleep(1000)
        }
        throw Errno.timedOut
    }

    /// Gives the host another address.
    func add(_ address: String) throws {
        guard let interface = IPInterface(address) else { throw Errno.invalidArgument }
        try RouteSocket.opened(in: host).perform(
            InterfaceAddress(interface, checksDuplicates: false).addition(to: 1))
    }

    // MARK: Programs

    /// A socket of TCP that listens inside the container, blocking.
    func listen(_ address: IPAddress, _ port: UInt16) throws -> FileDescriptor {
        let socket = try socket(.tcp, address.family, in: inside)
        try socket.set(SOL_SOCKET, SO_REUSEADDR, 1)
        try socket.bind(to: SocketAddress(address, port))
        try socket.listen(backlog: 128)
        return socket
    }

    /// A client's connection on the host, blocking, with a limit of ten seconds on each step.
    func connect(
        _ address: IPAddress, _ port: UInt16, seconds: Int = 10, from client: SocketAddress? = nil
    ) throws -> FileDescriptor {
        let socket = try socket(.tcp, address.family, in: host, seconds: seconds)
        do {
            if let client { try socket.bind(to: client) }
            // A limit on sending is one on connecting; the kernel says then that it goes on.
            guard try socket.connect(to: SocketAddress(address, port)) else { throw Errno.timedOut }
            return socket
        } catch {
            socket.discard()
            throw error
        }
    }

    /// A blocking socket in a namespace.
    func socket(
        _ transport: TransportProtocol, _ family: IPAddress.Family, in namespace: FileDescriptor, seconds: Int = 10
    ) throws -> FileDescriptor {
        let socket = try NetworkNamespace.visit(namespace) {
            Result { () throws(Errno) in try InternetSocket.make(transport, family) }
        }.get()
        try socket.setNonBlocking(false)
        var time = timeval(tv_sec: seconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(socket.rawValue, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
        }
        return socket
    }
}

extension FileDescriptor {
    /// All bytes up to the end.
    func readAll() throws -> [UInt8] { try readToEnd(limit: .max) }
}
