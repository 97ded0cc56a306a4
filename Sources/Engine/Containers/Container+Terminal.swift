import OCISpec
import Tasks

// Sizes of terminals on their way from the client (`/containers/{id}/resize`, `/exec/{id}/resize`) to the shim:
// `RunningTask+Terminal` sends them, `SupervisedContainer+Terminal` gives them to the terminal (`ProcessTerminal`). The
// first size goes another way: it is part of the process, and `ContainerRuntime` sets it when it makes the terminal
// (that of another runtime's program: `ExternalRuntime`).
extension Process {
    /// The size its terminal begins with; `nil`, or a side that is 0, leaves it to the kernel.
    mutating func setFirstSize(_ size: ConsoleSize?) {
        guard let size, size.rows > 0, size.columns > 0 else { return }
        consoleSize = Box(height: Int(size.rows), width: Int(size.columns))
    }
}

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
