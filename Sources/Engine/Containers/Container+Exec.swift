import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage
import Tasks
import Text

extension Container {
    /// Prepares a process; nothing is started yet.
    func createExec(_ configuration: ExecConfiguration) async throws -> String {
        try requireActive()
        guard !configuration.command.isEmpty, !configuration.command[0].isEmpty else {
            throw EngineError.invalid("No exec command specified")
        }
        for variable in configuration.environment where variable.isEmpty || variable.hasPrefix("=") {
            throw EngineError.invalid("invalid environment variable: \(variable)")
        }
        forgetOldExecs()
        let execID = RandomIdentifier.make()
        execs[execID] = Exec(id: execID, configuration: configuration)
        services.registry.insert(exec: execID, of: id)
        emit("exec_create: " + configuration.command.joined(separator: " "), ["execID": execID])
        return execID
    }

    private func execProcess(_ exec: ExecConfiguration) async throws -> Process {
        let own = record.configuration
        let host = own.host
        let pid = record.state.pid
        let userText = exec.user.isEmpty ? own.user : exec.user
        let user = try await services.pool.run {
            // The container's files as it sees them itself, its mounts included.
            try ContainerUser(
                userText, groupAdd: host.groupAdd, files: LayeredFiles(layers: [FilePath("/proc/\(pid)/root")]))
        }
        let security = host.securityOptions
        let directory = exec.workingDirectory.isEmpty ? own.workingDirectory : exec.workingDirectory
        var process = Process(
            args: exec.command, cwd: directory.isEmpty ? "/" : directory,
            env: SpecificationBuilder.environment(
                SpecificationBuilder.replacing(own.environment, with: exec.environment), hostname: own.hostname,
                tty: exec.tty, home: user.home, links: linkEnvironment),
            user: user.user)
        if exec.tty {
            process.terminal = true
            process.setFirstSize(exec.consoleSize)
        }
        let names = Capabilities.effective(
            adding: host.capAdd.map(\.value), dropping: host.capDrop.map(\.value),
            privileged: host.privileged || exec.privileged)
        process.capabilities = SpecificationBuilder.capabilitySets(names, isRoot: user.uid == 0)
        process.noNewPrivileges = security.noNewPrivileges ?? services.configuration.noNewPrivileges
        process.oomScoreAdj = host.oomScoreAdj
        if Machine.hasAppArmor, !exec.privileged, let profile = security.appArmor, profile != "unconfined" {
            process.apparmorProfile = profile
        }
        let rlimits = SpecificationBuilder.rlimits(
            host.resources.ulimits, defaults: services.configuration.defaultUlimits)
        process.rlimits = rlimits.isEmpty ? nil : rlimits
        return process
    }

    /// Starts it, or returns the stream that does.
    func startExec(_ execID: String, options: ExecStartOptions) async throws -> AttachStream? {
        try requireActive()
        guard let exec = execs[execID] else { throw EngineError.noSuchExec(execID) }
        switch exec.state {
        case .created: break
        case .exited: throw EngineError.conflict("exec command \(execID) has already run")
        case .starting, .running: throw EngineError.conflict("exec command \(execID) is already running")
        }
        execs[execID]?.state = .starting
        emit("exec_start: " + exec.configuration.command.joined(separator: " "), ["execID": execID])
        if options.detach {
            _ = try await runExec(exec, options)
            return nil
        }
        // Whatever the process has: the client that starts it says how it will read.
        return AttachStream(tty: options.tty) { [self] in
            // To its end, whatever becomes of the client.
            try await Task { try await runExec(exec, options) }.value
        } abandon: { [weak self] in
            Task { [weak self] in await self?.abandonExec(execID) }
        }
    }

    private func runExec(_ exec: Exec, _ options: ExecStartOptions) async throws -> FileDescriptor? {
        let configuration = exec.configuration
        var streams: StreamChoice?
        if !options.detach {
            streams = StreamChoice(
                stdin: configuration.attachStdin, stdout: configuration.attachStdout,
                stderr: configuration.attachStderr && !options.tty, detachKeys: configuration.detachKeys.bytes,
                framing: options.tty ? .raw : .multiplexed)
        }
        return try await run(exec, streams, consoleSize: options.consoleSize).stream
    }

