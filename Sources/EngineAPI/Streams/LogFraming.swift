import Engine
import OCISpec
import Tasks

/// How the lines of a log are written to a client.
package struct LogFraming: Sendable {
    private let isMultiplexed: Bool
    private let timestamps: Bool
    private let details: Bool

    /// - Parameters:
    ///   - isMultiplexed: each line in a frame that names its stream; otherwise the bytes alone (terminals).
    ///   - timestamps: each line begins with its time.
    ///   - details: each line begins with the log driver's attributes, after the time.
    package init(isMultiplexed: Bool, timestamps: Bool, details: Bool) {
        self.isMultiplexed = isMultiplexed
        self.timestamps = timestamps
        self.details = details
    }

    /// The lines as they go over the wire.
    package func bytes(of lines: [LogLine]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(lines.reduce(0) { $0 + $1.bytes.count + 48 })
        for line in lines {
            append(line.bytes, of: line.stream, at: line.time, details: line.details, to: &bytes)
        }
        return bytes
    }

    /// Adds one line to `bytes`.
    package func append(
        _ line: [UInt8], of stream: OutputStream, at time: Timestamp, details: [String: String], to bytes: inout [UInt8]
    ) {
        let prefix = prefix(time, details)
        if isMultiplexed {
            StreamFrame.appendHeader(to: &bytes, length: prefix.utf8.count + line.count, stream: stream)
        }
        bytes.append(contentsOf: prefix.utf8)
        bytes.append(contentsOf: line)
    }

    private func prefix(_ time: Timestamp, _ attributes: [String: String]) -> String {
        var prefix = timestamps ? time.fixedWidthDescription + " " : ""
        if details {
            let pairs = attributes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            prefix += pairs.joined(separator: ",") + " "
        }
        return prefix
    }
}
