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
        if entry.mode & 0o7000 != 0 || entry.mode & mask != 0 || hasDefaultACL {
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
        try setAllAttributes(entry, of: root, path)
        directories.forget()
        note(entry.modified.seconds, entry.modified.nanoseconds, of: path)
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
            if attribute.name.elementsEqual("system.posix_acl_default".utf8) { hasDefaultACL = true }
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
                "set attribute \(String(decoding: attribute.name, as: UTF8.self)) of", path.shown,
                Errno(rawValue: code))
        }
    }
}
