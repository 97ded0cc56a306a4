import CCompression

/// Inflates gzip (RFC 1952), any number of members one after the other, with ISA-L.
final class GzipSource: ByteSource {
    private var input: CompressedInput
    private let state: UnsafeMutablePointer<inflate_state>
    private var isFinished = false

    init(_ source: any ByteSource) {
        input = CompressedInput(source)
        state = .allocate(capacity: 1)
        UnsafeMutableRawPointer(state).initializeMemory(
            as: UInt8.self, repeating: 0, count: MemoryLayout<inflate_state>.size)
        startMember()
    }

    deinit { state.deallocate() }

    private func startMember() {
        isal_inflate_init(state)
        state.pointee.crc_flag = UInt32(ISAL_GZIP)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        guard !isFinished, let output = buffer.baseAddress else { return 0 }
        let wanted = UInt32(clamping: buffer.count)
        state.pointee.next_out = output.assumingMemoryBound(to: UInt8.self)
        state.pointee.avail_out = wanted
        while state.pointee.avail_out == wanted {
            if state.pointee.block_state == ISAL_BLOCK_FINISH {
                guard try input.skipPadding() else {
                    isFinished = true
                    break
                }
                let output = state.pointee.next_out
                startMember()
                state.pointee.next_out = output
                state.pointee.avail_out = wanted
            }
            try input.refill()
            try step(wanted)
        }
        return Int(wanted - state.pointee.avail_out)
    }

    private func step(_ wanted: UInt32) throws(ArchiveError) {
        state.pointee.next_in = input.next
        state.pointee.avail_in = UInt32(input.available)
        let had = input.available
        let result = isal_inflate(state)
        let used = had - Int(state.pointee.avail_in)
        input.consume(used)
        switch result {
        case ISAL_DECOMP_OK, ISAL_END_INPUT, ISAL_OUT_OVERFLOW: break
        case ISAL_INCORRECT_CHECKSUM: throw .compression("gzip: the checksum is wrong")
        case ISAL_INVALID_WRAPPER, ISAL_UNSUPPORTED_METHOD: throw .compression("gzip: the header is wrong")
        default: throw .compression("gzip: damaged data (\(result))")
        }
        if input.isAtEnd, used == 0, state.pointee.avail_out == wanted,
            state.pointee.block_state != ISAL_BLOCK_FINISH
        {
            throw .truncated
        }
    }
}
