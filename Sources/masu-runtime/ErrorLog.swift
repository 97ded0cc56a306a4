import Flags
import JSON
import LinuxKernel
import OCISpec
import SystemPackage

/// Where errors go: to standard error, and into the file of `--log` in the form that engines read.
struct ErrorLog {
    private let file: FilePath?
    private let isJSON: Bool

    init(_ invocation: Invocation) {
        file = RuntimeCommands.optionalPath(RuntimeCommands.log, invocation)
        isJSON = invocation.flags[RuntimeCommands.logFormat] == "json"
    }

    func report(_ message: String, level: String = "error") {
        FileDescriptor.standardError.print("masu-runtime: \(message)\n")
        guard let file else { return }
        let time = Timestamp.now().description
        let entry: JSONValue = ["level": .string(level), "msg": .string(message), "time": .string(time)]
        let line =
            isJSON
            ? String(decoding: entry.serialized(), as: UTF8.self)
            : "time=\"\(time)\" level=\(level) msg=\(String(decoding: JSONValue.string(message).serialized(), as: UTF8.self))"
        do throws(Errno) {
            let log = try Files.open(file, [.writeOnly, .create, .append], mode: 0o644)
            defer { log.discard() }
            try log.writeEntire(Array((line + "\n").utf8))
        } catch {
            FileDescriptor.standardError.print("masu-runtime: writing the log \(file): \(error)\n")
        }
    }
}
