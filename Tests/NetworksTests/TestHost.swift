import Addresses
import BlockingCalls
import DNS
import Foundation
import GRDB
import Glibc
import LinuxKernel
import Logging
import Netlink
import SystemPackage
import Testing

import Networks

extension Trait where Self == ConditionTrait {
    /// For tests against the kernel.
    static var needsNamespaces: ConditionTrait { .enabled(if: geteuid() == 0, "needs root: makes network namespaces") }
}

/// A network namespace that plays the host, and one that plays the outside world, both gone with the test.
final class TestHost: Sendable {
    let namespace: FileDescriptor
    let outside: FileDescriptor
    let pool: BlockingPool
    let directory: FilePath
    let database: DatabasePool

    /// - Parameter mtu: of the way out.
    init(mtu: UInt32 = 1500) throws {
        let outside = try NetworkNamespace.make {}.namespace
        let made = try NetworkNamespace.make { Self.pool() }
        namespace = made.namespace
        self.outside = outside
        pool = made.value
        directory = FilePath(NSTemporaryDirectory()).appending("masu-networks-\(UUID().uuidString)")
        try Files.makeDirectories(directory)
        database = try DatabasePool(path: directory.appending("masu.db").string)
        var migrator = DatabaseMigrator()
        Networks.registerMigrations(in: &migrator)
        try migrator.migrate(database)
        try connect(mtu)
    }

    deinit {
        namespace.discard()
        outside.discard()
        try? database.close()
        // Namespaces of networks of plugins, if a test has failed.
        let holds = directory.appending("run/netns")
        for name in (try? Files.names(in: holds)) ?? [] { try? NetworkNamespace.unpin(at: holds.appending(name)) }
        try? TreeRemoval.remove(directory)
    }

    /// Threads that are in the calling thread's namespaces: threads are in those of who makes them, so all are made.
    private static func pool() -> BlockingPool {
        let count = 4
        let pool = BlockingPool(threads: count, name: "test-networks")
        let (begun, go) = (LinuxKernel.Semaphore(), LinuxKernel.Semaphore())
        for _ in 0..<count {
            pool.submit {
                begun.signal()
                go.wait()
            }
            begun.wait()
        }
        for _ in 0..<count { go.signal() }
        return pool
    }

