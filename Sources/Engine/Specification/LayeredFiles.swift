import Glibc
import LinuxKernel
import Snapshots
import SystemPackage

/// Reads files of a container's root file system without mounting it: as overlayfs would show them.
///
/// Every step opens one name below an open directory and never follows a link by itself; links are resolved here,
/// against the container's own root. So no link of an image leads outside (the class of CVE-2021-30465), in whichever
/// layer it lies.
package struct LayeredFiles: Sendable {
    /// Topmost first.
    package let layers: [FilePath]
    /// Some of the layers are there only as long as this.
    private let view: SnapshotView?

    package init(layers: [FilePath]) {
        self.layers = layers
        view = nil
    }

    /// The files of a snapshot.
    package init(_ view: SnapshotView) {
        layers = view.layers
        self.view = view
    }

    /// The bytes of the regular file at `path`, or nil if there is none. A file beyond `limit` bytes is an error: it is
    /// the image that decides how large its files are.
    package func read(_ path: String, limit: Int = 8 << 20) throws(Errno) -> [UInt8]? {
        var remaining = path.split(separator: "/").reversed().map(String.init)
        var stack = [try Merged(roots: layers)]
        var links = 0
        while let name = remaining.popLast() {
            if name == "." { continue }
            if name == ".." {
                if stack.count > 1 { stack.removeLast() }
                continue
            }
            guard let directory = stack.last, let entry = try directory.entry(name) else { return nil }
            switch entry {
            case .directory(let merged): stack.append(merged)
            case .link(let target):
                links += 1
                if links > 40 { throw .tooManySymbolicLinkLevels }
                if target.hasPrefix("/") { stack.removeSubrange(1...) }
                remaining.append(contentsOf: target.split(separator: "/").reversed().map(String.init))
            case .file(let file):
                return remaining.isEmpty ? try file.contents(limit: limit) : nil
            }
        }
        return nil
    }

    private enum Entry {
        case directory(Merged)
        case link(String)
        case file(OpenFile)
    }

    /// One directory as the layers together show it.
    private struct Merged {
        private var parts: [OpenFile] = []

        init(roots: [FilePath]) throws(Errno) {
            for root in roots {
                let descriptor = open(root.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                if descriptor < 0 { throw Errno(rawValue: errno) }
                parts.append(OpenFile(descriptor))
            }
        }

        private init(parts: [OpenFile]) {
            self.parts = parts
        }

        func entry(_ name: String) throws(Errno) -> Entry? {
            var directories: [OpenFile] = []
            search: for part in parts {
                var status = stat()
                if fstatat(part.descriptor, name, &status, AT_SYMLINK_NOFOLLOW) != 0 {
                    if errno == ENOENT || errno == ENOTDIR { continue }
                    throw Errno(rawValue: errno)
                }
                switch status.st_mode & S_IFMT {
                case S_IFDIR:
                    let directory = try part.open(name, O_DIRECTORY)
                    directories.append(directory)
                    if directory.isOpaque { break search }
                case _ where !directories.isEmpty:
                    // Something else lies below a directory: the directory hides it and all under it.
                    break search
                case S_IFLNK: return .link(try part.link(name))
                case S_IFREG: return .file(try part.openRegular(name))
                default:
                    // A whiteout (device 0:0), or something that cannot be read.
                    return nil
                }
            }
            return directories.isEmpty ? nil : .directory(Merged(parts: directories))
        }
    }

    /// A descriptor that is closed with its last owner.
    private final class OpenFile {
        let descriptor: Int32

        init(_ descriptor: Int32) {
            self.descriptor = descriptor
        }

        deinit {
            close(descriptor)
        }

        func open(_ name: String, _ flags: Int32) throws(Errno) -> OpenFile {
            let result = openat(descriptor, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | flags)
            if result < 0 { throw Errno(rawValue: errno) }
            return OpenFile(result)
        }

        /// Looks before it opens: to open a device can have effects by itself, and a container may put one in the
        /// file's place at any time.
        func openRegular(_ name: String) throws(Errno) -> OpenFile {
            let handle = try FileDescriptor(rawValue: descriptor).open(name, [.path, .noFollow])
            defer { handle.discard() }
            guard try FileStatus.of(handle).kind == .regular else { throw .invalidArgument }
            return OpenFile(try Files.open(handle.procPath, [.readOnly, OpenFlags(rawValue: O_NONBLOCK)]).rawValue)
        }

        func link(_ name: String) throws(Errno) -> String {
            try FileDescriptor(rawValue: descriptor).readSymlink(name)
        }

        /// Whether the directory hides what lower layers have at its place.
        var isOpaque: Bool {
            // Through the descriptor, and `/.` so that the directory is asked and not the link to it.
            let path = FilePath("/proc/self/fd/\(descriptor)/.")
            return ["trusted.overlay.opaque", "user.overlay.opaque"].contains { name in
                // No such attribute, or none at all on this file system: not opaque.
                (try? ExtendedAttributes.get(name, of: path)) == [UInt8(ascii: "y")]
            }
        }

        func contents(limit: Int) throws(Errno) -> [UInt8] {
            var status = stat()
            if fstat(descriptor, &status) != 0 { throw Errno(rawValue: errno) }
            guard status.st_mode & S_IFMT == S_IFREG else { throw .invalidArgument }
            if Int(status.st_size) > limit { throw .fileTooLarge }
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: max(1, min(limit, Int(status.st_size) + 1)))
            while bytes.count <= limit {
                let count = Glibc.read(descriptor, &buffer, buffer.count)
                if count < 0 {
                    if errno == EINTR { continue }
                    throw Errno(rawValue: errno)
                }
                if count == 0 { return bytes }
                bytes += buffer.prefix(count)
            }
            throw .fileTooLarge
        }
    }
}
