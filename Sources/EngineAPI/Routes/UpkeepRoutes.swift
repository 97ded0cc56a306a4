import Engine
import EngineAPIModel
import HTTPServing
import Images
import JSON
import NIOHTTP1

extension EngineRoutes {
    /// What takes room, how to get it back, and whether all is as it should be.
    var upkeep: [Route] {
        [
            Route(.GET, "/system/df", diskUsage),
            Route(.POST, "/containers/prune") { request in
                let filters = try PruneFilters(
                    request.query.filters().values, accepting: PruneFilters.forContainers)
                let pruned = try await engine.pruneContainers(filters)
                var report = ContainersPruneReport()
                report.containersDeleted = pruned.containers.isEmpty ? nil : pruned.containers
                report.spaceReclaimed = pruned.reclaimed
                return .json(report)
            },
            Route(.POST, "/images/prune") { request in
                let filters = try PruneFilters(request.query.filters().values, accepting: PruneFilters.forImages)
                let pruned = try await engine.pruneImages(filters)
                var report = ImagesPruneReport()
                let deletions = pruned.deletions.map(EngineAPIModel.ImageDeletion.init)
                report.imagesDeleted = deletions.isEmpty ? nil : deletions
                report.spaceReclaimed = pruned.reclaimed
                return .json(report)
            },
            // What there is none of yet needs no removing: `docker system prune` asks for it.
            Route(.POST, "/build/prune") { _ in
                engine.pruneBuilds()
                return .json(["CachesDeleted": nil, "SpaceReclaimed": 0] as JSONValue)
            },
            Route(.POST, "/masu/check", check),
        ]
    }

    private func diskUsage(_ request: RoutedRequest) async throws -> HTTPResponse {
        let known = ["container", "image", "volume", "build-cache"]
        let types = request.query.all("type")
        for type in types where !known.contains(type) { throw APIError.invalid("unknown object type: \(type)") }
        func wants(_ type: String) -> Bool { types.isEmpty || types.contains(type) }
        let usage = try await engine.diskUsage(
            images: wants("image"), containers: wants("container"), volumes: wants("volume"))
        let images = usage.images.map { list in
            list.map { EngineAPIModel.ImageSummary($0.0, containers: $0.1, version: request.version) }
        }
        let containers = usage.containers.map { list in
            list.map { EngineAPIModel.ContainerSummary($0, version: request.version) }
        }
        let volumes = usage.volumes?.map { VolumeInspection($0) }
        let isVerbose = request.query.flag("verbose")
        var wire = DiskUsage()
        wire.imageUsage = images.map { ImageDiskUsage($0, layersSize: usage.layersSize, isVerbose: isVerbose) }
        wire.containerUsage = containers.map { ContainerDiskUsage($0, isVerbose: isVerbose) }
        wire.volumeUsage = volumes.map { VolumeDiskUsage($0, isVerbose: isVerbose) }
        if wants("build-cache") { wire.buildCacheUsage = BuildCacheDiskUsage() }
        if isVerbose { return .json(wire) }
        // The form of old; the new one has come beside it (see `DiskUsage`).
        wire.layersSize = usage.layersSize
        wire.images = images
        wire.containers = containers
        wire.volumes = volumes
        if wants("build-cache") { wire.buildCache = [] }
        return .json(wire)
    }

    /// A line for each problem as it is found, and one at the end: a check may take as long as reading the whole store.
    private func check(_ request: RoutedRequest) async throws -> HTTPResponse {
        HTTPResponse(
            status: .ok, headers: ["Content-Type": "application/json"],
            body: .stream { writer in
                await writer.begin()
                let (problems, report) = AsyncStream.makeStream(of: String.self)
                async let shown: Int = {
                    var count = 0
                    for await problem in problems {
                        count += 1
                        var line = CheckLine()
                        line.problem = problem
                        try await writer.write(WireLine.bytes(line, ending: "\n"))
                    }
                    return count
                }()
                var last = CheckLine()
                do {
                    let result = try await engine.check { report.yield($0) }
                    report.finish()
                    var summary = CheckSummary()
                    summary.images = result.store.images
                    summary.blobs = result.store.blobs
                    summary.bytes = result.store.bytes
                    summary.snapshots = result.store.snapshots
                    summary.containers = result.containers
                    summary.problems = try await shown
                    last.summary = summary
                } catch {
                    report.finish()
                    _ = try await shown
                    last.error = ErrorMapping.response(for: error).message
                }
                try await writer.write(WireLine.bytes(last, ending: "\n"))
            })
    }
}
