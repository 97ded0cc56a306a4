import LinuxKernel
import Logging
import OCISpec
import ShimProtocol
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
            let isRefused = (error as? TaskError)?.refusal != nil
            if isRefused {
                execStarts.isAnswered(id)
            } else if let pid = execStarts.isAbandoned(id) {
                // It has begun just now.
                endAbandonedExec(id, pid: pid)
            }
            forgetExec(id)
            throw error
        }
    }

    /// Has the shim forget an exec that nobody wants. This is refused for one that runs, or may yet begin; of all
    /// others nothing will be told that would have to be recognized.
    private func forgetExec(_ id: String) {
        Task { [client, execStarts] in
            do {
                try await client.call(.execDelete(id: id), within: nil)
            } catch let error as ShimError where error.reason == .notFound {
                // It could not be started, or has ended: the shim has forgotten it.
            } catch {
                return
            }
            execStarts.isAnswered(id)
        }
    }

    /// Ends an exec whose caller has been told that it does not run.
    func endAbandonedExec(_ id: String, pid: Int32) { endExec(id, pid: pid) }

    /// Kills the process of an exec. Its end is an event as any other; one that has ended already is no error.
    package func endExec(_ id: String, pid: Int32) {
        if sendDirectly(.kill, to: pid) { return }
        home.logger.debug("an exec that nobody waits for has ended by itself", metadata: ["exec": "\(id)"])
    }
}
