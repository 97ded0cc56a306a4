import Glibc
import OCISpec
import ShimProtocol

/// The log of a container's first process: parts its output into lines for whatever keeps them.
///
/// A line is written when it is complete, in parts if it is long, and at the end of the output even without a newline.
package final class ContainerLog {
    /// The longest part of a line that is written at once, in bytes; Docker's number.
    static let longestPart = 16384

    private struct Stream {
        /// The beginning of a line whose end has not come yet.
        var line: [UInt8] = []
        /// The time of a line of which a part has been written.
        var continuation: Timestamp?
    }

    private let sink: any LogSink
    private var streams = OutputStream.allCases.map { _ in Stream() }
    private var isClosed = false

    /// Opens the log that `configuration` describes; `nil` if nothing is to be kept.
    package init?(_ configuration: LogConfiguration) throws(ShimError) {
        guard let driver = configuration.driver.sink else { return nil }
        sink = try driver.init(configuration)
    }

    /// How many lines could not be written.
    package var droppedLines: UInt64 { sink.droppedLines }

    /// Writes what has come on `stream` at `time`.
    package func write(_ bytes: UnsafeRawBufferPointer, stream: OutputStream, time: Timestamp) {
        if isClosed { return }
        var rest = bytes[...]
        while !rest.isEmpty {
            let start = rest.startIndex
            let length = Self.lengthOfLine(UnsafeRawBufferPointer(rebasing: rest))
            let line = bytes[start..<start + (length ?? rest.count)]
            rest = bytes[(line.endIndex + (length == nil ? 0 : 1))...]
            add(UnsafeRawBufferPointer(rebasing: line), endsLine: length != nil, stream: stream, time: time)
        }
        sink.flush()
    }

    /// Writes what is left of lines without an end.
    package func finish() {
        if isClosed { return }
        for stream in OutputStream.allCases where !streams[stream.index].line.isEmpty {
            let line = streams[stream.index].line
            line.withUnsafeBytes { pass($0, endsLine: false, stream: stream, time: .now()) }
            streams[stream.index] = Stream()
        }
        sink.flush()
    }

    /// Gives memory back that is only needed when there is much output.
    func release() {
        if !isClosed { sink.release() }
    }

    /// Closes it: the container has ended.
    func close() {
        if isClosed { return }
        finish()
        isClosed = true
        sink.close()
    }

    /// Removes what has been made in vain: the container was not created.
    func discard() {
        isClosed = true
        sink.discard()
    }

    private static func lengthOfLine(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard let base = bytes.baseAddress, let newline = memchr(base, 0x0a, bytes.count) else { return nil }
        return UnsafeRawPointer(newline) - base
    }

    /// Adds a part of a line, or with `endsLine` its last one.
    private func add(_ part: UnsafeRawBufferPointer, endsLine: Bool, stream: OutputStream, time: Timestamp) {
        let index = stream.index
        var part = part
        if !streams[index].line.isEmpty {
            let taken = min(part.count, Self.longestPart - streams[index].line.count)
            streams[index].line.append(contentsOf: part[..<taken])
            part = UnsafeRawBufferPointer(rebasing: part[taken...])
            if streams[index].line.count < Self.longestPart {
                guard endsLine else { return }
                let line = streams[index].line
                line.withUnsafeBytes { pass($0, endsLine: true, stream: stream, time: time) }
                streams[index].line = []
                return
            }
            let line = streams[index].line
            let cut = line.withUnsafeBytes { bytes in
                let cut = Self.cut(bytes)
                pass(UnsafeRawBufferPointer(rebasing: bytes[..<cut]), endsLine: false, stream: stream, time: time)
                return cut
            }
            streams[index].line = Array(line[cut...])
            return add(part, endsLine: endsLine, stream: stream, time: time)
        }
        while part.count >= Self.longestPart {
            let whole = UnsafeRawBufferPointer(rebasing: part[..<Self.longestPart])
            let cut = Self.cut(whole)
            pass(UnsafeRawBufferPointer(rebasing: whole[..<cut]), endsLine: false, stream: stream, time: time)
            part = UnsafeRawBufferPointer(rebasing: part[cut...])
        }
        if endsLine {
            pass(part, endsLine: true, stream: stream, time: time)
        } else {
            streams[index].line = Array(part)
        }
    }

    private func pass(_ text: UnsafeRawBufferPointer, endsLine: Bool, stream: OutputStream, time: Timestamp) {
        let time = streams[stream.index].continuation ?? time
        streams[stream.index].continuation = endsLine ? nil : time
        // As Docker does: a file that has its size is set aside before the next line, not after the last.
        if sink.isFull { sink.rotate() }
        sink.write(text, endsLine: endsLine, of: stream, at: time)
    }

    /// How much of `text` to write when the line goes on: all of it, unless it ends in the middle of a character, which
    /// cut in two would be lost. (Docker loses it.)
    private static func cut(_ text: UnsafeRawBufferPointer) -> Int {
        for back in 1...3 where back < text.count {
            let byte = text[text.count - back]
            if byte & 0xc0 == 0x80 { continue }
            let length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
            return length > back ? text.count - back : text.count
        }
        return text.count
    }
}
