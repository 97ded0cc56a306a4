import Glibc
import SystemPackage

/// Writes trees of files into an archive: everything that a layer can keep of a file.
///
/// That is owner, mode, modification time to the nanosecond, extended attributes (capabilities and access lists among
/// them), devices, pipes, symbolic and hard links. Entries come in the order of their names' bytes, so that the same
/// tree makes the same archive. Holes are not read, and written out as zeros unless `SparseFiles` says otherwise.
/// Sockets have no place in an archive and are left out, as by every tar.
package final class TreeArchiver {
    private var writer: TarWriter
    /// The names of files with several links, by inode.
    private var links: [Inode: [UInt8]] = [:]
    private let isCancelled: @Sendable () -> Bool
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
    private var depth = 0
    private let sparseFiles: SparseFiles

    /// What becomes of holes in files.
    package enum SparseFiles: Sendable {
        /// They are zeros in the archive, which every reader understands.
        case filled
        /// Files with holes of many megabytes become sparse entries. Layers should not have such (image-spec, layer.md,
        /// "File types"), so that only those files do which would fill a disk for nothing: a log of 300 GiB that has a
        /// page
        /// of data.
        case sparseWhereLarge
    }

    private struct Inode: Hashable {
        let device: UInt64
        let number: UInt64
    }

    /// Deeper than any path the kernel takes at once; a tree made deeper step by step is refused instead of exhausting
    /// the stack.
    private static let depthLimit = 2048

    /// - Parameter sink: takes the archive's bytes in order.
    package init(
        sparseFiles: SparseFiles = .filled, isCancelled: @escaping @Sendable () -> Bool = { false },
        _ sink: @escaping (UnsafeRawBufferPointer) throws(ArchiveError) -> Void
    ) {
        writer = TarWriter(sink)
        self.sparseFiles = sparseFiles
        self.isCancelled = isCancelled
    }

    deinit { buffer.deallocate() }

    /// Ends the archive.
    package func finish() throws(ArchiveError) { try writer.finish() }

    /// Adds all that is in an open directory, and before it the directory itself if it has a name.
    ///
    /// - Parameter name: the directory's path in the archive, without a slash at the end: empty for `/`.
    package func add(contentsOf directory: FileDescriptor, as name: [UInt8]? = nil) throws(ArchiveError) {
        guard let node = try FileNode(Array(".".utf8), in: directory.rawValue) else { return }
        if let name { try add(node, as: name) }
        try addContents(of: directory.rawValue, as: name)
    }

    /// Adds what has the given name in an open directory, with all in it. Throws ENOENT if nothing has.
    package func add(_ name: [UInt8], in directory: FileDescriptor, as path: [UInt8]) throws(ArchiveError) {
        guard let node = try FileNode(name, in: directory.rawValue) else {
            throw .system("stat", shownName(name), .noSuchFileOrDirectory)
        }
        try addAll(node, as: path)
    }

    private func addAll(_ node: FileNode, as path: [UInt8]) throws(ArchiveError) {
        if isCancelled() { throw .cancelled }
        try add(node, as: path)
        guard node.isDirectory else { return }
        let directory = try node.open()
        defer { close(directory) }
        try addContents(of: directory, as: path)
    }

    private func addContents(of directory: Int32, as path: [UInt8]?) throws(ArchiveError) {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else { throw .system("archive", shownName(path ?? []), .fileNameTooLong) }
        for name in try FileNode.sortedNames(in: directory, shownName(path ?? [])) {
            // What was removed since the directory was listed is not there.
            guard let node = try FileNode(name, in: directory) else { continue }
            try addAll(node, as: path.map { $0 + [UInt8(ascii: "/")] + name } ?? name)
        }
    }

    /// Adds one thing alone. Its path has no slash at the end.
    func add(_ node: FileNode, as path: [UInt8]) throws(ArchiveError) {
        guard let kind = node.kind else { return }
        var entry = TarEntry(kind: kind, name: path, mode: UInt32(node.status.st_mode & 0o7777))
        if kind == .directory { entry.name.append(UInt8(ascii: "/")) }
        entry.owner = node.status.st_uid
        entry.group = node.status.st_gid
        entry.modified = (Int64(node.status.st_mtim.tv_sec), Int64(node.status.st_mtim.tv_nsec))
        if !node.isDirectory, node.status.st_nlink > 1 {
            let inode = Inode(device: UInt64(node.status.st_dev), number: UInt64(node.status.st_ino))
            if let first = links[inode] {
                entry.kind = .hardLink
                entry.linkName = first
                return try writer.add(entry)
            }
            links[inode] = path
        }
        if kind == .symbolicLink { entry.linkName = try node.target() }
        entry.extendedAttributes = try node.attributes()
        guard kind == .file else { return try writer.add(entry) }
        let file = try node.open()
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw .system("stat", node.shown, Errno(rawValue: errno)) }
        entry.size = Int64(status.st_size)
        if sparseFiles == .sparseWhereLarge { entry.extents = Extents.ofLargelySparse(file, status) }
        try writer.add(entry)
        guard let extents = entry.extents else {
            return try writeData(of: file, 0..<entry.size, node.shown)
        }
        for extent in extents {
            try writeData(of: file, extent.offset..<(extent.offset + extent.length), node.shown)
        }
    }

    /// Adds the mark that hides a name of the layers below.
    func addWhiteout(of path: [UInt8]) throws(ArchiveError) {
        let slash = path.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
        try writer.add(
            TarEntry(kind: .file, name: Array(path[..<slash]) + Whiteout.prefix + Array(path[slash...]), mode: 0))
    }

    /// Writes a part of a file: as many bytes as were announced, whatever happens to it meanwhile. Holes are not read.
    private func writeData(of file: Int32, _ range: Range<Int64>, _ shown: String) throws(ArchiveError) {
        var position = range.lowerBound
        let size = range.upperBound
        while position < size {
            if isCancelled() { throw .cancelled }
            let data = min(Extents.data(in: file, from: position) ?? size, size)
            try writeZeros(data - position)
            position = data
            guard position < size else { return }
            let end = min(Extents.hole(in: file, from: position) ?? size, size)
            while position < end {
                if isCancelled() { throw .cancelled }
                let count = pread(
                    file, buffer.baseAddress, Int(min(end - position, Int64(buffer.count))), off_t(position))
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { throw .system("read", shown, Errno(rawValue: errno)) }
                if count == 0 { return try writeZeros(size - position) }
                try writer.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                position += Int64(count)
            }
        }
    }

    private func writeZeros(_ count: Int64) throws(ArchiveError) {
        guard count > 0 else { return }
        var remaining = count
        let size = Int(min(count, Int64(buffer.count)))
        UnsafeMutableRawBufferPointer(rebasing: buffer[..<size]).initializeMemory(as: UInt8.self, repeating: 0)
        while remaining > 0 {
            if isCancelled() { throw .cancelled }
            let piece = Int(min(remaining, Int64(size)))
            try writer.write(UnsafeRawBufferPointer(rebasing: buffer[..<piece]))
            remaining -= Int64(piece)
        }
    }
}

extension FileNode {
    /// What it is in an archive; `nil` for what has no place there.
    var kind: TarEntry.Kind? {
        switch type {
        case S_IFREG: .file
        case S_IFDIR: .directory
        case S_IFLNK: .symbolicLink
        case S_IFIFO: .fifo
        case S_IFCHR: .characterDevice(major: device.major, minor: device.minor)
        case S_IFBLK: .blockDevice(major: device.major, minor: device.minor)
        default: nil
        }
    }
}
