import Addresses
import JSON

/// Something that the runtime knows of a container, for the plugins that have declared it; CONVENTIONS.md, "Well-known
/// Capabilities".
package struct Capability: Hashable, Sendable {
    /// By which name plugins declare it.
    package let name: String
    /// What they get.
    package let value: JSONValue

    /// A capability; of those that have a function below, use that.
    package init(_ name: String, _ value: JSONValue) {
        self.name = name
        self.value = value
    }

    /// The name of `portMappings(_:)`.
    package static let portMappings = "portMappings"
    /// The name of `addresses(_:)`.
    package static let addresses = "ips"
    /// The name of `hardwareAddress(_:)`.
    package static let hardwareAddress = "mac"
    /// The name of `aliases(_:)`.
    package static let aliases = "aliases"
    /// The name of `resolver(servers:searches:options:)`.
    package static let resolver = "dns"

    /// A port of the host that leads to one of the container.
    package struct PortMapping: Hashable, Sendable {
        /// The host's port.
        package let hostPort: UInt16
        /// The container's port.
        package let containerPort: UInt16
        /// TCP, UDP or SCTP.
        package let transport: TransportProtocol
        /// One address of the host; `nil` is all of them.
        package let hostAddress: IPAddress?

        /// A mapping.
        package init(
            _ hostPort: UInt16, to containerPort: UInt16, _ transport: TransportProtocol,
            address hostAddress: IPAddress? = nil
        ) {
            self.hostPort = hostPort
            self.containerPort = containerPort
            self.transport = transport
            self.hostAddress = hostAddress
        }
    }

    /// Ports that are published.
    package static func portMappings(_ mappings: [PortMapping]) -> Capability {
        Capability(
            portMappings,
            .array(
                mappings.map { mapping in
                    var object = JSONObject()
                    object["hostPort"] = .int(Int64(mapping.hostPort))
                    object["containerPort"] = .int(Int64(mapping.containerPort))
                    object["protocol"] = .string(mapping.transport.rawValue)
                    if let address = mapping.hostAddress { object["hostIP"] = .string(address.description) }
                    return .object(object)
                }))
    }

    /// Addresses that were asked for.
    package static func addresses(_ addresses: [IPAddress]) -> Capability {
        Capability(Self.addresses, .array(addresses.map { .string($0.description) }))
    }

    /// The hardware address that was asked for.
    package static func hardwareAddress(_ address: MACAddress) -> Capability {
        Capability(hardwareAddress, .string(address.description))
    }

    /// Names by which others on the network find the container.
    package static func aliases(_ names: [String]) -> Capability {
        Capability(aliases, .array(names.map { .string($0) }))
    }

    /// Whom the container asks for names.
    package static func resolver(servers: [IPAddress], searches: [String], options: [String]) -> Capability {
        var object = JSONObject()
        if !servers.isEmpty { object["servers"] = .array(servers.map { .string($0.description) }) }
        if !searches.isEmpty { object["searches"] = .array(searches.map { .string($0) }) }
        if !options.isEmpty { object["options"] = .array(options.map { .string($0) }) }
        return Capability(resolver, .object(object))
    }
}
