import Hashing
import Distribution
import Glibc
import HTTPServing
import JSON
import LinuxKernel
import Logging
import NIOCore
import NIOHTTP1
import OCISpec
import Registry
import Synchronization
import SystemPackage

/// A registry in a directory of its own, asked without a network in between.
final class TestRegistry: Sendable {
    let root: FilePath
    let store: RegistryStore
    let uploads: Uploads
    let responder: HTTPResponder
    private let ownsRoot: Bool

    /// - Parameters:
    ///   - root: the directory of an earlier one, to start it again.
    ///   - upstream: host and port of a registry whose cache this one is.
    init(root given: FilePath? = nil, access: AccessControl = .open, upstream: String? = nil) throws {
        var template = Array("/tmp/masu-registry-test-XXXXXX".utf8CString)
        root = given ?? FilePath(String(cString: mkdtemp(&template)))
        ownsRoot = given == nil
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        store = try RegistryStore(root: root, logger: logger)
        uploads = Uploads(of: store)
        var settings = RegistrySettings()
        settings.retries.attempts = 1
        let cache = upstream.map { [store] domain in
            PullThrough(
                of: store, domain: domain, credentials: .anonymous, registries: Registries(settings), logger: logger)
        }
        responder =
            RegistryAPI(store: store, uploads: uploads, access: access, upstream: cache, logger: logger).responder
    }

    deinit {
        // What cannot be removed stays in /tmp; the test has already said what it had to say.
        if ownsRoot { try? TreeRemoval.remove(root) }
    }

    struct Answer: Sendable {
        let status: Int
        let headers: HTTPHeaders
        let body: [UInt8]

        subscript(header: String) -> String? { headers.first(name: header) }
        var text: String { String(decoding: body, as: UTF8.self) }
        var json: JSONValue { (try? JSON.parse(body)) ?? .null }
        /// The code of the first error.
        var code: String? { json["errors"]?[0]?["code"]?.string }
    }

    /// Asks as a client would.
    func ask(
        _ method: HTTPMethod, _ target: String, _ body: [UInt8] = [], headers: [(String, String)] = [],
        pieces: Int = 1, failingAfter limit: Int = .max
    ) async throws -> Answer {
        var all = HTTPHeaders(headers)
        all.add(name: "Host", value: "registry.test")
        if !all.contains(name: "Content-Length") { all.add(name: "Content-Length", value: "\(body.count)") }
        let source = Pieces(body, count: pieces, limit: limit)
        let request = HTTPRequest(
            method: method, target: target, headers: all, body: RequestBody { try source.next() })
        let response: HTTPResponse
        do {
            response = try await responder.respond(request)
        } catch {
            response = responder.failure(error, request)
        }
        let bytes: [UInt8]
        switch response.body {
        case .bytes(let known): bytes = known
        case .file(let range): bytes = try range.contents()
        case .stream, .feed, .lateStream, .hijack: bytes = []
        }
        return Answer(status: Int(response.status.code), headers: response.headers, body: bytes)
    }

    /// A body that arrives in pieces, or breaks off.
    private final class Pieces: Sendable {
        private let state: Mutex<(rest: ArraySlice<UInt8>, sent: Int)>
        private let size: Int
        private let limit: Int

        init(_ bytes: [UInt8], count: Int, limit: Int) {
            state = Mutex((bytes[...], 0))
            size = max(1, bytes.count / count)
            self.limit = limit
        }

        func next() throws -> ByteBuffer? {
            try state.withLock { state in
                if state.rest.isEmpty { return nil }
                if state.sent >= limit { throw HTTPServerError.connectionClosed }
                let piece = state.rest.prefix(size)
                state.rest = state.rest.dropFirst(size)
                state.sent += piece.count
                return ByteBuffer(bytes: piece)
            }
        }
    }

    // MARK: What most tests push

    @discardableResult
    func push(_ blob: [UInt8], to repository: String) async throws -> Digest {
        let digest = ContentHasher.digest(of: blob)
        _ = try await ask(.POST, "/v2/\(repository)/blobs/uploads/?digest=\(digest)", blob)
        return digest
    }

    /// An image of one layer; returns the manifest's bytes and digest.
    @discardableResult
    func pushImage(
        _ content: String, to repository: String, as tag: String?, subject: Digest? = nil, artifactType: String? = nil
    ) async throws -> (body: [UInt8], digest: Digest) {
        let config = Array("{\"config\":\"\(content)\"}".utf8)
        let layer = Array(content.utf8)
        for blob in [config, layer] { try await push(blob, to: repository) }
        var manifest = JSONObject()
        manifest["schemaVersion"] = 2
        manifest["mediaType"] = .string(MediaType.ociManifest)
        if let artifactType { manifest["artifactType"] = .string(artifactType) }
        manifest["config"] = Self.descriptor(config, MediaType.ociConfiguration)
        manifest["layers"] = [Self.descriptor(layer, MediaType.ociLayer)]
        if let subject {
            manifest["subject"] =
                ["mediaType": .string(MediaType.ociManifest), "digest": .string("\(subject)"), "size": 1] as JSONValue
            manifest["annotations"] = ["about": "subject"]
        }
        let body = Array(JSONValue.object(manifest).text().utf8)
        let digest = ContentHasher.digest(of: body)
        _ = try await ask(
            .PUT, "/v2/\(repository)/manifests/\(tag ?? digest.description)", body,
            headers: [("Content-Type", MediaType.ociManifest)])
        return (body, digest)
    }

    static func descriptor(_ blob: [UInt8], _ type: String) -> JSONValue {
        [
            "mediaType": .string(type), "digest": .string(ContentHasher.digest(of: blob).description),
            "size": .int(Int64(blob.count)),
        ] as JSONValue
    }

    /// Names of all files below the store's directory of blobs.
    func blobsOnDisk() throws -> [String] {
        try ["sha256", "sha512"].flatMap { algorithm in
            try DirectoryListing.names(of: root.appending("content/blobs").appending(algorithm))
                .map { algorithm + ":" + String(decoding: $0, as: UTF8.self) }
        }.sorted()
    }
}
