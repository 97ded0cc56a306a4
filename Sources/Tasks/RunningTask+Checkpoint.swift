import ShimProtocol

extension RunningTask {
    /// Saves all processes to files. Unless they are to go on the task ends, and this returns a moment before that is
    /// told.
    ///
    /// It takes as long as there is memory to be written; a kill of the task ends it. The request has a connection of
    /// its own, because answers come in the order of requests, and others must not wait for this one.
    package func checkpoint(to place: CheckpointPlace, leavesRunning: Bool) async throws {
        let bundle = home.bundle(of: id)
        do {
            let connection = try await home.pool.run { try ShimClient(bundle: bundle) }
            defer { connection.close() }
            try await connection.call(.checkpoint(place, leavesRunning: leavesRunning), within: nil)
        } catch let error as ShimError {
            throw TaskError(error)
        }
    }
}
