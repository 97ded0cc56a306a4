import LinuxKernel
import Logging
import OCISpec
import ShimProtocol
import Synchronization
import SystemPackage

extension RunningTask {
    /// Makes a process in the task and lets it run. Its end is an event.
    ///
    /// - Returns: its pid on the host, and its stream (see `attach`), owned by the caller, if the description asks for
    ///   one.
    package func exec(_ description: ExecDescription) async throws -> (pid: Int32, stream: FileDescriptor?) {
        let (id, choice) = (description.id, description.streams)
        try await call(
            .exec(id: id, process: description.process, openStdin: choice?.stdin ?? false, note: description.note))
        var stream: FileDescriptor?
        do {
            // Before it begins, so that no output is missed.
            if let choice { stream = try await home.pool.run { [self] in try connect(choice, execID: id) } }
            execStarts.isAwaited(id)
            guard case .started(let pid) = try await call(.execStart(id: id)) else { throw nonsense("start of exec") }
            execStarts.isAnswered(id)
            return (pid, stream)
        } catch {
            stream?.discard()
            if (error as? TaskError)?.refusal == nil {
                // Without an answer it may yet begin, or has begun just now.
                if let pid = execStarts.isAbandoned(id) { endAbandonedExec(id, pid: pid) }
            } else {
                execStarts.isAnswered(id)
            }
            // Refused for one that runs.
            client.post(.execDelete(id: id))
            throw error
        }
    }

    /// Ends an exec whose caller has been told that it does not run.
    func endAbandonedExec(_ id: String, pid: Int32) {
        if sendDirectly(.kill, to: pid) { return }
        home.logger.debug("an exec that nobody waits for has ended by itself", metadata: ["exec": "\(id)"])
    }
}

/// The starts of execs that are under way, or were given up: should one of those begin after all, it is to be ended.
final class ExecStarts: Sendable {
    private enum Start {
        /// Somebody waits for the answer; the pid, if it has begun.
        case awaited(pid: Int32?)
        /// Who asked for it has been told that it does not run.
        case abandoned
    }

    private let starts = Mutex<[String: Start]>([:])

    /// The start is about to be asked for.
    func isAwaited(_ id: String) { starts.withLock { $0[id] = .awaited(pid: nil) } }

    /// The start has been answered.
    func isAnswered(_ id: String) { starts.withLock { $0[id] = nil } }

    /// Nobody waits for the answer any more. Returns the pid if it has begun all the same.
    func isAbandoned(_ id: String) -> Int32? {
        starts.withLock { starts in
            defer { starts[id] = .abandoned }
            if case .awaited(let pid?)? = starts[id] { return pid }
            return nil
        }
    }

    /// The shim says that it has begun. Returns whether anybody wants it.
    func hasBegun(_ id: String, pid: Int32) -> Bool {
        starts.withLock { starts in
            switch starts[id] {
            case .abandoned?: return false
            case .awaited?: starts[id] = .awaited(pid: pid)
            case nil: break
            }
            return true
        }
    }

    /// The shim says that it has ended. Returns whether anybody wants to know.
    func hasEnded(_ id: String) -> Bool {
        starts.withLock { starts in
            guard case .abandoned? = starts[id] else { return true }
            starts[id] = nil
            return false
        }
    }
}
