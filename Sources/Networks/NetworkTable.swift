import GRDB
import JSON

/// The rows of networks and of who is on them.
///
/// An address is in use exactly as long as the row of its endpoint is there: a row comes before what it stands for in
/// the kernel, and goes after it. So nobody gets an address twice, whenever the daemon dies.
struct NetworkTable: Sendable {
    let database: any DatabaseWriter

    static func registerMigrations(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("networks-1") { database in
            try database.execute(
                sql: """
                    CREATE TABLE network (
                        id TEXT PRIMARY KEY NOT NULL,
                        name TEXT NOT NULL UNIQUE,
                        document TEXT NOT NULL
                    ) WITHOUT ROWID;
                    CREATE TABLE networkEndpoint (
                        network TEXT NOT NULL REFERENCES network (id) ON DELETE CASCADE,
                        sandbox TEXT NOT NULL,
                        ipv4 TEXT,
                        ipv6 TEXT,
                        document TEXT NOT NULL,
                        PRIMARY KEY (network, sandbox),
                        UNIQUE (network, ipv4),
                        UNIQUE (network, ipv6)
                    ) WITHOUT ROWID;
                    CREATE INDEX networkEndpointSandbox ON networkEndpoint (sandbox);
                    """)
        }
    }

    /// All networks, and all endpoints.
    func load() throws(NetworksError) -> (networks: [Network], endpoints: [Endpoint]) {
        try Self.translating {
            try database.read { database in
                let networks = try String.fetchAll(database, sql: "SELECT document FROM network")
                let endpoints = try String.fetchAll(database, sql: "SELECT document FROM networkEndpoint")
                return (
                    try networks.map { try JSON.decode(Network.self, from: $0.utf8) },
                    try endpoints.map { try JSON.decode(Endpoint.self, from: $0.utf8) }
                )
            }
        }
    }

    /// Adds a network, or puts it in the place of the one with its id.
    func save(_ network: Network) throws(NetworksError) {
        let document = try Self.document(network)
        try Self.translating {
            try database.write { database in
                try database.execute(
                    literal: """
                        INSERT INTO network (id, name, document) VALUES (\(network.id), \(network.name), \(document))
                        ON CONFLICT (id) DO UPDATE SET document = excluded.document
                        """)
            }
        }
    }

    func removeNetwork(_ id: String) throws(NetworksError) {
        try Self.translating {
            try database.write { try $0.execute(literal: "DELETE FROM network WHERE id = \(id)") }
        }
    }

    /// Adds all endpoints, or none.
    ///
    /// - Parameter network: one that is there only as long as somebody is on it; it is added with the first endpoint,
    ///   and goes with the last.
    func add(_ endpoints: [Endpoint], of network: Network? = nil) throws(NetworksError) {
        if endpoints.isEmpty { return }
        let networkDocument = try network.map { (network) throws(NetworksError) in try Self.document(network) }
        var rows: [(Endpoint, String)] = []
        for endpoint in endpoints { rows.append((endpoint, try Self.document(endpoint))) }
        let complete = rows
        try Self.translating {
            try database.write { database in
                if let network, let networkDocument {
                    try database.execute(
                        literal: """
                            INSERT INTO network (id, name, document)
                            VALUES (\(network.id), \(network.name), \(networkDocument)) ON CONFLICT (id) DO NOTHING
                            """)
                }
                for (endpoint, document) in complete {
                    try database.execute(
                        literal: """
                            INSERT INTO networkEndpoint (network, sandbox, ipv4, ipv6, document)
                            VALUES (\(endpoint.networkID), \(endpoint.sandbox), \(endpoint.ipv4?.address.description),
                                \(endpoint.ipv6?.address.description), \(document))
                            """)
                }
            }
        }
    }

    /// Writes an endpoint anew whose addresses are the same.
    func update(_ endpoint: Endpoint) throws(NetworksError) {
        let document = try Self.document(endpoint)
        try Self.translating {
            try database.write { database in
                try database.execute(
                    literal: """
                        UPDATE networkEndpoint SET document = \(document)
                        WHERE network = \(endpoint.networkID) AND sandbox = \(endpoint.sandbox)
                        """)
            }
        }
    }

    /// Removes the endpoints of a sandbox, or the one on a network.
    func removeEndpoints(of sandbox: String, on network: String? = nil) throws(NetworksError) {
        try Self.translating {
            try database.write { database in
                try database.execute(
                    literal: """
                        DELETE FROM networkEndpoint
                        WHERE sandbox = \(sandbox) AND (\(network) IS NULL OR network = \(network))
                        """)
                try database.execute(
                    literal: """
                        DELETE FROM network
                        WHERE substr(name, 1, \(PluginNetwork.prefix.utf8.count)) = \(PluginNetwork.prefix)
                            AND id NOT IN (SELECT network FROM networkEndpoint)
                        """)
            }
        }
    }

    private static func document(_ value: some Encodable) throws(NetworksError) -> String {
        try translating { String(decoding: try JSON.encode(value), as: UTF8.self) }
    }

    private static func translating<Value>(_ body: () throws -> Value) throws(NetworksError) -> Value {
        do {
            return try body()
        } catch {
            throw .system("the database does not do what networks need: \(error)")
        }
    }
}
