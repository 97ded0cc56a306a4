import Glibc
import GRDB
import LinuxKernel
import Logging
import SystemPackage

/// Tells whether a database and a content store belong together: both have the same random name.
///
/// A database that was lost, or replaced by an empty one, knows no blob, and a start would remove all of them as what a
/// crash has left. So a store of another name, or one that the database has never heard of, is set aside as a whole: it
/// is an OCI image layout, from which `masu load` reads the images.
enum StoreIdentity {
    static func registerMigrations(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("images-identity-1") { database in
            try database.execute(sql: "CREATE TABLE imageStore (identity TEXT NOT NULL)")
        }
    }

    /// Sets a store of another database aside and gives a new one its name.
    ///
    /// - Parameters:
    ///   - content: the store's directory, which need not exist.
    ///   - dataRoot: see `SetAside`.
    static func check(
        _ content: FilePath, _ database: any DatabaseWriter, setAsideIn dataRoot: FilePath, _ logger: Logger
    ) throws {
        let file = content.appending("identity")
        // An empty name is one that could not be written or read: it says nothing.
        let stored = Files.exists(file) ? (try? Files.readText(file)) ?? "" : nil
        let (known, hasImages) = try database.read { database in
            (
                try String.fetchOne(database, sql: "SELECT identity FROM imageStore"),
                try Bool.fetchOne(database, sql: "SELECT EXISTS (SELECT 1 FROM image)") ?? false
            )
        }
        if let known, known == stored { return }
        let isAnothers = if let known, let stored, !stored.isEmpty { known != stored } else { false }
        // A database that has just been made has no name. Stores of earlier versions have none either.
        let isUnknown = (known == nil || stored?.isEmpty == true) && !hasImages && hasBlobs(content)
        if isAnothers || isUnknown {
            let place = SetAside.folder(in: dataRoot)
            try Files.makeDirectories(place, mode: 0o700)
            try Files.rename(content, to: place.appending("content"))
            logger.error(
                """
                the database does not know the store of images: it was set aside; 'tar -cC PATH . | masu load' reads \
                its images
                """,
                metadata: ["path": "\(place.appending("content"))"])
        }
        do {
            try name(content, file, known ?? random(), database)
        } catch {
            // A daemon has to come up on a full disk, too. The next start tries again.
            logger.warning("the store of images cannot be named", metadata: ["error": "\(error)"])
        }
    }

    /// The database first: a store that has a name it does not know is another database's.
    private static func name(
        _ content: FilePath, _ file: FilePath, _ identity: String, _ database: any DatabaseWriter
    ) throws {
        try database.write { database in
            try database.execute(sql: "DELETE FROM imageStore")
            try database.execute(sql: "INSERT INTO imageStore (identity) VALUES (?)", arguments: [identity])
        }
        try Files.makeDirectories(content, mode: 0o700)
        // Whole or not at all.
        try Files.replace(file, with: Array(identity.utf8))
    }

    private static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        return String(generator.next(), radix: 16) + String(generator.next(), radix: 16)
    }

    private static func hasBlobs(_ content: FilePath) -> Bool {
        // What cannot be listed is not deleted either.
        ["sha256", "sha512"].contains { algorithm in
            (try? DirectoryListing.names(of: content.appending("blobs").appending(algorithm)))?.isEmpty == false
        }
    }
}
