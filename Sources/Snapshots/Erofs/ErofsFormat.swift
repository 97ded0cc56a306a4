import Glibc

/// The on-disk format of EROFS, as far as it is written here: no compression, inodes of 64 bytes. From the kernel's
/// `fs/erofs/erofs_fs.h` and `Documentation/filesystems/erofs.rst`. All numbers are little-endian.
enum ErofsFormat {
    static let blockBits = 12
    static let blockSize = 1 << blockBits
    /// Where the superblock is, and what it takes.
    static let superblockOffset = 1024
    static let superblockSize = 128
    /// Inodes are numbered by their place in these units.
    static let slot = 32
    static let inodeSize = 64
    static let entrySize = 12
    /// How many attributes a directory can get after the image is written, and what is kept free for their numbers.
    static let laterAttributes = 30
    static let laterAttributesSize = attributesHeaderSize + 4 * laterAttributes
    static let attributesHeaderSize = 12
    /// In a chunk map: nothing but zeros.
    static let hole = UInt32.max
    /// Later kernels may read larger ones; this one's blocks have 32 bits.
    static let maximumSize = Int64(UInt32.max) << Int64(blockBits)

    /// Where a file's bytes are.
    enum Layout: UInt16 {
        /// In consecutive blocks.
        case plain = 0
        /// Behind the inode, within one block.
        case inline = 2
        /// In chunks that a map behind the inode tells.
        case chunks = 4
    }

    /// Everything a superblock says of an image.
    static func superblock(root: UInt64, inodes: Int, blocks: Int64, hasChunks: Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(number: UInt32(0xe0f5_e1e2))
        bytes.append(number: UInt32(0))  // no checksum
        bytes.append(number: UInt32(2))  // times are those of the last change of content
        bytes.append(UInt8(blockBits))
        bytes.append(0)
        bytes.append(number: UInt16(root))
        bytes.append(number: UInt64(inodes))
        bytes.append(number: UInt64(0))  // the time of an inode that has none of its own
        bytes.append(number: UInt32(0))
        bytes.append(number: UInt32(truncatingIfNeeded: blocks))
        bytes.append(number: UInt32(0))  // inodes are counted from the beginning
        bytes.append(number: UInt32(0))
        bytes += [UInt8](repeating: 0, count: 32)  // identifier and name
        bytes.append(number: UInt32(hasChunks ? 4 : 0))
        bytes += [UInt8](repeating: 0, count: superblockSize - bytes.count)
        return bytes
    }

    /// The type of a directory's entry.
    static func entryType(_ mode: UInt32) -> UInt8 {
        switch mode & S_IFMT {
        case S_IFREG: 1
        case S_IFDIR: 2
        case S_IFCHR: 3
        case S_IFBLK: 4
        case S_IFIFO: 5
        case S_IFSOCK: 6
        case S_IFLNK: 7
        default: 0
        }
    }

    /// What a directory takes whose entries have names of these lengths, in this order.
    static func directorySize(_ lengths: some Sequence<Int>) -> Int64 {
        var (blocks, used) = (Int64(0), 0)
        for length in lengths {
            if used + entrySize + length > blockSize {
                blocks += 1
                used = 0
            }
            used += entrySize + length
        }
        return blocks * Int64(blockSize) + Int64(used)
    }

    /// A directory's blocks: in each the entries, then their names. `entries` are sorted by the bytes of their names.
    static func directory(_ entries: [(name: [UInt8], inode: UInt64, type: UInt8)]) -> [UInt8] {
        var bytes: [UInt8] = []
        var first = 0
        while first < entries.count {
            var (end, used) = (first, 0)
            while end < entries.count, used + entrySize + entries[end].name.count <= blockSize {
                used += entrySize + entries[end].name.count
                end += 1
            }
            var place = entrySize * (end - first)
            for entry in entries[first..<end] {
                bytes.append(number: entry.inode)
                bytes.append(number: UInt16(place))
                bytes.append(entry.type)
                bytes.append(0)
                place += entry.name.count
            }
            for entry in entries[first..<end] { bytes += entry.name }
            if end < entries.count { bytes += [UInt8](repeating: 0, count: blockSize - used) }
            first = end
        }
        return bytes
    }

    /// The attributes behind an inode: header, then each. Empty if there are none.
    static func attributes(_ attributes: [(name: [UInt8], value: [UInt8])]) -> [UInt8] {
        let bytes = attributes.flatMap { attribute($0.name, $0.value) }
        return bytes.isEmpty ? [] : [UInt8](repeating: 0, count: attributesHeaderSize) + bytes
    }

    /// An attribute with the number of its name's beginning, filled to whole words. Empty if it has no place in an
    /// image, whose values end at 65,535 bytes.
    static func attribute(_ name: [UInt8], _ value: [UInt8]) -> [UInt8] {
        let prefixes: [(text: String, index: UInt8)] = [
            ("user.", 1), ("system.posix_acl_access", 2), ("system.posix_acl_default", 3), ("trusted.", 4),
            ("security.", 6),
        ]
        // What no prefix is known for is a view of something else that the file system of the image does not have.
        guard let prefix = prefixes.first(where: { name.starts(with: $0.text.utf8) }),
            let size = UInt16(exactly: value.count)
        else { return [] }
        let rest = name.dropFirst(prefix.text.utf8.count)
        var bytes: [UInt8] = [UInt8(truncatingIfNeeded: rest.count), prefix.index]
        bytes.append(number: size)
        bytes += rest
        bytes += value
        bytes += [UInt8](repeating: 0, count: -bytes.count & 3)
        return bytes
    }

    /// What an inode says of the attributes behind it.
    static func attributeCount(_ bytes: [UInt8]) -> UInt16 {
        bytes.isEmpty ? 0 : UInt16((bytes.count - attributesHeaderSize) / 4 + 1)
    }

    /// A device number as inodes have it.
    static func device(_ device: UInt64) -> UInt32 {
        let major = UInt32((device >> 8) & 0xfff) | UInt32((device >> 32) & 0xffff_f000)
        let minor = UInt32(device & 0xff) | UInt32((device >> 12) & 0xffff_ff00)
        return (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)
    }
}

extension [UInt8] {
    mutating func append(number: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
    }
}
