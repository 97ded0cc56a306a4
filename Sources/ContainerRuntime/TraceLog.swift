import JSON
import LinuxKernel
import OCISpec
import SystemPackage

/// Where the steps on the way to a container's process are told, for whoever looks for a fault.
///
/// Steps have the names that readers of runc's log know.
package struct TraceLog: Hashable, Sendable {
    /// `nil` is standard error.
    private let file: FilePath?
    private let isJSON: Bool

    /// A log in `file`, or without one on standard error.
    package init(file: FilePath?, isJSON: Bool) {
        self.file = file
        self.isJSON = isJSON
    }

    func note(_ message: String) {
        let line = Array((Self.line(level: "debug", message, isJSON: isJSON) + "\n").utf8)
        // A log that cannot be written is no reason not to go on; errors are told elsewhere as well.
        guard let file else { return (try? FileDescriptor.standardError.writeEntire(line)) ?? () }
        // As above.
        guard let log = try? Files.open(file, [.writeOnly, .create, .append], mode: 0o644) else { return }
        defer { log.discard() }
        try? log.writeEntire(line)  // As above.
    }

    /// A line of a log as engines read it, without its end.
    package static func line(level: String, _ message: String, isJSON: Bool) -> String {
        let time = Timestamp.now().description
        if isJSON {
            let entry: JSONValue = ["level": .string(level), "msg": .string(message), "time": .string(time)]
            return String(decoding: entry.serialized(), as: UTF8.self)
        }
        let quoted = String(decoding: JSONValue.string(message).serialized(), as: UTF8.self)
        return "time=\"\(time)\" level=\(level) msg=\(quoted)"
    }
}
