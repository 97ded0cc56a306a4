import SystemPackage

extension Engine {
    /// Saves the processes of a running container to files with CRIU; `start` makes them anew. Unless they are to go
    /// on, the container ends with it.
    ///
    /// - Throws: `conflict` if it does not run; `system`, with Docker's words, if there is a checkpoint of that name or
    ///   CRIU fails: the container goes on then.
    package func checkpoint(_ name: String, to choice: CheckpointChoice, leavesRunning: Bool) async throws {
        let container = try services.registry.find(name)
        try await finishing {
            try await container.checkpoint(to: choice, leavesRunning: leavesRunning, name: name)
        }
    }

    /// The names of a container's checkpoints in its own directory, or in `directory`.
    package func checkpoints(of name: String, in directory: FilePath? = nil) async throws -> [String] {
        let container = try services.registry.find(name)
        return try await reporting { try await container.checkpoints(in: directory, name: name) }
    }

    /// Removes a checkpoint.
    package func removeCheckpoint(_ choice: CheckpointChoice, of name: String) async throws {
        let container = try services.registry.find(name)
        try await finishing { try await container.removeCheckpoint(choice, name: name) }
    }
}
