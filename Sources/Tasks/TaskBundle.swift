import JSON
import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage

/// A task's directory: what its shim reads and leaves there (see `ShimBundle`). All calls block.
struct TaskBundle: Sendable {
    let path: FilePath

    /// Writes what the shim of `id` is to read, in place of whatever is there: a directory left from a run that nobody
    /// saw the end of would carry a stale exit.
    func write(_ id: String, _ description: TaskDescription, filterCache: FilePath?) throws(TaskError) {
        do throws(Errno) {
            try TreeRemoval.remove(path)
            try Files.makeDirectories(path, mode: 0o711)
            try Files.makeDirectory(path.appending("rootfs"))
        } catch {
            throw .system("cannot make the bundle \(path): \(error)")
        }
        let spec = description.specification
        let configuration = ShimConfiguration(
            id: id, terminal: spec.process?.terminal ?? false, openStdin: description.input != .none,
            stdinOnce: description.input == .once, log: description.log, rootfsMounts: description.rootMounts,
            filterCache: filterCache?.string, runtime: description.runtime, cgroupPath: spec.linux?.cgroupsPath,
            usesSystemdCgroup: description.usesSystemdCgroup ? true : nil, consoleSize: spec.process?.consoleSize,
            spillLimit: description.spillLimit, publishedPorts: description.publishedPorts,
            resolver: description.resolver, checkpoint: description.checkpoint)
        try write(ShimBundle.specification, spec)
        try write(ShimBundle.configuration, configuration)
    }

    private func write(_ name: String, _ value: some Encodable) throws(TaskError) {
        do {
            let bytes = try JSON.encode(value)
            let file = try Files.open(path.appending(name), [.writeOnly, .create, .truncate, .noFollow], mode: 0o600)
            defer { file.discard() }
            try file.writeEntire(bytes)
        } catch {
            throw .system("cannot write \(path.appending(name)): \(error)")
        }
    }

    /// Removes the directory; nothing happens if there is none.
    func remove() throws(TaskError) {
        do throws(Errno) { try TreeRemoval.remove(path) } catch {
            throw .system("cannot remove the bundle \(path): \(error)")
        }
    }

    /// What the shim was told at its start; `nil` if that is gone.
    func configuration() throws -> ShimConfiguration? {
        let file = path.appending(ShimBundle.configuration)
        guard Files.exists(file) else { return nil }
        return try JSON.decode(ShimConfiguration.self, from: Files.read(file, limit: 16 << 20))
    }

    /// The end that the shim has written down; `nil` if there is none.
    func exit() throws -> TaskExit? {
        let file = path.appending(ShimBundle.exit)
        guard Files.exists(file) else { return nil }
        return TaskExit(try JSON.decode(ExitRecord.self, from: Files.read(file, limit: 1 << 20)))
    }

    /// Whether there is or was a shim to talk to.
    var hasSocket: Bool { Files.exists(path.appending(ShimBundle.socket)) }
    /// Whether a runtime has left its state here.
    var hasRuntimeState: Bool { Files.exists(path.appending(ShimBundle.runtime)) }
}
