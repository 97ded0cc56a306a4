import Glibc
import LinuxKernel
import SystemPackage

/// The right to use a data root or exec root, held for the life of the process.
///
/// The kernel lets go of it when the process ends, however it ends: there is no stale lock.
struct RootLock: Sendable {
    private let file: FileDescriptor

    /// Takes the lock of `directory`, which is made if it is not there.
    ///
    /// - Throws: `StartError` naming the flag, the path and what is wrong with it, or the process that has the lock.
    init(making directory: FilePath, flag: String) throws {
        try Self.make(directory, flag)
        let path = directory.appending("masud.lock")
        file = try StartError.naming("cannot use \(directory) as --\(flag): cannot open \(path) for writing") {
            try FileDescriptor.open(
                path, .readWrite, options: [.create, .closeOnExec], permissions: [.ownerReadWrite])
        }
        if flock(file.rawValue, LOCK_EX | LOCK_NB) != 0 {
            let error = Errno(rawValue: errno)
            // Without the number the message is still true.
            let holder = (try? file.readToEnd()).map { String(decoding: $0, as: UTF8.self) } ?? ""
            file.discard()
            guard error == .wouldBlock else { throw StartError("cannot lock \(path): \(error)") }
            let process = holder.isEmpty ? "" : " (process \(holder.prefix { $0.isNumber }))"
            throw StartError(
                "another masud\(process) uses \(directory): stop it, or give this one its own with --\(flag)")
        }
        try StartError.naming("cannot use \(directory) as --\(flag): cannot write to \(path)") { [file] in
            try file.resize(to: 0)
            _ = try file.writeAll(toAbsoluteOffset: 0, "\(getpid())\n".utf8)
        }
    }

    private static func make(_ directory: FilePath, _ flag: String) throws {
        var sofar = FilePath("/")
        for component in directory.components {
            sofar.append(component)
            let name = sofar
            try StartError.naming("cannot use \(directory) as --\(flag): cannot make the directory \(name)") {
                do {
                    // Searchable by all: containers' users pass through to their own files.
                    try FileDescriptor.workingDirectory.makeDirectory(
                        name.string, mode: name == directory ? 0o711 : 0o755)
                } catch Errno.fileExists {
                    guard try FileStatus.of(name).kind != .directory else { return }
                    throw Errno.notDirectory
                }
            }
        }
    }
}

/// The file that tells others the daemon's process id.
struct PIDFile: Sendable {
    private let path: FilePath

    /// Writes the file.
    ///
    /// - Throws: `StartError` if another daemon that lives has written it.
    init(_ path: FilePath) throws {
        self.path = path
        if let bytes = try? FileDescriptor.contents(of: path),
            let pid = Int32(String(decoding: bytes, as: UTF8.self).filter(\.isNumber)), pid != getpid(),
            Self.isDaemon(pid)
        {
            throw StartError("process with PID \(pid) is still running (\(path)): stop it, or choose another --pidfile")
        }
        try StartError.naming("cannot write the daemon's process id to \(path) (--pidfile)") {
            let file = try FileDescriptor.open(
                path, .writeOnly, options: [.create, .truncate, .closeOnExec],
                permissions: [.ownerReadWrite, .groupRead, .otherRead])
            try file.closeAfter { _ = try file.writeAll("\(getpid())".utf8) }
        }
    }

    /// Removes the file.
    func remove() {
        // Somebody else may have removed it; there is nothing to do about it at the end.
        try? FileDescriptor.workingDirectory.remove(path.string)
    }

    /// Process ids are used again; a process of another name is not a daemon that was left running, and neither is one
    /// that has ended and is only not reaped yet.
    private static func isDaemon(_ pid: Int32) -> Bool {
        // It is gone if there is nothing to be read.
        guard let bytes = try? FileDescriptor.contents(of: FilePath("/proc/\(pid)/stat")) else { return false }
        // pid (name) state …
        let text = String(decoding: bytes, as: UTF8.self)
        guard let nameEnd = text.lastIndex(of: ")") else { return false }
        let state = text[nameEnd...].dropFirst(2).first
        return text.contains("(masud") && state != "Z" && state != "X"
    }
}
