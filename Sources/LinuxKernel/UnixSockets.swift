import CLinux
import Glibc
import SystemPackage

/// Sockets of the family AF_UNIX; unix(7). All are close-on-exec.
package enum UnixSocket {
    /// How bytes are kept apart.
    package enum Style: Hashable, Sendable {
        /// A stream of bytes.
        case stream
        /// Messages in order, each received whole.
        case messages

        var type: CInt {
            switch self {
            case .stream: CInt(SOCK_STREAM.rawValue)
            case .messages: CInt(SOCK_SEQPACKET.rawValue)
            }
        }
    }

    /// Two connected sockets.
    package static func pair(_ style: Style) throws(Errno) -> (FileDescriptor, FileDescriptor) {
        var ends: (CInt, CInt) = (-1, -1)
        let result = withUnsafeMutableBytes(of: &ends) {
            socketpair(AF_UNIX, style.type | CInt(SOCK_CLOEXEC.rawValue), 0, $0.bindMemory(to: CInt.self).baseAddress)
        }
        if result < 0 { throw Errno(rawValue: errno) }
        return (FileDescriptor(rawValue: ends.0), FileDescriptor(rawValue: ends.1))
    }

    /// A socket bound to `path` that listens. The path must not exist; `mode` are its permission bits.
    ///
    /// - Throws: `.fileNameTooLong` for a path of more than 107 bytes.
    package static func listen(
        at path: FilePath, mode: UInt16 = 0o600, style: Style = .stream, backlog: Int32 = 128, nonBlocking: Bool = false
    ) throws(Errno) -> FileDescriptor {
        let socket = try make(style, nonBlocking: nonBlocking)
        do throws(Errno) {
            // The mode is set on the socket before it has a name, so that there is no moment in which others can
            // connect.
            try socket.changeMode(UInt32(mode))
            let text = path.string
            try checked(text.withCString { masu_unix_socket_name(socket.rawValue, $0, text.utf8.count, 0) })
            if Glibc.listen(socket.rawValue, backlog) < 0 { throw Errno(rawValue: errno) }
            return socket
        } catch {
            socket.discard()
            throw error
        }
    }

    /// A socket connected to `path`.
    package static func connect(
        to path: FilePath, style: Style = .stream
    ) throws(Errno) -> FileDescriptor {
        let socket = try make(style, nonBlocking: false)
        do throws(Errno) {
            let text = path.string
            try retried { text.withCString { masu_unix_socket_name(socket.rawValue, $0, text.utf8.count, 1) } }
            return socket
        } catch {
            socket.discard()
            throw error
        }
    }

    /// A socket connected to one with the abstract name `name`, which is in no file system; unix(7).
    package static func connect(toAbstract name: String) throws(Errno) -> FileDescriptor {
        let socket = try make(.stream, nonBlocking: false)
        do throws(Errno) {
            let bytes = [0] + name.utf8.map { CChar(bitPattern: $0) }
            try retried { masu_unix_socket_name(socket.rawValue, bytes, bytes.count, 1) }
            return socket
        } catch {
            socket.discard()
            throw error
        }
    }

    private static func make(_ style: Style, nonBlocking: Bool) throws(Errno) -> FileDescriptor {
        var type = style.type | CInt(SOCK_CLOEXEC.rawValue)
        if nonBlocking { type |= CInt(SOCK_NONBLOCK.rawValue) }
        let socket = Glibc.socket(AF_UNIX, type, 0)
        if socket < 0 { throw Errno(rawValue: errno) }
        return FileDescriptor(rawValue: socket)
    }
}

extension FileDescriptor {
    /// accept4(2). Close-on-exec.
    package func acceptConnection(nonBlocking: Bool = false) throws(Errno) -> FileDescriptor {
        let flags = CInt(SOCK_CLOEXEC.rawValue) | (nonBlocking ? CInt(SOCK_NONBLOCK.rawValue) : 0)
        return try descriptor(
            retried {
                let result = masu_accept(rawValue, flags)
                return Int(result)
            })
    }

    /// sendmsg(2): sends `bytes` and with them up to 16 descriptors. Never raises SIGPIPE.
    @discardableResult
    package func sendMessage(_ bytes: [UInt8], descriptors: [FileDescriptor] = []) throws(Errno) -> Int {
        let numbers = descriptors.map(\.rawValue)
        return try retried {
            bytes.withUnsafeBytes { masu_sendmsg(rawValue, $0.baseAddress, $0.count, numbers, numbers.count, 0) }
        }
    }

    /// recvmsg(2): up to `capacity` bytes and the descriptors that came with them, close-on-exec. No bytes: the other
    /// side has closed.
    package func receiveMessage(
        capacity: Int = 65536
    ) throws(Errno) -> (bytes: [UInt8], descriptors: [FileDescriptor]) {
        var numbers = [CInt](repeating: -1, count: 16)
        var count = 0
        var failure: Errno?
        let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, length in
            length = 0
            do throws(Errno) {
                length = try retried { masu_recvmsg(rawValue, buffer.baseAddress, capacity, &numbers, &count, 0) }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return (bytes, numbers[..<count].map { FileDescriptor(rawValue: $0) })
    }

    /// shutdown(2) of the sending side: the other side reads the end of the stream.
    package func shutdownSending() throws(Errno) {
        if shutdown(rawValue, CInt(SHUT_WR)) < 0 { throw Errno(rawValue: errno) }
    }

    /// The process at the other end of a connected Unix socket, as it was when it connected.
    package func peerCredentials() throws(Errno) -> (pid: Int32, uid: UInt32, gid: UInt32) {
        var pid: CInt = 0
        var uid: UInt32 = 0
        var gid: UInt32 = 0
        try checked(masu_peer_credentials(rawValue, &pid, &uid, &gid))
        return (pid, uid, gid)
    }

    /// The process at the other end of a connected Unix socket, by a descriptor that never leads to another one.
    ///
    /// - Throws: `noSuchProcess` if it has been waited for; `protocolNotAvailable` before Linux 6.5.
    package func peerProcess() throws(Errno) -> PIDFD {
        var number: CInt = -1
        var length = socklen_t(MemoryLayout<CInt>.size)
        // SO_PEERPIDFD; the descriptor is close-on-exec.
        if getsockopt(rawValue, SOL_SOCKET, 77, &number, &length) < 0 {
            throw errno == EINVAL ? .noSuchProcess : Errno(rawValue: errno)
        }
        return PIDFD(descriptor: FileDescriptor(rawValue: number))
    }
}
