import CLinux
import Glibc
import LinuxKernel
import SystemPackage

/// A directory tree as it will be in an image: every inode with its place.
struct ErofsTree {
    struct Inode {
        var status: stat
        /// The path below the root, ending with NUL; of several names one.
        var path: [UInt8]
        /// Names and places in `inodes`, sorted by the bytes of the names, `.` and `..` among them.
        var entries: [(name: [UInt8], inode: Int)] = []
        var links: UInt32 = 1
        /// As they are written.
        var attributes: [UInt8] = []
        /// Whether it may get more of them when the image is written.
        var isCompletedLater = false
        /// The target of a symbolic link.
        var target: [UInt8] = []
        var size: Int64 = 0
        var layout = ErofsFormat.Layout.plain
        /// Of a file with holes: how many blocks a chunk has, as a power of two, and which chunks are not empty.
        var chunkBits = 0
        var chunks: [Bool] = []
        /// Where the inode is in the image.
        var offset: Int64 = 0

        var number: UInt64 { UInt64(offset) / UInt64(ErofsFormat.slot) }
        var kind: UInt32 { status.st_mode & S_IFMT }
    }

    private(set) var inodes: [Inode] = []
    /// Where the last inode ends.
    private(set) var end = Int64(ErofsFormat.superblockOffset + ErofsFormat.superblockSize)
    /// The tree's root.
    let root: Int32

    private var places: [UInt64: Int] = [:]

    /// Each level of directories takes a descriptor.
    private static let depthLimit = 250

    /// Reads the tree below the open directory `root`, which stays the caller's, but not the contents of its files.
    ///
    /// - Parameter incomplete: Directories that `ErofsCompletion` is for.
    init(root: Int32, incomplete: [FilePath] = []) throws(Errno) {
        self.root = root
        var status = stat()
        guard fstat(root, &status) == 0 else { throw Errno(rawValue: errno) }
        inodes.append(Inode(status: status, path: [UInt8(ascii: "."), 0]))
        try readDirectory(0, parent: 0, root, depth: 0)
        for path in incomplete {
            if let index = directory(at: path) { inodes[index].isCompletedLater = true }
        }
        for index in inodes.indices { place(index) }
    }

    /// Finds the directory at a path without symbolic links, as text.
    func directory(at path: FilePath) -> Int? {
        var place = 0
        for component in path.components {
            let name = component.withPlatformString { text in (0..<strlen(text)).map { UInt8(bitPattern: text[$0]) } }
            guard inodes[place].kind == S_IFDIR, let entry = inodes[place].entries.first(where: { $0.name == name })
            else { return nil }
            place = entry.inode
        }
        return inodes[place].kind == S_IFDIR ? place : nil
    }

