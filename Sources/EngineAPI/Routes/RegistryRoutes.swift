import Distribution
import Engine
import EngineAPIModel
import HTTPServing
import Images
import JSON
import NIOHTTP1
import OCISpec

extension EngineRoutes {
    /// What asks registries.
    var registryRoutes: [Route] {
        [
            Route(.POST, "/images/{name}/push", pushImage),
            Route(.GET, "/images/search", searchImages),
            Route(.GET, "/distribution/{name}/json", inspectDistribution),
            Route(.GET, "/distribution/{name}/manifest", showManifest),
            Route(.POST, "/distribution/{name}/manifest", pushManifest),
            Route(.POST, "/auth", logIn),
        ]
    }

    private static func credentials(_ request: RoutedRequest) -> RegistryCredentials {
        RegistryCredentials(header: request.http.headers.first(name: "X-Registry-Auth"))
    }

    /// Pull: `POST /images/create?fromImage=…`.
    func pullImage(_ request: RoutedRequest) async throws -> HTTPResponse {
        let query = request.query
        let tag = query.text("tag")
        let name = query.text("fromImage")
        let text = tag.isEmpty ? name : name + (tag.contains(":") ? "@" : ":") + tag
        let reference = try ImageReference(parsing: text)
        // A name alone, of a client that says so by an empty tag, means all of the repository.
        let allTags = tag.isEmpty && reference.isNameOnly
        let platformText = query.text("platform")
        let platform = platformText.isEmpty ? nil : try Platform(parsing: platformText)
        let credentials = Self.credentials(request)
        return Self.progress { report in
            try await engine.pullImage(
                reference, platform: platform, allTags: allTags, credentials: credentials, progress: report)
        }
    }

    private func pushImage(_ request: RoutedRequest) async throws -> HTTPResponse {
        let name = try ImageReference(parsing: request.name)
        guard name.digest == nil else { throw APIError.invalid("cannot push a digest reference") }
        let tag = request.query.text("tag")
        let reference = tag.isEmpty ? name : try name.tagged(tag)
        let allTags = reference.isNameOnly
        if !request.query.text("platform").isEmpty {
            try request.checkPlatform(of: try await images.resolve(reference.withDefaultTag.description))
        }
        let credentials = Self.credentials(request)
        return Self.progress { report in
            try await engine.pushImage(reference, allTags: allTags, credentials: credentials, progress: report)
        }
    }

    /// Streams what a transfer reports. An error before the first line becomes the response's status, a later one a
    /// line of its own; a client that goes away ends the transfer.
    private static func progress(
        _ transfer: @escaping @Sendable (@escaping @Sendable (ImageProgress) -> Void) async throws -> Void
    ) -> HTTPResponse {
        HTTPResponse(
            status: .ok, headers: ["Content-Type": "application/json"],
            body: .lateStream { writer in
                let (steps, report) = AsyncStream.makeStream(of: ImageProgress.self)
                let outcome: Result<Void, any Error> = try await withThrowingTaskGroup(
                    of: Result<Void, any Error>?.self
                ) { group in
                    group.addTask {
                        defer { report.finish() }
                        do {
                            try await transfer { report.yield($0) }
                            return .success(())
                        } catch {
                            return .failure(error)
                        }
                    }
                    group.addTask {
                        for await step in steps {
                            try await writer.write(WireLine.progress(ProgressMessage(transfer: step)))
                        }
                        return nil
                    }
                    // The writer's error is that the client is gone: it leaves the group, which cancels the transfer.
                    var outcome: Result<Void, any Error> = .success(())
                    for try await result in group { if let result { outcome = result } }
                    return outcome
                }
                guard case .failure(let error) = outcome else { return }
                guard await writer.hasBegun else { throw error }
                try await writer.write(WireLine.failure(error))
            })
    }

    private func logIn(_ request: RoutedRequest) async throws -> HTTPResponse {
        let config = try await request.decodeBody(AuthConfig.self) ?? AuthConfig()
        let credentials: RegistryCredentials =
            config.identityToken.isEmpty
            ? .password(user: config.username, password: config.password) : .identityToken(config.identityToken)
        try await engine.logIn(Self.domain(config.serverAddress), credentials)
        var response = AuthResponse()
        response.status = "Login Succeeded"
        return .json(response)
    }

    /// The registry that an address means, which may be a URL; none: Docker Hub.
    private static func domain(_ address: String) -> String {
        var text = address[...]
        for scheme in ["https://", "http://"] where text.hasPrefix(scheme) { text = text.dropFirst(scheme.count) }
        let domain = String(text.prefix { $0 != "/" })
        return ["", "index.docker.io", "registry-1.docker.io"].contains(domain) ? "docker.io" : domain
    }

    private func inspectDistribution(_ request: RoutedRequest) async throws -> HTTPResponse {
        let found = try await engine.inspectRemoteImage(
            try ImageReference(parsing: request.name), credentials: Self.credentials(request))
        var inspection = DistributionInspection()
        inspection.descriptor = ImageDescriptor(found.descriptor)
        inspection.platforms = found.platforms.map(PlatformDescription.init)
        return .json(inspection)
    }

    /// Not Docker's: the manifest itself, for `masu manifest inspect`, whose program speaks no TLS.
    private func showManifest(_ request: RoutedRequest) async throws -> HTTPResponse {
        let found = try await engine.inspectRemoteImage(
            try ImageReference(parsing: request.name), credentials: Self.credentials(request))
        return HTTPResponse(
            status: .ok,
            headers: [
                "Content-Type": found.descriptor.mediaType,
                "Docker-Content-Digest": found.descriptor.digest.description,
            ], body: .bytes(found.document))
    }

