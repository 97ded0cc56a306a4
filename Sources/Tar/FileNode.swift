import CLinux
import Glibc
import LinuxKernel
import SystemPackage

/// Something in a tree of files, found below an open directory and looked at without following links.
struct FileNode {
    /// Its last component, ending with a NUL.
    let name: [UInt8]
    let status: stat
    /// The directory it is in; the caller's.
    let directory: Int32

    /// What has the given name in a directory; `nil` if nothing has.
    init?(_ name: [UInt8], in directory: Int32) throws(ArchiveError) {
        let terminated = name + [0]
        var status = stat()
        let result = terminated.withUnsafeBytes { bytes in
            fstatat(
                directory, bytes.bindMemory(to: CChar.self).baseAddress.unsafelyUnwrapped, &status,
                AT_SYMLINK_NOFOLLOW)
        }
        guard result == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw .system("stat", shownName(name), Errno(rawValue: errno))
        }
        self.name = terminated
        self.status = status
        self.directory = directory
    }

    var type: mode_t { status.st_mode & S_IFMT }
    var isDirectory: Bool { type == S_IFDIR }
    var isFile: Bool { type == S_IFREG }
    /// The form in which overlayfs keeps that a name is hidden.
    var isWhiteout: Bool { type == S_IFCHR && status.st_rdev == 0 }

    var shown: String { shownName(name.dropLast()) }

    /// Opens a directory or regular file for reading; the descriptor is the caller's. What has taken its place
    /// meanwhile is refused before it is opened: to open a device or a pipe has effects, and a container can put one
    /// there at any time.
    func open() throws(ArchiveError) -> Int32 {
        let handle = withName { openat(directory, $0, Self.handleFlags) }
        guard handle >= 0 else { throw .system("open", shown, Errno(rawValue: errno)) }
        defer { close(handle) }
        var now = stat()
        guard fstat(handle, &now) == 0, now.st_mode & S_IFMT == type, isDirectory || isFile else {
            throw .system("open", shown, .noSuchFileOrDirectory)
        }
        let path = Array("/proc/self/fd/\(handle)".utf8) + [0]
        let descriptor = Self.call(path) { Glibc.open($0, O_RDONLY | O_CLOEXEC | (isDirectory ? O_DIRECTORY : 0)) }
        guard descriptor >= 0 else { throw .system("open", shown, Errno(rawValue: errno)) }
        return descriptor
    }

    /// `O_PATH`, which glibc's module does not show everywhere, and what keeps it from following a link.
    private static let handleFlags = 0o10000000 | O_NOFOLLOW | O_CLOEXEC

    /// The target of a symbolic link.
    func target() throws(ArchiveError) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX) + 1)
        let length = withName { name in
            buffer.withUnsafeMutableBytes {
                readlinkat(directory, name, $0.bindMemory(to: CChar.self).baseAddress.unsafelyUnwrapped, $0.count)
            }
        }
        guard length >= 0 else { throw .system("read link", shown, Errno(rawValue: errno)) }
        return Array(buffer[..<length])
    }

    /// Its extended attributes in the order of their names, without those that belong to this machine and not to the
    /// file: overlayfs' own, and the labels of a security module.
    func attributes() throws(ArchiveError) -> [TarEntry.ExtendedAttribute] {
        try allAttributes().filter { !Self.belongsToMachine($0.name) }
    }

    static func belongsToMachine(_ attribute: some Collection<UInt8>) -> Bool {
        machineAttributes.contains { attribute.starts(with: $0) }
    }

    private static let machineAttributes = [
        "trusted.overlay.", "user.overlay.", "security.selinux", "security.apparmor", "security.ima", "security.evm",
        "btrfs.",
    ].map { Array($0.utf8) }

    /// The value of one of overlayfs' own attributes (`opaque`, `redirect`, `metacopy`).
    func overlayAttribute(_ name: String) throws(ArchiveError) -> [UInt8]? {
        try allAttributes().first {
            $0.name.elementsEqual("trusted.overlay.\(name)".utf8) || $0.name.elementsEqual("user.overlay.\(name)".utf8)
        }?.value
    }

    private func allAttributes() throws(ArchiveError) -> [TarEntry.ExtendedAttribute] {
        // There is no listxattrat(2) on the kernels we run on; the last component is not followed.
        let path = Array("/proc/self/fd/\(directory)/".utf8) + name
        let names = try sized { buffer, size in Self.call(path) { llistxattr($0, buffer, size) } } ?? []
        var attributes: [TarEntry.ExtendedAttribute] = []
        for name in names.split(separator: 0) {
            // One that was taken away meanwhile is not there.
            let terminated = Array(name) + [0]
            let value = try sized { buffer, size in
                Self.call(path) { path in Self.call(terminated) { lgetxattr(path, $0, buffer, size) } }
            }
            if let value { attributes.append(TarEntry.ExtendedAttribute(name: Array(name), value: value)) }
        }
        return attributes.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    private func sized(
        _ read: (UnsafeMutableRawPointer?, Int) -> Int
    ) throws(ArchiveError) -> [UInt8]? {
        while true {
            let size = read(nil, 0)
            if size == 0 { return [] }
            var bytes = [UInt8](repeating: 0, count: max(size, 0))
            let count = size < 0 ? -1 : bytes.withUnsafeMutableBytes { read($0.baseAddress, $0.count) }
            if count >= 0 { return Array(bytes[..<count]) }
            switch errno {
            case ERANGE: continue
            case ENODATA, ENOTSUP, ENOENT: return nil
            default: throw .system("read attributes of", shown, Errno(rawValue: errno))
            }
        }
    }

    private static func call<R>(_ text: [UInt8], _ body: (UnsafePointer<CChar>) -> R) -> R {
        text.withUnsafeBytes { body($0.bindMemory(to: CChar.self).baseAddress.unsafelyUnwrapped) }
    }

    private func withName<R>(_ body: (UnsafePointer<CChar>) -> R) -> R { Self.call(name, body) }

    /// Major and minor number of a device, as glibc packs them (makedev(3)).
    var device: (major: UInt32, minor: UInt32) {
        let number = UInt64(status.st_rdev)
        return (
            UInt32(truncatingIfNeeded: (number >> 8 & 0xfff) | (number >> 32 & 0xffff_f000)),
            UInt32(truncatingIfNeeded: (number & 0xff) | (number >> 12 & 0xffff_ff00))
        )
    }

    /// The names in an open directory, in the order of their bytes.
    static func sortedNames(in directory: Int32, _ shown: String) throws(ArchiveError) -> [[UInt8]] {
        do throws(Errno) {
            return try DirectoryListing.names(of: directory).sorted { $0.lexicographicallyPrecedes($1) }
        } catch {
            throw .system("list directory", shown, error)
        }
    }
}
