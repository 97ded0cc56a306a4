import GRDB
import JSON

/// Gives containers of the time when the default network was implied by their mode their place on it: a container is
/// on those networks alone that its configuration names.
enum EndpointMigration {
    /// Carries all rows over. One that cannot be understood stays as it is: it costs its own container only.
    static func migrate(_ database: Database) throws {
        for row in try Row.fetchAll(database, sql: "SELECT id, configuration FROM container") {
            guard let id = String.fromDatabaseValue(row["id"]),
                let text = String.fromDatabaseValue(row["configuration"]),
                // Not JSON: see above.
                let new = try? converted(text)
            else { continue }
            try database.execute(sql: "UPDATE container SET configuration = ? WHERE id = ?", arguments: [new, id])
        }
    }

    /// The configuration with its endpoints; nil if it has some, or no network that it could have a place on.
    static func converted(_ text: String) throws -> String? {
        guard case .object(var configuration) = try JSON.parse(text),
            let network = configuration["host"]?["networkMode"]?["network"]?.string,
            configuration["endpoints"]?.object?.isEmpty ?? true
        else { return nil }
        let endpoint: JSONValue = [
            "linkLocal": [], "aliases": [], "links": [], "driverOptions": [:], "gatewayPriority": 0,
        ]
        var endpoints = JSONObject()
        endpoints[network] = endpoint
        configuration["endpoints"] = .object(endpoints)
        return String(decoding: JSONValue.object(configuration).serialized(), as: UTF8.self)
    }
}
