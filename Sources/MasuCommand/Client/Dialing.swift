import Glibc

extension DaemonAddress {
    /// Connects and returns the socket.
    ///
    /// - Throws: ``CommandError`` with the well-known “Cannot connect to the Masu daemon” and a hint what to do.
    func connect() throws(CommandError) -> Int32 {
        switch self {
        case .unix(let path): try connectUnix(path)
        case .tcp(let host, let port): try connectTCP(host, port)
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
        guard let name = Self.numeric(host) else {
            throw CommandError("cannot find the address of \(host): use a numeric address or a name of /etc/hosts")
        }
        let isIPv6 = name.contains(":")
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(isIPv6 ? AF_INET6 : AF_INET, type, 0)
        guard descriptor >= 0 else { throw CommandError("cannot make a socket: \(Console.words(errno))") }
        let status: Int32
        if isIPv6 {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            inet_pton(AF_INET6, name, &address.sin6_addr)
            status = withUnsafeBytes(of: &address) { raw in
                Glibc.connect(
                    descriptor, raw.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                    socklen_t(MemoryLayout<sockaddr_in6>.size))
            }
        } else {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            inet_pton(AF_INET, name, &address.sin_addr)
            status = withUnsafeBytes(of: &address) { raw in
                Glibc.connect(
                    descriptor, raw.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                    socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else {
            let code = errno
            close(descriptor)
            throw unreachable(code)
        }
        return descriptor
    }

    /// A static program must not ask the name service switch, which loads libraries; `/etc/hosts` is enough for a
    /// socket that is only served on loopback without TLS anyway.
    private static func numeric(_ host: String) -> String? {
        var scratch = in6_addr()
        if inet_pton(AF_INET, host, &scratch) == 1 || inet_pton(AF_INET6, host, &scratch) == 1 { return host }
        let table = (try? LocalFile.read("/etc/hosts")) ?? []  // no table is the same as an empty one
        for line in String(decoding: table, as: UTF8.self).split(separator: "\n") {
            let words = line.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" }
            if words.dropFirst().contains(Substring(host)) { return String(words[0]) }
        }
        return host == "localhost" ? "127.0.0.1" : nil
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
