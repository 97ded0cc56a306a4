import Glibc
import SystemPackage

// How each kind of entry is made.
extension LayerApplier {
    mutating func makeFile(
        _ entry: TarEntry, _ archive: TarReader, _ path: EntryPath, in parent: DirectoryCache.Directory,
        isCancelled: () -> Bool
    ) throws(ArchiveError) {
        var parent = parent
        let flags = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC
        let mode = mode_t(entry.mode & 0o777)
        var file = path.withName { openat(parent.descriptor, $0, flags, mode) }
        if file < 0, errno == EEXIST {
            parent = try clear(path, in: parent)
            file = path.withName { openat(parent.descriptor, $0, flags, mode) }
        }
        guard file >= 0 else { throw .system("create", path.shown, Errno(rawValue: errno)) }
        defer { close(file) }
        result.inodes += 1
        if entry.extents == nil {
            result.bytes += try writeAll(archive, to: file, size: entry.size, path, isCancelled: isCancelled)
        } else {
            result.bytes += entry.extents?.reduce(0) { $0 + $1.length } ?? 0
            try writeExtents(entry, archive, to: file, path, isCancelled: isCancelled)
        }
        try setAttributes(entry, of: file, path, createdIn: parent)
        guard Self.setTimes(file, nil, entry.modified.seconds, entry.modified.nanoseconds) == 0 else {
            throw .system("set times", path.shown, Errno(rawValue: errno))
        }
    }

    /// Writes a file's bytes and returns how many. Long runs of zeros become holes: nearly always they were some.
    private func writeAll(
        _ archive: TarReader, to file: Int32, size: Int64, _ path: EntryPath, isCancelled: () -> Bool
    ) throws(ArchiveError) -> Int64 {
        guard size >= ZeroRuns.shortest else {
            while let chunk = try archive.nextChunk() { try Self.write(chunk, to: file, at: nil, path) }
            return size
        }
        var position: Int64 = 0
        var written: Int64 = 0
        while let chunk = try archive.nextChunk() {
            for part in ZeroRuns.data(in: chunk) {
                let bytes = UnsafeRawBufferPointer(rebasing: chunk[part])
                try Self.write(bytes, to: file, at: position + Int64(part.lowerBound), path)
                written += Int64(part.count)
            }
            position += Int64(chunk.count)
            if isCancelled() { throw .cancelled }
        }
        if written < size, ftruncate(file, off_t(size)) != 0 {
            throw .system("set size of", path.shown, Errno(rawValue: errno))
        }
        return written
    }

    /// Holes stay holes: what a sparse file says its size is takes neither disk nor time.
    private func writeExtents(
        _ entry: TarEntry, _ archive: TarReader, to file: Int32, _ path: EntryPath, isCancelled: () -> Bool
    ) throws(ArchiveError) {
        guard ftruncate(file, off_t(entry.size)) == 0 else {
            throw .system("set size of", path.shown, Errno(rawValue: errno))
        }
        var chunk = UnsafeRawBufferPointer(start: nil, count: 0)
        for extent in entry.extents ?? [] {
            var position = extent.offset
            let end = extent.offset + extent.length
            while position < end {
                if chunk.isEmpty {
                    // The map was checked to make up the stored bytes exactly.
                    guard let next = try archive.nextChunk() else { throw .truncated }
                    chunk = next
                    if isCancelled() { throw .cancelled }
                }
                let count = Int(min(end - position, Int64(chunk.count)))
                try Self.write(UnsafeRawBufferPointer(rebasing: chunk[..<count]), to: file, at: position, path)
                chunk = UnsafeRawBufferPointer(rebasing: chunk[count...])
                position += Int64(count)
            }
        }
    }

