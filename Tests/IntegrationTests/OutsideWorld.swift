import Foundation
import LinuxKernel
import SystemPackage
import Testing

/// Two network namespaces joined by a cable: in one a daemon runs, as on a machine of its own; the other plays the
/// world outside, which is all that there is. No packet of a test leaves the machine.
final class OutsideWorld {
    /// Where the daemon is.
    let host: PrivateNetwork
    /// Where its packets end.
    private let outside: PrivateNetwork
    private let server: NameServer
    private let files: String

    /// The addresses of both ends.
    static let hostAddress = "192.0.2.2"
    static let outsideAddress = "192.0.2.1"
    /// A name that the world's name server knows, with `outsideAddress`.
    static let knownName = "known.example"

    init() throws {
        host = try PrivateNetwork()
        outside = try PrivateNetwork()
        var template = Array("/tmp/masu-world.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Command.Failure(description: "mkdtemp failed") }
        files = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        try "nameserver \(Self.outsideAddress)\n".write(
            toFile: files + "/resolv.conf", atomically: true, encoding: .utf8)
        let busybox = "/bin/busybox"
        func ip(_ words: String) throws {
            let result = try Command(busybox, ["ip"] + words.split(separator: " ").map(String.init)).runToEnd()
            guard result.code == 0 else { throw Command.Failure(description: "\(result)") }
        }
        // A process in the outside namespace is how busybox names that.
        let anchor = try outside.enter { try Command(busybox, "sleep", "1000").start() }
        try host.enter {
            // busybox leaves the name of the other end to the kernel.
            try ip("link add cable type veth")
            try ip("link set veth0 netns \(anchor.pid)")
            try ip("addr add \(Self.hostAddress)/24 dev cable")
            try ip("link set cable up")
        }
        try outside.enter {
            try ip("addr add \(Self.outsideAddress)/24 dev veth0")
            try ip("link set veth0 up")
        }
        try host.enter { try ip("route add default via \(Self.outsideAddress)") }
        server = try outside.enter { try NameServer(address: Self.outsideAddress, knows: Self.knownName) }
        anchor.send(SIGKILL)
    }

    deinit {
        server.stop()
        try? FileManager.default.removeItem(atPath: files)
    }

    /// Runs `body` on the host.
    func onHost<Value>(_ body: () throws -> Value) throws -> Value { try host.enter(body) }

    /// Runs `body` in the world outside.
    func outside<Value>(_ body: () throws -> Value) throws -> Value { try outside.enter(body) }

    /// A command's beginning that shows it this world's `resolv.conf` in the place of the machine's.
    var disguise: [String] {
        [
            "/usr/bin/unshare", "--mount", "/bin/sh", "-c",
            "mount --bind \(files)/resolv.conf $(readlink -f /etc/resolv.conf) && exec \"$0\" \"$@\"",
        ]
    }
}

/// A name server that knows one name. It answers what it is asked over UDP, in order.
final class NameServer: @unchecked Sendable {
    private let socket: Int32

    /// Binds port 53 of an address of the namespace that this thread is in.
    init(address: String, knows name: String) throws {
        let descriptor = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = UInt16(53).bigEndian
        inet_pton(AF_INET, address, &place.sin_addr)
        let status = withUnsafeBytes(of: &place) { raw -> Int32 in
            guard let base = raw.assumingMemoryBound(to: sockaddr.self).baseAddress else { return -1 }
            return bind(descriptor, base, socklen_t(raw.count))
        }
        guard status == 0 else {
            close(descriptor)
            throw Command.Failure(description: "cannot bind port 53 of \(address)")
        }
        socket = descriptor
        var answer = in_addr()
        inet_pton(AF_INET, address, &answer)
        let bytes = withUnsafeBytes(of: &answer) { Array($0) }
        var question: [UInt8] = []
        for label in name.split(separator: ".") { question += [UInt8(label.utf8.count)] + Array(label.utf8) }
        let known = question + [0]
        Thread.detachNewThread { [descriptor] in Self.serve(descriptor, known, bytes) }
    }

    /// Ends it; its thread closes the socket.
    func stop() { shutdown(socket, Int32(SHUT_RDWR)) }

    private static func serve(_ descriptor: Int32, _ known: [UInt8], _ address: [UInt8]) {
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 1500)
        while true {
            var peer = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let count = withUnsafeMutableBytes(of: &peer) { raw -> Int in
                guard let base = raw.assumingMemoryBound(to: sockaddr.self).baseAddress else { return -1 }
                return recvfrom(descriptor, &buffer, buffer.count, 0, base, &length)
            }
            if count <= 0 { return }
            guard count > 12 else { continue }
            let reply = answer(Array(buffer[..<count]), known, address)
            _ = withUnsafeBytes(of: &peer) { raw -> Int in
                guard let base = raw.assumingMemoryBound(to: sockaddr.self).baseAddress else { return -1 }
                return sendto(descriptor, reply, reply.count, 0, base, length)
            }
        }
    }

    /// The question again, with the address if it asks for that of the known name, or with the word that there is no
    /// such name (RFC 1035, 4.1).
    private static func answer(_ query: [UInt8], _ known: [UInt8], _ address: [UInt8]) -> [UInt8] {
        let end = min(query.count, 12 + known.count + 4)
        let isKnown = Array(query[12..<max(12, end - 4)]) == known
        let asksForAddress = isKnown && query.count >= end && query[end - 3] == 1
        var reply = Array(query[..<2]) + [0x81, isKnown ? 0x80 : 0x83, 0, 1, 0, asksForAddress ? 1 : 0, 0, 0, 0, 0]
        let name = query[12...].prefix { $0 != 0 }
        reply += Array(query[12..<min(query.count, 12 + name.count + 5)])
        if asksForAddress { reply += [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4] + address }
        return reply
    }
}

/// Runs a test with a daemon whose only way out is `OutsideWorld`.
func withWorld(_ body: (TestDaemon, OutsideWorld) throws -> Void) throws {
    let world = try OutsideWorld()
    try world.onHost {
        try withDaemonHere(prefix: world.disguise) { try body($0, world) }
    }
}
