import Foundation
import LinuxKernel
import SystemPackage

/// A network namespace of a test's own, in which its daemon and its servers run as on a machine that nothing is
/// plugged into: the loopback interface is up, and all else is what the daemon makes. No interface, rule or kernel
/// parameter of the machine is touched, and the namespace ends with the last process in it.
///
/// The whole test runs inside: what it starts, threads too, is where it is itself. A daemon that was told to make no
/// networks would also leave the machine alone, but no user has such a daemon.
final class PrivateNetwork {
    /// The namespace, for those who come later.
    let namespace: FileDescriptor

    /// A namespace with its loopback interface.
    init() throws {
        var made: FileDescriptor?
        try Self.returning {
            try Namespaces.network.unshare()
            made = try Self.current()
            let up = try Command("/bin/busybox", "ip", "link", "set", "lo", "up").runToEnd()
            guard up.code == 0 else { throw Command.Failure(description: "\(up)") }
        }
        guard let made else { throw Command.Failure(description: "there is no network namespace") }
        namespace = made
    }

    /// One that there is already.
    init(_ namespace: FileDescriptor) throws { self.namespace = try namespace.duplicate(from: 0) }

    deinit { namespace.discard() }

    /// Runs `body` inside. It must stay on its thread.
    func enter<Value>(_ body: () throws -> Value) throws -> Value {
        try Self.returning {
            try Namespaces.network.enter(namespace)
            return try body()
        }
    }

    /// Runs `body` where this process was started: for downloads.
    static func leave<Value>(_ body: () throws -> Value) throws -> Value {
        try returning {
            try Namespaces.network.enter(machine)
            return try body()
        }
    }

    /// The namespace of the first thread, which never leaves it.
    private static let machine: FileDescriptor = {
        do { return try FileDescriptor.open("/proc/\(getpid())/ns/net", .readOnly, options: .closeOnExec) } catch {
            preconditionFailure("there is no network namespace: \(error)")
        }
    }()

    private static func current() throws -> FileDescriptor {
        try FileDescriptor.open("/proc/thread-self/ns/net", .readOnly, options: .closeOnExec)
    }

    /// Takes the thread back to where it is now, whatever `body` does.
    private static func returning<Value>(_ body: () throws -> Value) throws -> Value {
        let here = try current()
        defer {
            do { try Namespaces.network.enter(here) } catch {
                preconditionFailure("a thread cannot return to its network namespace: \(error)")
            }
            here.discard()
        }
        return try body()
    }
}
