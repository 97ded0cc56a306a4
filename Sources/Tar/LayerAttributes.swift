import CLinux
import Glibc
import SystemPackage

// Owners, modes, extended attributes and times. Each is a system call, so that none is made whose effect is there
// already: most files of most images belong to root and have a mode that the umask lets through.
extension LayerApplier {
    /// For a new file: owner first, since it takes away set-user-id and capabilities; then mode, then attributes.
    mutating func setAttributes(
        _ entry: TarEntry, of file: Int32, _ path: EntryPath, createdIn parent: DirectoryCache.Directory
    ) throws(ArchiveError) {
        if entry.owner != owner || entry.group != group || parent.setsGroup {
            if isPrivileged, fchown(file, entry.owner, entry.group) != 0 {
                throw .system("set owner of", path.shown, Errno(rawValue: errno))
            }
        }
        if parent.hasDefaultACL { try removeInherited(of: file, path) }
        if entry.mode & 0o7000 != 0 || entry.mode & mask != 0 || parent.hasDefaultACL {
            guard fchmod(file, mode_t(entry.mode)) == 0 else {
                throw .system("set mode of", path.shown, Errno(rawValue: errno))
            }
        }
        try setExtendedAttributes(entry, path) { name, value, size in fsetxattr(file, name, value, size, 0) }
    }

    /// For a directory that was there: everything, whatever it is now.
    mutating func setAllAttributes(_ entry: TarEntry, of file: Int32, _ path: EntryPath) throws(ArchiveError) {
        if isPrivileged, fchown(file, entry.owner, entry.group) != 0 {
            throw .system("set owner of", path.shown, Errno(rawValue: errno))
        }
        guard fchmod(file, mode_t(entry.mode)) == 0 else {
            throw .system("set mode of", path.shown, Errno(rawValue: errno))
        }
        try setExtendedAttributes(entry, path) { name, value, size in fsetxattr(file, name, value, size, 0) }
    }

    mutating func setAttributesOfRoot(_ entry: TarEntry) throws(ArchiveError) {
        guard let path = EntryPath([]) else { return }
        try removeAttributes(of: root, path)
        try setAllAttributes(entry, of: root, path)
        directories.forget()
        note(entry.modified.seconds, entry.modified.nanoseconds, of: path)
    }

    private static let accessList = "system.posix_acl_access"

    /// Takes the access list from a new file that its directory gave it: a layer's files have what the layer says.
    private func removeInherited(of file: Int32, _ path: EntryPath) throws(ArchiveError) {
        guard isLayer, fremovexattr(file, Self.accessList) != 0, errno != ENODATA, errno != ENOTSUP else { return }
        throw .system("set attributes of", path.shown, Errno(rawValue: errno))
    }

    /// The same for a device or pipe.
    func removeInheritedByName(_ path: EntryPath, in parent: DirectoryCache.Directory) throws(ArchiveError) {
        guard isLayer, parent.hasDefaultACL else { return }
        let full = Array("/proc/self/fd/\(parent.descriptor)/".utf8) + path.name + [0]
        let status = full.withUnsafeBytes {
            lremovexattr($0.bindMemory(to: CChar.self).baseAddress.unsafelyUnwrapped, Self.accessList)
        }
        guard status != 0, errno != ENODATA, errno != ENOTSUP else { return }
        throw .system("set attributes of", path.shown, Errno(rawValue: errno))
    }

    /// Takes all attributes from a directory except those that belong to overlayfs or to the machine: of a directory
    /// that comes again only the name stays, as overlayfs has it.
    func removeAttributes(of directory: Int32, _ path: EntryPath) throws(ArchiveError) {
        guard isLayer else { return }
        let size = flistxattr(directory, nil, 0)
        guard size > 0 else { return }
        var names = [UInt8](repeating: 0, count: size)
        let count = names.withUnsafeMutableBytes {
            flistxattr(directory, $0.bindMemory(to: CChar.self).baseAddress, $0.count)
        }
        for name in names[..<max(count, 0)].split(separator: 0) where !FileNode.belongsToMachine(name) {
            let status = (Array(name) + [0]).withUnsafeBytes {
                fremovexattr(directory, $0.bindMemory(to: CChar.self).baseAddress.unsafelyUnwrapped)
            }
            guard status == 0 || errno == ENODATA || errno == ENOTSUP || errno == EPERM else {
                throw .system("remove attribute \(shownName(name)) of", path.shown, Errno(rawValue: errno))
            }
        }
    }

