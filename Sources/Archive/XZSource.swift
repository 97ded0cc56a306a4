import CCompression

/// Decompresses xz, any number of streams one after the other.
final class XZSource: ByteSource {
    private var input: CompressedInput
    private var stream = lzma_stream()
    private var isFinished = false

    /// The most memory a stream may ask for; `xz -9` needs 65 MiB.
    private static let memoryLimit: UInt64 = 512 << 20

    /// `LZMA_CONCATENATED`, a macro Swift does not see.
    private static let concatenated: UInt32 = 0x08

    init(_ source: any ByteSource) throws(ArchiveError) {
        input = CompressedInput(source)
        guard lzma_stream_decoder(&stream, Self.memoryLimit, Self.concatenated) == LZMA_OK else {
            throw .system("xz", "", .noMemory)
        }
    }

    deinit { lzma_end(&stream) }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        guard !isFinished else { return 0 }
        stream.next_out = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.avail_out = buffer.count
        while stream.avail_out == buffer.count {
            try input.refill()
            stream.next_in = UnsafePointer(input.next)
            stream.avail_in = input.available
            let had = input.available
            let result = lzma_code(&stream, input.isAtEnd ? LZMA_FINISH : LZMA_RUN)
            input.consume(had - stream.avail_in)
            switch result {
            case LZMA_OK: continue
            case LZMA_STREAM_END:
                isFinished = true
                return buffer.count - stream.avail_out
            case LZMA_BUF_ERROR: throw .truncated
            case LZMA_MEMLIMIT_ERROR: throw .compression("xz: needs more than 512 MiB of memory")
            case LZMA_MEM_ERROR: throw .system("xz", "", .noMemory)
            default: throw .compression("xz: damaged data (\(result.rawValue))")
            }
        }
        return buffer.count - stream.avail_out
    }
}