    private func connect(_ mtu: UInt32) throws {
        let (route, other) = (try route(), try RouteSocket.opened(in: outside))
        for socket in [route, other] { try socket.perform(Link.set(.index(1), LinkSettings(isUp: true))) }
        let pair = NewLink(
            "up0", .veth(peer: .init(name: "eth0", index: 2, mtu: mtu, namespace: outside)), index: 2,
            LinkSettings(isUp: true, mtu: mtu, hasLinkLocalAddress: false))
        try route.perform(Batch(pair.requests))
        try other.perform(Link.set(.index(2), LinkSettings(hasLinkLocalAddress: false)))
        try other.perform(Link.set(.index(2), LinkSettings(isUp: true)))
        for (socket, number) in [(route, 1), (other, 2)] {
            for text in ["192.0.2.\(number)/24", "2001:db8::\(number)/64", "fe80::\(number)/64"] {
                let address = InterfaceAddress(try #require(IPInterface(text)), checksDuplicates: false)
                try socket.perform(address.addition(to: 2))
            }
        }
        try route.perform(IPRoute.standard(by: try #require(IPAddress("192.0.2.2")), interface: 2).addition)
        try route.perform(IPRoute.standard(by: try #require(IPAddress("2001:db8::2")), interface: 2).addition)
    }

    func route() throws -> RouteSocket { try RouteSocket.opened(in: namespace) }

    func configuration(_ change: (inout NetworksConfiguration) -> Void = { _ in }) -> NetworksConfiguration {
        var configuration = NetworksConfiguration(
            execRoot: directory.appending("run"), machineIdentifier: "test", resolverFile: directory.appending("none"),
            preparedNamespaces: 2)
        change(&configuration)
        return configuration
    }

    func open(_ change: (inout NetworksConfiguration) -> Void = { _ in }) async throws -> Networks {
        try await Networks.open(
            configuration(change), database: database, pool: pool, logger: Logger(label: "networks"))
    }

    /// What is in the host's namespace besides the way out and loopback.
    func links() throws -> [Link] {
        try route().links().filter {
            !["lo", "up0"].contains($0.name) && !$0.name.hasPrefix("tunl") && $0.name != "sit0"
        }
    }

    /// Waits until a condition holds, for two minutes at most.
    static func wait(until condition: () throws -> Bool) async throws -> Bool {
        for _ in 0..<12_000 {
            if try condition() { return true }
            try await Task.sleep(for: .milliseconds(10))
        }
        return false
    }
}

/// Containers' ids.
enum TestID {
    static func make(_ number: Int) -> String {
        let text = String(number, radix: 16)
        return "c" + String(repeating: "0", count: 63 - text.count) + text
    }
}

/// Connections between namespaces.
enum Traffic {
    /// Whether somebody in one namespace reaches somebody who listens in another one.
    ///
    /// - Parameters:
    ///   - port: the port that the client asks for; `nil` is the listener's.
    ///   - listening: the listener's port; 0 is any.
    /// - Returns: the address that the listener sees; `nil` if nothing arrives.
    static func connect(
        from client: FileDescriptor, to address: IPAddress, of server: FileDescriptor, port: UInt16? = nil,
        listening: UInt16 = 0, milliseconds: Int32 = 120_000
    ) throws -> IPAddress? {
        let family: IPAddress.Family = address.family
        let listener = try NetworkNamespace.visit(server) { socket(family) }
        defer { close(listener) }
        try #require(listener >= 0)
        var on: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, 4)
        var any = sockaddr_storage()
        let length = fill(&any, .unspecified(family), listening)
        var failure = with(&any) { Glibc.bind(listener, $0, length) }
        try #require(failure == 0)
        try #require(listen(listener, 4) == 0)
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        failure = with(&any) { getsockname(listener, $0, &size) }
        try #require(failure == 0)
        let port = port ?? self.port(of: &any)
        let caller = try NetworkNamespace.visit(client) { socket(family) }
        defer { close(caller) }
        var target = sockaddr_storage()
        let targetLength = fill(&target, address, port)
        _ = with(&target) { Glibc.connect(caller, $0, targetLength) }
        var poll = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        guard Glibc.poll(&poll, 1, milliseconds) == 1 else { return nil }
        var peer = sockaddr_storage()
        size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let accepted = try FileDescriptor(rawValue: listener).acceptConnection()
        defer { accepted.discard() }
        failure = with(&peer) { getpeername(accepted.rawValue, $0, &size) }
        try #require(failure == 0)
        return self.address(of: &peer, family)
    }

    private static func socket(_ family: IPAddress.Family) -> Int32 {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        return Glibc.socket(Int32(family.number), type, 0)
    }

    private static func with<Value>(
        _ storage: inout sockaddr_storage, _ body: (UnsafeMutablePointer<sockaddr>) -> Value
    ) -> Value {
        withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body)
        }
    }

    private static func fill(_ storage: inout sockaddr_storage, _ address: IPAddress, _ port: UInt16) -> socklen_t {
        withUnsafeMutableBytes(of: &storage) { bytes in
            bytes.storeBytes(of: UInt16(address.family.number), as: UInt16.self)
            bytes.storeBytes(of: port.bigEndian, toByteOffset: 2, as: UInt16.self)
            for (offset, byte) in address.bytes.enumerated() {
                bytes[(address.isIPv6 ? 8 : 4) + offset] = byte
            }
        }
        return socklen_t(address.isIPv6 ? 28 : 16)
    }

    private static func port(of storage: inout sockaddr_storage) -> UInt16 {
        withUnsafeBytes(of: &storage) { UInt16(bigEndian: $0.load(fromByteOffset: 2, as: UInt16.self)) }
    }

    private static func address(of storage: inout sockaddr_storage, _ family: IPAddress.Family) -> IPAddress? {
        withUnsafeBytes(of: &storage) { bytes in
            IPAddress(bytes: family == .ipv6 ? Array(bytes[8..<24]) : Array(bytes[4..<8]))
        }
    }
}