    private mutating func readDirectory(_ index: Int, parent: Int, _ directory: Int32, depth: Int) throws(Errno) {
        guard depth < Self.depthLimit else { throw .fileNameTooLong }
        inodes[index].attributes = try Self.attributes(Array("/proc/self/fd/\(directory)/.".utf8) + [0])
        var entries: [(name: [UInt8], inode: Int)] = [
            ([UInt8(ascii: ".")], index), ([UInt8(ascii: "."), UInt8(ascii: ".")], parent),
        ]
        let base: [UInt8] = depth == 0 ? [] : Array(inodes[index].path.dropLast()) + [UInt8(ascii: "/")]
        var links: UInt32 = 2
        for name in try DirectoryListing.names(of: directory) {
            var status = stat()
            try Self.check(Self.call(name + [0]) { fstatat(directory, $0, &status, AT_SYMLINK_NOFOLLOW) })
            if status.st_mode & S_IFMT == S_IFDIR { links += 1 }
            if status.st_mode & S_IFMT != S_IFDIR, status.st_nlink > 1, let known = places[UInt64(status.st_ino)] {
                inodes[known].links += 1
                entries.append((name, known))
                continue
            }
            let new = inodes.count
            if status.st_nlink > 1 { places[UInt64(status.st_ino)] = new }
            inodes.append(Inode(status: status, path: base + name + [0]))
            entries.append((name, new))
            if status.st_mode & S_IFMT == S_IFDIR {
                let child = Self.call(name + [0]) {
                    openat(directory, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                }
                guard child >= 0 else { throw Errno(rawValue: errno) }
                defer { close(child) }
                try readDirectory(new, parent: index, child, depth: depth + 1)
            } else {
                try readFile(new, name + [0], in: directory)
            }
        }
        entries.sort { $0.name.lexicographicallyPrecedes($1.name) }
        inodes[index].links = links
        inodes[index].size = ErofsFormat.directorySize(entries.lazy.map(\.name.count))
        inodes[index].entries = entries
    }

    private mutating func readFile(_ index: Int, _ name: [UInt8], in directory: Int32) throws(Errno) {
        let path = Array("/proc/self/fd/\(directory)/".utf8) + name
        inodes[index].attributes = try Self.attributes(path)
        switch inodes[index].kind {
        case S_IFREG:
            let size = Int64(inodes[index].status.st_size)
            guard size < ErofsFormat.maximumSize else { throw .fileTooLarge }
            inodes[index].size = size
            if size >= 1 << 16, Int64(inodes[index].status.st_blocks) * 512 < size {
                try readHoles(index, name, in: directory)
            }
        case S_IFLNK:
            var target = [CChar](repeating: 0, count: Int(PATH_MAX))
            let length = Self.call(name) { Int32(readlinkat(directory, $0, &target, Int(PATH_MAX))) }
            try Self.check(length < 0 ? -1 : 0)
            inodes[index].target = target[..<Int(length)].map { UInt8(bitPattern: $0) }
            inodes[index].size = Int64(length)
        default: break
        }
    }

    /// Finds out where a file has data, and cuts it into as few as 32,768 chunks at the most.
    private mutating func readHoles(_ index: Int, _ name: [UInt8], in directory: Int32) throws(Errno) {
        let file = Self.call(name) { openat(directory, $0, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) }
        guard file >= 0 else { throw Errno(rawValue: errno) }
        defer { close(file) }
        let size = inodes[index].size
        var bits = 0
        while size >> Int64(ErofsFormat.blockBits + bits) >= 1 << 15 { bits += 1 }
        let chunk = Int64(1) << Int64(ErofsFormat.blockBits + bits)
        var chunks = [Bool](repeating: false, count: Int((size + chunk - 1) / chunk))
        var position: Int64 = 0
        while position < size {
            let data = Int64(lseek(file, off_t(position), SEEK_DATA))
            if data < 0 {
                if errno == ENXIO { break }
                throw Errno(rawValue: errno)
            }
            let hole = Int64(lseek(file, off_t(data), SEEK_HOLE))
            if hole < 0 { throw Errno(rawValue: errno) }
            for number in Int(data / chunk)...Int((max(hole, data + 1) - 1) / chunk) where number < chunks.count {
                chunks[number] = true
            }
            position = hole
        }
        guard chunks.contains(false) else { return }
        inodes[index].layout = .chunks
        inodes[index].chunkBits = bits
        inodes[index].chunks = chunks
    }

    /// Gives an inode its place behind the ones before it.
    private mutating func place(_ index: Int) {
        let slot = Int64(ErofsFormat.slot)
        let block = Int64(ErofsFormat.blockSize)
        let fixed = Int64(ErofsFormat.inodeSize + inodes[index].attributes.count)
        var offset = (end + slot - 1) / slot * slot
        var length = fixed
        let size = inodes[index].size
        if inodes[index].isCompletedLater {
            // Its entries are in blocks, so that nothing has to move when attributes come.
            length += Int64(ErofsFormat.laterAttributesSize)
        } else if inodes[index].layout == .chunks {
            length += Int64(inodes[index].chunks.count) * 4
        } else if size > 0, fixed + size <= block {
            inodes[index].layout = .inline
            // The bytes may not go over the border of a block.
            if (offset + fixed) % block + size > block { offset = (offset + block - 1) / block * block }
            length += size
        }
        inodes[index].offset = offset
        end = offset + length
    }

    private static func attributes(_ path: [UInt8]) throws(Errno) -> [UInt8] {
        let length = call(path) { Int32(llistxattr($0, nil, 0)) }
        if length == 0 || (length < 0 && errno == ENOTSUP) { return [] }
        try check(length < 0 ? -1 : 0)
        var names = [CChar](repeating: 0, count: Int(length))
        let got = call(path) { Int32(llistxattr($0, &names, names.count)) }
        try check(got < 0 ? -1 : 0)
        var found: [(name: [UInt8], value: [UInt8])] = []
        for name in names[..<Int(got)].split(separator: 0) {
            var value = [UInt8](repeating: 0, count: 65536)
            let size = call(path) { path in Int32(lgetxattr(path, Array(name) + [0], &value, value.count)) }
            try check(size < 0 ? -1 : 0)
            found.append((name.map { UInt8(bitPattern: $0) }, Array(value[..<Int(size)])))
        }
        // One image for one tree, whatever the order in which its file system tells them.
        found.sort { $0.name.lexicographicallyPrecedes($1.name) }
        let bytes = ErofsFormat.attributes(found)
        // The number of an inode's attribute words has 16 bits.
        guard bytes.count < 4 * 65535 else { throw .argListTooLong }
        return bytes
    }

    private static func check(_ status: Int32) throws(Errno) {
        guard status == 0 else { throw Errno(rawValue: errno) }
    }

    private static func call(_ name: [UInt8], _ body: (UnsafePointer<CChar>) -> Int32) -> Int32 {
        name.withUnsafeBytes { body($0.bindMemory(to: CChar.self).baseAddress.unsafelyUnwrapped) }
    }
}
