import Distribution
import HTTPServing
import Engine
import EngineAPIModel
import Images
import NIOHTTP1
import OCISpec

extension EngineRoutes {
    /// `/images/…`.
    var imageRoutes: [Route] {
        [
            Route(.GET, "/images/json", listImages),
            Route(.POST, "/images/create", createImage),
            Route(.POST, "/images/load", loadImages),
            Route(.GET, "/images/{name}/json", inspectImage),
            Route(.GET, "/images/{name}/history") { request in
                try request.checkPlatform(of: try await images.resolve(request.name))
                return .json(try await images.history(request.name).map(EngineAPIModel.ImageHistoryEntry.init))
            },
            Route(.POST, "/images/{name}/tag", tagImage),
            Route(.DELETE, "/images/{name}", removeImage),
        ]
    }

    private func listImages(_ request: RoutedRequest) async throws -> HTTPResponse {
        let query = request.query
        var wanted = try query.filters().values
        if wanted["reference"] == nil, !query.text("filter").isEmpty { wanted["reference"] = query.all("filter") }
        let filters = try ImageFilters(wanted)
        let showsManifests = query.flag("manifests")
        guard showsManifests || !query.flag("identity") else {
            throw APIError.invalid("conflicting options: identity requires manifests=1")
        }
        let summaries = try await images.list(filters, sharedSize: query.flag("shared-size"))
        let users = engine.containerIDsByImage
        var list: [EngineAPIModel.ImageSummary] = []
        for summary in summaries {
            let containers = request.version < .v(51) ? nil : users[summary.record.id]?.count ?? 0
            var line = EngineAPIModel.ImageSummary(summary, containers: containers, version: request.version)
            if showsManifests { line.manifests = try await manifests(of: summary.record, users) }
            list.append(line)
        }
        return .json(list)
    }

    private func inspectImage(_ request: RoutedRequest) async throws -> HTTPResponse {
        let showsManifests = request.query.flag("manifests")
        guard !showsManifests || request.query.text("platform").isEmpty else {
            throw APIError.invalid("conflicting options: manifests and platform options cannot both be set")
        }
        let details = try await images.inspect(request.name)
        try request.checkPlatform(of: details.record)
        var inspection = ImageInspection(details, version: request.version)
        if showsManifests { inspection.manifests = try await manifests(of: details.record, engine.containerIDsByImage) }
        return .json(inspection)
    }

    /// The manifests of an image that are here: its own.
    private func manifests(of image: ImageRecord, _ users: [Digest: [String]]) async throws -> [ImageManifestSummary] {
        let size = try await images.contentSize(of: image)
        return ImageManifestSummary(image, contentSize: size, containers: users[image.id] ?? []).map { [$0] } ?? []
    }

    /// Import; and pull.
    private func createImage(_ request: RoutedRequest) async throws -> HTTPResponse {
        let query = request.query
        guard query.text("fromImage").isEmpty else { return try await pullImage(request) }
        let source = query.text("fromSrc")
        guard !source.isEmpty else { throw APIError.invalid("either fromImage or fromSrc is needed") }
        let reference = try Self.reference(repository: query.text("repo"), tag: query.text("tag"))
        let platformText = query.text("platform")
        let platform = platformText.isEmpty ? nil : try Platform(parsing: platformText)
        let message = query.text("message").isEmpty ? "Imported from \(source)" : query.text("message")
        let changes = query.all("changes")
        guard source == "-" else {
            return try await importImage(
                from: source, reference: reference, changes: changes, message: message, platform: platform)
        }
        let group = eventLoopGroup
        return HTTPResponse(
            status: .ok, headers: ["Content-Type": "application/json"],
            body: .lateStream { writer in
                let id = try await BodyPipe.reading(request.http.body, on: group) { archive in
                    try await engine.importImage(
                        from: archive, reference: reference, changes: changes, message: message, platform: platform)
                }
                try await writer.write(WireLine.progress(ProgressMessage(status: id.description)))
            })
    }

