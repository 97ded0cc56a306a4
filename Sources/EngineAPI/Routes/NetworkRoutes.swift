import Engine
import JSON
import NIOHTTP1

extension EngineRoutes {
    /// What there is of networks and volumes: the three networks every engine has, and no volumes.
    var networks: [Route] {
        [
            Route(.GET, "/networks") { request in
                let filters = try request.query.filters()
                return .json(JSONValue.array(Self.builtInNetworks.filter { $0.matches(filters) }.map(\.description)))
            },
            Route(.GET, "/networks/{name}") { request in
                guard
                    let network = Self.builtInNetworks.first(where: { $0.name == request.name || $0.id == request.name }
                    )
                else { throw APIError(.notFound, "network \(request.name) not found") }
                return .json(network.description)
            },
            Route(.GET, "/volumes") { _ in .json(["Volumes": [], "Warnings": nil] as JSONValue) },
            Route(.GET, "/volumes/{name}") { request in
                throw APIError(.notFound, "get \(request.name): no such volume")
            },
        ]
    }

    /// A network that exists without having been made.
    struct BuiltInNetwork: Sendable {
        let name: String
        let driver: String
        /// Made from the name, so that it is the same on every start.
        let id: String

        init(name: String, driver: String) {
            self.name = name
            self.driver = driver
            let digits = name.utf8.map { byte in String(byte >> 4, radix: 16) + String(byte & 15, radix: 16) }.joined()
            id = digits + String(repeating: "0", count: 64 - digits.utf8.count)
        }

        func matches(_ filters: FilterArguments) -> Bool {
            let names = filters["name"]
            let drivers = filters["driver"]
            let ids = filters["id"]
            return (names.isEmpty || names.contains { name.contains($0) })
                && (drivers.isEmpty || drivers.contains(driver))
                && (ids.isEmpty || ids.contains { id.hasPrefix($0) })
                && filters["label"].isEmpty
                && !filters["type"].contains("custom")
        }

        var description: JSONValue {
            [
                "Name": .string(name), "Id": .string(id), "Created": "0001-01-01T00:00:00Z", "Scope": "local",
                "Driver": .string(driver), "EnableIPv4": false, "EnableIPv6": false,
                "IPAM": ["Driver": "default", "Options": nil, "Config": []], "Internal": true, "Attachable": false,
                "Ingress": false, "ConfigFrom": ["Network": ""], "ConfigOnly": false, "Containers": [:],
                "Options": [:], "Labels": [:],
            ]
        }
    }

    /// `bridge` is the default network. Until bridges land it is a network namespace of its own with a loopback
    /// interface.
    static let builtInNetworks = [
        BuiltInNetwork(name: "bridge", driver: "null"), BuiltInNetwork(name: "host", driver: "host"),
        BuiltInNetwork(name: "none", driver: "null"),
    ]
}
