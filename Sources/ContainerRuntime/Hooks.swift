import Glibc
import JSON
import LinuxKernel
import OCISpec
import SystemPackage

/// Runs the programs of a configuration's life cycle points.
struct HookRunner {
    /// The life cycle point, as the specification calls it.
    let point: String
    /// Where hooks run: the bundle, or where the point is inside the container what it has.
    var directory: FilePath?
    /// What hooks get that do not say what their environment is; `nil`: this process's own.
    var environment: [String]?

    /// Runs all of `hooks`, and hands to `warn` what goes wrong with one: at points of the life cycle where the
    /// specification wants that to have no further consequence.
    func runAll(_ hooks: [Hook]?, state: State, warn: (String) -> Void) {
        for (index, hook) in (hooks ?? []).enumerated() {
            do throws(RuntimeError) {
                try run(hook, index: index, input: try Self.input(state))
            } catch {
                warn(error.message)
            }
        }
    }

    /// Runs `hooks` one after the other with `state` on their standard input.
    ///
    /// - Throws: if one cannot be run, ends with an error or takes longer than it may. The rest are not run then.
    func run(_ hooks: [Hook]?, state: State) throws(RuntimeError) {
        guard let hooks, !hooks.isEmpty else { return }
        let input = try Self.input(state)
        for (index, hook) in hooks.enumerated() { try run(hook, index: index, input: input) }
    }

    private static func input(_ state: State) throws(RuntimeError) -> [UInt8] {
        do {
            return try JSON.encode(state)
        } catch {
            throw RuntimeError(.system, "cannot encode the container's state for its hooks: \(error)")
        }
    }

    private func run(_ hook: Hook, index: Int, input: [UInt8]) throws(RuntimeError) {
        let what = "error running \(point) hook #\(index)"
        guard hook.path.hasPrefix("/") else {
            throw RuntimeError(.invalid, "\(what): the path \(hook.path) is not absolute")
        }
        // Files instead of pipes: a hook that does not read, or that writes much, cannot make us wait or get SIGPIPE.
        let streams = try attempt(what) { () throws(Errno) in
            try HookStreams(input: input)
        }
        defer { streams.close() }
        let failure: String?
        do throws(Errno) {
            failure = try end(of: hook, streams)
        } catch {
            throw RuntimeError(.system, "\(what): \(error.words)")
        }
        if let failure { throw RuntimeError(.system, "\(what): \(failure)") }
    }

    /// What went wrong, `nil` if nothing did.
    private func end(of hook: Hook, _ streams: HookStreams) throws(Errno) -> String? {
        let process: (pid: Int32, pidfd: FileDescriptor?)
        switch try ProcessControl.fork(wantsPIDFD: true) {
        case .child: ProcessControl.exit(execute(hook, streams))
        case .parent(let pid, let pidfd): process = (pid, pidfd)
        }
        defer { process.pidfd?.discard() }
        if let seconds = hook.timeout, seconds > 0, let pidfd = process.pidfd {
            let milliseconds = Int32(clamping: seconds.multipliedReportingOverflow(by: 1000).partialValue)
            if try Poll.wait(for: [(pidfd, .readable)], milliseconds: milliseconds)[0].isEmpty {
                try PIDFD(descriptor: pidfd).send(signal: 9)
                _ = try ProcessControl.wait(for: process.pid)
                return "hook ran past specified timeout of \(seconds).0s"
            }
        }
        guard let status = try ProcessControl.wait(for: process.pid)?.status, status != .exited(0) else { return nil }
        if let error = streams.failure { return "fork/exec \(hook.path): \(error.words)" }
        return "\(status.text), stdout: \(streams.text(of: streams.output)), stderr: \(streams.text(of: streams.error))"
    }

    private func execute(_ hook: Hook, _ streams: HookStreams) -> Int32 {
        do throws(Errno) {
            if let directory { try WorkingDirectory.change(to: directory) }
            try streams.use()
            SignalSet().block()
            WorkingDirectory.setCreationMask(0o022)
        } catch {
            streams.note(error)
            return 126
        }
        let arguments = hook.args.flatMap { $0.isEmpty ? nil : $0 } ?? [hook.path]
        let error = ProcessControl.execute(
            hook.path, arguments: arguments,
            environment: hook.env ?? environment ?? ProcessAttributes.environment)
        streams.note(error)
        return 127
    }
}

/// A hook's standard streams, and how its process tells why there is no hook.
private struct HookStreams {
    private let input: FileDescriptor
    let output: FileDescriptor
    let error: FileDescriptor
    private let note: FileDescriptor

    init(input bytes: [UInt8]) throws(Errno) {
        var made: [FileDescriptor] = []
        do throws(Errno) {
            for name in ["state", "output", "error", "failure"] { made.append(try MemoryFile.create(name)) }
            try made[0].writeEntire(bytes)
            // The hook's descriptor shares the position.
            _ = try rewound(made[0])
        } catch {
            for file in made { file.discard() }
            throw error
        }
        (input, output, error, note) = (made[0], made[1], made[2], made[3])
    }

    func close() {
        for file in [input, output, error, note] { file.discard() }
    }

    /// Called by the hook's process.
    func use() throws(Errno) {
        for (number, file) in [input, output, error].enumerated() { try file.duplicate(onto: Int32(number)) }
        try Descriptors.close(from: 3, except: [note])
    }

    func note(_ error: Errno) {
        // Without it the exit code says that there was something.
        try? note.writeEntire(Array("\(error.rawValue)".utf8))
    }

    var failure: Errno? {
        // Nothing noted, nothing to be read.
        guard let bytes = try? rewound(note).readToEnd(limit: 16) else { return nil }
        return Int32(String(decoding: bytes, as: UTF8.self)).map { Errno(rawValue: $0) }
    }

    func text(of file: FileDescriptor) -> String {
        // What cannot be read is not shown.
        let bytes = (try? rewound(file).readToEnd(limit: 4096)) ?? []
        return String(decoding: bytes, as: UTF8.self)
    }
}

private func rewound(_ file: FileDescriptor) throws(Errno) -> FileDescriptor {
    if lseek(file.rawValue, 0, SEEK_SET) < 0 { throw Errno(rawValue: errno) }
    return file
}

extension ProcessControl.ExitStatus {
    /// For people.
    var text: String {
        switch self {
        case .exited(let code): "exit status \(code)"
        case .signaled(let signal): "signal: \(Signals.description(of: signal))"
        }
    }
}

extension CreationPlan {
    /// Runs the hooks of the runtime's side that come before the change of the root, for the container's process `pid`.
    func runRuntimeHooks(_ pid: Int32?) throws(RuntimeError) {
        let state = State(id: id, status: .creating, pid: pid, bundle: bundle.string, annotations: spec.annotations)
        try HookRunner(point: "prestart", directory: bundle).run(spec.hooks?.prestart, state: state)
        try HookRunner(point: "createRuntime", directory: bundle).run(spec.hooks?.createRuntime, state: state)
    }
}
