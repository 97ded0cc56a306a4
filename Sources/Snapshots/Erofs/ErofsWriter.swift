import Hashing
import CLinux
import Glibc
import LinuxKernel
import OCISpec
import SystemPackage

/// Writes a directory tree into an EROFS image: superblock, inodes in the order of the tree, then the blocks of files.
/// The same tree always becomes the same image.
struct ErofsWriter {
    private let tree: ErofsTree
    private let image: Int32
    /// Inodes and what is behind them.
    private var metadata: [UInt8] = []
    /// Where `metadata` begins in the image.
    private var flushed: Int64
    /// The block that nobody has yet.
    private var nextBlock: Int64
    /// Files that occur several times are stored once.
    private var known: [Digest: Int64] = [:]
    /// Sizes that more than one file has.
    private var repeatedSizes: Set<Int64> = []

    /// Writes the tree at `directory` to the new file `path`.
    ///
    /// - Parameter directories: Those that `ErofsCompletion` is for.
    /// - Returns: Where the inodes of `directories` are in it (paths below the root, those that exist).
    static func write(
        _ directory: FilePath, to path: FilePath, directories: [FilePath] = []
    ) throws(Errno) -> [FilePath: Int64] {
        let root = try Files.open(directory, [.readOnly, .directory])
        defer { root.discard() }
        let tree = try ErofsTree(root: root.rawValue, incomplete: directories)
        let image = try Files.open(path, [.readWrite, .create, .exclusive], mode: 0o600)
        do throws(Errno) {
            defer { image.discard() }
            var writer = ErofsWriter(tree, image: image.rawValue)
            try writer.write()
        } catch {
            try? Files.remove(path)  // the first error is the one to tell
            throw error
        }
        var places: [FilePath: Int64] = [:]
        for path in directories {
            if let place = tree.directory(at: path) { places[path] = tree.inodes[place].offset }
        }
        return places
    }

    private init(_ tree: ErofsTree, image: Int32) {
        self.tree = tree
        self.image = image
        flushed = Int64(ErofsFormat.superblockOffset + ErofsFormat.superblockSize)
        let block = Int64(ErofsFormat.blockSize)
        nextBlock = (tree.end + block - 1) / block
        var sizes: Set<Int64> = []
        for inode in tree.inodes where inode.kind == S_IFREG && inode.layout == .plain && inode.size > 0 {
            if !sizes.insert(inode.size).inserted { repeatedSizes.insert(inode.size) }
        }
    }

    private mutating func write() throws(Errno) {
        var hasChunks = false
        for inode in tree.inodes {
            try write(inode)
            hasChunks = hasChunks || inode.layout == .chunks
            if metadata.count >= 1 << 20 { try flush() }
        }
        try flush()
        guard nextBlock <= Int64(UInt32.max) else { throw .fileTooLarge }
        // The end of the last block, and whatever holes there are in between.
        guard ftruncate(image, off_t(nextBlock * Int64(ErofsFormat.blockSize))) == 0 else {
            throw Errno(rawValue: errno)
        }
        let superblock = ErofsFormat.superblock(
            root: tree.inodes[0].number, inodes: tree.inodes.count, blocks: nextBlock, hasChunks: hasChunks)
        try Self.write(superblock, to: image, at: Int64(ErofsFormat.superblockOffset))
    }

    private mutating func flush() throws(Errno) {
        try Self.write(metadata, to: image, at: flushed)
        flushed += Int64(metadata.count)
        metadata.removeAll(keepingCapacity: true)
    }

    private mutating func write(_ inode: ErofsTree.Inode) throws(Errno) {
        metadata += [UInt8](repeating: 0, count: Int(inode.offset - flushed) - metadata.count)
        var place: UInt32 = 0
        var map: [UInt8] = []
        var inline: [UInt8] = []
        switch (inode.kind, inode.layout) {
        case (S_IFCHR, _), (S_IFBLK, _): place = ErofsFormat.device(UInt64(inode.status.st_rdev))
        case (S_IFREG, .inline): inline = try contents(of: inode)
        case (S_IFREG, .chunks):
            place = UInt32(inode.chunkBits)
            map = try writeChunks(of: inode)
        case (S_IFREG, .plain) where inode.size > 0: place = UInt32(truncatingIfNeeded: try writeFile(inode))
        case (S_IFDIR, _), (S_IFLNK, _):
            let bytes = inode.kind == S_IFLNK ? inode.target : ErofsFormat.directory(entries(of: inode))
            if inode.layout == .inline {
                inline = bytes
            } else {
                place = UInt32(truncatingIfNeeded: nextBlock)
                try Self.write(bytes, to: image, at: takeBlocks(inode.size) * Int64(ErofsFormat.blockSize))
            }
        default: break
        }
        metadata.append(number: 1 | inode.layout.rawValue << 1)
        metadata.append(number: ErofsFormat.attributeCount(inode.attributes))
        metadata.append(number: UInt16(truncatingIfNeeded: inode.status.st_mode))
        metadata.append(number: UInt16(0))
        metadata.append(number: UInt64(inode.size))
        metadata.append(number: place)
        metadata.append(number: UInt32(truncatingIfNeeded: inode.number))
        metadata.append(number: UInt32(inode.status.st_uid))
        metadata.append(number: UInt32(inode.status.st_gid))
        metadata.append(number: Int64(inode.status.st_mtim.tv_sec))
        metadata.append(number: UInt32(inode.status.st_mtim.tv_nsec))
        metadata.append(number: inode.links)
        metadata += [UInt8](repeating: 0, count: 16)
        metadata += inode.attributes
        metadata += map
        metadata += inline
    }

