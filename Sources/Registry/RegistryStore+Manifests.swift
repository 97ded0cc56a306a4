import Hashing
import ContentStore
import GRDB
import JSON
import OCISpec

/// A manifest as a registry has it.
package struct StoredManifest: Hashable, Sendable {
    /// The digest of the manifest.
    package let digest: Digest
    /// The type of the manifest.
    package let mediaType: String
    /// In bytes.
    package let size: Int64
}

extension RegistryStore {
    /// Finds a manifest.
    ///
    /// - Throws: `RegistryError` (MANIFEST_UNKNOWN).
    package func manifest(
        _ reference: ManifestReference, in repository: RepositoryName
    ) async throws -> StoredManifest {
        let found = try await database.read { database -> StoredManifest? in
            guard let identifier = try RegistryDatabase.identifier(of: repository, in: database) else { return nil }
            let column: String
            switch reference {
            case .digest: column = "digest = ?"
            case .tag:
                column = "digest = (SELECT digest FROM tag WHERE tag.repository = manifest.repository AND name = ?)"
            }
            let row = try Row.fetchOne(
                database, sql: "SELECT digest, mediaType, size FROM manifest WHERE repository = ? AND \(column)",
                arguments: [identifier, reference.description])
            return try row.map {
                StoredManifest(
                    digest: try Digest(parsing: $0["digest"] as String), mediaType: $0["mediaType"], size: $0["size"])
            }
        }
        guard let found else { throw RegistryError.manifestUnknown(reference) }
        return found
    }

    /// The bytes of a manifest, as they were pushed.
    package func body(of manifest: StoredManifest) async throws -> [UInt8] {
        let content = content
        do {
            return try await pool.run { try content.read(manifest.digest) }
        } catch ContentError.notFound {
            throw RegistryError.manifestUnknown(manifest.digest)
        }
    }

    /// Stores a manifest, and what it is called.
    ///
    /// - Parameters:
    ///   - reference: a tag, or the digest that the bytes have to have.
    ///   - tags: more tags.
    /// - isWhole: whether all that the manifest refers to has to be in the repository. What is pulled through comes
    ///     later.
    /// - Returns: the manifest's digest.
    /// - Throws: `RegistryError` (DIGEST_INVALID, MANIFEST_BLOB_UNKNOWN).
    package func put(
        _ document: ManifestDocument, body: [UInt8], as reference: ManifestReference, tags: [String],
        in repository: RepositoryName, isWhole: Bool = true
    ) async throws -> Digest {
        let canonical = ContentHasher.digest(of: body)
        var names = tags
        let digest: Digest
        switch reference {
        case .digest(let expected):
            digest = expected.algorithm == .sha256 ? canonical : ContentHasher.digest(of: body, expected.algorithm)
            guard digest == expected else {
                throw RegistryError.digestInvalid(
                    expected.description, "the manifest's digest is \(digest), not \(expected)")
            }
        case .tag(let tag):
            names.append(tag)
            // A client that has pushed it before under the digest of another algorithm means that one.
            digest =
                if try await has(canonical, in: repository) {
                    canonical
                } else {
                    try await known(body, in: repository) ?? canonical
                }
        }
        let (content, boot) = (content, boot)
        return try await database.write { [names] database in
            let identifier = try RegistryDatabase.identifier(making: repository, in: database)
            for blob in isWhole ? document.blobs : []
            where try RegistryDatabase.size(of: blob, in: identifier, database) == nil {
                throw RegistryError(
                    .notFound, .manifestBlobUnknown, "manifest references a blob unknown to registry: \(blob)",
                    detail: ["digest": .string(blob.description)])
            }
            for child in isWhole ? document.manifests : []
            where try !Self.has(child, in: identifier, database) {
                throw RegistryError(
                    .notFound, .manifestBlobUnknown, "manifest references a manifest unknown to registry: \(child)",
                    detail: ["digest": .string(child.description)])
            }
            let stored = try content.store(body, expecting: digest)
            try RegistryDatabase.add(
                digest, size: Int64(body.count), boot: stored.isNew ? boot : nil, in: database)
            try Self.insert(document, digest, size: Int64(body.count), in: identifier, database)
            for tag in names {
                try database.execute(
                    sql: """
                        INSERT INTO tag (repository, name, digest) VALUES (?, ?, ?)
                        ON CONFLICT DO UPDATE SET digest = excluded.digest
                        """,
                    arguments: [identifier, tag, digest.description])
            }
            return digest
        }
    }

