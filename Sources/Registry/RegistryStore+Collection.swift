import ContentStore
import GRDB
import Glibc
import LinuxKernel
import OCISpec

/// What a collection has removed.
package struct CollectionReport: Hashable, Sendable {
    /// How many manifests were removed.
    package var manifests = 0
    /// How many blobs were removed.
    package var blobs = 0
    /// In bytes.
    package var freed: Int64 = 0

    /// A report of a collection that has removed nothing.
    package init() {}
}

extension RegistryStore {
    /// Removes what no manifest needs any more, while pushes and pulls go on.
    ///
    /// A blob of a repository stays as long as a manifest of that repository refers to it, and for `grace` after it was
    /// pushed or mounted, because clients push blobs before the manifest. A pull that has a blob open keeps reading it.
    ///
    /// - Parameters:
    ///   - grace: seconds.
    /// - removesUntagged: whether manifests without a tag go, too, unless an index with a tag or a manifest's subject
    ///     holds them.
    package func collect(grace: Int64, removesUntagged: Bool) async throws -> CollectionReport {
        var report = CollectionReport()
        let limit = Self.now() - grace
        if removesUntagged { report.manifests = try await removeUntagged() }
        try await database.write { database in
            try database.execute(
                sql: """
                    DELETE FROM repositoryBlob WHERE addedAt < ? AND NOT EXISTS (
                        SELECT 1 FROM manifestContent JOIN manifest ON manifest.id = manifestContent.manifest
                        WHERE manifest.repository = repositoryBlob.repository
                        AND manifestContent.digest = repositoryBlob.digest)
                    """,
                arguments: [limit])
        }
        while true {
            let removed = try await removeOrphans()
            if removed.blobs == 0 { break }
            report.blobs += removed.blobs
            report.freed += removed.freed
        }
        try await removeStrays()
        try await database.write { database in
            try database.execute(
                sql: """
                    DELETE FROM repository WHERE NOT EXISTS (SELECT 1 FROM manifest WHERE repository = repository.id)
                    AND NOT EXISTS (SELECT 1 FROM repositoryBlob WHERE repository = repository.id)
                    AND NOT EXISTS (SELECT 1 FROM upload WHERE repository = repository.id)
                    """)
        }
        return report
    }

    private func removeUntagged() async throws -> Int {
        try await database.write { database in
            // What a tagged index holds, and what is about something that is there, is reached from a tag.
            try database.execute(
                sql: """
                    WITH RECURSIVE reached (repository, digest) AS (
                        SELECT repository, digest FROM tag
                        UNION
                        SELECT manifest.repository, manifestContent.digest
                        FROM reached
                        JOIN manifest USING (repository, digest)
                        JOIN manifestContent ON manifestContent.manifest = manifest.id
                        UNION
                        SELECT manifest.repository, manifest.digest
                        FROM reached
                        JOIN manifest ON manifest.repository = reached.repository AND manifest.subject = reached.digest
                    )
                    DELETE FROM manifest WHERE (repository, digest) NOT IN (SELECT repository, digest FROM reached)
                    """)
            return database.changesCount
        }
    }

    /// A few at a time, so that nobody waits long for the database.
    private func removeOrphans() async throws -> CollectionReport {
        let content = content
        return try await database.write { database in
            var report = CollectionReport()
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT digest, size FROM blob
                    WHERE NOT EXISTS (SELECT 1 FROM repositoryBlob WHERE digest = blob.digest)
                    AND NOT EXISTS (SELECT 1 FROM manifest WHERE digest = blob.digest) LIMIT 50
                    """)
            for row in rows {
                let digest = try Digest(parsing: row["digest"] as String)
                try content.remove(digest)
                try database.execute(sql: "DELETE FROM blob WHERE digest = ?", arguments: [digest.description])
                report.blobs += 1
                report.freed += row["size"] as Int64
            }
            return report
        }
    }

    /// Files without a row: the process was killed between the two.
    private func removeStrays() async throws {
        let content = content
        let onDisk = try await pool.run { try content.list() }
        let known = try await database.read { Set(try String.fetchAll($0, sql: "SELECT digest FROM blob")) }
        for digest in onDisk where !known.contains(digest.description) {
            try await database.write { database in
                let isKnown = try Bool.fetchOne(
                    database, sql: "SELECT EXISTS (SELECT 1 FROM blob WHERE digest = ?)",
                    arguments: [digest.description])
                if isKnown == false { try content.remove(digest) }
            }
        }
    }

    // MARK: Settling

    // A push is answered when its bytes are the kernel's. They are flushed to the disk in the background; until that is
    // done a blob's row says in which boot it was written. Blobs of another boot that were never flushed are read once
    // at the start, and those that a failure of the machine has damaged are forgotten, with the manifests that were
    // among them.

    /// Flushes what was pushed since the last time.
    package func settle() async throws {
        let digests = try await database.read {
            try String.fetchAll($0, sql: "SELECT digest FROM blob WHERE unsettledBoot IS NOT NULL")
        }
        guard !digests.isEmpty else { return }
        let content = content
        try await pool.run {
            for digest in try digests.map({ try Digest(parsing: $0) }) {
                try content.flush(digest)
            }
        }
        try await database.write { database in
            for digest in digests {
                try database.execute(
                    sql: "UPDATE blob SET unsettledBoot = NULL WHERE digest = ?", arguments: [digest])
            }
        }
    }

    func dropDamaged() throws {
        let digests = try database.read { database in
            try String.fetchAll(
                database, sql: "SELECT digest FROM blob WHERE unsettledBoot IS NOT NULL AND unsettledBoot <> ?",
                arguments: [boot])
        }
        for text in digests {
            let digest = try Digest(parsing: text)
            let isWhole = try content.verify(digest)
            try database.write { database in
                if isWhole {
                    try database.execute(
                        sql: "UPDATE blob SET unsettledBoot = ? WHERE digest = ?", arguments: [boot, text])
                } else {
                    logger.warning(
                        "a blob is damaged because the machine stopped while it was written; push it again",
                        metadata: ["digest": "\(digest)"])
                    try content.remove(digest)
                    try database.execute(sql: "DELETE FROM blob WHERE digest = ?", arguments: [text])
                }
            }
        }
    }
}
