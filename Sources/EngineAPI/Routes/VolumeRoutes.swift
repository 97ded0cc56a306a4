import Engine
import EngineAPIModel
import HTTPServing
import NIOHTTP1
import Volumes

extension EngineRoutes {
    /// `/volumes/…`.
    var volumes: [Route] {
        [
            Route(.GET, "/volumes") { request in
                let (volumes, warnings) = try await engine.volumes(
                    try VolumeFilter(wire: request.query.filters()))
                var list = VolumeList()
                list.volumes = volumes.map { VolumeInspection($0) }
                list.warnings = warnings.isEmpty ? nil : warnings
                return .json(list)
            },
            Route(.GET, "/volumes/{name}") { request in
                .json(VolumeInspection(try await engine.inspectVolume(request.name)))
            },
            Route(.POST, "/volumes/create", createVolume),
            Route(.POST, "/volumes/prune") { request in
                let filter = try VolumePruneFilter(wire: request.query.filters(), version: request.version)
                let pruned = try await engine.pruneVolumes(filter)
                var report = VolumesPruneReport()
                report.volumesDeleted = pruned.names
                report.spaceReclaimed = pruned.reclaimed
                return .json(report)
            },
            Route(.DELETE, "/volumes/{name}") { request in
                try await engine.removeVolume(request.name, force: request.query.flag("force"))
                return .empty(.noContent)
            },
        ]
    }

    private func createVolume(_ request: RoutedRequest) async throws -> HTTPResponse {
        // Without a document it is a volume that nobody gives a name.
        let wire = try await request.decodeBody(VolumeCreateRequest.self) ?? VolumeCreateRequest()
        if wire.clusterVolumeSpec != nil, request.version >= .v(42) {
            throw APIRefusal.noSwarmManager.error("")
        }
        let details = try await engine.createVolume(VolumeRequest(wire))
        return .json(VolumeInspection(details), status: .created)
    }
}
