import CNI
import Glibc
import LinuxKernel
import SystemPackage

/// Keeps the network namespace of a container on a network of plugins at a path, from before ADD until after DEL: also
/// when all of its processes have ended, as some plugins look up there what they have to take away, and also while no
/// daemon runs.
struct NamespaceHold: Sendable {
    /// Where the namespace is bound.
    let path: FilePath
    /// A file that is locked as long as a plugin works on the container: plugins have it open, and it says which one
    /// runs (`RunningPlugin`).
    private let lock: FilePath

    /// That of a container below this directory.
    init(_ sandbox: String, in directory: FilePath) {
        path = directory.appending(sandbox)
        lock = directory.appending(sandbox + Self.lockSuffix)
    }

    private static let lockSuffix = ".lock"

    /// The containers whose namespaces are held, or of which something is left.
    static func sandboxes(in directory: FilePath) -> Set<String> {
        // Without the directory there are none.
        let names = (try? Files.names(in: directory)) ?? []
        return Set(names.map { $0.hasSuffix(lockSuffix) ? String($0.dropLast(lockSuffix.utf8.count)) : $0 })
    }

    /// Binds the namespace. What was left there is replaced.
    func make(_ namespace: FileDescriptor) throws(Errno) {
        try Files.makeDirectories(path.removingLastComponent(), mode: 0o711)
        try NetworkNamespace.unpin(at: path)
        try NetworkNamespace.pin(namespace, at: path)
    }

    /// Whether the namespace can be reached by the path: a daemon in another mount namespace than the one before it
    /// finds a mere file.
    var isHeld: Bool { NetworkNamespace.isNamespace(path) }

    /// Lets the namespace go.
    func remove() throws(Errno) {
        try NetworkNamespace.unpin(at: path)
        do throws(Errno) { try Files.remove(lock) } catch {
            if error != .noSuchFileOrDirectory { throw error }
        }
    }

    /// How long a plugin that was killed may take to end.
    private static let patienceWithKilled: Duration = .seconds(5)

    /// Waits until a plugin that a killed daemon has left behind has ended. One that does not end in time is killed.
    /// What plugins leave running when they end is not waited for.
    ///
    /// - Parameter patience: How long the plugin may take.
    /// - Returns: The file, for plugins to keep open, which `releaseLock` takes.
    /// - Throws: `resourceBusy` if the plugin cannot be killed.
    func takeLock(patience: Duration) throws(Errno) -> FileDescriptor {
        try Files.makeDirectories(path.removingLastComponent(), mode: 0o711)
        let file = try Files.open(lock, [.readWrite, .create], mode: 0o600)
        do throws(Errno) {
            try lock(file, patience)
            return file
        } catch {
            file.discard()
            throw error
        }
    }

    private func lock(_ file: FileDescriptor, _ patience: Duration) throws(Errno) {
        let deadline = ContinuousClock.now + patience
        while flock(file.rawValue, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK else { throw Errno(rawValue: errno) }
            let plugin = RunningPlugin.read(from: file)
            if let plugin, !plugin.isAlive { return }
            if ContinuousClock.now >= deadline {
                try plugin?.kill(patience: Self.patienceWithKilled)
                _ = flock(file.rawValue, LOCK_EX | LOCK_NB)  // What the plugin has started may have it still.
                return
            }
            Poll.pause(milliseconds: 20)
        }
    }

    /// Lets others take the lock, also if something that a plugin has left running has the file open.
    static func releaseLock(_ file: FileDescriptor) {
        flock(file.rawValue, LOCK_UN)
        file.discard()
    }
}
