import Base64
import Engine
import EngineAPIModel
import HTTPServing
import JSON
import NIOHTTP1
import OCISpec

extension EngineRoutes {
    /// A container's files: out, in, and what has become of them.
    var containerFiles: [Route] {
        [
            Route(.GET, "/containers/{name}/export") { request in
                let group = eventLoopGroup
                return HTTPResponse(
                    status: .ok, headers: ["Content-Type": "application/octet-stream"],
                    body: .lateStream { writer in
                        try await OutputPipe.stream(to: writer, on: group) { stream in
                            try await engine.export(request.name, to: stream)
                        }
                    })
            },
            Route(.GET, "/containers/{name}/changes") { request in
                .json(try await engine.changes(request.name).map(FilesystemChange.init))
            },
            Route(.HEAD, "/containers/{name}/archive") { request in
                let path = try request.archivePath()
                let status = try await engine.status(request.name, path: path)
                return HTTPResponse(status: .ok, headers: try Self.headers(of: status))
            },
            Route(.GET, "/containers/{name}/archive", archive),
            Route(.PUT, "/containers/{name}/archive", extract),
            Route(.POST, "/commit", commit),
        ]
    }

    private func archive(_ request: RoutedRequest) async throws -> HTTPResponse {
        let path = try request.archivePath()
        let status = try await engine.status(request.name, path: path)
        let group = eventLoopGroup
        var headers = try Self.headers(of: status)
        headers.replaceOrAdd(name: "Content-Type", value: "application/x-tar")
        return HTTPResponse(
            status: .ok, headers: headers,
            body: .lateStream { writer in
                try await OutputPipe.stream(to: writer, on: group) { stream in
                    try await engine.archive(request.name, path: path, to: stream)
                }
            })
    }

    private func extract(_ request: RoutedRequest) async throws -> HTTPResponse {
        let path = try request.archivePath()
        let query = request.query
        let (keepsKinds, givesToUser) = (query.flag("noOverwriteDirNonDir"), query.flag("copyUIDGID"))
        try await BodyPipe.reading(request.http.body, on: eventLoopGroup) { archive in
            try await engine.extract(
                request.name, path: path, replacesDirectories: !keepsKinds, givesToUser: givesToUser, from: archive)
        }
        return .empty(.ok)
    }

    private static func headers(of status: PathStatus) throws -> HTTPHeaders {
        let text = Base64.encode(try JSON.encode(ContainerPathStat(status)))
        return ["X-Docker-Container-Path-Stat": text]
    }

    private func commit(_ request: RoutedRequest) async throws -> HTTPResponse {
        let query = request.query
        let repository = query.text("repo")
        var reference: ImageReference?
        if !repository.isEmpty {
            let name = try ImageReference(parsing: repository)
            guard name.digest == nil else { throw APIError.invalid("cannot import digest reference") }
            let tag = query.text("tag")
            reference = tag.isEmpty ? name.withDefaultTag : try name.tagged(tag)
        }
        // Every client but those before 1.13 means it when it says nothing.
        let pauses = query["pause"].map { _ in query.flag("pause") } ?? true
        let wire = try await request.decodeBody(ImageConfig.self)
        var response = IDResponse()
        response.id =
            try await engine.commit(
                query.text("container"), reference: reference, configuration: wire.map(ImageProcess.init),
                changes: query.all("changes"), author: query.text("author"), comment: query.text("comment"),
                pauses: pauses
            ).description
        return .json(response, status: .created)
    }
}

extension RoutedRequest {
    /// `path` of the archive routes, which must not be empty.
    fileprivate func archivePath() throws -> String {
        let path = query.text("path")
        guard !path.isEmpty else { throw APIError.invalid("bad parameter: 'path' cannot be empty") }
        guard !path.utf8.contains(0) else { throw APIError.invalid("a path cannot contain a NUL character") }
        return path
    }
}

extension ContainerPathStat {
    init(_ status: PathStatus) {
        self.init()
        name = status.name
        size = status.size
        mode = Self.goMode(status.mode)
        mtime = status.modified.description
        linkTarget = status.linkTarget
    }

    /// Go's own bits for what stat(2) says (package io/fs, `FileMode`).
    static func goMode(_ mode: UInt32) -> Int64 {
        var bits = Int64(mode & 0o777)
        switch mode & 0o170000 {
        case 0o040000: bits |= 1 << 31
        case 0o120000: bits |= 1 << 27
        case 0o060000: bits |= 1 << 26
        case 0o020000: bits |= 1 << 26 | 1 << 21
        case 0o010000: bits |= 1 << 25
        case 0o140000: bits |= 1 << 24
        default: break
        }
        if mode & 0o4000 != 0 { bits |= 1 << 23 }
        if mode & 0o2000 != 0 { bits |= 1 << 22 }
        if mode & 0o1000 != 0 { bits |= 1 << 20 }
        return bits
    }
}

extension FilesystemChange {
    init(_ change: FileChange) {
        self.init()
        path = change.path
        kind = change.kind.rawValue
    }
}

extension ImageProcess {
    /// A configuration as clients send it.
    init(_ wire: ImageConfig) {
        self.init()
        func given<T: WireValue>(_ value: T) -> T? { value.isEmptyValue ? nil : value }
        user = given(wire.user)
        exposedPorts = wire.exposedPorts.isEmpty ? nil : NameSet(wire.exposedPorts.keys)
        env = given(wire.env ?? [])
        entrypoint = given(wire.entrypoint ?? [])
        cmd = given(wire.cmd ?? [])
        volumes = wire.volumes.flatMap { $0.isEmpty ? nil : NameSet($0.keys) }
        workingDir = given(wire.workingDir)
        labels = given(wire.labels ?? [:])
        stopSignal = given(wire.stopSignal)
        healthcheck = wire.healthcheck.map { check in
            Healthcheck(
                test: given(check.test), interval: given(check.interval), timeout: given(check.timeout),
                startPeriod: given(check.startPeriod), startInterval: given(check.startInterval),
                retries: given(check.retries))
        }
        onBuild = given(wire.onBuild ?? [])
        shell = given(wire.shell)
    }
}