    /// Starts the process of a check. Its stream has all that it writes, byte for byte.
    func startProbe(_ execID: String) async throws -> (task: RunningTask, pid: Int32, stream: FileDescriptor?) {
        guard let exec = execs[execID] else { throw EngineError.noSuchExec(execID) }
        execs[execID]?.state = .starting
        emit("exec_start: " + exec.configuration.command.joined(separator: " "), ["execID": execID])
        return try await run(exec, StreamChoice(framing: .raw))
    }

    private func run(
        _ exec: Exec, _ streams: StreamChoice?, consoleSize: ConsoleSize? = nil
    ) async throws -> (task: RunningTask, pid: Int32, stream: FileDescriptor?) {
        let configuration = exec.configuration
        do {
            var process = try await execProcess(configuration)
            if configuration.tty { process.setFirstSize(consoleSize) }
            let description = ExecDescription(
                id: exec.id, process: process, streams: streams, note: ExecNote(configuration).json)
            let task = try requireTask()
            let started = try await task.exec(description)
            execStarted(exec.id, pid: started.pid)
            return (task, started.pid, started.stream)
        } catch {
            let refusal = (error as? TaskError)?.refusal
            let failure = refusal.map { EngineError.exec($0) } ?? EngineError(error)
            let isMissing =
                refusal?.reason == .commandNotFound || failure.message.contains("no such file or directory")
            execs[exec.id]?.state = .exited(code: isMissing ? 127 : 126, at: .now())
            throw failure
        }
    }

    private func abandonExec(_ execID: String) {
        if case .starting? = execs[execID]?.state { execs[execID]?.state = .exited(code: 126, at: .now()) }
    }

    func inspectExec(_ execID: String) throws -> ExecDetails {
        guard let exec = execs[execID] else { throw EngineError.noSuchExec(execID) }
        return exec.details(containerID: id)
    }

    func waitExec(_ execID: String) throws -> ContainerWait {
        guard let wait = execs[execID]?.wait() else { throw EngineError.noSuchExec(execID) }
        return wait
    }

    // MARK: What the task tells

    /// Takes over the execs that an earlier daemon has started.
    func adoptExecs(_ found: [TaskExec]) {
        for exec in found where execs[exec.id] == nil {
            execs[exec.id] = Exec(id: exec.id, configuration: ExecNote.configuration(exec.note))
            services.registry.insert(exec: exec.id, of: id)
            switch exec.state {
            case .starting: execs[exec.id]?.state = .starting
            case .running(let pid):
                execs[exec.id]?.state = .running(pid: pid)
                // A check whose daemon has died: nobody reads what it says, or ends it when its time is over.
                if execs[exec.id]?.configuration.isProbe ?? false { task?.endExec(exec.id, pid: pid) }
            case .exited(let code, let at): execEnded(exec.id, exitCode: code, at: at)
            }
        }
    }

    func execStarted(_ execID: String, pid: Int32) {
        // Answer and event both say so, and a short process may have ended before either is read.
        if case .starting? = execs[execID]?.state { execs[execID]?.state = .running(pid: pid) }
    }

    func execEnded(_ execID: String, exitCode: Int32, at: Timestamp) {
        guard let exec = execs[execID] else { return }
        if case .exited = exec.state { return }
        execs[execID]?.state = .exited(code: exitCode, at: at)
        emit("exec_die", ["execID": execID, "exitCode": "\(exitCode)"])
    }

    /// The container has ended, and its execs with it.
    func endExecs(at moment: Timestamp) {
        for exec in execs.values where exec.isRunning { execEnded(exec.id, exitCode: 137, at: moment) }
        forgetOldExecs()
    }

    /// Forgets an exec that nobody will ask for.
    func forgetExec(_ execID: String) {
        execs[execID] = nil
        services.registry.remove(exec: execID)
    }

    private func forgetOldExecs() {
        let now = Timestamp.now()
        for exec in execs.values {
            guard case .exited(_, let at) = exec.state, now.since(at) > Exec.memory else { continue }
            forgetExec(exec.id)
        }
    }
}
