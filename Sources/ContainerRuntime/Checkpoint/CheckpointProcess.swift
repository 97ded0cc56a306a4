import LinuxKernel
import OCISpec
import SystemPackage
import Text

/// A checkpoint that is made in a process of its own, for a caller that has other work meanwhile and reaps its
/// children itself.
package final class CheckpointProcess {
    /// A child of the caller, to whom its end says that the checkpoint is made or has failed (see `failure`).
    package let pid: Int32
    private let outcome: FileDescriptor

    private init(pid: Int32, outcome: FileDescriptor) {
        self.pid = pid
        self.outcome = outcome
    }

    deinit { outcome.discard() }

    /// Begins to save the processes of a running or paused container.
    ///
    /// Unlike `ContainerRuntime.checkpoint` this removes nothing: unless the container is to go on, its first process
    /// has been killed when the checkpoint is made, and the caller deals with that end as with any other.
    package static func begin(
        _ container: FoundContainer, _ options: CheckpointOptions
    ) throws(RuntimeError) -> CheckpointProcess {
        let what = "cannot start a process for the checkpoint"
        let (reading, writing) = try attempt(what) { () throws(Errno) in try FileDescriptor.makePipe() }
        defer { writing.discard() }
        do throws(Errno) {
            guard case .parent(let pid, _) = try ProcessControl.fork() else {
                save(container, options, outcome: writing)
            }
            return CheckpointProcess(pid: pid, outcome: reading)
        } catch {
            reading.discard()
            throw RuntimeError(.system, "\(what): \(error.words)")
        }
    }

    /// What went wrong, once the process has ended with `code`; `nil` if the checkpoint is made.
    package func failure(code: Int32) -> RuntimeError? {
        if code == 0 { return nil }
        // Without a word it was killed.
        let message = (try? outcome.readToEnd(limit: 32768)) ?? []
        if message.isEmpty { return RuntimeError(.system, "the process that made the checkpoint was killed") }
        return RuntimeError(bytes: message)
    }

    /// Kills the process and the CRIU that it has started. Only before it has been waited for.
    package func kill() {
        // It may have ended, or not have come to making its group.
        try? Signals.send(Signal.kill.rawValue, to: -pid)
        try? Signals.send(Signal.kill.rawValue, to: pid)  // As above.
    }

    /// What the process does.
    private static func save(
        _ container: FoundContainer, _ options: CheckpointOptions, outcome: FileDescriptor
    ) -> Never {
        // Nothing can be said without it, and the caller takes silence for what it is.
        guard (try? outcome.duplicate(onto: 3)) != nil else { ProcessControl.exit(1) }
        let outcome = FileDescriptor(rawValue: 3)
        do throws(RuntimeError) {
            try attempt("cannot prepare to make the checkpoint") { () throws(Errno) in
                // Connections of the caller must not stay open because of this process.
                try Descriptors.close(from: 4)
                try Descriptors.closeOnExec(from: 3)
                try ProcessAttributes.setParentDeathSignal(Signal.kill.rawValue)
                try ProcessAttributes.startSession()
            }
            try save(container, options)
        } catch {
            // If nobody listens any more, nobody needs to know.
            try? outcome.writeEntire(error.bytes)
            ProcessControl.exit(1)
        }
        ProcessControl.exit(0)
    }

    private static func save(_ container: FoundContainer, _ options: CheckpointOptions) throws(RuntimeError) {
        let record = container.record
        let spec = try ContainerRuntime.configuration(of: container.bundle)
        var quoted = QuotedErrors()
        do throws(RuntimeError) {
            try Checkpoint(record: record, spec: spec, options: options).run(warn: { quoted.add($0) })
        } catch {
            throw quoted.explain(error)
        }
        // Killed or not, frozen processes would stand still.
        if !options.leavesRunning { try? record.cgroup()?.thawIfFrozen() }
    }
}

/// The errors in CRIU's log, for a message that has to do without the log.
package struct QuotedErrors {
    /// An error at the end is what the others led to.
    private static let limit = 5
    private var lines: [String] = []

    /// None yet.
    package init() {}

    /// Takes a line of a quotation from the log.
    package mutating func add(_ line: String) {
        guard line.holds("Error") else { return }
        lines.append(line)
        if lines.count > Self.limit { lines.removeFirst() }
    }

    /// The error with the log's errors behind it.
    package func explain(_ error: RuntimeError) -> RuntimeError {
        lines.isEmpty ? error : RuntimeError(error.kind, ([error.message] + lines).joined(separator: "\n"))
    }
}
