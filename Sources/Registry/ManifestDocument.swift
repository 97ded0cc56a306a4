import JSON
import OCISpec

/// The facts that a registry needs of a manifest: its type, its references, and its entry in a list of referrers.
///
/// Read leniently: fields that are of no concern here may be whatever they like, and the bytes are kept as they came.
package struct ManifestDocument: Hashable, Sendable {
    /// The type of the document.
    package let mediaType: String
    /// Blobs that have to be in the repository before the manifest: configuration and layers.
    package let blobs: Set<Digest>
    /// Manifests that have to be in the repository before the index.
    package let manifests: Set<Digest>
    /// The manifest that this one is about.
    package let subject: Digest?
    /// The type of an artifact: the manifest's own, or that of its configuration (image-spec, manifest.md,
    /// "artifactType").
    package let artifactType: String?
    /// The annotations, which lists of referrers show.
    package let annotations: [String: String]

    /// No manifest is longer; clients have the same limit (distribution-spec, "Pushing Manifests").
    package static let sizeLimit = 4 << 20

    /// Reads the body of a push.
    ///
    /// - Parameter contentType: the request's header; it has to be what the document says of itself.
    /// - Throws: `RegistryError` (MANIFEST_INVALID).
    package init(_ body: [UInt8], contentType: String?) throws(RegistryError) {
        let value: JSONValue
        do {
            value = try JSON.parse(body)
        } catch {
            throw .manifestInvalid("not JSON: \(error)")
        }
        guard let object = value.object else { throw .manifestInvalid("not a JSON object") }
        guard value["schemaVersion"]?.int == 2 else { throw .manifestInvalid("schemaVersion must be 2") }
        let announced = contentType.map { type in
            String(type.prefix { $0 != ";" }.filter { $0 != " " })
        }
        let inside = value["mediaType"]?.string
        if let announced, let inside, announced != inside {
            throw .manifestInvalid("mediaType in manifest is '\(inside)', the Content-Type is '\(announced)'")
        }
        guard let type = inside ?? announced else { throw .manifestInvalid("the media type is missing") }
        mediaType = type
        annotations = (value["annotations"]?.object).map(Self.texts) ?? [:]
        subject = try Self.descriptor(value["subject"], "subject")?.digest
        let ownType = value["artifactType"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        if MediaType.isManifest(type) {
            guard object["manifests"] == nil else {
                throw .manifestInvalid("an image manifest must not have \"manifests\"")
            }
            guard let config = try Self.descriptor(value["config"], "config") else {
                throw .manifestInvalid("config is missing")
            }
            let layers = try Self.descriptors(value["layers"], "layers")
            blobs = Set([config.digest] + layers.filter { !$0.isElsewhere }.map(\.digest))
            manifests = []
            artifactType = ownType ?? config.mediaType
        } else if MediaType.isIndex(type) {
            guard object["config"] == nil, object["layers"] == nil else {
                throw .manifestInvalid("an index must not have \"config\" or \"layers\"")
            }
            blobs = []
            manifests = Set(try Self.descriptors(value["manifests"], "manifests").map(\.digest))
            artifactType = ownType
        } else {
            throw .manifestInvalid("media type '\(type)' is not supported")
        }
    }

    private struct Pointer {
        let mediaType: String
        let digest: Digest
        /// Layers that may not be distributed stay where they come from.
        let isElsewhere: Bool
    }

    private static func descriptors(_ value: JSONValue?, _ name: String) throws(RegistryError) -> [Pointer] {
        guard let value, !value.isNull else { throw .manifestInvalid("\(name) is missing") }
        guard let list = value.array else { throw .manifestInvalid("\(name) is not a list") }
        var result: [Pointer] = []
        for element in list {
            guard let pointer = try descriptor(element, name) else { throw .manifestInvalid("\(name) contains null") }
            result.append(pointer)
        }
        return result
    }

    private static func descriptor(_ value: JSONValue?, _ name: String) throws(RegistryError) -> Pointer? {
        guard let value, !value.isNull else { return nil }
        guard let text = value["digest"]?.string else { throw .manifestInvalid("\(name) has no digest") }
        let digest: Digest
        do {
            digest = try Digest(parsing: text)
        } catch {
            throw .manifestInvalid("\(name): \(error)")
        }
        guard let size = value["size"]?.int, size >= 0 else { throw .manifestInvalid("\(name) has no size") }
        let type = value["mediaType"]?.string ?? ""
        let isElsewhere =
            value["urls"]?.array?.isEmpty == false || type.contains(".nondistributable.")
            || type == "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
        return Pointer(mediaType: type, digest: digest, isElsewhere: isElsewhere)
    }

    private static func texts(_ object: JSONObject) -> [String: String] {
        var result: [String: String] = [:]
        for key in object.keys { result[key] = object[key]?.string }
        return result
    }
}
