import GRDB
import JSON
import OCISpec

/// A container's row: all of it that outlives the daemon.
package struct ContainerRecord: Sendable {
    package let id: String
    /// Without a leading `/`.
    package var name: String
    /// When it was made.
    package let createdAt: Timestamp
    /// `sha256:…`
    package let imageID: String
    /// With the image's and the daemon's defaults merged in.
    package var configuration: ContainerConfiguration
    /// First word and rest of what runs.
    package let path: String
    /// What follows the program's path.
    package let arguments: [String]
    /// The state in which the daemon left it.
    package var state: ContainerState = .created(failure: nil)
    /// How often the restart policy started it since the last start by hand.
    package var restartCount = 0
    /// Whether it was stopped by hand: then `unless-stopped` and `always` wait for a start by hand (`always`: or a
    /// new daemon).
    package var isManuallyStopped = false
    /// Whether it ever ran: only then it has host name and resolver files.
    package var hasRun = false
    /// What checks of its health have shown; nil if there are none.
    package var health: ContainerHealth?
    /// Why the row could not be read, if it could not: then the configuration is an empty one, and the container dead.
    package var damage: String?

    /// A row.
    package init(
        id: String, name: String, createdAt: Timestamp, imageID: String, configuration: ContainerConfiguration,
        path: String, arguments: [String]
    ) {
        self.id = id
        self.name = name
        self.createdAt = createdAt
        self.imageID = imageID
        self.configuration = configuration
        self.path = path
        self.arguments = arguments
    }
}

extension ContainerRecord {
    /// Adds this module's migrations; their names begin with `engine-`.
    package static func registerMigrations(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("engine-1") { database in
            try database.execute(
                sql: """
                    CREATE TABLE container (
                        id TEXT NOT NULL PRIMARY KEY,
                        name TEXT NOT NULL UNIQUE,
                        createdAt TEXT NOT NULL,
                        imageID TEXT NOT NULL,
                        configuration TEXT NOT NULL,
                        path TEXT NOT NULL,
                        arguments TEXT NOT NULL,
                        state TEXT NOT NULL
                            CHECK (state IN ('created', 'running', 'paused', 'restarting', 'exited', 'removing', 'dead')),
                        pid INTEGER,
                        shimPID INTEGER,
                        startedAt TEXT,
                        finishedAt TEXT,
                        exitCode INTEGER,
                        isOOMKilled BOOLEAN NOT NULL DEFAULT 0,
                        error TEXT,
                        restartCount INTEGER NOT NULL DEFAULT 0,
                        isManuallyStopped BOOLEAN NOT NULL DEFAULT 0,
                        hasRun BOOLEAN NOT NULL DEFAULT 0
                    );
                    CREATE INDEX containerByImage ON container (imageID);
                    CREATE TABLE engineSetting (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
                    """)
        }
        migrator.registerMigration("engine-2") { try ConfigurationFormat2.migrate($0) }
        migrator.registerMigration("engine-3") { try ConfigurationFormat3.migrate($0) }
        migrator.registerMigration("engine-4") { try EndpointMigration.migrate($0) }
        migrator.registerMigration("engine-5-mounts") { try MountPointMigration.migrate($0) }
        migrator.registerMigration("engine-health") { database in
            try database.execute(sql: "ALTER TABLE container ADD COLUMN health TEXT")
        }
    }

    /// Adds the row.
    package func insert(in database: Database) throws {
        let statement = try database.cachedStatement(
            sql: """
                INSERT INTO container (id, name, createdAt, imageID, configuration, path, arguments, state)
                VALUES (?, ?, ?, ?, ?, ?, ?, 'created')
                """)
        try statement.execute(
            arguments: [
                id, name, createdAt.description, imageID, text(configuration), path, text(arguments),
            ])
    }

    /// Writes what changes in a container's life (not its configuration).
    package func updateState(in database: Database) throws {
        let running = state.running
        let exit = state.exit
        var exitCode = exit?.code
        var error = exit?.error
        if case .created(let failure?) = state { (exitCode, error) = (failure.exitCode, failure.message) }
        let statement = try database.cachedStatement(
            sql: """
                UPDATE container SET name = ?, state = ?, pid = ?, shimPID = ?, startedAt = ?, finishedAt = ?, exitCode = ?,
                    isOOMKilled = ?, error = ?, restartCount = ?, isManuallyStopped = ?, hasRun = ?, health = ?
                    WHERE id = ?
                """)
        let startedAt = running?.startedAt ?? exit?.startedAt
        let finishedAt = running?.previouslyFinishedAt ?? exit?.finishedAt
        try statement.execute(
            arguments: [
                name, state.status.rawValue, running?.pid, running?.shimPID, startedAt?.description,
                finishedAt?.description, exitCode, state.isOOMKilled, error, restartCount, isManuallyStopped, hasRun,
                try health.map { try text($0) }, id,
            ])
    }

