import CCompression

/// Compresses a stream to gzip (RFC 1952) with ISA-L. The same bytes make the same result every time: neither a name
/// nor a time is in it.
package final class GzipEncoder {
    private let stream: UnsafeMutablePointer<isal_zstream>
    private let level: UnsafeMutableRawBufferPointer
    private let input: UnsafeMutableRawBufferPointer
    private let output: UnsafeMutableRawBufferPointer

    /// An encoder at the beginning of a stream.
    package init() {
        stream = .allocate(capacity: 1)
        UnsafeMutableRawPointer(stream).initializeMemory(
            as: UInt8.self, repeating: 0, count: MemoryLayout<isal_zstream>.size)
        level = .allocate(byteCount: Self.levelBufferSize, alignment: 64)
        input = .allocate(byteCount: 256 << 10, alignment: 64)
        output = .allocate(byteCount: 256 << 10, alignment: 64)
        isal_deflate_init(stream)
        stream.pointee.level = Self.levelNumber
        stream.pointee.level_buf = level.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.level_buf_size = UInt32(level.count)
        stream.pointee.gzip_flag = UInt16(IGZIP_GZIP)
        stream.pointee.flush = UInt16(NO_FLUSH)
    }

    deinit {
        output.deallocate()
        input.deallocate()
        level.deallocate()
        stream.deallocate()
    }

    /// What makes layers small enough and still keeps up with the disk.
    private static let levelNumber: UInt32 = 3
    /// `ISAL_DEF_LVL3_DEFAULT`, a macro of sizes that Swift does not see, rounded up.
    private static let levelBufferSize = 1 << 20

    /// Compresses all of `source`; `write` takes the result piece by piece.
    package func encode(_ source: any ByteSource, write: (UnsafeRawBufferPointer) throws -> Void) throws {
        var isAtEnd = false
        while !isAtEnd {
            let count = try source.read(into: input)
            isAtEnd = count == 0
            stream.pointee.next_in = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
            stream.pointee.avail_in = UInt32(count)
            stream.pointee.end_of_stream = isAtEnd ? 1 : 0
            repeat {
                stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
                stream.pointee.avail_out = UInt32(output.count)
                guard isal_deflate(stream) == COMP_OK else { throw ArchiveError.compression("gzip: cannot compress") }
                let made = output.count - Int(stream.pointee.avail_out)
                if made > 0 { try write(UnsafeRawBufferPointer(rebasing: output[..<made])) }
            } while stream.pointee.avail_out == 0
        }
    }
}
