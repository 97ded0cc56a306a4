import Archive
import LinuxKernel
import OCISpec
import SystemPackage

/// A path in a container as `docker cp` means it. It is resolved by the kernel with the container's root as its root
/// (openat2(2), `RESOLVE_IN_ROOT`), so that no link leads out, even if a process changes it meanwhile.
struct ContainerPath: Sendable {
    /// Nothing is there.
    struct Missing: Error {}

    /// Absolute and without `.` and `..`.
    let path: String
    /// What a slash or `/.` at the end said: the directory is meant, and a link in the last place is followed.
    let isDirectory: Bool
    /// Whether it was `/.`: what is in the directory is meant.
    let isContents: Bool

    init(_ text: String) {
        path = lexicallyClean("/" + text)
        isContents = text == "." || text.hasSuffix("/.")
        isDirectory = isContents || text.hasSuffix("/")
    }

    /// The name under which it stands in an archive.
    var name: String {
        if isContents { return "." }
        return path.split(separator: "/").last.map(String.init) ?? "/"
    }

    /// What is there, a link itself unless the path says that a directory is meant.
    func status(in root: FileDescriptor) throws -> PathStatus {
        let handle = try open(in: root, following: isDirectory)
        defer { handle.discard() }
        let status = try FileStatus.of(handle)
        if isDirectory, !status.isDirectory { throw ArchiveError.system("lstat", path + "/", .notDirectory) }
        var target = ""
        if status.kind == .symbolicLink { target = try Self.destination(of: path, in: root) }
        return PathStatus(
            name: name, size: status.size, mode: status.mode,
            modified: Timestamp(seconds: status.modified.seconds, nanoseconds: Int32(status.modified.nanoseconds)),
            linkTarget: target)
    }

    /// Adds it to an archive.
    func add(to archiver: TreeArchiver, in root: FileDescriptor) throws {
        let handle = try open(in: root, following: isDirectory)
        defer { handle.discard() }
        if try FileStatus.of(handle).isDirectory {
            return try archiver.add(contentsOf: handle, as: name == "/" ? [] : Array(name.utf8))
        }
        if isDirectory { throw ArchiveError.system("lstat", path + "/", .notDirectory) }
        let parent = try Self.open(Self.parent(of: path), in: root, [.path, .directory])
        defer { parent.discard() }
        try archiver.add(Array(name.utf8), in: parent, as: Array(name.utf8))
    }

    /// The path of the directory that is meant, all links followed.
    func directory(in root: FileDescriptor) throws -> String {
        let handle = try open(in: root, following: true)
        defer { handle.discard() }
        guard try FileStatus.of(handle).isDirectory else {
            throw EngineError.invalid("extraction point is not a directory")
        }
        return try Self.text(of: handle, in: root)
    }

    private func open(in root: FileDescriptor, following: Bool) throws -> FileDescriptor {
        try Self.open(path, in: root, following ? .path : [.path, .noFollow])
    }

    private static func open(
        _ path: String, in root: FileDescriptor, _ flags: OpenFlags
    ) throws -> FileDescriptor {
        do {
            return try root.openInRoot(path, flags)
        } catch .noSuchFileOrDirectory {
            throw Missing()
        } catch {
            throw ArchiveError.system("lstat", path, error)
        }
    }

    /// Where a handle is, as seen from the root; both are on mounts of this thread's name space.
    private static func text(of handle: FileDescriptor, in root: FileDescriptor) throws -> String {
        let base = try FileDescriptor.workingDirectory.readSymlink(root.procPath.string)
        let full = try FileDescriptor.workingDirectory.readSymlink(handle.procPath.string)
        guard full != base else { return "/" }
        guard full.hasPrefix(base + "/") else { throw EngineError.system("\(full) is not in the container") }
        return String(full.dropFirst(base.count))
    }

    private static func parent(of path: String) -> String {
        "/" + path.split(separator: "/").dropLast().joined(separator: "/")
    }

    /// Where a link leads in the end; of one that leads to nothing, as far as it goes.
    private static func destination(of path: String, in root: FileDescriptor) throws -> String {
        if let handle = try? root.openInRoot(path) {  // a link to nothing has no handle
            defer { handle.discard() }
            return try text(of: handle, in: root)
        }
        var path = path
        for _ in 0..<40 {
            let parent = try open(Self.parent(of: path), in: root, [.path, .directory])
            defer { parent.discard() }
            let name = path.split(separator: "/").last.map(String.init) ?? ""
            let here = try text(of: parent, in: root)
            // What is no link, or not there, is the end.
            guard let target = try? parent.readSymlink(name) else { return lexicallyClean(here + "/" + name) }
            path = lexicallyClean(target.hasPrefix("/") ? target : here + "/" + target)
            if path == "/" { return path }
            // Somewhere in the middle of the way there is nothing: that is as far as it goes.
            guard (try? root.openInRoot(Self.parent(of: path), [.path, .directory]))?.discard() != nil else {
                return path
            }
        }
        return path
    }
}
