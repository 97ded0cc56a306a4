/// The ways an archive may be compressed, told apart by its first bytes.
package enum Compression: String, Hashable, Sendable {
    case none
    case gzip
    case zstd
    case xz
    case bzip2

    /// The longest beginning that is needed to tell.
    package static let magicLength = 6

    /// What the first bytes of a stream say.
    package init(magic: some Collection<UInt8>) {
        let magic = Array(magic.prefix(Self.magicLength))
        self =
            if magic.starts(with: [0x1f, 0x8b]) {
                .gzip
            } else if magic.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) || Self.isSkippableFrame(magic) {
                .zstd
            } else if magic.starts(with: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]) {
                .xz
            } else if magic.starts(with: [0x42, 0x5a, 0x68]) {
                .bzip2
            } else {
                .none
            }
    }

    /// A zstd stream may begin with a frame of user data (RFC 8878, 3.1.2), as those made to be seekable do.
    private static func isSkippableFrame(_ magic: [UInt8]) -> Bool {
        magic.count >= 4 && (0x50...0x5f).contains(magic[0]) && magic[1...3].elementsEqual([0x2a, 0x4d, 0x18])
    }

    /// The uncompressed bytes of `source`, whatever it is compressed with, and what that was.
    package static func decompressing(
        _ source: any ByteSource
    ) throws(ArchiveError) -> (source: any ByteSource, compression: Compression) {
        let peeked = try PeekedSource(peeking: magicLength, from: source)
        let compression = Compression(magic: peeked.peeked)
        let inner: any ByteSource =
            switch compression {
            case .none: peeked
            case .gzip: GzipSource(peeked)
            case .zstd: try ZstdSource(peeked)
            case .xz: try XZSource(peeked)
            case .bzip2: try Bzip2Source(peeked)
            }
        return (inner, compression)
    }
}

/// A buffer of compressed bytes that is filled again when it is used up.
struct CompressedInput: ~Copyable {
    private let source: any ByteSource
    private let buffer: UnsafeMutableRawBufferPointer
    /// Where the unused bytes begin, and how many there are.
    private(set) var position = 0
    private(set) var available = 0
    private(set) var isAtEnd = false

    init(_ source: any ByteSource, capacity: Int = 256 << 10) {
        self.source = source
        buffer = .allocate(byteCount: capacity, alignment: 64)
    }

    deinit { buffer.deallocate() }

    var next: UnsafeMutablePointer<UInt8>? {
        buffer.baseAddress?.advanced(by: position).assumingMemoryBound(to: UInt8.self)
    }

    /// The unused bytes.
    var unused: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer[position..<position + available]) }

    /// Fills the buffer if it is empty; afterwards it is empty only at the end of the source.
    mutating func refill() throws(ArchiveError) {
        guard available == 0, !isAtEnd else { return }
        position = 0
        available = try source.read(into: buffer)
        isAtEnd = available == 0
    }

    mutating func consume(_ count: Int) {
        position += count
        available -= count
    }

    /// Drops zero bytes; returns whether anything else follows. Tapes and some tools pad with zeros.
    mutating func skipPadding() throws(ArchiveError) -> Bool {
        while true {
            try refill()
            if available == 0 { return false }
            let zeros = unused.prefix { $0 == 0 }.count
            consume(zeros)
            if available > 0 { return true }
        }
    }
}
