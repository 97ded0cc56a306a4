import CLinux
import Glibc
import SystemPackage

/// How openat2(2) walks a path (`RESOLVE_*`).
package struct ResolutionFlags: OptionSet, Hashable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Do not cross into another mount.
    package static let noOtherMounts = ResolutionFlags(rawValue: 1)
    /// Do not follow links of procfs that lead to open files and namespaces.
    package static let noMagicLinks = ResolutionFlags(rawValue: 2)
    /// Do not follow symbolic links at all.
    package static let noSymlinks = ResolutionFlags(rawValue: 4)
    /// Fail where the path would leave the directory.
    package static let beneath = ResolutionFlags(rawValue: 8)
    /// Treat the directory as the root, for `..` and for absolute symbolic links.
    package static let inRoot = ResolutionFlags(rawValue: 16)
}

/// Flags of open(2) as numbers, for the combinations that `openat2` allows.
package struct OpenFlags: OptionSet, Hashable, Sendable {
    package let rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }

    /// For reading (`O_RDONLY`).
    package static let readOnly: OpenFlags = []
    /// For writing (`O_WRONLY`).
    package static let writeOnly = OpenFlags(rawValue: O_WRONLY)
    /// For both (`O_RDWR`).
    package static let readWrite = OpenFlags(rawValue: O_RDWR)
    /// Makes the file if it is not there (`O_CREAT`).
    package static let create = OpenFlags(rawValue: O_CREAT)
    /// With `create`: fails if it is there (`O_EXCL`).
    package static let exclusive = OpenFlags(rawValue: O_EXCL)
    /// Empties it (`O_TRUNC`).
    package static let truncate = OpenFlags(rawValue: O_TRUNC)
    /// Every write goes to the end (`O_APPEND`).
    package static let append = OpenFlags(rawValue: O_APPEND)
    /// Reading and writing do not wait (`O_NONBLOCK`).
    package static let nonBlocking = OpenFlags(rawValue: O_NONBLOCK)
    /// `O_NOCTTY`.
    package static let noControllingTerminal = OpenFlags(rawValue: O_NOCTTY)
    /// Fails if it is no directory (`O_DIRECTORY`).
    package static let directory = OpenFlags(rawValue: O_DIRECTORY)
    /// Fails if it is a symbolic link (`O_NOFOLLOW`).
    package static let noFollow = OpenFlags(rawValue: O_NOFOLLOW)
    /// Closed by execve(2) (`O_CLOEXEC`); every call of this module adds it.
    package static let closeOnExec = OpenFlags(rawValue: O_CLOEXEC)
    /// Only a handle for `*at` calls and `/proc/self/fd` (`O_PATH`).
    package static let path = OpenFlags(rawValue: 0o10000000)
    /// An unnamed file in the directory named (`O_TMPFILE`).
    package static let temporaryFile = OpenFlags(rawValue: 0o20200000)
}

extension FileDescriptor {
    /// openat2(2), relative to this directory. Close-on-exec.
    package func open(
        _ path: String, _ flags: OpenFlags, mode: UInt16 = 0, resolve: ResolutionFlags
    ) throws(Errno) -> FileDescriptor {
        var how = masu_open_how(
            flags: UInt64(flags.union(.closeOnExec).rawValue), mode: UInt64(mode), resolve: resolve.rawValue)
        while true {
            do {
                return try descriptor(path.withCString { masu_openat2(rawValue, $0, &how) })
            } catch .resourceTemporarilyUnavailable where !resolve.isDisjoint(with: [.inRoot, .beneath]) {
                // openat(2), NOTES: a rename elsewhere raced with `..`; the kernel asks to try again.
                continue
            }
        }
    }

    /// openat(2), relative to this directory. Close-on-exec.
    package func open(_ path: String, _ flags: OpenFlags, mode: UInt16 = 0) throws(Errno) -> FileDescriptor {
        try descriptor(
            retried { path.withCString { masu_openat(rawValue, $0, flags.union(.closeOnExec).rawValue, UInt32(mode)) } }
        )
    }

    /// A handle on `path` with this directory as its root: symbolic links cannot lead out of it, and links of procfs
    /// are refused.
    package func openInRoot(_ path: String, _ flags: OpenFlags = .path) throws(Errno) -> FileDescriptor {
        try open(path, flags, resolve: [.inRoot, .noMagicLinks])
    }

    /// A handle on the directory `path` with this directory as its root; if it does not exist it is made with
    /// `mode`, and what is missing on the way to it with 0755, also where a symbolic link leads to nothing yet.
    ///
    /// Each component is opened in the one before it, so that a change of the tree meanwhile cannot lead the walk out
    /// of the root (CVE-2021-30465 and similar ones).
    package func makeDirectoriesInRoot(
        _ path: String, mode: UInt16 = 0o755, linkLimit: Int = 40
    ) throws(Errno) -> FileDescriptor {
        do {
            return try openInRoot(path, [.path, .directory])
        } catch .noSuchFileOrDirectory {
            let (parent, name) = Self.split(path)
            guard !name.isEmpty else { throw .noSuchFileOrDirectory }
            let directory = try makeDirectoriesInRoot(parent, linkLimit: linkLimit)
            defer { directory.discard() }
            do {
                try directory.makeDirectory(name, mode: mode)
            } catch .fileExists {
                // Made by another meanwhile, or a symbolic link that leads nowhere.
                if let target = try? directory.readSymlink(name) {
                    guard linkLimit > 0 else { throw .tooManySymbolicLinkLevels }
                    let destination = target.hasPrefix("/") ? target : "\(parent)/\(target)"
                    return try makeDirectoriesInRoot(destination, mode: mode, linkLimit: linkLimit - 1)
                }
            }
            // From the directory just found, and no link: `name` may have been replaced since.
            return try directory.open(name, [.path, .directory, .noFollow], resolve: [.beneath, .noSymlinks])
        }
    }

    /// A handle on the file `path` with this directory as its root; if nothing is there, an empty file is made, also
    /// where a symbolic link leads to nothing yet.
    package func makeFileInRoot(
        _ path: String, mode: UInt16 = 0o644, linkLimit: Int = 40
    ) throws(Errno) -> FileDescriptor {
        do {
            return try openInRoot(path)
        } catch .noSuchFileOrDirectory {
            let (parent, name) = Self.split(path)
            let directory = try makeDirectoriesInRoot(parent)
            defer { directory.discard() }
            if let target = try? directory.readSymlink(name) {
                guard linkLimit > 0 else { throw .tooManySymbolicLinkLevels }
                let destination = target.hasPrefix("/") ? target : "\(parent)/\(target)"
                return try makeFileInRoot(destination, mode: mode, linkLimit: linkLimit - 1)
            }
            return try directory.open(
                name, [.create, .noFollow, .nonBlocking], mode: mode, resolve: [.beneath, .noSymlinks])
        }
    }

    /// `path` without its last component, and that component.
    private static func split(_ path: String) -> (parent: String, name: String) {
        // By its bytes: a program that lives for milliseconds would notice what it takes to set up collections of
        // substrings.
        let slash = UInt8(ascii: "/")
        var path = Array(path.utf8)
        while path.last == slash { path.removeLast() }
        guard let start = path.lastIndex(of: slash) else { return ("/", String(decoding: path, as: UTF8.self)) }
        let name = String(decoding: path[(start + 1)...], as: UTF8.self)
        return (start == 0 ? "/" : String(decoding: path[..<start], as: UTF8.self), name)
    }
}
