import Addresses
import Glibc
import LinuxKernel
import SystemPackage

extension DaemonAddress {
    /// Connects and returns the socket, and the process that carries its bytes on where there is one.
    ///
    /// - Throws: ``CommandError`` with the well-known “Cannot connect to the Masu daemon” and a hint what to do.
    func connect() throws(CommandError) -> (descriptor: Int32, relay: RelayProcess?) {
        switch self {
        case .unix(let path): return (try connectUnix(path), nil)
        case .tcp(let host, let port, let tls):
            let socket = try connectTCP(host, port)
            guard let tls else { return (socket, nil) }
            defer { close(socket) }
            let relay = try RelayProcess(tls, to: host, on: socket)
            return (relay.descriptor, relay)
        case .ssh(let host):
            let relay = try RelayProcess(host.arguments)
            return (relay.descriptor, relay)
        }
    }

    private func connectUnix(_ path: String) throws(CommandError) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw CommandError("the socket's path is too long: \(path)")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw CommandError("cannot make a socket: \(Console.words(errno))") }
        let status = withUnsafeBytes(of: &address) { raw in
            Glibc.connect(
                descriptor, raw.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                socklen_t(MemoryLayout<sockaddr_un>.size))
        }
        guard status == 0 else {
            let code = errno
            close(descriptor)
            throw unreachable(code)
        }
        return descriptor
    }

    private func connectTCP(_ host: String, _ port: UInt16) throws(CommandError) -> Int32 {
        let addresses: [IPAddress]
        do throws(CommandError) {
            addresses = try NameResolution.own.addresses(of: host)
        } catch {
            throw CommandError("error during connect: dial tcp: \(error.message)")
        }
        var reason = ECONNREFUSED
        for address in addresses {
            do throws(Errno) {
                return try Self.connect(SocketAddress(address, port))
            } catch {
                reason = error.rawValue
            }
        }
        throw unreachable(reason)
    }

    private static func connect(_ address: SocketAddress) throws(Errno) -> Int32 {
        let socket = try InternetSocket.make(.tcp, address.address.family)
        do throws(Errno) {
            _ = try socket.set(SOL_SOCKET, SO_KEEPALIVE, 1)
            _ = fcntl(socket.rawValue, F_SETFL, 0)
            _ = try socket.connect(to: address)
        } catch {
            close(socket.rawValue)
            throw error
        }
        return socket.rawValue
    }

    private func unreachable(_ code: Int32) -> CommandError {
        if code == EACCES {
            return CommandError(
                """
                permission denied while trying to connect to the Masu daemon at \(description)
                Hint: become a member of the socket's group (see 'ls -l'), or use sudo.
                """)
        }
        var text = "Cannot connect to the Masu daemon at \(description). Is masud running?"
        switch code {
        case ENOENT:
            text += "\nHint: nothing listens there. Start the daemon with 'sudo masud', or give its address with -H "
            text += "or MASU_HOST."
        case ECONNREFUSED:
            text += "\nHint: the address exists, but no daemon answers. Start the daemon again with 'sudo masud'."
        default:
            text += "\n(\(Console.words(code)))"
        }
        return CommandError(text)
    }
}
