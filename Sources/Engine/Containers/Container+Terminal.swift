import Tasks

// Sizes of terminals on their way from the client (`/containers/{id}/resize`, `/exec/{id}/resize`) to the shim:
// `RunningTask+Terminal` sends them, `SupervisedContainer+Terminal` sets them.
extension Container {
    /// Gives the container's terminal another size.
    func resize(columns: UInt16, rows: UInt16) async throws {
        do {
            try await requireTask().resize(columns: columns, rows: rows)
        } catch {
            throw EngineError.task(error, of: id)
        }
        emit("resize", ["height": "\(rows)", "width": "\(columns)"])
    }

    /// Gives the terminal of an exec that runs another size.
    func resizeExec(_ execID: String, columns: UInt16, rows: UInt16) async throws {
        guard let exec = execs[execID] else { throw EngineError.noSuchExec(execID) }
        guard exec.isRunning else { throw EngineError.execNotRunning(execID) }
        do {
            try await requireTask().resize(execID: execID, columns: columns, rows: rows)
        } catch {
            if let error = error as? TaskError, error.saysEnded { throw EngineError.execNotRunning(execID) }
            throw EngineError(error)
        }
    }
}