    private static func write(
        _ bytes: UnsafeRawBufferPointer, to file: Int32, at position: Int64?, _ path: EntryPath
    ) throws(ArchiveError) {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count =
                if let position {
                    pwrite(file, rest.baseAddress, rest.count, off_t(position) + off_t(done))
                } else {
                    Glibc.write(file, rest.baseAddress, rest.count)
                }
            if count < 0 {
                if errno == EINTR { continue }
                throw .system("write", path.shown, Errno(rawValue: errno))
            }
            done += count
        }
    }

    mutating func makeDirectory(
        _ entry: TarEntry, _ path: EntryPath, in parent: DirectoryCache.Directory
    ) throws(ArchiveError) {
        var parent = parent
        var isNew = true
        if path.withName({ mkdirat(parent.descriptor, $0, mode_t(entry.mode & 0o777)) }) != 0 {
            guard errno == EEXIST else { throw .system("create directory", path.shown, Errno(rawValue: errno)) }
            let kind = try kind(of: path, in: parent)
            if kind == S_IFDIR {
                isNew = false
            } else {
                let wasWhiteout = whiteouts != .remove ? try isWhiteout(path, in: parent) : false
                parent = try clear(path, in: parent)
                try Self.check("create directory", path) {
                    mkdirat(parent.descriptor, $0, mode_t(entry.mode & 0o777))
                }
                // The whiteout came first: nothing of the layers below may shine through the directory.
                if wasWhiteout { try makeOpaque(path, in: parent) }
            }
        }
        if isNew { result.inodes += 1 }
        // Also of a new one: the name may have been an implied directory's before, or one may lead here by a link.
        impliedAndNamed.insert(path)
        let inherits = isLayer && parent.hasDefaultACL
        let needsDescriptor = !entry.extendedAttributes.isEmpty || inherits
        if needsDescriptor || !isNew {
            let directory = path.withName {
                openat(parent.descriptor, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            }
            guard directory >= 0 else { throw .system("open directory", path.shown, Errno(rawValue: errno)) }
            defer { close(directory) }
            if !isNew || inherits { try removeAttributes(of: directory, path) }
            try setAllAttributes(entry, of: directory, path)
            // Its set-group-id bit may have changed, which the cache remembers.
            if !isNew { directories.forget() }
        } else {
            try setOwnerByName(entry, path, in: parent)
            // What was just made is a directory, so that following is no question (fchmodat cannot say not to).
            if entry.mode & 0o7000 != 0 || entry.mode & mask != 0 || parent.hasDefaultACL || parent.setsGroup {
                try Self.check("set mode of", path) { fchmodat(parent.descriptor, $0, mode_t(entry.mode), modeFlags) }
            }
        }
        note(entry.modified.seconds, entry.modified.nanoseconds, of: path)
    }

    mutating func makeSymbolicLink(
        _ entry: TarEntry, _ path: EntryPath, in parent: DirectoryCache.Directory
    ) throws(ArchiveError) {
        guard !entry.linkName.isEmpty else { throw .malformed("symbolic link \"\(path.shown)\" has no target") }
        let target = entry.linkName + [0]
        let parent = try make(path, in: parent, "create symbolic link") { directory, name in
            target.withUnsafeBufferPointer { bytes in
                bytes.withMemoryRebound(to: CChar.self) { symlinkat($0.baseAddress.unsafelyUnwrapped, directory, name) }
            }
        }
        if whiteouts == .remove { try noteLink(path, in: parent) }
        try setOwnerByName(entry, path, in: parent)
        try setAttributesByPath(entry, path, in: parent)
        try setTimesByName(entry, path, in: parent)
    }

    mutating func makeHardLink(
        _ entry: TarEntry, _ path: EntryPath, in parent: DirectoryCache.Directory
    ) throws(ArchiveError) {
        guard let named = EntryPath(entry.linkName), !named.isRoot, let target = prefixed(named) else {
            throw .escapes(
                entry: entry.displayName,
                "is a hard link to \"\(shownName(entry.linkName))\", outside of the root directory"
            )
        }
        guard target != path else { return }
        guard let source = try directories.directory(at: target.parent) else {
            throw .malformed("hard link \"\(path.shown)\" to \"\(target.shown)\", which does not exist")
        }
        // What is hidden is not there; a second name of the mark would hide something else.
        if hasWhiteouts, whiteouts != .remove, try kind(of: target, in: source) == S_IFCHR,
            try isWhiteout(target, in: source)
        {
            throw .malformed("hard link \"\(path.shown)\" to \"\(target.shown)\", which does not exist")
        }
        // The look-up may have closed the parent's descriptor.
        let directory = try parentDirectory(of: path)
        var status = target.withName { old in
            path.withName { linkat(source.descriptor, old, directory.descriptor, $0, 0) }
        }
        if status != 0, errno == EEXIST {
            let directory = try clear(path, in: directory)
            // What had to go may have been a directory with the target in it.
            guard let source = try directories.directory(at: target.parent) else {
                throw .malformed("hard link \"\(path.shown)\" to \"\(target.shown)\", which does not exist")
            }
            status = target.withName { old in
                path.withName { linkat(source.descriptor, old, directory.descriptor, $0, 0) }
            }
        }
        guard status == 0 else {
            if errno == ENOENT {
                throw .malformed("hard link \"\(path.shown)\" to \"\(target.shown)\", which does not exist")
            }
            throw .system("create hard link", path.shown, Errno(rawValue: errno))
        }
    }

    /// Device nodes are made as the archive has them, as Docker does: they are never opened here, and a container may
    /// open only those its device rules allow.
    mutating func makeNode(
        _ entry: TarEntry, _ path: EntryPath, in parent: DirectoryCache.Directory, type: mode_t, device: dev_t
    ) throws(ArchiveError) {
        let mode = mode_t(entry.mode & 0o777)
        let parent = try make(path, in: parent, "create device") { mknodat($0, $1, type | mode, device) }
        try setOwnerByName(entry, path, in: parent)
        try removeInheritedByName(path, in: parent)
        if entry.mode & 0o7000 != 0 || entry.mode & mask != 0 || parent.hasDefaultACL {
            // Just made, hence no symbolic link.
            try Self.check("set mode of", path) { fchmodat(parent.descriptor, $0, mode_t(entry.mode), modeFlags) }
        }
        try setAttributesByPath(entry, path, in: parent)
        try setTimesByName(entry, path, in: parent)
    }

    /// Makes something with a call that fails if the name is taken, and takes away what was there in that case.
    private mutating func make(
        _ path: EntryPath, in parent: DirectoryCache.Directory, _ operation: String,
        _ body: (Int32, UnsafePointer<CChar>) -> Int32
    ) throws(ArchiveError) -> DirectoryCache.Directory {
        var parent = parent
        var status = path.withName { body(parent.descriptor, $0) }
        if status != 0, errno == EEXIST {
            parent = try clear(path, in: parent)
            status = path.withName { body(parent.descriptor, $0) }
        }
        guard status == 0 else { throw .system(operation, path.shown, Errno(rawValue: errno)) }
        result.inodes += 1
        return parent
    }

    /// Removes what has the name of an entry to come. Returns the parent, whose descriptor may be another now.
    private mutating func clear(
        _ path: EntryPath, in parent: DirectoryCache.Directory
    ) throws(ArchiveError) -> DirectoryCache.Directory {
        switch try kind(of: path, in: parent) {
        case nil: return parent
        case S_IFREG:
            // The usual case, and no directory's descriptor is touched by it.
            try Self.check("remove", path) { unlinkat(parent.descriptor, $0, 0) }
            return parent
        default:
            try remove(path, in: parent.descriptor)
            return try parentDirectory(of: path)
        }
    }

    func isWhiteout(_ path: EntryPath, in parent: DirectoryCache.Directory) throws(ArchiveError) -> Bool {
        var status = stat()
        try Self.check("stat", path) { fstatat(parent.descriptor, $0, &status, AT_SYMLINK_NOFOLLOW) }
        return status.st_mode & S_IFMT == S_IFCHR && status.st_rdev == 0
    }
}