    /// Import of an archive that lies elsewhere.
    private func importImage(
        from source: String, reference: ImageReference?, changes: [String], message: String, platform: Platform?
    ) async throws -> HTTPResponse {
        let text = source.contains("://") ? source : "http://" + source
        guard let address = WebAddress(text) else {
            throw APIError.invalid("cannot import from \"\(source)\": it is not an http or https URL")
        }
        let archive = try await engine.openArchive(at: address)
        let group = eventLoopGroup
        return HTTPResponse(
            status: .ok, headers: ["Content-Type": "application/json"],
            body: .stream { writer in
                await writer.begin()
                try await writer.write(WireLine.progress(ProgressMessage(status: "Downloading from \(address)")))
                do {
                    let id = try await BodyPipe.reading({ try await archive.next()?.buffer }, on: group) { stream in
                        try await engine.importImage(
                            from: stream, reference: reference, changes: changes, message: message, platform: platform)
                    }
                    try await writer.write(WireLine.progress(ProgressMessage(status: id.description)))
                } catch {
                    try await writer.write(WireLine.failure(error))
                }
            })
    }

    private func loadImages(_ request: RoutedRequest) async throws -> HTTPResponse {
        let isQuiet = request.query.flag("quiet", default: true)
        let platforms = try request.query.platforms("platform")
        if platforms.count > 1, request.version < .v(52) { throw Self.severalPlatforms }
        let group = eventLoopGroup
        return HTTPResponse(
            status: .ok, headers: ["Content-Type": "application/json"],
            body: .lateStream { writer in
                let (steps, report) = AsyncStream.makeStream(
                    of: ImageProgress.self, bufferingPolicy: .bufferingNewest(64))
                // Progress is shown beside the work; it may be skipped when the client is slow, the result may not.
                async let shown: Void = {
                    for await step in steps where !isQuiet {
                        try await writer.write(WireLine.progress(ProgressMessage(step)))
                    }
                }()
                let outcome: Result<[LoadedImage], any Error>
                do {
                    outcome = .success(
                        try await BodyPipe.reading(request.http.body, on: group) { archive in
                            try await engine.loadImages(from: archive, platforms: platforms) { report.yield($0) }
                        })
                } catch {
                    outcome = .failure(error)
                }
                report.finish()
                try await shown
                switch outcome {
                case .success(let loaded):
                    for image in loaded {
                        for line in Self.lines(of: image) {
                            try await writer.write(WireLine.progress(ProgressMessage(stream: line)))
                        }
                    }
                case .failure(let error):
                    // The docker CLI expects the reason of a failed load in the stream, whatever was sent before.
                    try await writer.write(WireLine.failure(error))
                }
            })
    }

    static let severalPlatforms = APIError.invalid(
        "multiple platform parameters are not supported in this API version; use API version 1.52 or later")

    private static func lines(of image: LoadedImage) -> [String] {
        let names =
            image.references.isEmpty
            ? ["Loaded image ID: \(image.id)\n"] : image.references.map { "Loaded image: \($0.familiar)\n" }
        return names + (HostPlatform.warning(about: image.platform).map { ["WARNING: \($0)\n"] } ?? [])
    }

    private func tagImage(_ request: RoutedRequest) async throws -> HTTPResponse {
        guard let reference = try Self.reference(repository: request.query.text("repo"), tag: request.query.text("tag"))
        else { throw APIError.invalid("invalid reference format") }
        guard reference.familiarName != "sha256" else {
            throw APIError.invalid("refusing to create an ambiguous tag using digest algorithm as name")
        }
        try await engine.tagImage(request.name, as: reference)
        return .empty(.created)
    }

    private func removeImage(_ request: RoutedRequest) async throws -> HTTPResponse {
        guard request.name.contains(where: { $0 != " " }) else { throw APIError.invalid("image name cannot be blank") }
        let platforms = try request.query.platforms("platforms")
        let deletions = try await engine.removeImage(
            request.name, platforms: platforms, force: request.query.flag("force"),
            noPrune: request.query.flag("noprune"))
        return .json(deletions.map(EngineAPIModel.ImageDeletion.init))
    }

    /// The name that `repo` and `tag` make; `nil` without a repository.
    private static func reference(repository: String, tag: String) throws -> ImageReference? {
        guard !repository.isEmpty else { return nil }
        let reference = try ImageReference(parsing: repository)
        guard reference.digest == nil else { throw APIError.invalid("cannot import digest reference") }
        return tag.isEmpty ? reference.withDefaultTag : try reference.tagged(tag)
    }
}

extension RoutedRequest {
    /// Refuses an image that is not for the platform the client asks for.
    func checkPlatform(of image: ImageRecord) throws {
        guard let wanted = try query.platforms("platform").first else { return }
        let own = image.configuration.platform
        guard !own.satisfies(wanted) else { return }
        throw APIError(
            .notFound,
            "image with reference \(name) was found but its platform (\(own)) does not match the specified platform "
                + "(\(wanted))"
        )
    }
}
