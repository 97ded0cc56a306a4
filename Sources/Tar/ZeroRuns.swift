import Glibc

/// Finds zeros that need not be written.
enum ZeroRuns {
    /// Shorter runs are not worth the file's falling apart into more extents.
    static let shortest: Int64 = 64 << 10
    private static let block = 4096

    /// The parts of a chunk that have to be written, in order: all but long runs of blocks of zeros.
    static func data(in chunk: UnsafeRawBufferPointer) -> [Range<Int>] {
        var parts: [Range<Int>] = []
        var begin = 0
        var position = 0
        while position + block <= chunk.count {
            guard isZero(chunk, position) else {
                position += block
                continue
            }
            let zeros = position
            while position + block <= chunk.count, isZero(chunk, position) { position += block }
            // At the end of a chunk the run may go on in the next one.
            guard position - zeros >= shortest || position == chunk.count && position > zeros else { continue }
            if zeros > begin { parts.append(begin..<zeros) }
            begin = position
        }
        if begin < chunk.count { parts.append(begin..<chunk.count) }
        return parts
    }

    /// Whether a block has nothing but zeros. Nearly all others are told by their first bytes.
    private static func isZero(_ chunk: UnsafeRawBufferPointer, _ position: Int) -> Bool {
        guard let base = chunk.baseAddress, chunk.loadUnaligned(fromByteOffset: position, as: UInt64.self) == 0 else {
            return false
        }
        return memcmp(base + position, base + position + 8, block - 8) == 0
    }
}
