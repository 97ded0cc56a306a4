import CLinux
import Glibc
import LinuxKernel
import SystemPackage

/// The names that mean something else than a file (image-spec, layer.md, "Whiteouts").
enum Whiteout {
    static let prefix = Array(".wh.".utf8)
    static let opaque = Array(".wh..wh..opq".utf8)
    /// Names that begin so are aufs' own bookkeeping, which old images still carry.
    static let metadataPrefix = Array(".wh..wh.".utf8)

    /// The attribute of a directory that hides all that lies below it.
    static func overlayOpaque(_ form: WhiteoutForm) -> String {
        form == .overlayInUserNamespace ? "user.overlay.opaque" : "trusted.overlay.opaque"
    }

    /// Whether an open directory hides all that lies below it.
    static func isOpaque(_ directory: Int32) -> Bool {
        ["trusted.overlay.opaque", "user.overlay.opaque"].contains { name in
            var value: UInt8 = 0
            // Other values of the attribute, which are as short, mean something else.
            return fgetxattr(directory, name, &value, 1) == 1 && value == UInt8(ascii: "y")
        }
    }

    /// Where aufs keeps files that have several names in the layer: each name is a hard link to the file here, which is
    /// no name itself.
    static let linkedFiles = Array(".wh..wh.plnk".utf8)

    /// Whether the entry lies in a directory of aufs' bookkeeping.
    static func isMetadata(_ path: EntryPath) -> Bool {
        path.text.starts(with: metadataPrefix)
    }

    /// Whether the entry is one of aufs' files with several names.
    static func isLinkedFile(_ path: EntryPath) -> Bool {
        path.parent.elementsEqual(linkedFiles)
    }
}

extension LayerApplier {
    mutating func applyWhiteout(_ path: EntryPath) throws(ArchiveError) {
        if path.name.elementsEqual(Whiteout.opaque) {
            try hideAllBelow(path)
            return
        }
        if path.name.starts(with: Whiteout.metadataPrefix) { return }
        let hidden = path.sibling(path.name.dropFirst(Whiteout.prefix.count))
        guard !hidden.name.isEmpty, !hidden.name.elementsEqual([UInt8(ascii: ".")]),
            !hidden.name.elementsEqual("..".utf8)
        else { throw .malformed("whiteout \"\(path.shown)\" has no name to hide") }
        try hide(hidden)
    }

    /// Hides what the layers below have at a path.
    mutating func hide(_ hidden: EntryPath) throws(ArchiveError) {
        hasWhiteouts = true
        switch whiteouts {
        case .overlay, .overlayInUserNamespace:
            let parent = try parentDirectory(of: hidden)
            let status = hidden.withName { mknodat(parent.descriptor, $0, S_IFCHR, 0) }
            if status == 0 {
                result.inodes += 1
                return
            }
            guard errno == EEXIST else { throw .system("create whiteout", hidden.shown, Errno(rawValue: errno)) }
            // The layer both hides what is below and has something of its own there.
            if try kind(of: hidden, in: parent) == S_IFDIR {
                try makeOpaque(hidden, in: parent)
                anew.insert(hidden)
            }
        case .remove:
            let parent = try parentDirectory(of: hidden)
            let descriptor = try Self.duplicate(parent.descriptor, hidden)
            defer { close(descriptor) }
            try removeUnmade(hidden, in: descriptor)
        case .literal: return
        }
    }

    private mutating func hideAllBelow(_ path: EntryPath) throws(ArchiveError) {
        let directory = try parentDirectory(of: path)
        switch whiteouts {
        case .overlay, .overlayInUserNamespace:
            hasOpaque = true
            guard fsetxattr(directory.descriptor, Whiteout.overlayOpaque(whiteouts), "y", 1, 0) == 0 else {
                throw .system("mark opaque", path.shown, Errno(rawValue: errno))
            }
        case .remove:
            let descriptor = try Self.duplicate(directory.descriptor, path)
            defer { close(descriptor) }
            for name in try names(in: descriptor, path) {
                try removeUnmade(path.sibling(name), in: descriptor)
            }
        case .literal: return
        }
    }

    /// Removes what was there before this layer, at and below `path`.
    private mutating func removeUnmade(_ path: EntryPath, in parent: Int32) throws(ArchiveError) {
        let isMade = made.contains(path.text)
        var status = stat()
        guard path.withName({ fstatat(parent, $0, &status, AT_SYMLINK_NOFOLLOW) }) == 0 else {
            if errno == ENOENT { return }
            throw .system("stat", path.shown, Errno(rawValue: errno))
        }
        guard status.st_mode & S_IFMT == S_IFDIR, isMade else {
            if !isMade { try remove(path, in: parent) }
            return
        }
        let directory = path.withName { openat(parent, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
        guard directory >= 0 else { throw .system("open directory", path.shown, Errno(rawValue: errno)) }
        defer { close(directory) }
        for name in try names(in: directory, path) {
            guard let below = EntryPath(Array(path.text) + [UInt8(ascii: "/")] + name) else { continue }
            try removeUnmade(below, in: directory)
        }
    }

    /// A descriptor that outlives the cache's.
    private static func duplicate(_ descriptor: Int32, _ path: EntryPath) throws(ArchiveError) -> Int32 {
        // Not dup(2): that would share the position in the directory.
        let copy = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0 else { throw .system("open directory", path.shown, Errno(rawValue: errno)) }
        return copy
    }

    private func names(in directory: Int32, _ path: EntryPath) throws(ArchiveError) -> [[UInt8]] {
        do throws(Errno) {
            return try DirectoryListing.names(of: directory)
        } catch {
            throw .system("list directory", path.shown, error)
        }
    }

    /// Removes whatever has this name in the directory `parent`, a directory with all in it. The cache's descriptors
    /// are closed afterwards.
    func remove(_ path: EntryPath, in parent: Int32) throws(ArchiveError) {
        defer { directories.forget() }
        do throws(Errno) {
            try TreeRemoval.remove(Array(path.name), in: parent)
        } catch {
            throw .system("remove", path.shown, error)
        }
    }

    mutating func makeOpaque(_ path: EntryPath, in parent: DirectoryCache.Directory) throws(ArchiveError) {
        let descriptor = path.withName {
            openat(parent.descriptor, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        }
        guard descriptor >= 0 else { throw .system("open directory", path.shown, Errno(rawValue: errno)) }
        defer { close(descriptor) }
        hasOpaque = true
        guard fsetxattr(descriptor, Whiteout.overlayOpaque(whiteouts), "y", 1, 0) == 0 else {
            throw .system("mark opaque", path.shown, Errno(rawValue: errno))
        }
    }

    /// The type bits of what is there, or `nil`.
    func kind(of path: EntryPath, in parent: DirectoryCache.Directory) throws(ArchiveError) -> mode_t? {
        var status = stat()
        guard path.withName({ fstatat(parent.descriptor, $0, &status, AT_SYMLINK_NOFOLLOW) }) == 0 else {
            if errno == ENOENT { return nil }
            throw .system("stat", path.shown, Errno(rawValue: errno))
        }
        return status.st_mode & S_IFMT
    }
}