    private func entries(of inode: ErofsTree.Inode) -> [(name: [UInt8], inode: UInt64, type: UInt8)] {
        inode.entries.map { entry in
            let target = tree.inodes[entry.inode]
            return (entry.name, target.number, ErofsFormat.entryType(UInt32(target.status.st_mode)))
        }
    }

    /// The first of the blocks for so many bytes.
    private mutating func takeBlocks(_ size: Int64) -> Int64 {
        let first = nextBlock
        nextBlock += (size + Int64(ErofsFormat.blockSize) - 1) / Int64(ErofsFormat.blockSize)
        return first
    }

    // MARK: Contents

    private mutating func writeFile(_ inode: ErofsTree.Inode) throws(Errno) -> Int64 {
        let file = try open(inode)
        defer { close(file) }
        var digest: Digest?
        if repeatedSizes.contains(inode.size) {
            let found = try Self.digest(of: file)
            if let block = known[found] { return block }
            digest = found
        }
        let block = takeBlocks(inode.size)
        try copy(file, 0..<inode.size, to: block)
        if let digest { known[digest] = block }
        return block
    }

    private mutating func writeChunks(of inode: ErofsTree.Inode) throws(Errno) -> [UInt8] {
        let file = try open(inode)
        defer { close(file) }
        let size = Int64(ErofsFormat.blockSize) << Int64(inode.chunkBits)
        var map: [UInt8] = []
        for (number, hasData) in inode.chunks.enumerated() {
            guard hasData else {
                map.append(number: ErofsFormat.hole)
                continue
            }
            let start = Int64(number) * size
            let end = min(start + size, inode.size)
            let block = takeBlocks(end - start)
            try copyData(file, start..<end, to: block)
            map.append(number: UInt32(truncatingIfNeeded: block))
        }
        return map
    }

    /// Copies what is not a hole.
    private func copyData(_ file: Int32, _ range: Range<Int64>, to block: Int64) throws(Errno) {
        var position = range.lowerBound
        while position < range.upperBound {
            let data = Int64(lseek(file, off_t(position), SEEK_DATA))
            if data < 0, errno == ENXIO { return }
            guard data >= 0 else { throw Errno(rawValue: errno) }
            let hole = Int64(lseek(file, off_t(data), SEEK_HOLE))
            guard hole >= 0 else { throw Errno(rawValue: errno) }
            guard data < range.upperBound else { return }
            try copy(file, data..<min(hole, range.upperBound), to: block, from: range.lowerBound)
            position = hole
        }
    }

    /// Copies a range of `file` to where it belongs if the file's byte `base` is the first of `block`.
    private func copy(
        _ file: Int32, _ range: Range<Int64>, to block: Int64, from base: Int64 = 0
    ) throws(Errno) {
        var source = range.lowerBound
        var target = block * Int64(ErofsFormat.blockSize) + range.lowerBound - base
        while source < range.upperBound {
            let count = masu_copy_file_range(file, &source, image, &target, Int(range.upperBound - source))
            if count > 0 || count == -Int(EINTR) { continue }
            // A file that has become shorter is one that somebody else works on.
            throw count == 0 ? .ioError : Errno(rawValue: Int32(-count))
        }
    }

    private func contents(of inode: ErofsTree.Inode) throws(Errno) -> [UInt8] {
        let file = FileDescriptor(rawValue: try open(inode))
        defer { file.discard() }
        let bytes = try file.readToEnd(limit: Int(inode.size))
        guard bytes.count == Int(inode.size) else { throw .ioError }
        return bytes
    }

    private func open(_ inode: ErofsTree.Inode) throws(Errno) -> Int32 {
        let file = inode.path.withUnsafeBytes {
            openat(
                tree.root, $0.bindMemory(to: CChar.self).baseAddress.unsafelyUnwrapped,
                O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        }
        guard file >= 0 else { throw Errno(rawValue: errno) }
        return file
    }

    /// The digest of the content of a file that has just been opened.
    private static func digest(of file: Int32) throws(Errno) -> Digest {
        var hasher = ContentHasher()
        try hasher.update(contentsOf: FileDescriptor(rawValue: file))
        return hasher.digest
    }

    static func write(_ bytes: [UInt8], to file: Int32, at offset: Int64) throws(Errno) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                pwrite(file, buffer.baseAddress.map { $0 + done }, bytes.count - done, off_t(offset) + off_t(done))
            }
            if count < 0, errno != EINTR { throw Errno(rawValue: errno) }
            done += max(count, 0)
        }
    }
}
