import JSON
import ShimProtocol
import Text

/// What external runtimes say went wrong. They have no codes for it, only words.
package enum RuntimeMessage {
    /// The last error in a log of JSON lines, as `--log-format json` makes them; `nil` if there is none.
    package static func inLog(_ bytes: [UInt8]) -> String? {
        var found: String?
        for line in bytes.split(separator: 0x0a) {
            // Other programs, such as hooks, may have written there too.
            guard let record = try? JSON.parse(line), let message = record["msg"]?.string else { continue }
            if ["error", "fatal", "panic"].contains(record["level"]?.string), !message.isEmpty { found = message }
        }
        return found
    }

    /// The line that says most in what was written for people: the first one, because a usage text may follow.
    package static func inText(_ bytes: [UInt8]) -> String? {
        let lines = bytes.split(separator: 0x0a).map { String(decoding: $0, as: UTF8.self) }
        return lines.first { $0.contains { !$0.isWhitespace } }.map { String($0.prefix(1000)) }
    }

    /// The errors of the C library in the words of Go's, which is what `docker` looks for.
    package static func lowercasingErrors(_ message: String) -> String {
        let known = [
            "No such file or directory", "Permission denied", "Is a directory", "Not a directory",
            "Operation not permitted", "Exec format error",
        ]
        var result = message
        for text in known { result = result.pieces(separatedBy: text).joined(separator: text.lowercased()) }
        return result
    }

    /// The error that `message` of the runtime `name` stands for.
    ///
    /// - Parameters:
    ///   - operation: What the runtime was asked to do.
    ///   - command: The program that was to be executed, if there was one.
    package static func error(
        _ message: String, of name: String, operation: String, running command: String? = nil
    ) -> ShimError {
        let text = lowercasingErrors(message)
        let words = text.hasPrefix(name) ? text : "\(name): \(text)"
        return ShimError(kind(text, running: command), words, operation: operation)
    }

    /// As Docker's daemon decides.
    private static func kind(_ text: String, running command: String?) -> ShimError.Reason {
        if let command, text.holds(command) {
            if text.holds("executable file") && text.holds("not found")
                || text.holds("no such file or directory")
            {
                return .commandNotFound
            }
        }
        if command != nil, text.holds("permission denied") || text.holds("is a directory") {
            return .notExecutable
        }
        let states = ["not running", "process already finished", "no such process", "is paused", "not paused"]
        if states.contains(where: { text.holds($0) }) { return .conflict }
        if text.holds("does not exist") { return .notFound }
        return .system
    }
}
