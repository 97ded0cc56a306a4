import Engine
import EngineAPIModel
import HTTPServing
import NIOHTTP1
import SystemPackage

extension EngineRoutes {
    /// Checkpoints of containers, which only an experimental daemon has, like Docker's.
    var checkpoints: [Route] {
        [
            Route(.GET, "/containers/{name}/checkpoints") { request in
                try requireExperimental()
                let names = try await engine.checkpoints(of: request.name, in: request.checkpointDirectory("dir"))
                return .json(
                    names.map { name in
                        var summary = CheckpointSummary()
                        summary.name = name
                        return summary
                    })
            },
            Route(.POST, "/containers/{name}/checkpoints") { request in
                try requireExperimental()
                let wire =
                    try await request.decodeNeededBody(CheckpointCreateRequest.self) ?? CheckpointCreateRequest()
                let choice = CheckpointChoice(
                    name: try CheckpointName(wire.checkpointID),
                    directory: try CheckpointChoice.directory(wire.checkpointDir))
                try await engine.checkpoint(request.name, to: choice, leavesRunning: !wire.exit)
                return .empty(.created)
            },
            Route(.DELETE, "/containers/{name}/checkpoints/{checkpoint}") { request in
                try requireExperimental()
                let choice = CheckpointChoice(
                    name: try CheckpointName(request.parameters["checkpoint"]),
                    directory: try request.checkpointDirectory("dir"))
                try await engine.removeCheckpoint(choice, of: request.name)
                return .empty(.noContent)
            },
        ]
    }

    private func requireExperimental() throws(APIError) {
        if engine.configuration.isExperimental { return }
        throw APIError(
            .notImplemented,
            "This experimental feature is disabled by default. Start the Docker daemon in experimental mode in order "
                + "to enable it.")
    }
}

extension RoutedRequest {
    /// `checkpoint` and `checkpoint-dir` of a start; `nil` for a start from the beginning.
    func checkpointToStartFrom() throws -> CheckpointChoice? {
        let directory = try checkpointDirectory("checkpoint-dir")
        let name = query.text("checkpoint")
        guard !name.isEmpty else {
            if directory == nil { return nil }
            throw APIError.invalid("checkpoint-dir is of no use without checkpoint: name the checkpoint to start from")
        }
        return CheckpointChoice(name: try CheckpointName(name), directory: directory)
    }

    fileprivate func checkpointDirectory(_ parameter: String) throws -> FilePath? {
        try CheckpointChoice.directory(query.text(parameter))
    }
}
