import Glibc
import JSON
import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage

/// A container's bundle directory. That of a shim's first container has the shim's own files, too.
///
/// Its directory stays open as long as the object lives.
final class Bundle {
    let path: FilePath
    private let directory: FileDescriptor

    /// The bundle at `path`, which becomes absolute: the shim works in `/`.
    init(_ path: FilePath) throws(ShimError) {
        let directory = try attempt("open \(path)") { () throws(Errno) in try Files.open(path, [.path, .directory]) }
        do throws(ShimError) {
            self.path = try attempt("realpath \(path)") { () throws(Errno) in
                FilePath(try FileDescriptor.workingDirectory.readSymlink(directory.procPath.string))
            }
        } catch {
            directory.discard()
            throw error
        }
        self.directory = directory
    }

    deinit { directory.discard() }

    /// The file called `name`.
    func file(_ name: String) -> FilePath { path.appending(name) }

    /// Reads what the engine has written.
    func read<T: Decodable>(_ type: T.Type, from name: String) throws(ShimError) -> T {
        let bytes = try attempt("open \(file(name))") { () throws(Errno) in try Files.read(file(name)) }
        do {
            return try JSON.decode(type, from: bytes)
        } catch {
            throw ShimError(.invalid, "\(file(name)): \(error)")
        }
    }

    /// Reads the container's configuration.
    func readSpecification() throws(ShimError) -> Spec {
        let file = file(ShimBundle.specification)
        let bytes = try attempt("open \(file)") { () throws(Errno) in try Files.read(file) }
        do throws(JSONError) {
            return try Spec(json: bytes)
        } catch {
            throw ShimError(.invalid, "\(file): \(error)")
        }
    }

    /// Replaces the container's configuration.
    func rewriteSpecification(_ change: (JSONValue) throws(ShimError) -> JSONValue) throws(ShimError) {
        let file = file(ShimBundle.specification)
        let bytes = try attempt("open \(file)") { () throws(Errno) in try Files.read(file) }
        let specification: JSONValue
        do throws(JSONError) {
            specification = try JSON.parse(bytes)
        } catch {
            throw ShimError(.invalid, "\(file): \(error)")
        }
        let changed = try change(specification).serialized()
        try attempt("write \(file)") { () throws(Errno) in try Files.replace(file, with: changed) }
    }

    /// Where the runtime keeps its state.
    func runtimeRoot(_ configuration: ShimConfiguration) -> FilePath {
        configuration.runtimeRoot.map { FilePath($0) } ?? file(ShimBundle.runtime)
    }

    /// Removes what an earlier shim has left here.
    ///
    /// - Throws: `conflict` if that is still alive.
    func clear() throws(ShimError) {
        if let socket = try? UnixSocket.connect(to: socketPath) {
            socket.discard()
            throw ShimError(.conflict, "another shim already uses \(path)")
        }
        for name in [ShimBundle.socket, ShimBundle.processIdentifier, ShimBundle.exit] {
            try attempt("remove \(file(name))") { () throws(Errno) in
                do throws(Errno) { try Files.remove(file(name)) } catch  where error == .noSuchFileOrDirectory {}
            }
        }
    }

    /// Binds the shim's socket.
    func listen() throws(ShimError) -> FileDescriptor {
        try attempt("bind \(file(ShimBundle.socket))") { () throws(Errno) in
            try UnixSocket.listen(at: socketPath, nonBlocking: true)
        }
    }

    /// Writes the shim's own pid.
    func writeProcessIdentifier() throws(ShimError) {
        try attempt("write \(file(ShimBundle.processIdentifier))") { () throws(Errno) in
            try Files.replace(file(ShimBundle.processIdentifier), with: Array("\(getpid())\n".utf8), mode: 0o644)
        }
    }

    /// Writes down how the container has ended, for good: readers see nothing or all of it.
    func write(_ record: ExitRecord) throws(ShimError) {
        let bytes: [UInt8]
        do {
            bytes = try JSON.encode(record)
        } catch {
            throw ShimError(.system, "cannot encode the exit status: \(error)")
        }
        try attempt("write \(file(ShimBundle.exit))") { () throws(Errno) in
            try Files.replace(file(ShimBundle.exit), with: bytes, mode: 0o644)
        }
    }

    /// Removes the socket and the pid, so that nobody looks for the shim here any more.
    func removeSocket() {
        // They may be gone with the whole directory already.
        try? Files.remove(file(ShimBundle.socket))
        try? Files.remove(file(ShimBundle.processIdentifier))
    }

    /// A short name of the socket by way of the directory's descriptor: an address holds 107 bytes, a bundle's path may
    /// be longer.
    private var socketPath: FilePath { directory.procPath.appending(ShimBundle.socket) }
}
