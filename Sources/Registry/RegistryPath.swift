import HTTPServing
import OCISpec

/// What a path of the distribution API names (distribution-spec, "Endpoints").
enum RegistryPath: Hashable {
    /// `/v2/`
    case base
    /// `/v2/_catalog`
    case catalog
    case blob(RepositoryName, String)
    case uploads(RepositoryName)
    case upload(RepositoryName, String)
    case manifest(RepositoryName, String)
    case tags(RepositoryName)
    case referrers(RepositoryName, String)

    /// Reads a path.
    ///
    /// - Returns: nil for what is no path of this API.
    /// - Throws: `RegistryError` (NAME_INVALID).
    init?(_ path: String) throws(RegistryError) {
        var segments = path.split(separator: "/", omittingEmptySubsequences: false)
        guard segments.first?.isEmpty == true else { return nil }
        segments.removeFirst()
        // A slash at the end is no component; others that are empty make an invalid name.
        if segments.last?.isEmpty == true { segments.removeLast() }
        guard let (kind, parameters) = Self.table.find(.GET, segments) else { return nil }
        let reference = parameters["reference"]
        var name: RepositoryName { get throws(RegistryError) { try RepositoryName(parameters["name"]) } }
        switch kind {
        case .base: self = .base
        case .catalog: self = .catalog
        case .blob: self = .blob(try name, reference)
        case .uploads: self = .uploads(try name)
        case .upload: self = .upload(try name, reference)
        case .manifest: self = .manifest(try name, reference)
        case .tags: self = .tags(try name)
        case .referrers: self = .referrers(try name, reference)
        }
    }

    private enum Kind {
        case base, catalog, blob, uploads, upload, manifest, tags, referrers
    }

    private static let table = RouteTable<Kind>([
        .init(nil, "/v2", .base),
        .init(nil, "/v2/_catalog", .catalog),
        .init(nil, "/v2/{name}/blobs/uploads", .uploads),
        .init(nil, "/v2/{name}/blobs/uploads/{reference}", .upload),
        .init(nil, "/v2/{name}/blobs/{reference}", .blob),
        .init(nil, "/v2/{name}/manifests/{reference}", .manifest),
        .init(nil, "/v2/{name}/tags/list", .tags),
        .init(nil, "/v2/{name}/referrers/{reference}", .referrers),
    ])
}
