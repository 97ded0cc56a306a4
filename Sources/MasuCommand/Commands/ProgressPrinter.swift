import EngineAPIModel
import Glibc
import JSON
import Text

/// Prints the progress that import, load and pull report: in place on a terminal, otherwise only what is final.
struct ProgressPrinter {
    let descriptor: Int32
    var isQuiet = false

    /// Reads a response to its end.
    ///
    /// - Throws: ``CommandError`` with the error that ended the work.
    func print(_ response: HTTPResponse) throws {
        var lines = JSONLines()
        var rows: [String] = []
        let isTerminal = Terminal.isTerminal(descriptor)
        while let piece = try response.next() {
            for line in lines.take(piece) {
                let message = try JSON.decode(ProgressMessage.self, from: line)
                if !message.error.isEmpty {
                    throw CommandError(message.errorDetail?.message ?? message.error)
                }
                if isQuiet { continue }
                try show(message, isTerminal, &rows)
            }
        }
    }

    private func show(_ message: ProgressMessage, _ isTerminal: Bool, _ rows: inout [String]) throws {
        // Registries and archives have a say in these texts.
        let shown = { (text: String, keepsLines: Bool) in
            isTerminal ? text.showingControls(keepsLines: keepsLines) : text
        }
        if !message.stream.isEmpty { return try write(shown(message.stream, true)) }
        if message.status.isEmpty, message.progress.isEmpty { return }
        let hasBar = (message.progressDetail?.current ?? 0) > 0 || !message.progress.isEmpty
        let prefix = message.id.isEmpty ? "" : shown(message.id, false) + ": "
        let status = prefix + shown(message.status, false)
        guard isTerminal else {
            if !hasBar { try write(status + "\n") }
            return
        }
        // Asked anew each time: windows change their size.
        let size = Terminal.shownSize(descriptor)
        let text = ProgressText.line(status, message.progressDetail, columns: size.columns)
        guard !message.id.isEmpty else { return try write(text + (hasBar ? "\r" : "\n")) }
        guard let row = rows.firstIndex(of: message.id) else {
            rows.append(message.id)
            return try write(text + "\n")
        }
        let up = rows.count - row
        // A line that has left the screen cannot be reached any more.
        guard up < size.rows else { return }
        try write("\u{1B}[\(up)A\u{1B}[2K\r\(text)\r\u{1B}[\(up)B")
    }

    /// Writes a text of which the daemon's part is already safe for a terminal.
    private func write(_ text: String) throws {
        do throws(OutputError) {
            try Console.pass(text, to: descriptor)
        } catch {
            // Progress on standard error is not what was asked for: the work goes on without it.
            if descriptor != STDERR_FILENO { throw error }
        }
    }
}

/// A line of progress, as long as the terminal is wide at most: one that wraps could not be written again in its place.
package enum ProgressText {
    /// - Parameter columns: 0 where it is not known.
    package static func line(_ text: String, _ detail: ProgressDetail?, columns: Int) -> String {
        let width = columns > 0 ? columns - 1 : 79
        guard let detail, detail.current > 0 else { return clipped(text, width) }
        var sizes = HumanText.size(Double(detail.current), digits: 4)
        guard detail.total > 0 else { return clipped("\(text)  \(sizes)", width) }
        sizes += "/" + HumanText.size(Double(detail.total), digits: 4)
        // What is left for the bar between the brackets.
        let room = min(50, width - text.count - sizes.count - 5)
        guard room >= 5 else { return clipped("\(text)  \(sizes)", width) }
        let done = min(room - 1, Int(Double(detail.current) / Double(detail.total) * Double(room - 1)))
        let bar = String(repeating: "=", count: done) + ">" + String(repeating: " ", count: room - 1 - done)
        return "\(text) [\(bar)]  \(sizes)"
    }

    private static func clipped(_ text: String, _ width: Int) -> String { String(text.prefix(max(1, width))) }
}

/// Divides a stream of JSON values, one a line, into the values.
struct JSONLines {
    private var rest: [UInt8] = []

    /// Takes the next bytes; returns the lines that are complete.
    mutating func take(_ bytes: ArraySlice<UInt8>) -> [[UInt8]] {
        rest += bytes
        var lines: [[UInt8]] = []
        var start = 0
        while let end = rest[start...].firstIndex(of: UInt8(ascii: "\n")) {
            let line = rest[start..<end]
            if line.contains(where: { $0 > 0x20 }) { lines.append(Array(line)) }
            start = end + 1
        }
        // Some daemons do not end their last value; a whole object is as good as a line.
        if rest[start...].last == UInt8(ascii: "}"), (try? JSON.parse(rest[start...])) != nil {
            lines.append(Array(rest[start...]))
            start = rest.count
        }
        rest.removeSubrange(..<start)
        return lines
    }
}
