import Glibc
import Logging
import OCISpec
import Synchronization

/// What every logger of the daemon shares: where and how to write, and how much.
package final class LogOutput: Sendable {
    /// How lines look.
    package enum Format: Sendable { case text, json }

    private let format: Format
    private let minimum: Atomic<Int>

    /// An output on standard error that drops what is less important than `level`.
    package init(format: Format, level: Logger.Level) {
        self.format = format
        minimum = Atomic(Self.rank(level))
    }

    /// The level from which on lines are written; may be changed while running (SIGHUP).
    package var level: Logger.Level {
        get { Logger.Level.allCases[minimum.load(ordering: .relaxed)] }
        set { minimum.store(Self.rank(newValue), ordering: .relaxed) }
    }

    private static func rank(_ level: Logger.Level) -> Int { Logger.Level.allCases.firstIndex(of: level) ?? 0 }

    /// Docker's word for a level as swift-log's level.
    package static func level(named name: String) -> Logger.Level {
        switch name {
        case "warn": .warning
        case "fatal": .critical
        default: Logger.Level(rawValue: name) ?? .info
        }
    }

    func write(_ level: Logger.Level, _ message: String, _ fields: [(key: String, value: String)]) {
        let line =
            switch format {
            case .text: LogLineFormat.text(level, message, fields, at: .now())
            case .json: LogLineFormat.json(level, message, fields, at: .now())
            }
        // One write for a line, so that lines of several threads do not mix. There is nowhere to report a failure.
        _ = Array(line.utf8).withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

/// The two ways to write a line. In both, what an error or a name brings along is shown as text: whoever looks at a log
/// in a terminal sees control characters instead of obeying them, and no value can begin a line of its own.
package enum LogLineFormat {
    /// `time="…" level=info msg="…" key=value`, as `dockerd` writes to a pipe.
    package static func text(
        _ level: Logger.Level, _ message: String, _ fields: [(key: String, value: String)], at time: Timestamp
    ) -> String {
        var line = "time=\"\(time.fixedWidthDescription)\" level=\(word(level)) msg=\(quoted(message, always: true))"
        for (key, value) in fields { line += " \(key)=\(quoted(value, always: false))" }
        return line + "\n"
    }

    /// One JSON object.
    package static func json(
        _ level: Logger.Level, _ message: String, _ fields: [(key: String, value: String)], at time: Timestamp
    ) -> String {
        var line =
            "{\"time\":\"\(time.fixedWidthDescription)\",\"level\":\"\(word(level))\",\"msg\":\(escaped(message))"
        for (key, value) in fields { line += ",\(escaped(key)):\(escaped(value))" }
        return line + "}\n"
    }

    private static func word(_ level: Logger.Level) -> String {
        switch level {
        case .trace: "trace"
        case .debug: "debug"
        case .info, .notice: "info"
        case .warning: "warning"
        case .error: "error"
        case .critical: "fatal"
        }
    }

    private static func quoted(_ text: String, always: Bool) -> String {
        let isPlain =
            !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                default: "-._/@^+:".utf8.contains(byte)
                }
            }
        return isPlain && !always ? text : escaped(text)
    }

    private static func escaped(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where isControl(scalar):
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// What a terminal does not show but does: C0 and C1, and what turns the direction of text or separates lines.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}

/// A swift-log handler that writes to a `LogOutput`.
package struct StructuredLogHandler: LogHandler {
    let output: LogOutput
    let label: String
    /// What every line of this handler says as well.
    package var metadata: Logger.Metadata = [:]

    /// A handler whose lines say which part of the program they come from; empty for none.
    package init(output: LogOutput, label: String) {
        self.output = output
        self.label = label
    }

    /// The level of the output, which all its handlers share.
    package var logLevel: Logger.Level {
        get { output.level }
        set { output.level = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes one line.
    package func log(event: LogEvent) {
        var fields = label.isEmpty ? [] : [(key: "module", value: label)]
        let all = event.metadata.map { metadata.merging($0) { _, new in new } } ?? metadata
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { fields.append((key: key, value: "\(value)")) }
        output.write(event.level, "\(event.message)", fields)
    }
}
