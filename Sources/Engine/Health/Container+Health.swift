import OCISpec
import SystemPackage
import Tasks
import Text

extension Container {
    /// How many bytes of a check's output are kept: Docker's number.
    private static let outputLimit = 4096
    /// How long a check that was killed has to end.
    private static let killPatience = Duration.seconds(10)
    /// How long output of an ended check may be on its way.
    private static let outputPatience = Duration.seconds(1)

    /// The check and its command, if there is one.
    private var healthcheck: (check: Healthcheck, command: [String])? {
        let configuration = record.configuration
        guard let check = configuration.healthcheck, let command = check.command(shell: configuration.shell) else {
            return nil
        }
        return (check, command)
    }

    /// The health at the beginning of a run; the caller writes the row. `monitorHealth` then has it checked.
    func resetHealth() {
        endMonitoring()
        record.health = healthcheck == nil ? nil : (record.health ?? ContainerHealth()).restarted()
    }

    /// Has the health checked from now on, unless it is checked already, or there is nothing to be checked.
    ///
    /// - Parameter isRecovered: whether an earlier daemon has checked the present run: the next check is made when that
    ///   one would have made it.
    func monitorHealth(isRecovered: Bool = false) {
        guard healthMonitor == nil, let (check, command) = healthcheck, record.health != nil,
            case .running(let running) = record.state, !running.isPaused
        else { return }
        healthMonitor = Task { [weak self] in
            var isFirst = isRecovered
            // Nothing keeps a container that has been removed.
            while let pause = await self?.pauseBeforeProbe(check, isFirst) {
                isFirst = false
                do {
                    // Checks at about the same time share a wake-up.
                    try await Task.sleep(for: pause, tolerance: min(pause / 20, .milliseconds(500)))
                } catch {
                    return  // Nothing is to be checked any more.
                }
                await self?.probe(check, command)
            }
        }
    }

    /// Has the health checked no longer: the container has ended, or stands still. Docker calls that unhealthy.
    func endMonitoring() {
        healthMonitor?.cancel()
        healthMonitor = nil
        record.health?.status = .unhealthy
    }

    private func pauseBeforeProbe(_ check: Healthcheck, _ isFirst: Bool) -> Duration? {
        guard !Task.isCancelled, let health = record.health, let running = record.state.running else { return nil }
        let now = Timestamp.now()
        guard isFirst else { return health.pause(of: check, startedAt: running.startedAt, at: now) }
        let pause = health.remainingPause(of: check, startedAt: running.startedAt, at: now)
        // Not those of all containers in the instant in which the daemon comes up.
        return pause + .milliseconds(Int64.random(in: 0...1000))
    }

    // MARK: Probes

    private func probe(_ check: Healthcheck, _ command: [String]) async {
        // A commit or the like holds it still for a moment: the next check is soon enough.
        guard !Task.isCancelled, let task, !task.isHeld else { return }
        let start = Timestamp.now()
        var outcome: (exitCode: Int32, output: String)
        do {
            outcome = try await run(command, within: check.effectiveTimeout)
        } catch is CancellationError {
            return
        } catch {
            outcome = (-1, EngineError(error).message)
        }
        guard !Task.isCancelled, self.task === task, let running = record.state.running, var health = record.health
        else { return }
        let before = health
        let probe = ContainerHealth.Probe(
            start: start, end: .now(), exitCode: outcome.exitCode, output: outcome.output)
        health.take(probe, of: check, startedAt: running.startedAt)
        record.health = health
        // What a success has to say after a success is worth no write to the disk.
        if health.status != before.status || health.failingStreak != before.failingStreak { await saveOrLog() }
        if health.status != before.status { emit("health_status: " + health.status.rawValue) }
    }

    /// Runs a check's command.
    ///
    /// - Throws: `CancellationError` after the command was killed because nobody wants to know any more.
    private func run(_ command: [String], within timeout: Duration) async throws -> (exitCode: Int32, output: String) {
        var configuration = ExecConfiguration(command: command)
        configuration.attachStdout = true
        configuration.attachStderr = true
        configuration.isProbe = true
        let id = try await createExec(configuration)
        defer { forgetExec(id) }
        let (task, pid, stream) = try await startProbe(id)
        let output: CapturedOutput
        do {
            guard let stream else { throw EngineError.system("the check has no output") }
            output = try CapturedOutput(stream, limit: Self.outputLimit)
            if try await waitExec(id).isMet(within: timeout) {
                await output.end(within: Self.outputPatience)
                guard case .exited(let code, _)? = execs[id]?.state else {
                    throw EngineError.system("the end of the check is unknown")
                }
                return (code, Self.text(output))
            }
        } catch {
            // Nobody waits for it any more.
            task.endExec(id, pid: pid)
            throw error
        }
        task.endExec(id, pid: pid)
        // So that checks that do not end do not pile up.
        _ = try await waitExec(id).isMet(within: Self.killPatience)
        let said = Self.text(output)
        return (-1, "Health check exceeded timeout (\(GoDuration.text(timeout)))" + (said.isEmpty ? "" : ": \(said)"))
    }

    private static func text(_ output: CapturedOutput) -> String {
        let (bytes, isTruncated) = output.content
        return String(decoding: bytes, as: UTF8.self) + (isTruncated ? "..." : "")
    }
}
