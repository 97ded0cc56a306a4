import CCompression

/// Decompresses bzip2, any number of streams one after the other.
final class Bzip2Source: ByteSource {
    private var input: CompressedInput
    /// The library keeps the stream's address, so it has to stay where it is.
    private let stream: UnsafeMutablePointer<bz_stream>
    private var isBetweenStreams = false
    private var isFinished = false

    init(_ source: any ByteSource) throws(ArchiveError) {
        input = CompressedInput(source)
        stream = .allocate(capacity: 1)
        stream.initialize(to: bz_stream())
        guard BZ2_bzDecompressInit(stream, 0, 0) == BZ_OK else { throw .system("bzip2", "", .noMemory) }
    }

    deinit {
        BZ2_bzDecompressEnd(stream)
        stream.deallocate()
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        guard !isFinished else { return 0 }
        let wanted = UInt32(clamping: buffer.count)
        stream.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
        stream.pointee.avail_out = wanted
        while stream.pointee.avail_out == wanted {
            if isBetweenStreams {
                guard try input.skipPadding() else {
                    isFinished = true
                    break
                }
                BZ2_bzDecompressEnd(stream)
                guard BZ2_bzDecompressInit(stream, 0, 0) == BZ_OK else { throw .system("bzip2", "", .noMemory) }
                isBetweenStreams = false
            }
            try input.refill()
            let had = input.available
            stream.pointee.next_in = input.next.map { UnsafeMutableRawPointer($0).assumingMemoryBound(to: CChar.self) }
            stream.pointee.avail_in = UInt32(had)
            let result = BZ2_bzDecompress(stream)
            let used = had - Int(stream.pointee.avail_in)
            input.consume(used)
            switch result {
            case BZ_OK: if input.isAtEnd, used == 0, stream.pointee.avail_out == wanted { throw .truncated }
            case BZ_STREAM_END: isBetweenStreams = true
            case BZ_MEM_ERROR: throw .system("bzip2", "", .noMemory)
            default: throw .compression("bzip2: damaged data (\(result))")
            }
        }
        return Int(wanted - stream.pointee.avail_out)
    }
}
