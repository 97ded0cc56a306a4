import Glibc
import LinuxKernel
import SystemPackage
import Tar

/// Directories that get owner, mode, time and attributes when their image is written already, as only then it is known
/// which layers are below. Nobody has mounted the image yet.
///
/// The attributes become shared ones: they lie behind all files, and the inode has their numbers, for which it was
/// given room (`ErofsTree.Inode.isCompletedLater`).
struct ErofsCompletion {
    private let image: FileDescriptor
    /// The shared attributes, each once.
    private var shared: [UInt8] = []
    private var numbers: [[UInt8]: UInt32] = [:]

    init(of image: FileDescriptor) { self.image = image }

    /// Changes the inode at `offset`.
    mutating func set(_ model: ImpliedDirectories.Model, at offset: Int64) throws(Errno) {
        var mode: [UInt8] = []
        mode.append(number: UInt16(S_IFDIR | model.mode))
        var owner: [UInt8] = []
        owner.append(number: model.owner)
        owner.append(number: model.group)
        owner.append(number: model.modified.seconds)
        owner.append(number: UInt32(model.modified.nanoseconds))
        try ErofsWriter.write(mode, to: image.rawValue, at: offset + 4)
        try ErofsWriter.write(owner, to: image.rawValue, at: offset + 24)
        var added: [UInt32] = []
        for attribute in model.attributes {
            let bytes = ErofsFormat.attribute(attribute.name, attribute.value)
            guard !bytes.isEmpty else { continue }
            let number = numbers[bytes] ?? UInt32(shared.count / 4)
            if numbers.updateValue(number, forKey: bytes) == nil { shared += bytes }
            added.append(number)
        }
        if !added.isEmpty { try add(added, at: offset) }
    }

    /// Puts the numbers of shared attributes between the inode and those that it has for itself.
    private func add(_ added: [UInt32], at offset: Int64) throws(Errno) {
        guard added.count <= ErofsFormat.laterAttributes else { throw .argListTooLong }
        let words = Int(try read(2, at: offset + 2).enumerated().reduce(UInt16(0)) { $0 | UInt16($1.1) << ($1.0 * 8) })
        let own =
            words == 0
            ? []
            : try read((words - 1) * 4, at: offset + Int64(ErofsFormat.inodeSize + ErofsFormat.attributesHeaderSize))
        // The header: a filter that is not used, how many are shared, and nothing.
        var bytes: [UInt8] = [0, 0, 0, 0, UInt8(added.count), 0, 0, 0, 0, 0, 0, 0]
        for number in added { bytes.append(number: number) }
        bytes += own
        guard (bytes.count - ErofsFormat.attributesHeaderSize) / 4 < Int(UInt16.max) else { throw .argListTooLong }
        var count: [UInt8] = []
        count.append(number: ErofsFormat.attributeCount(bytes))
        try ErofsWriter.write(bytes, to: image.rawValue, at: offset + Int64(ErofsFormat.inodeSize))
        try ErofsWriter.write(count, to: image.rawValue, at: offset + 2)
    }

    /// Writes the shared attributes.
    func finish() throws(Errno) {
        guard !shared.isEmpty else { return }
        let block = Int64(ErofsFormat.blockSize)
        let first = try FileStatus.of(image).size / block
        let end = first + (Int64(shared.count) + block - 1) / block
        guard end <= Int64(UInt32.max) else { throw .fileTooLarge }
        try ErofsWriter.write(shared, to: image.rawValue, at: first * block)
        guard ftruncate(image.rawValue, off_t(end * block)) == 0 else { throw Errno(rawValue: errno) }
        var (blocks, place): ([UInt8], [UInt8]) = ([], [])
        blocks.append(number: UInt32(end))
        place.append(number: UInt32(first))
        let superblock = Int64(ErofsFormat.superblockOffset)
        try ErofsWriter.write(blocks, to: image.rawValue, at: superblock + 36)
        try ErofsWriter.write(place, to: image.rawValue, at: superblock + 44)
    }

    private func read(_ count: Int, at offset: Int64) throws(Errno) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = bytes.withUnsafeMutableBytes { pread(image.rawValue, $0.baseAddress, count, off_t(offset)) }
        guard got >= 0 else { throw Errno(rawValue: errno) }
        guard got == count else { throw .ioError }
        return bytes
    }
}
