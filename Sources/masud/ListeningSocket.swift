import Glibc
import LinuxKernel
import SystemPackage

/// A socket that clients connect to.
struct ListeningSocket: Sendable {
    /// The socket; it listens.
    let descriptor: FileDescriptor
    /// Its name in the file system, if this process gave it one.
    private let path: FilePath?

    private static let backlog: Int32 = 1024

    /// Whether other machines may reach it, and TLS is of use.
    var isTCP: Bool {
        var domain: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        // It fails only for what is no socket, and that nobody can connect to.
        getsockopt(descriptor.rawValue, SOL_SOCKET, SO_DOMAIN, &domain, &size)
        return domain == AF_INET || domain == AF_INET6
    }

    /// Takes the name away, so that clients read that nobody is there.
    func removeName() {
        guard let path else { return }
        // One that is gone already is as good.
        try? FileDescriptor.workingDirectory.remove(path.string)
    }

    /// The listening sockets of an address: one, or with socket activation as many as there are.
    ///
    /// - Parameter access: who may speak to the daemon over TCP.
    static func open(
        _ address: ListeningAddress, group: GroupChoice, access: ServerTLS.Access
    ) throws -> [ListeningSocket] {
        switch address {
        case .unix(let path): [ListeningSocket(descriptor: try unix(path, group: group), path: path)]
        case .tcp(let host, let port):
            [ListeningSocket(descriptor: try tcp(SocketAddress(host, port), address), path: nil)]
        case .activation: try activated(access).map { ListeningSocket(descriptor: $0, path: nil) }
        }
    }

    private static func unix(_ path: FilePath, group: GroupChoice) throws -> FileDescriptor {
        try removeStale(path)
        let owner = try group.identifier()
        let socket: FileDescriptor
        do {
            // Nobody but root can connect until the group is set.
            socket = try UnixSocket.listen(at: path, mode: 0o600, backlog: backlog)
        } catch {
            throw StartError("cannot listen on unix://\(path): \(error)")
        }
        do {
            if let owner { try FileDescriptor.workingDirectory.changeOwner(path.string, uid: 0, gid: owner) }
            try FileDescriptor.workingDirectory.changeMode(path.string, mode: 0o660)
            return socket
        } catch {
            socket.discard()
            throw StartError("cannot set owner and mode of \(path): \(error)")
        }
    }

    /// Removes a socket that a killed daemon left; refuses one that somebody answers.
    private static func removeStale(_ path: FilePath) throws {
        guard let status = try StartError.naming("cannot listen on unix://\(path)", { try status(of: path) }) else {
            return
        }
        guard status.kind == .socket else {
            throw StartError("cannot listen on unix://\(path): a file that is not a socket exists at that path")
        }
        // Refused: nobody listens any more. Whatever else goes wrong, the name is about to be taken over.
        if let connection = try? UnixSocket.connect(to: path) {
            connection.discard()
            throw StartError("cannot listen on unix://\(path): another daemon answers there")
        }
        try StartError.naming("cannot listen on unix://\(path): cannot remove the socket of a daemon that has ended") {
            try FileDescriptor.workingDirectory.remove(path.string)
        }
    }

    private static func status(of path: FilePath) throws -> FileStatus? {
        do {
            return try FileStatus.of(path, followingSymlinks: false)
        } catch {
            if error == .noSuchFileOrDirectory { return nil }
            throw error
        }
    }

    private static func tcp(_ address: SocketAddress, _ name: ListeningAddress) throws -> FileDescriptor {
        try StartError.naming("cannot listen on \(name)") {
            let socket = try InternetSocket.make(.tcp, address.address.family)
            do {
                try socket.set(SOL_SOCKET, SO_REUSEADDR, 1)
                // [::] means all addresses, as it does for dockerd.
                if address.address == .unspecified(.ipv6) { try socket.set(CInt(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
                try socket.bind(to: address)
                try socket.listen(backlog: backlog)
                return socket
            } catch {
                socket.discard()
                throw error
            }
        }
    }

    /// The sockets of sd_listen_fds(3): descriptors from 3 on.
    private static func activated(_ access: ServerTLS.Access) throws -> [FileDescriptor] {
        guard let pid = getenv("LISTEN_PID").flatMap({ Int32(String(cString: $0)) }), pid == getpid(),
            let count = getenv("LISTEN_FDS").flatMap({ Int32(String(cString: $0)) }), count > 0
        else {
            throw StartError("no sockets found via socket activation: make sure the service was started by systemd")
        }
        return try (3..<(3 + count)).map { number in
            let descriptor = FileDescriptor(rawValue: number)
            try descriptor.setCloseOnExec(true)
            if let name = descriptor.socketName(), !name.address.isLoopback, access != .verified {
                let address =
                    name.address.family == .ipv6 ? "[\(name.address)]:\(name.port)" : "\(name.address):\(name.port)"
                throw StartError(ListeningAddress.refusal("fd://\(number) (\(address))"))
            }
            return descriptor
        }
    }
}

/// Which group may use the daemon's Unix sockets.
struct GroupChoice: Sendable {
    /// `--group`; empty: the first of the usual ones that exists.
    let name: String

    /// The group's number; `nil` leaves the socket to root's group.
    func identifier() throws -> UInt32? {
        guard name.isEmpty else {
            guard let found = Self.find(name) ?? UInt32(name) else { throw StartError("group \(name) not found") }
            return found
        }
        return Self.find("masu") ?? Self.find("docker")
    }

    private static func find(_ name: String) -> UInt32? { getgrnam(name)?.pointee.gr_gid }
}

/// Why the daemon does not start.
struct StartError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    /// Runs `body`; an error is told as `what` could not be done, and why.
    static func naming<T>(_ what: @autoclosure () -> String, _ body: () throws -> T) throws -> T {
        do {
            return try body()
        } catch let error as StartError {
            throw error
        } catch {
            throw StartError("\(what()): \(error)")
        }
    }
}
