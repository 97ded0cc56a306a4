import Glibc
import SystemPackage

/// Network namespaces that a thread is in for a moment. Fit for programs with several threads, as namespaces are a
/// thread's.
package enum NetworkNamespace {
    /// Does `body` in the network namespace that `namespace` refers to, on this thread.
    package static func visit<Value>(
        _ namespace: FileDescriptor, _ body: () -> Value
    ) throws(Errno) -> Value {
        try away({ () throws(Errno) in try Namespaces.network.enter(namespace) }, body)
    }

    /// A new network namespace, which lives as long as the descriptor is open or a process or socket is in it. `body`
    /// is done in it on this thread, for what is best done from inside.
    package static func make<Value>(
        _ body: () -> Value
    ) throws(Errno) -> (namespace: FileDescriptor, value: Value) {
        let (result, value) = try away({ () throws(Errno) in try Namespaces.network.unshare() }) {
            (Result { () throws(Errno) in try current() }, body())
        }
        return (try result.get(), value)
    }

    /// The network namespace that this thread is in.
    package static func current() throws(Errno) -> FileDescriptor {
        try Files.open("/proc/thread-self/ns/net", .readOnly)
    }

    // MARK: By a path

    /// Gives a network namespace a path, by which it lives until `unpin`: an empty file on which it is bound.
    package static func pin(_ namespace: FileDescriptor, at path: FilePath) throws(Errno) {
        if isNamespace(path) { throw .fileExists }
        try Files.open(path, [.writeOnly, .create], mode: 0o444).discard()
        do throws(Errno) {
            try Mounts.mount("/proc/self/fd/\(namespace.rawValue)", on: path, flags: .bind)
        } catch {
            try? Files.remove(path)  // The mount's error is the one that counts.
            throw error
        }
    }

    /// Takes the path of a network namespace away, which then lives only as long as something is in it. A path that is
    /// not there, or at which nothing is bound, is no error.
    package static func unpin(at path: FilePath) throws(Errno) {
        // Twice, if two have pinned at the same moment.
        while isNamespace(path) { try Mounts.unmount(path, lazily: true) }
        do throws(Errno) { try Files.remove(path) } catch {
            if error != .noSuchFileOrDirectory { throw error }
        }
    }

    /// Whether a namespace is bound at this path, or it is that of one in procfs.
    package static func isNamespace(_ path: FilePath) -> Bool {
        // What cannot be looked at is none.
        (try? FileSystemType.of(path)) == .namespaces
    }

    private static func away<Value>(
        _ leave: () throws(Errno) -> Void, _ body: () -> Value
    ) throws(Errno) -> Value {
        let own = try current()
        defer { own.discard() }
        try leave()
        let value = body()
        do throws(Errno) {
            try Namespaces.network.enter(own)
        } catch {
            // The kernel let this thread go and does not let it back. In the wrong namespace it would do to the host's
            // network what is meant for a container's: no process is better than that.
            abort()
        }
        return value
    }
}
