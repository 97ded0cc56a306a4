import EngineAPIModel
import Glibc
import JSON

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
                show(message, isTerminal, &rows)
            }
        }
    }

    private func show(_ message: ProgressMessage, _ isTerminal: Bool, _ rows: inout [String]) {
        if !message.stream.isEmpty { return write(message.stream) }
        let hasBar = (message.progressDetail?.current ?? 0) > 0 || !message.progress.isEmpty
        if message.id.isEmpty || !isTerminal {
            guard !hasBar || isTerminal else { return }
            let prefix = message.id.isEmpty ? "" : message.id + ": "
            return write(prefix + message.status + (hasBar ? bar(message) + "\r" : "\n"))
        }
        let text = "\(message.id): \(message.status)\(hasBar ? bar(message) : "")"
        guard let row = rows.firstIndex(of: message.id) else {
            rows.append(message.id)
            return write(text + "\n")
        }
        let up = rows.count - row
        write("\u{1B}[\(up)A\u{1B}[2K\r\(text)\r\u{1B}[\(up)B")
    }

    private func bar(_ message: ProgressMessage) -> String {
        guard let detail = message.progressDetail, detail.current > 0 else { return " " + message.progress }
        let current = HumanText.size(Double(detail.current), digits: 4)
        guard detail.total > 0 else { return "  \(current)" }
        let width = 30
        let done = min(width, Int(Double(detail.current) / Double(detail.total) * Double(width)))
        let line = String(repeating: "=", count: done) + (done < width ? ">" : "")
        return " [\(line)\(String(repeating: " ", count: width - min(width, done + 1)))]  \(current)/"
            + HumanText.size(Double(detail.total), digits: 4)
    }

    private func write(_ text: String) {
        var text = text
        text.withUTF8 { Console.write(UnsafeRawBufferPointer($0), to: descriptor) }
    }
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
