import JSON
import LinuxKernel
import OCISpec
import SystemPackage

/// Runs the programs of a configuration's life cycle points.
enum HookRunner {
    /// Runs all of `hooks`, and hands to `warn` what goes wrong with one: at points of the life cycle where the
    /// specification wants that to have no further consequence.
    static func runAll(_ hooks: [Hook]?, point: String, state: State, warn: (String) -> Void) {
        for hook in hooks ?? [] {
            do throws(RuntimeError) {
                try run([hook], point: point, state: state)
            } catch {
                warn(error.message)
            }
        }
    }

    /// Runs `hooks` one after the other with `state` on their standard input.
    ///
    /// - Throws: if one cannot be run, ends with an error or takes longer than it may. The rest are not run then.
    static func run(_ hooks: [Hook]?, point: String, state: State) throws(RuntimeError) {
        guard let hooks, !hooks.isEmpty else { return }
        let input: [UInt8]
        do {
            input = try JSON.encode(state)
        } catch {
            throw RuntimeError(.system, "encoding the container's state for its hooks: \(error)")
        }
        for hook in hooks { try run(hook, point: point, input: input) }
    }

    private static func run(_ hook: Hook, point: String, input: [UInt8]) throws(RuntimeError) {
        let what = "\(point) hook \(hook.path)"
        guard hook.path.hasPrefix("/") else { throw RuntimeError(.invalid, "\(what): the path is not absolute") }
        let status = try attempt(what) { () throws(Errno) -> ProcessControl.ExitStatus? in
            // A file instead of a pipe: a hook that does not read cannot make us wait or get SIGPIPE.
            let file = try MemoryFile.create("state")
            defer { file.discard() }
            try file.writeEntire(input)
            switch try ProcessControl.fork(wantsPIDFD: true) {
            case .child:
                ProcessControl.exit(execute(hook, input: file))
            case .parent(let pid, let pidfd):
                defer { pidfd?.discard() }
                if let seconds = hook.timeout, seconds > 0, let pidfd {
                    let milliseconds = Int32(clamping: seconds * 1000)
                    if try Poll.wait(for: [(pidfd, .readable)], milliseconds: milliseconds)[0].isEmpty {
                        try PIDFD(descriptor: pidfd).send(signal: 9)
                        _ = try ProcessControl.wait(for: pid)
                        throw Errno.timedOut
                    }
                }
                return try ProcessControl.wait(for: pid)?.status
            }
        }
        if let status, status != .exited(0) {
            throw RuntimeError(.system, "\(what): \(status.text)")
        }
    }

    private static func execute(_ hook: Hook, input: FileDescriptor) -> Int32 {
        do throws(Errno) {
            // A pipe cannot be wound back, and need not be.
            // A file in memory can always be rewound.
            _ = try? input.seek(offset: 0, from: .start)
            try input.duplicate(onto: 0)
            try Descriptors.close(from: 3)
            SignalSet().block()
            WorkingDirectory.setCreationMask(0o022)
        } catch {
            return 126
        }
        _ = ProcessControl.execute(hook.path, arguments: hook.args ?? [hook.path], environment: hook.env ?? [])
        return 127
    }
}

extension ProcessControl.ExitStatus {
    /// For people.
    var text: String {
        switch self {
        case .exited(let code): "exited with status \(code)"
        case .signaled(let signal): "was killed by signal \(signal)"
        }
    }
}
