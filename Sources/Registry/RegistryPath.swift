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

    /// Reads a path, read from its end because a repository's name has any number of components.
    ///
    /// - Returns: nil for what is no path of this API.
    /// - Throws: `RegistryError` (NAME_INVALID).
    init?(_ path: String) throws(RegistryError) {
        var parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count >= 2, parts[0].isEmpty, parts[1] == "v2" else { return nil }
        parts.removeFirst(2)
        // A slash at the end is no component.
        if parts.last?.isEmpty == true { parts.removeLast() }
        guard let last = parts.last else {
            self = .base
            return
        }
        func name(_ dropped: Int) throws(RegistryError) -> RepositoryName {
            try RepositoryName(parts.dropLast(dropped).joined(separator: "/"))
        }
        let before = parts.dropLast()
        if parts == ["_catalog"] {
            self = .catalog
        } else if parts.count > 2, last == "uploads", before.last == "blobs" {
            self = .uploads(try name(2))
        } else if parts.count > 3, before.last == "uploads", before.dropLast().last == "blobs" {
            self = .upload(try name(3), String(last))
        } else if parts.count > 2, last == "list", before.last == "tags" {
            self = .tags(try name(2))
        } else if parts.count > 2, before.last == "blobs" {
            self = .blob(try name(2), String(last))
        } else if parts.count > 2, before.last == "manifests" {
            self = .manifest(try name(2), String(last))
        } else if parts.count > 2, before.last == "referrers" {
            self = .referrers(try name(2), String(last))
        } else {
            return nil
        }
    }
}
