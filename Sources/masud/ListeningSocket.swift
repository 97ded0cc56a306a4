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

    /// Takes the name away, so that clients read that nobody is there.
    func removeName() {
        guard let path else { return }
        // One that is gone already is as good.
        try? FileDescriptor.workingDirectory.remove(path.string)
    }

    /// The listening sockets of an address: one, or with socket activation as many as there are.
    static func open(_ address: ListeningAddress, group: GroupChoice) throws -> [ListeningSocket] {
        switch address {
        case .unix(let path): [ListeningSocket(descriptor: try unix(path, group: group), path: path)]
        case .tcp(let host, let port): [ListeningSocket(descriptor: try tcp(host, port, address), path: nil)]
        case .activation: try activated().map { ListeningSocket(descriptor: $0, path: nil) }
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

    private static func tcp(
        _ host: ListeningAddress.LoopbackHost, _ port: UInt16, _ address: ListeningAddress
    ) throws -> FileDescriptor {
        let isV4 = host != .v6
        let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        let number = socket(isV4 ? AF_INET : AF_INET6, type, CInt(IPPROTO_TCP))
        guard number >= 0 else { throw StartError("cannot listen on \(address): \(Errno(rawValue: errno))") }
        let descriptor = FileDescriptor(rawValue: number)
        var yes: CInt = 1
        setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<CInt>.size))
        guard bind(number, to: host, port), Glibc.listen(number, backlog) == 0 else {
            let error = Errno(rawValue: errno)
            descriptor.discard()
            throw StartError("cannot listen on \(address): \(error)")
        }
        return descriptor
    }

    private static func bind(_ socket: CInt, to host: ListeningAddress.LoopbackHost, _ port: UInt16) -> Bool {
        switch host {
        case .v4(let a, let b, let c, let d):
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = port.bigEndian
            name.sin_addr.s_addr = (UInt32(a) << 24 | UInt32(b) << 16 | UInt32(c) << 8 | UInt32(d)).bigEndian
            return bind(socket, to: name)
        case .v6:
            var name = sockaddr_in6()
            name.sin6_family = sa_family_t(AF_INET6)
            name.sin6_port = port.bigEndian
            name.sin6_addr = in6addr_loopback
            return bind(socket, to: name)
        }
    }

    private static func bind(_ socket: CInt, to name: some Any) -> Bool {
        withUnsafeBytes(of: name) { bytes in
            Glibc.bind(socket, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t(bytes.count)) == 0
        }
    }

    /// The sockets of sd_listen_fds(3): descriptors from 3 on.
    private static func activated() throws -> [FileDescriptor] {
        guard let pid = getenv("LISTEN_PID").flatMap({ Int32(String(cString: $0)) }), pid == getpid(),
            let count = getenv("LISTEN_FDS").flatMap({ Int32(String(cString: $0)) }), count > 0
        else {
            throw StartError("no sockets found via socket activation: make sure the service was started by systemd")
        }
        return try (3..<(3 + count)).map { number in
            let descriptor = FileDescriptor(rawValue: number)
            try descriptor.setCloseOnExec(true)
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