    /// Writes what the container wants to be, which changes with its networks.
    package func updateConfiguration(in database: Database) throws {
        try database.cachedStatement(sql: "UPDATE container SET configuration = ? WHERE id = ?")
            .execute(arguments: [text(configuration), id])
    }

    /// Removes the row; none is no error.
    package static func delete(id: String, in database: Database) throws {
        try database.cachedStatement(sql: "DELETE FROM container WHERE id = ?").execute(arguments: [id])
    }

    /// All rows, oldest first. One that cannot be read costs its own container only, which is dead.
    package static func all(in database: Database) throws -> [ContainerRecord] {
        try Row.fetchAll(database, sql: "SELECT * FROM container ORDER BY createdAt, id").map { row in
            do { return try ContainerRecord(row: row) } catch { return ContainerRecord(damaged: row, by: error) }
        }
    }

    private func text(_ value: some Encodable) throws -> String {
        String(decoding: try JSON.encode(value), as: UTF8.self)
    }

    /// A row.
    package init(row: Row) throws {
        id = try row.value("id")
        name = try row.value("name")
        imageID = try row.value("imageID")
        createdAt = Timestamp(try row.value("createdAt")) ?? .zero
        path = try row.value("path")
        let arguments: String = try row.value("arguments")
        self.arguments = try JSON.decode([String].self, from: Array(arguments.utf8))
        configuration = try ContainerConfiguration(stored: row.value("configuration"))
        restartCount = try row.value("restartCount")
        isManuallyStopped = try row.value("isManuallyStopped")
        hasRun = try row.value("hasRun")
        state = try ContainerState(row: row)
        // One that cannot be read begins anew with the next check.
        health = (try row.optional("health") as String?).flatMap {
            try? JSON.decode(ContainerHealth.self, from: Array($0.utf8))
        }
    }
}

extension ContainerState {
    fileprivate init(row: Row) throws {
        let startedAt = try (row.optional("startedAt") as String?).flatMap { Timestamp($0) }
        let finishedAt = try (row.optional("finishedAt") as String?).flatMap { Timestamp($0) }
        let error: String? = try row.optional("error")
        let exitCode: Int32? = try row.optional("exitCode")
        let isOOMKilled: Bool = try row.value("isOOMKilled")
        let exit = finishedAt.map {
            Exit(
                code: exitCode ?? 0, startedAt: startedAt ?? .zero, finishedAt: $0, isOOMKilled: isOOMKilled,
                error: error)
        }
        let status = Status(rawValue: try row.value("state"))
        switch status {
        case .running, .paused:
            self = .running(
                Running(
                    pid: try row.optional("pid") ?? 0, shimPID: try row.optional("shimPID") ?? 0,
                    startedAt: startedAt ?? .zero, isPaused: status == .paused, previouslyFinishedAt: finishedAt))
        case .restarting where exit != nil:
            self = exit.map { .restarting($0) } ?? .created(failure: nil)
        case .exited where exit != nil:
            self = exit.map { .exited($0) } ?? .created(failure: nil)
        case .removing: self = .removing(exit)
        case .dead: self = .dead(exit)
        case .created, .restarting, .exited, nil:
            self = .created(failure: error.map { StartFailure(exitCode: exitCode ?? 128, message: $0) })
        }
    }
}

extension ContainerConfiguration {
    /// A stored configuration laid over the defaults: options that are newer than the row get their default value.
    package init(stored text: String) throws {
        let stored = try JSON.parse(text)
        let defaults = try JSON.encodeValue(ContainerConfiguration())
        self = try JSON.decode(ContainerConfiguration.self, from: Self.overlay(stored, on: defaults))
    }

    private static func overlay(_ value: JSONValue, on defaults: JSONValue) -> JSONValue {
        guard case .object(let members) = value, case .object(var result) = defaults else { return value }
        for (key, member) in members {
            result[key] = result[key].map { overlay(member, on: $0) } ?? member
        }
        return .object(result)
    }
}
