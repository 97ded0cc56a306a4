import ShimProtocol

extension RunningTask {
    /// Sets the size of the task's terminal, or of an exec's, whose first one is `consoleSize` of its process. The shim
    /// has the terminal.
    package func resize(execID: String? = nil, columns: UInt16, rows: UInt16) async throws {
        try await call(.resize(execID: execID, columns: columns, rows: rows))
    }
}
