import ContainerRuntime
import Flags
import LinuxKernel
import SystemPackage

/// Where errors go: to standard error, and into the file of `--log` in the form that engines read.
struct ErrorLog {
    private let file: FilePath?
    private let isJSON: Bool

    init(_ invocation: Invocation) {
        file = RuntimeCommands.optionalPath(RuntimeCommands.log, invocation)
        isJSON = invocation.flags[RuntimeCommands.logFormat] == "json"
    }

    /// Where `--debug` wants more told; `nil` without it.
    static func trace(_ invocation: Invocation) -> TraceLog? {
        guard invocation.flags[RuntimeCommands.debug] else { return nil }
        let log = ErrorLog(invocation)
        return TraceLog(file: log.file, isJSON: log.isJSON)
    }

    /// What hooks have said may have several lines; readers of errors take one line for one error.
    private static func oneLine(_ message: String) -> String {
        guard message.utf8.contains(UInt8(ascii: "\n")) else { return message }
        return message.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\\n")
    }

    func report(_ message: String, level: String = "error") {
        FileDescriptor.standardError.print("masu-runtime: \(Self.oneLine(message))\n")
        guard let file else { return }
        let line = TraceLog.line(level: level, message, isJSON: isJSON)
        do throws(Errno) {
            let log = try Files.open(file, [.writeOnly, .create, .append], mode: 0o644)
            defer { log.discard() }
            try log.writeEntire(Array((line + "\n").utf8))
        } catch {
            FileDescriptor.standardError.print("masu-runtime: writing the log \(file): \(error)\n")
        }
    }
}
