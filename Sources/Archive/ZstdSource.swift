import CCompression

/// Decompresses zstd (RFC 8878), any number of frames one after the other.
final class ZstdSource: ByteSource {
    private var input: CompressedInput
    private let stream: OpaquePointer
    private var isInsideFrame = false

    init(_ source: any ByteSource) throws(ArchiveError) {
        guard let stream = ZSTD_createDStream() else { throw .system("zstd", "", .noMemory) }
        self.stream = stream
        input = CompressedInput(source)
    }

    deinit { ZSTD_freeDStream(stream) }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        var output = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
        while output.pos == 0 {
            try input.refill()
            var chunk = ZSTD_inBuffer(src: input.next, size: input.available, pos: 0)
            if chunk.size == 0, !isInsideFrame { break }
            let result = ZSTD_decompressStream(stream, &output, &chunk)
            if ZSTD_isError(result) != 0 {
                throw .compression("zstd: " + String(cString: ZSTD_getErrorName(result)))
            }
            let progressed = chunk.pos > 0 || output.pos > 0
            input.consume(chunk.pos)
            isInsideFrame = result != 0
            if !progressed, input.isAtEnd {
                if isInsideFrame { throw .truncated }
                break
            }
        }
        return output.pos
    }
}
