import Glibc
import JSON
import OCISpec
import ShimProtocol
import SystemPackage

/// Docker's `json-file` log: a record for each line of output.
///
/// A line is written when it is complete, in pieces of 16 KiB if it is longer, and at the end of the output even
/// without a newline. All pieces of a line bear the time of the first, as Docker has it.
package final class JSONFileLog {
    private struct Stream {
        var tails: RecordTail
        /// The beginning of a line whose end has not come yet.
        var line: [UInt8] = []
        /// The end of a record for the rest of a line of which a part has been written.
        var continuation: [UInt8]?
    }

    private let file: LogFile
    private let buffer: PageBuffer
    private var used = 0
    private var streams: [Stream]

    package init(_ configuration: LogConfiguration, path: FilePath) throws(Errno) {
        file = try LogFile(path, maxSize: configuration.maxSize, maxFiles: configuration.maxFiles)
        // Holds what one read of 64 KiB becomes, if most of it is plain text, and at least one record of the worst
        // kind.
        buffer = try PageBuffer(count: 256 << 10)
        let attributes = configuration.attributes?.serialized() ?? []
        streams = OutputStream.allCases.map { Stream(tails: RecordTail(stream: $0.name, attributes: attributes)) }
    }

    /// How many lines could not be written.
    package var droppedLines: UInt64 { file.droppedRecords }

    /// Writes what has come on `stream` at `time`.
    package func write(_ bytes: UnsafeRawBufferPointer, stream: OutputStream, time: Timestamp) {
        let tail = streams[stream.index].tails.at(time)
        var rest = bytes[...]
        while !rest.isEmpty {
            let start = rest.startIndex
            let length = Self.lengthOfLine(UnsafeRawBufferPointer(rebasing: rest))
            let line = bytes[start..<start + (length ?? rest.count)]
            rest = bytes[(line.endIndex + (length == nil ? 0 : 1))...]
            add(UnsafeRawBufferPointer(rebasing: line), endsLine: length != nil, stream: stream, tail: tail)
        }
        flush()
    }

    /// Writes what is left of a line without an end.
    package func finish() {
        for stream in OutputStream.allCases where !streams[stream.index].line.isEmpty {
            let tail = streams[stream.index].tails.at(.now())
            let line = streams[stream.index].line
            line.withUnsafeBytes { record($0, endsLine: false, stream: stream, tail: tail) }
            streams[stream.index].line = []
            streams[stream.index].continuation = nil
        }
        flush()
    }

    /// Gives memory back that is only needed when there is much output.
    func release() {
        buffer.release()
    }

    /// Removes a file that has been made in vain.
    func removeIfNew() {
        file.removeIfNew()
    }

    private static func lengthOfLine(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard let base = bytes.baseAddress, let newline = memchr(base, 0x0a, bytes.count) else { return nil }
        return UnsafeRawPointer(newline) - base
    }

    /// Adds a part of a line, or with `endsLine` its last one.
    private func add(_ part: UnsafeRawBufferPointer, endsLine: Bool, stream: OutputStream, tail: [UInt8]) {
        let index = stream.index
        var part = part
        if !streams[index].line.isEmpty {
            let taken = min(part.count, JSONLogEncoder.longestText - streams[index].line.count)
            streams[index].line.append(contentsOf: part[..<taken])
            part = UnsafeRawBufferPointer(rebasing: part[taken...])
            if streams[index].line.count < JSONLogEncoder.longestText {
                guard endsLine else { return }
                let line = streams[index].line
                line.withUnsafeBytes { record($0, endsLine: true, stream: stream, tail: tail) }
                streams[index].line = []
                return
            }
            let line = streams[index].line
            let cut = line.withUnsafeBytes { bytes in
                let cut = JSONLogEncoder.cut(bytes)
                record(UnsafeRawBufferPointer(rebasing: bytes[..<cut]), endsLine: false, stream: stream, tail: tail)
                return cut
            }
            streams[index].line = Array(line[cut...])
            return add(part, endsLine: endsLine, stream: stream, tail: tail)
        }
        while part.count >= JSONLogEncoder.longestText {
            let whole = UnsafeRawBufferPointer(rebasing: part[..<JSONLogEncoder.longestText])
            let cut = JSONLogEncoder.cut(whole)
            record(UnsafeRawBufferPointer(rebasing: whole[..<cut]), endsLine: false, stream: stream, tail: tail)
            part = UnsafeRawBufferPointer(rebasing: part[cut...])
        }
        if endsLine {
            record(part, endsLine: true, stream: stream, tail: tail)
        } else {
            streams[index].line = Array(part)
        }
    }

    private func record(_ text: UnsafeRawBufferPointer, endsLine: Bool, stream: OutputStream, tail: [UInt8]) {
        let tail = streams[stream.index].continuation ?? tail
        streams[stream.index].continuation = endsLine ? nil : tail
        // As Docker does: a file that has its size is set aside before the next record, not after the last.
        if file.isFull(after: used) {
            flush()
            file.rotate()
        }
        if buffer.bytes.count - used < JSONLogEncoder.capacity(text: text.count, tail: tail.count) { flush() }
        guard let base = buffer.bytes.baseAddress else { return }
        let end = tail.withUnsafeBytes { tail in
            JSONLogEncoder.encode(text, endsLine: endsLine, tail: tail, to: base + used)
        }
        used = end - base
    }

    private func flush() {
        guard used > 0 else { return }
        file.append(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<used]))
        used = 0
    }
}
