import EngineAPIModel
import Flags
import JSON
import Text

/// `masu manifest`.
enum ManifestCommands {
    private static let insecure = Flag.boolean(
        "insecure", "Allow communication with an insecure registry (no effect: see the daemon's --insecure-registry)")
    private static let verbose = Flag.boolean(
        "verbose", short: "v", "Output additional info including layers and platform")

    static let inspect = Command(
        "inspect", operands: "[MANIFEST_LIST] MANIFEST", arity: .atLeast(1),
        "Display an image manifest, or manifest list",
        examples: [.init("See the platforms of an image", "masu manifest inspect debian:bookworm")],
        flags: { [insecure, verbose] },
        action: { invocation in
            guard let image = invocation.operands.last, invocation.operands.count <= 2 else { return 1 }
            try ImageText.check(image)
            let client = try DaemonClient(invocation)
            let (document, head) = try fetch(image, client)
            guard invocation.flags[verbose] else {
                try Console.print(String(decoding: document.serialized(pretty: true), as: UTF8.self))
                return 0
            }
            let name = RegistryAccess.canonical(ImageText.familiar(image))
            guard let entries = document["manifests"]?.array else {
                try Console.print(
                    String(
                        decoding: entry(name, document, descriptor(head, document)).serialized(pretty: true),
                        as: UTF8.self))
                return 0
            }
            var all: [JSONValue] = []
            for descriptor in entries {
                guard let digest = descriptor["digest"]?.string else { continue }
                let pinned = repository(name) + "@" + digest
                all.append(entry(pinned, try fetch(pinned, client).document, descriptor))
            }
            try Console.print(String(decoding: JSONValue.array(all).serialized(pretty: true), as: UTF8.self))
            return 0
        })

    private static func repository(_ name: String) -> String {
        let bare = name.prefix { $0 != "@" }
        return bare == name[...] ? ImageCommands.split(name).repository : String(bare)
    }

    private static func fetch(_ image: String, _ client: DaemonClient) throws -> (
        document: JSONValue, head: HTTPResponseHead
    ) {
        let parts = image.split(separator: "/", omittingEmptySubsequences: false).map {
            PercentEncoding.encode($0)
        }
        var request = HTTPRequest("GET", "/distribution/" + parts.joined(separator: "/") + "/manifest")
        if let header = try RegistryAccess.header(for: image) { request.headers.append(header) }
        let (head, body) = try client.call(request)
        return (try JSON.parse(body), head)
    }

    private static func descriptor(_ head: HTTPResponseHead, _ document: JSONValue) -> JSONValue {
        var descriptor = JSONObject()
        descriptor["mediaType"] = .string(head["content-type"] ?? "")
        descriptor["digest"] = .string(head["docker-content-digest"] ?? "")
        descriptor["size"] = .int(head["content-length"].flatMap { Int64($0) } ?? 0)
        return .object(descriptor)
    }

    private static func entry(_ name: String, _ document: JSONValue, _ descriptor: JSONValue) -> JSONValue {
        var entry = JSONObject()
        entry["Ref"] = .string(name)
        entry["Descriptor"] = descriptor
        let isDocker = descriptor["mediaType"]?.string?.holds("docker") ?? false
        entry[isDocker ? "SchemaV2Manifest" : "OCIManifest"] = document
        return .object(entry)
    }
}
