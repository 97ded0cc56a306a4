import Addresses
import JSON

/// What plugins have made of an attachment; specification 1.1, section 5. Versions of the specification write it
/// differently (`AttachmentResult+JSON.swift`).
package struct AttachmentResult: Hashable, Sendable {
    /// All interfaces, those on the host included.
    package var interfaces: [Interface] = []
    /// The addresses, in the plugins' order.
    package var addresses: [Address] = []
    /// The routes that were made.
    package var routes: [Route] = []
    /// Whom the container has to ask for names.
    package var resolver = ResolverAdvice()

    /// An interface.
    package struct Interface: Hashable, Sendable {
        /// What it is called.
        package var name: String
        /// Its hardware address, as the plugin writes it.
        package var hardwareAddress = ""
        /// The largest packet; `nil` if the plugin does not say.
        package var mtu: Int64?
        /// The path of the namespace in which it is; empty for the host's.
        package var sandbox = ""
        /// A socket that stands for it; else empty.
        package var socketPath = ""
        /// The device behind it; else empty.
        package var deviceID = ""
    }

    /// An address of an interface.
    package struct Address: Hashable, Sendable {
        /// With the size of its subnet.
        package var address: IPInterface
        /// Who forwards what goes elsewhere.
        package var gateway: IPAddress?
        /// Which of the result's interfaces has it; `nil` if the plugin does not say.
        package var interface: Int?
    }

    /// A route inside.
    package struct Route: Hashable, Sendable {
        /// Where it leads.
        package var destination: IPSubnet
        /// The next hop; `nil` is the gateway of the address.
        package var gateway: IPAddress?
        /// What 1.1 has added (`mtu`, `advmss`, `priority`, `table`, `scope`), as far as the plugin says it.
        package var metrics: [Metric: Int64] = [:]
    }

    /// What else is said of a route, by the specification's names.
    package enum Metric: String, Hashable, Sendable, CaseIterable {
        case mtu, advmss, priority, table, scope
    }

    /// What a network says of names.
    package struct ResolverAdvice: Hashable, Sendable {
        /// The servers, the best first.
        package var servers: [IPAddress] = []
        /// The domain of short names; else empty.
        package var domain = ""
        /// Domains to search.
        package var searches: [String] = []
        /// Options for the resolver.
        package var options: [String] = []
    }

    /// A result that says nothing.
    package init() {}

    /// The first address of a family that belongs to the container: to an interface in its namespace, or to one that
    /// the plugin does not name.
    package func first(_ family: IPAddress.Family) -> Address? {
        addresses.first { entry in
            guard entry.address.address.family == family else { return false }
            guard let number = entry.interface, interfaces.indices.contains(number) else { return true }
            return !interfaces[number].sandbox.isEmpty
        }
    }

    /// The container's interface that is called so.
    package func interface(_ name: String) -> Interface? {
        interfaces.first { $0.name == name && !$0.sandbox.isEmpty } ?? interfaces.first { $0.name == name }
    }
}

extension AttachmentResult: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        do {
            self = try AttachmentResult(json: try container.decode(JSONValue.self), standard: .newest)
        } catch let error as CNIError {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: error.message)
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(json(.newest))
    }
}