    private func has(_ digest: Digest, in repository: RepositoryName) async throws -> Bool {
        try await database.read { database in
            guard let identifier = try RegistryDatabase.identifier(of: repository, in: database) else { return false }
            return try Bool.fetchOne(
                database, sql: "SELECT EXISTS (SELECT 1 FROM manifest WHERE repository = ? AND digest = ?)",
                arguments: [identifier, digest.description]) ?? false
        }
    }

    private func known(_ body: [UInt8], in repository: RepositoryName) async throws -> Digest? {
        for algorithm in Digest.Algorithm.allCases where algorithm != .sha256 {
            let digest = ContentHasher.digest(of: body, algorithm)
            if try await has(digest, in: repository) { return digest }
        }
        return nil
    }

    /// Whether a repository has a manifest, or a blob, of that digest: an index may point at either.
    private static func has(_ digest: Digest, in repository: Int64, _ database: Database) throws -> Bool {
        let isManifest = try Bool.fetchOne(
            database, sql: "SELECT EXISTS (SELECT 1 FROM manifest WHERE repository = ? AND digest = ?)",
            arguments: [repository, digest.description])
        if isManifest == true { return true }
        return try RegistryDatabase.size(of: digest, in: repository, database) != nil
    }

    private static func insert(
        _ document: ManifestDocument, _ digest: Digest, size: Int64, in repository: Int64, _ database: Database
    ) throws {
        let annotations: String? =
            document.annotations.isEmpty
            ? nil : String(decoding: try JSON.encode(document.annotations), as: UTF8.self)
        try database.execute(
            sql: """
                INSERT INTO manifest (repository, digest, mediaType, size, subject, artifactType, annotations)
                VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
                """,
            arguments: [
                repository, digest.description, document.mediaType, size, document.subject?.description,
                document.artifactType, annotations,
            ])
        guard database.changesCount > 0 else { return }
        let manifest = database.lastInsertedRowID
        for child in document.blobs.union(document.manifests) {
            try database.execute(
                sql: "INSERT INTO manifestContent (manifest, digest) VALUES (?, ?)",
                arguments: [manifest, child.description])
        }
    }

    /// Removes a tag, or a manifest with all of its tags.
    ///
    /// - Throws: `RegistryError` (MANIFEST_UNKNOWN).
    package func removeManifest(_ reference: ManifestReference, from repository: RepositoryName) async throws {
        let isRemoved = try await database.write { database in
            guard let identifier = try RegistryDatabase.identifier(of: repository, in: database) else { return false }
            switch reference {
            case .tag(let name):
                try database.execute(
                    sql: "DELETE FROM tag WHERE repository = ? AND name = ?", arguments: [identifier, name])
            case .digest(let digest):
                try database.execute(
                    sql: "DELETE FROM manifest WHERE repository = ? AND digest = ?",
                    arguments: [identifier, digest.description])
            }
            return database.changesCount > 0
        }
        guard isRemoved else { throw RegistryError.manifestUnknown(reference) }
    }

    /// One page of the manifests that are about another one (distribution-spec, "Listing Referrers").
    ///
    /// - Parameters:
    ///   - type: only those of this artifact type; nil for all.
    ///   - last: the digest before the page's first one.
    ///   - limit: how many at most.
    package func referrers(
        of subject: Digest, type: String?, after last: String, limit: Int, in repository: RepositoryName
    ) async throws -> (descriptors: [Descriptor], hasMore: Bool) {
        let rows = try await database.read { database -> [Descriptor] in
            guard let identifier = try RegistryDatabase.identifier(of: repository, in: database) else { return [] }
            return try Row.fetchAll(
                database,
                sql: """
                    SELECT digest, mediaType, size, artifactType, annotations FROM manifest
                    WHERE repository = ? AND subject = ? AND digest > ? AND (? IS NULL OR artifactType = ?)
                    ORDER BY digest LIMIT ?
                    """,
                arguments: [identifier, subject.description, last, type, type, limit + 1]
            ).map { row in
                let annotations: String? = row["annotations"]
                var descriptor = Descriptor(
                    mediaType: row["mediaType"], digest: try Digest(parsing: row["digest"] as String),
                    size: row["size"],
                    annotations: try annotations.map {
                        try JSON.decode([String: String].self, from: Array($0.utf8))
                    })
                descriptor.artifactType = row["artifactType"]
                return descriptor
            }
        }
        return (Array(rows.prefix(limit)), rows.count > limit)
    }
}