    /// Not Docker's: puts a manifest or an index into a registry, for `masu manifest push`.
    private func pushManifest(_ request: RoutedRequest) async throws -> HTTPResponse {
        let name = try ImageReference(parsing: request.name)
        let push = try await request.decodeNeededBody(ManifestPush.self) ?? ManifestPush()
        guard push.from.isEmpty != push.document.isEmpty else {
            throw APIError.invalid("either From or Document says what to push")
        }
        let credentials = Self.credentials(request)
        let descriptor =
            push.from.isEmpty
            ? try await engine.pushManifest(
                Array(push.document.utf8), mediaType: push.mediaType, as: name, credentials: credentials)
            : try await engine.copyManifest(
                try ImageReference(parsing: push.from), to: name, credentials: credentials)
        return .json(ImageDescriptor(descriptor))
    }

    private func searchImages(_ request: RoutedRequest) async throws -> HTTPResponse {
        let term = request.query.text("term")
        guard !term.isEmpty else { throw APIError.invalid("search term is empty") }
        let limit = try request.query.integer("limit") ?? 0
        guard (0...100).contains(limit) else {
            throw APIError.invalid("Limit \(limit) is outside the range of [1, 100]")
        }
        let filters = try request.query.filters().values
        let results = try await engine.searchRegistry(
            term, limit: limit == 0 ? 25 : limit, credentials: Self.credentials(request))
        return .json(
            try results.filter { try Self.passes($0, filters) }.map { result in
                var line = ImageSearchResult()
                line.stars = result.stars
                line.isOfficial = result.isOfficial
                line.name = result.name
                line.isAutomated = result.isAutomated
                line.description = result.description
                return line
            })
    }

    private static func passes(_ result: SearchResult, _ filters: [String: [String]]) throws -> Bool {
        for (name, values) in filters {
            switch name {
            case "stars":
                for value in values {
                    guard let least = Int(value) else { throw APIError.invalid("invalid filter 'stars=\(value)'") }
                    if result.stars < least { return false }
                }
            case "is-official": if !values.contains(result.isOfficial ? "true" : "false") { return false }
            case "is-automated": if !values.contains(result.isAutomated ? "true" : "false") { return false }
            default: throw APIError.invalid("invalid filter '\(name)'")
            }
        }
        return true
    }
}

extension RegistryServiceConfig {
    /// What `docker info` says of registries.
    init(_ settings: RegistrySettings) {
        self.init()
        insecureRegistryCIDRs = settings.insecureRegistries.filter { $0.contains("/") } + ["::1/128", "127.0.0.0/8"]
        mirrors = settings.mirrors.map(\.description)
        var hub = RegistryIndex()
        hub.name = "docker.io"
        hub.mirrors = mirrors
        hub.secure = true
        hub.official = true
        var indexes = ["docker.io": hub]
        for name in settings.insecureRegistries where !name.contains("/") {
            var index = RegistryIndex()
            index.name = name
            index.mirrors = []
            indexes[name] = index
        }
        indexConfigs = indexes
    }
}

extension ProgressMessage {
    /// A line of a pull's or push's progress. What says something of a layer has a `progressDetail`, if an empty one,
    /// which clients know it by.
    init(transfer step: ImageProgress) {
        self.init()
        if let pushed = step.pushed {
            var result = PushResult()
            result.tag = pushed.tag
            result.digest = pushed.digest.description
            result.size = pushed.size
            aux = result
            progressDetail = ProgressDetail()
            return
        }
        status = step.status
        guard let id = step.id else { return }
        self.id = id
        guard !step.status.hasPrefix("Pulling from") else { return }
        var detail = ProgressDetail()
        if let current = step.current {
            detail.current = current
            detail.total = step.total ?? 0
            progress = TransferBar.text(current, of: step.total ?? 0)
        }
        progressDetail = detail
    }
}

/// The bar that Docker's daemon draws for clients which cannot.
enum TransferBar {
    private static let width = 50

    static func text(_ current: Int64, of total: Int64) -> String {
        guard total > 0, current <= total else { return size(current) }
        let done = Int(Double(current) / Double(total) * Double(width))
        let bar = String(repeating: "=", count: done) + ">" + String(repeating: " ", count: width - done)
        let sizes = size(current)
        return "[\(bar)]  \(String(repeating: " ", count: max(0, 8 - sizes.count)))\(sizes)/\(size(total))"
    }

    /// As Docker writes sizes: four digits, units of a thousand.
    static func size(_ bytes: Int64) -> String {
        var value = Double(bytes)
        var unit = 0
        let units = ["B", "kB", "MB", "GB", "TB", "PB"]
        while value >= 1000, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        // %.4g without the C library's formats: so many decimals that there are four digits.
        let decimals = value >= 1000 ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : 3
        let scale = [1.0, 10, 100, 1000][decimals]
        let scaled = Int64((value * scale).rounded())
        var text = String(scaled / Int64(scale))
        var fraction = String(scaled % Int64(scale))
        fraction = String(repeating: "0", count: max(0, decimals - fraction.count)) + fraction
        while fraction.last == "0" { fraction.removeLast() }
        if decimals > 0, !fraction.isEmpty { text += "." + fraction }
        return text + units[unit]
    }
}
