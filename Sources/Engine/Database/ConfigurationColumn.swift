import GRDB
import JSON

/// The column `configuration` of all containers, for migrations.
enum ConfigurationColumn {
    /// Converts each value in place. What is not JSON, or not of the format that `body` knows, stays as it is.
    static func convert(in database: Database, _ body: (inout JSONObject) throws -> Void) throws {
        for row in try Row.fetchAll(database, sql: "SELECT id, configuration FROM container") {
            guard let id = String.fromDatabaseValue(row["id"]),
                let text = String.fromDatabaseValue(row["configuration"]),
                let new = try? converted(text, body)  // See above.
            else { continue }
            try database.execute(
                sql: "UPDATE container SET configuration = ? WHERE id = ?", arguments: [new, id])
        }
    }

    private static func converted(_ text: String, _ body: (inout JSONObject) throws -> Void) throws -> String {
        guard case .object(var configuration) = try JSON.parse(text) else {
            throw EngineError.system("it is not a container's configuration")
        }
        try body(&configuration)
        return String(decoding: JSONValue.object(configuration).serialized(), as: UTF8.self)
    }
}