    /// Makes a new directory root's with the mode 0755 and nothing else, whatever it has from the one it is in.
    func makePlain(_ path: EntryPath, in parent: DirectoryCache.Directory) throws(ArchiveError) {
        let directory = path.withName {
            openat(parent.descriptor, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        }
        guard directory >= 0 else { throw .system("open directory", path.shown, Errno(rawValue: errno)) }
        defer { close(directory) }
        try removeAttributes(of: directory, path)
        guard !parent.setsGroup || fchown(directory, owner, group) == 0, fchmod(directory, 0o755) == 0 else {
            throw .system("set attributes of", path.shown, Errno(rawValue: errno))
        }
    }

    func setOwnerByName(
        _ entry: TarEntry, _ path: EntryPath, in parent: DirectoryCache.Directory
    ) throws(ArchiveError) {
        guard isPrivileged, entry.owner != owner || entry.group != group || parent.setsGroup else { return }
        try Self.check("set owner of", path) {
            fchownat(parent.descriptor, $0, entry.owner, entry.group, AT_SYMLINK_NOFOLLOW)
        }
    }

    func setTimesByName(
        _ entry: TarEntry, _ path: EntryPath, in parent: DirectoryCache.Directory
    ) throws(ArchiveError) {
        guard Self.setTimes(parent.descriptor, path, entry.modified.seconds, entry.modified.nanoseconds) == 0 else {
            throw .system("set times of", path.shown, Errno(rawValue: errno))
        }
    }

    /// For what cannot be opened: symbolic links and devices.
    mutating func setAttributesByPath(
        _ entry: TarEntry, _ path: EntryPath, in parent: DirectoryCache.Directory
    ) throws(ArchiveError) {
        guard !entry.extendedAttributes.isEmpty else { return }
        // There is no setxattrat(2) on the kernels we run on; the last component is not followed.
        let full = Array("/proc/self/fd/\(parent.descriptor)/".utf8) + path.name + [0]
        try setExtendedAttributes(entry, path) { name, value, size in
            full.withUnsafeBytes {
                lsetxattr($0.bindMemory(to: CChar.self).baseAddress.unsafelyUnwrapped, name, value, size, 0)
            }
        }
    }

    private mutating func setExtendedAttributes(
        _ entry: TarEntry, _ path: EntryPath,
        _ set: (UnsafePointer<CChar>, UnsafeRawPointer?, Int) -> Int32
    ) throws(ArchiveError) {
        for attribute in entry.extendedAttributes {
            // overlayfs' own attributes are not part of an image: with `redirect` a layer could show any directory of
            // the layers below under any name.
            if attribute.name.starts(with: "trusted.overlay.".utf8) || attribute.name.starts(with: "user.overlay.".utf8)
            {
                continue
            }
            let name = attribute.name + [0]
            let status = name.withUnsafeBytes { name in
                attribute.value.withUnsafeBytes { value in
                    set(name.bindMemory(to: CChar.self).baseAddress.unsafelyUnwrapped, value.baseAddress, value.count)
                }
            }
            if status == 0 { continue }
            let code = errno
            // A file system that cannot keep an attribute is no reason to refuse the image, nor is one that only files
            // and directories may have (`user.` on a link); Docker does the same.
            if code == ENOTSUP || code == EPERM { continue }
            throw .system(
                "set attribute \(shownName(attribute.name)) of", path.shown,
                Errno(rawValue: code))
        }
    }
}
