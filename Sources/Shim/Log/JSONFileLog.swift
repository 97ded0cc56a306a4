import OCISpec
import ShimProtocol
import SystemPackage

/// Docker's `json-file` log: a record for each line of output.
final class JSONFileLog: LogSink {
    /// `nil` once it is closed.
    private var file: LogFile?
    private let buffer: PageBuffer
    private var used = 0
    private var tails: [RecordTail]
    private(set) var droppedLines: UInt64 = 0

    init(_ configuration: LogConfiguration) throws(ShimError) {
        guard let path = configuration.path else { throw ShimError(.invalid, "the log has no path") }
        let (file, buffer) = try attempt("open \(path)") { () throws(Errno) in
            // The buffer holds what one read of 64 KiB becomes, if most of it is plain text, and at least one record of
            // the worst kind.
            (
                try LogFile(
                    FilePath(path), maxSize: configuration.maxSize, maxFiles: configuration.maxFiles),
                try PageBuffer(count: 256 << 10)
            )
        }
        self.file = file
        self.buffer = buffer
        let attributes = configuration.attributes?.serialized() ?? []
        tails = OutputStream.allCases.map { RecordTail(stream: $0.name, attributes: attributes) }
    }

    var isFull: Bool { file?.isFull(after: used) ?? false }

    func rotate() {
        flush()
        file?.rotate()
    }

    func write(_ text: UnsafeRawBufferPointer, endsLine: Bool, of stream: OutputStream, at time: Timestamp) {
        let tail = tails[stream.index].at(time)
        if buffer.bytes.count - used < JSONLogEncoder.capacity(text: text.count, tail: tail.count) { flush() }
        guard let base = buffer.bytes.baseAddress else { return }
        let end = tail.withUnsafeBytes { tail in
            JSONLogEncoder.encode(text, endsLine: endsLine, tail: tail, to: base + used)
        }
        used = end - base
    }

    func flush() {
        guard used > 0, let file else { return }
        file.append(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<used]))
        droppedLines = file.droppedRecords
        used = 0
    }

    func release() { buffer.release() }

    func close() {
        flush()
        file = nil
    }

    func discard() {
        file?.removeIfNew()
        file = nil
    }
}
