import Hashing
import HTTPServing
import JSON
import NIOCore
import NIOHTTP1
import NIOPosix
import OCISpec
import Synchronization

/// A registry in the test's own process that does wrong what it is told to do wrong, and remembers what it was asked.
package final class FaultyRegistry: Sendable {
    /// What goes wrong with one answer.
    package enum Fault: Sendable {
        /// Another status instead of an answer.
        case status(Int, HTTPHeaders = [:])
        /// The connection ends after so many bytes of the body.
        case dropped(after: Int)
        /// The last byte of the body is another one.
        case corrupted
        /// The body is that of a blob that has so many bytes less, or more.
        case resized(Int)
        /// Another answer: status, headers and body.
        case answer(Int, HTTPHeaders, [UInt8])
        /// The request's body is read to so many bytes, then the connection ends.
        case refusedBody(after: Int)
    }

    /// A request as it came.
    package struct Ask: Sendable {
        package let method: String
        package let path: String
        package let headers: HTTPHeaders
    }

    struct Rule {
        let method: String
        let path: String
        var times: Int
        let fault: Fault
    }

    struct State {
        var blobs: [String: [UInt8]] = [:]
        var manifests: [String: (type: String, bytes: [UInt8])] = [:]
        var tags: [String: [String]] = [:]
        var uploads: [String: [UInt8]] = [:]
        var nextUpload = 0
        var rules: [Rule] = []
        var asked: [Ask] = []
        var blobBytes = 0
        var ignoresRanges = false
        /// User and password of `Basic`, or of the token server.
        var password: String?
        var usesTokens = false
        var tokens: Set<String> = []
        var nextToken = 0
        /// Where blobs really are.
        var blobHost: String?
    }

    let state = Mutex(State())
    private let server: HTTPServer
    package let port: Int

    private init(server: HTTPServer, port: Int) {
        self.server = server
        self.port = port
    }

    /// Runs `body` with a registry on a port of its own.
    ///
    /// - Parameter usesTLS: with a certificate that nobody trusts.
    package static func run(usesTLS: Bool = false, _ body: (FaultyRegistry) async throws -> Void) async throws {
        let slot = Slot()
        let responder = HTTPResponder(
            respond: { request in
                guard let registry = slot.registry.withLock({ $0 }) else {
                    return HTTPResponse(status: .serviceUnavailable)
                }
                return try await registry.respond(to: request)
            }, failure: { _, _ in HTTPResponse(status: .internalServerError) })
        let server = HTTPServer(
            group: MultiThreadedEventLoopGroup.singleton, responder: responder,
            tls: usesTLS ? try TestCertificate.context() : nil)
        let registry = FaultyRegistry(server: server, port: try await server.listen(host: "127.0.0.1", port: 0))
        slot.registry.withLock { $0 = registry }
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(registry))
        } catch {
            result = .failure(error)
        }
        await server.stop(grace: .zero)
        slot.registry.withLock { $0 = nil }
        try result.get()
    }

    private final class Slot: Sendable {
        let registry = Mutex<FaultyRegistry?>(nil)
    }

    /// The certificate of one with TLS, in PEM: it is that of `registry.test` and `localhost`, signed by itself.
    package static let certificate = TestCertificate.certificate

    /// What image names begin with.
    package var domain: String { "127.0.0.1:\(port)" }

    // MARK: What a test sets up

    /// Lets the next `times` answers to what begins so go wrong.
    package func fail(_ method: String, _ path: String, times: Int = 1, _ fault: Fault) {
        state.withLock { $0.rules.append(Rule(method: method, path: path, times: times, fault: fault)) }
    }

    package func ignoreRanges() { state.withLock { $0.ignoresRanges = true } }

    /// Wants `user:password`, by a token server or without.
    package func protect(_ password: String, withTokens: Bool) {
        state.withLock {
            $0.password = password
            $0.usesTokens = withTokens
        }
    }

    /// No token that was given so far is taken any more.
    package func expireTokens() { state.withLock { $0.tokens = [] } }

    /// Blobs are elsewhere: at this host and port.
    package func redirectBlobs(to host: String) { state.withLock { $0.blobHost = host } }

    @discardableResult
    package func add(blob: [UInt8]) -> Digest {
        let digest = ContentHasher.digest(of: blob)
        state.withLock { $0.blobs[digest.description] = blob }
        return digest
    }

    /// Stores a document under its digest and, if there is one, a tag.
    @discardableResult
    package func add(manifest: [UInt8], _ type: String, to repository: String, as tag: String?) -> Digest {
        let digest = ContentHasher.digest(of: manifest)
        state.withLock { state in
            state.manifests["\(repository)/\(digest)"] = (type, manifest)
            guard let tag else { return }
            state.manifests["\(repository)/\(tag)"] = (type, manifest)
            state.tags[repository, default: []].append(tag)
        }
        return digest
    }

    /// An image of layers as they are; returns its manifest.
    @discardableResult
    package func add(
        image layers: [[UInt8]], diffIDs: [Digest]? = nil, platform: Platform = .host, to repository: String,
        as tag: String?, mediaType: String = MediaType.ociManifest, layerType: String = MediaType.ociLayer
    ) throws -> (digest: Digest, bytes: [UInt8]) {
        let ids = diffIDs ?? layers.map { ContentHasher.digest(of: $0) }
        let configuration = try JSON.encode(ImageConfiguration(platform: platform, diffIDs: ids))
        let isDocker = mediaType == MediaType.dockerManifest
        var manifest = ImageManifest(
            config: Descriptor(
                mediaType: isDocker ? MediaType.dockerConfiguration : MediaType.ociConfiguration,
                digest: add(blob: configuration), size: Int64(configuration.count)),
            layers: layers.map {
                Descriptor(mediaType: layerType, digest: add(blob: $0), size: Int64($0.count))
            })
        manifest.mediaType = mediaType
        let bytes = try JSON.encode(manifest)
        return (add(manifest: bytes, mediaType, to: repository, as: tag), bytes)
    }

    /// Answers with other bytes for a manifest: `repository/reference`.
    package func state(replacing manifest: String, with bytes: [UInt8]) {
        state.withLock { $0.manifests[manifest] = (MediaType.ociManifest, bytes) }
    }

    // MARK: What came of it

    package var asked: [Ask] { state.withLock { $0.asked } }

    package func count(_ method: String, _ part: String) -> Int {
        asked.count { $0.method == method && $0.path.contains(part) }
    }

    /// Bytes of blobs that were sent.
    package var blobBytes: Int { state.withLock { $0.blobBytes } }

    package func blob(_ digest: Digest) -> [UInt8]? { state.withLock { $0.blobs[digest.description] } }

    package func manifest(_ repository: String, _ reference: String) -> [UInt8]? {
        state.withLock { $0.manifests["\(repository)/\(reference)"]?.bytes }
    }
}
