import JSON
import LinuxKernel
import OCISpec
import SystemPackage

/// Where a runtime's program tells what went wrong, what is odd, and on demand each step on the way to a container's
/// process: lines as engines read them from runc, whose names the steps have.
package struct RuntimeLog: Hashable, Sendable {
    /// How much a line matters.
    package enum Level: String, Hashable, Sendable {
        case debug, warning, error
    }

    /// `nil` is standard error.
    package let file: FilePath?
    private let isJSON: Bool
    /// Whether steps are told.
    package let isVerbose: Bool

    /// A log in `file`, or without one on standard error; steps are told only if it `isVerbose`.
    package init(file: FilePath?, isJSON: Bool, isVerbose: Bool) {
        self.file = file
        self.isJSON = isJSON
        self.isVerbose = isVerbose
    }

    /// Writes a step.
    package func debug(_ message: @autoclosure () -> String) {
        // If the log cannot be written, the next error says so.
        if isVerbose { try? write(.debug, message()) }
    }

    /// Writes a warning.
    package func warn(_ message: String) {
        try? write(.warning, message)  // As above.
    }

    /// Adds a line.
    package func write(_ level: Level, _ message: String) throws(Errno) {
        let line = Array((Self.line(level, message, isJSON: isJSON) + "\n").utf8)
        guard let file else { return try FileDescriptor.standardError.writeEntire(line) }
        let log = try Files.open(file, [.writeOnly, .create, .append], mode: 0o644)
        defer { log.discard() }
        try log.writeEntire(line)
    }

    private static func line(_ level: Level, _ message: String, isJSON: Bool) -> String {
        let time = Timestamp.now().description
        if isJSON {
            let entry: JSONValue = ["level": .string(level.rawValue), "msg": .string(message), "time": .string(time)]
            return String(decoding: entry.serialized(), as: UTF8.self)
        }
        let quoted = String(decoding: JSONValue.string(message).serialized(), as: UTF8.self)
        return "time=\"\(time)\" level=\(level.rawValue) msg=\(quoted)"
    }
}
