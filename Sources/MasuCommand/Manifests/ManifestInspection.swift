import EngineAPIModel
import Flags
import JSON
import OCISpec
import Text

/// `masu manifest inspect`.
extension ManifestCommands {
    private static let verbose = Flag.boolean(
        "verbose", short: "v", "Output additional info including layers and platform")

    static let inspect = Command(
        "inspect", operands: "[MANIFEST_LIST] MANIFEST", arity: .between(1, 2),
        "Display an image manifest, or manifest list",
        discussion: "Display a manifest list of this machine, or else what the registry has.",
        examples: [.init("See the platforms of an image", "masu manifest inspect debian:bookworm")],
        flags: { [insecure, verbose] },
        action: { invocation in
            let image = try reference(invocation.operands.last ?? "")
            let isVerbose = invocation.flags[verbose]
            if invocation.operands.count == 2 {
                let list = try reference(invocation.operands[0]).description
                let manifest = try LocalManifestLists.user.manifest(image.description, of: list)
                try show(try manifest ?? fetchImage(image, try DaemonClient(invocation)), isVerbose: isVerbose)
                return 0
            }
            if LocalManifestLists.user.has(image.description) {
                try show(try LocalManifestLists.user.manifests(image.description), isVerbose: isVerbose)
            } else {
                try showRemote(image, try DaemonClient(invocation), isVerbose: isVerbose)
            }
            return 0
        })

    // MARK: On this machine

    private static func show(_ manifest: LocalManifest, isVerbose: Bool) throws {
        let document = try JSON.parse(manifest.document)
        try show(isVerbose ? entry(manifest.reference, document, manifest.descriptor) : document)
    }

    private static func show(_ manifests: [LocalManifest], isVerbose: Bool) throws {
        guard isVerbose else {
            return try Console.print(String(decoding: LocalManifest.list(of: manifests), as: UTF8.self))
        }
        try show(
            .array(try manifests.map { entry($0.reference, try JSON.parse($0.document), $0.descriptor) }))
    }

    private static func show(_ value: JSONValue) throws {
        try Console.print(String(decoding: value.serialized(pretty: true), as: UTF8.self))
    }

    // MARK: In a registry

    private static func showRemote(_ image: ImageReference, _ client: DaemonClient, isVerbose: Bool) throws {
        let (document, bytes, head) = try fetch(image.description, client)
        guard isVerbose else { return try show(document) }
        guard let entries = document["manifests"]?.array else {
            return try show(entry(image.description, document, descriptor(head, bytes)))
        }
        var all: [JSONValue] = []
        for descriptor in entries {
            guard let digest = descriptor["digest"]?.string, let members = descriptor.object else { continue }
            let pinned = "\(image.name)@\(digest)"
            all.append(entry(pinned, try fetch(pinned, client).document, members))
        }
        try show(.array(all))
    }

    /// What a registry has under a name.
    ///
    /// - Throws: ``CommandError`` in docker's words if there is nothing.
    static func fetch(_ image: String, _ client: DaemonClient) throws -> (
        document: JSONValue, bytes: [UInt8], head: HTTPResponseHead
    ) {
        do {
            let (head, body) = try client.call(try request("GET", image, "manifest"))
            return (try JSON.parse(body), body, head)
        } catch let error as DaemonError where error.httpStatus == 404 {
            throw CommandError("no such manifest: \(image)")
        }
    }

    /// A request about an image in a registry, with the user's credentials for it.
    static func request(_ method: String, _ image: String, _ what: String) throws -> HTTPRequest {
        let parts = image.split(separator: "/", omittingEmptySubsequences: false).map {
            PercentEncoding.encode($0)
        }
        var request = HTTPRequest(method, "/distribution/" + parts.joined(separator: "/") + "/" + what)
        if let header = try RegistryAccess.header(for: image) { request.headers.append(header) }
        return request
    }

    static func descriptor(_ head: HTTPResponseHead, _ bytes: [UInt8]) -> JSONObject {
        var descriptor = JSONObject()
        descriptor["mediaType"] = .string(head["content-type"] ?? "")
        descriptor["digest"] = .string(head["docker-content-digest"] ?? "")
        descriptor["size"] = .int(Int64(bytes.count))
        return descriptor
    }

    private static func entry(_ name: String, _ document: JSONValue, _ descriptor: JSONObject) -> JSONValue {
        var entry = JSONObject()
        entry["Ref"] = .string(name)
        entry["Descriptor"] = .object(descriptor)
        entry[LocalManifest.kind(of: descriptor)] = document
        return .object(entry)
    }
}
