import Glibc

/// Takes apart Docker's multiplexed streams: frames of an 8-byte header (stream, three zeros, big-endian length) and
/// a payload.
///
/// Frames may be cut anywhere between two calls.
package struct Demultiplexer: Sendable {
    /// Where a payload belongs.
    package enum Stream: UInt8, Sendable {
        case stdin = 0
        case stdout = 1
        case stderr = 2
        /// The daemon reports that the stream failed.
        case failure = 3
    }

    private var header: [UInt8] = []
    private var stream = Stream.stdout
    private var remaining = 0

    /// A demultiplexer at the beginning of a stream.
    package init() {}

    /// Whether the stream ended between two frames.
    package var isAtBoundary: Bool { header.isEmpty && remaining == 0 }

    /// Takes the next bytes and hands out payloads in order; neighbouring frames of one stream come as one piece.
    ///
    /// - Throws: ``CommandError`` for an invalid header.
    package mutating func consume(
        _ bytes: ArraySlice<UInt8>, _ deliver: (Stream, ArraySlice<UInt8>) throws -> Void
    ) throws {
        var rest = bytes
        var gathered: [UInt8] = []
        var gatheredStream = stream
        func flush() throws {
            if !gathered.isEmpty { try deliver(gatheredStream, gathered[...]) }
            gathered.removeAll(keepingCapacity: true)
        }
        while !rest.isEmpty {
            if remaining == 0 {
                let missing = 8 - header.count
                header += rest.prefix(missing)
                rest = rest.dropFirst(missing)
                guard header.count == 8 else { break }
                guard let next = Stream(rawValue: header[0]), header[1] == 0, header[2] == 0, header[3] == 0 else {
                    throw CommandError("Unrecognized input header: \(header[0])")
                }
                stream = next == .stdin ? .stdout : next
                remaining = header[4..<8].reduce(0) { $0 << 8 | Int($1) }
                header.removeAll(keepingCapacity: true)
                if stream != gatheredStream {
                    try flush()
                    gatheredStream = stream
                }
                continue
            }
            let piece = rest.prefix(remaining)
            if gathered.isEmpty, piece.count > 4096 {
                try deliver(stream, piece)
            } else {
                gathered += piece
            }
            remaining -= piece.count
            rest = rest.dropFirst(piece.count)
        }
        try flush()
    }
}

/// Writes a container's output to standard output and standard error.
struct OutputSink {
    private var demultiplexer: Demultiplexer?

    /// - Parameter isMultiplexed: whether the bytes come in frames; a terminal's do not.
    init(isMultiplexed: Bool) {
        demultiplexer = isMultiplexed ? Demultiplexer() : nil
    }

    mutating func write(_ bytes: ArraySlice<UInt8>) throws {
        guard demultiplexer != nil else {
            try bytes.withUnsafeBytes { try Console.pass($0, to: STDOUT_FILENO) }
            return
        }
        try demultiplexer?.consume(bytes) { stream, payload in
            if stream == .failure {
                throw CommandError(
                    "error from daemon in stream: \(String(decoding: payload, as: UTF8.self).trimmingLineFeeds())")
            }
            try payload.withUnsafeBytes {
                try Console.pass($0, to: stream == .stderr ? STDERR_FILENO : STDOUT_FILENO)
            }
        }
    }
}
