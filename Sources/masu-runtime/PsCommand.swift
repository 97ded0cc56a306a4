import ContainerRuntime
import Flags
import JSON
import LinuxKernel
import SystemPackage

/// `ps`: what the host's ps(1) says of a container's processes.
enum PsCommand {
    static let ps = Command(
        "ps", operands: "CONTAINER [PS-OPTION...]", arity: .atLeast(1),
        "List the processes in a container, by the host's ps (with -ef unless options are given)", interspersed: false,
        flags: { [QueryCommands.format] },
        action: { invocation in
            let pids = try RuntimeCommands.runtime(invocation).processes(invocation.operands[0])
            if invocation.flags[QueryCommands.format] == "json" {
                try Output.print(JSONValue.array(pids.map { .int(Int64($0)) }).serialized())
                return 0
            }
            let options = Array(invocation.operands.dropFirst())
            let output = try output(of: options.isEmpty ? ["-ef"] : options)
            for line in try lines(about: Set(pids), in: output) { try Output.print(line) }
            return 0
        })

    /// The header, and the lines of which the column PID is one of `pids`.
    static func lines(about pids: Set<Int32>, in output: String) throws(RuntimeError) -> [Substring] {
        let lines = output.split(separator: "\n")
        let titles = (lines.first ?? "").split(separator: " ")
        guard let header = lines.first, let column = titles.firstIndex(of: "PID") else {
            throw RuntimeError(.system, "couldn't find PID field in ps output")
        }
        return [header]
            + lines.dropFirst().filter { line in
                let fields = line.split(separator: " ")
                guard fields.count > column, let pid = Int32(fields[column]) else { return false }
                return pids.contains(pid)
            }
    }

    private static func output(of options: [String]) throws -> String {
        let environment = ProcessAttributes.environment
        let path = environment.first { $0.hasPrefix("PATH=") }?.dropFirst(5) ?? "/usr/bin:/bin"
        let places = path.split(separator: ":").map { FilePath(String($0)).appending("ps") }
        guard let program = places.first(where: Files.exists) else {
            throw RuntimeError(.commandNotFound, "exec: \"ps\": executable file not found in $PATH")
        }
        let (reading, writing) = try FileDescriptor.makePipe()
        defer { reading.discard() }
        guard case .parent(let pid, _) = try ProcessControl.fork() else {
            do throws(Errno) {
                for number in [1, 2] as [Int32] { try writing.duplicate(onto: number) }
                _ = ProcessControl.execute(
                    program.string, arguments: ["ps"] + options, environment: environment)
            } catch {}  // The exit status says it.
            ProcessControl.exit(127)
        }
        writing.discard()
        let bytes = try reading.readToEnd()
        let text = String(decoding: bytes, as: UTF8.self)
        guard let status = try ProcessControl.wait(for: pid)?.status, status == .exited(0) else {
            throw RuntimeError(.system, "ps has failed: \(text)")
        }
        return text
    }
}
