import Addresses
import CNI
import JSON
import PublishedPorts

/// A container's place on a network of plugins: with all that is needed to take it away again.
package struct PluginAttachment: Hashable, Sendable, Codable {
    /// What the plugins were told and have said.
    package internal(set) var record: AttachmentRecord
    /// The ports of the host that they publish, each a certain one.
    package let ports: [PortRequest]

    /// What the plugins say of names; the domain of short names is one to search.
    package var advice: ResolverWishes {
        guard let resolver = record.result?.resolver else { return ResolverWishes() }
        let searches = resolver.searches.isEmpty && !resolver.domain.isEmpty ? [resolver.domain] : resolver.searches
        return ResolverWishes(servers: resolver.servers, searches: searches, options: resolver.options)
    }

    /// What the plugins have said, as the newest version of CNI writes it; `nil` if they have not come to their end.
    package var result: JSONValue? { record.result?.json(.newest) }
}

extension Endpoint {
    /// The same with what plugins have made of it.
    func with(_ attachment: PluginAttachment) -> Endpoint {
        var endpoint = self
        endpoint.plugins = attachment
        guard let result = attachment.record.result else { return endpoint }
        endpoint.ipv4 = result.first(.ipv4)?.address
        endpoint.ipv6 = result.first(.ipv6)?.address
        endpoint.ipv4Gateway = result.gateway(.ipv4)
        endpoint.ipv6Gateway = result.gateway(.ipv6)
        endpoint.macAddress =
            result.interface(interfaceName).flatMap { MACAddress($0.hardwareAddress) } ?? endpoint.macAddress
        return endpoint
    }
}

extension AttachmentResult {
    /// Who forwards what leaves: by a default route, or else by what is said of the address.
    fileprivate func gateway(_ family: IPAddress.Family) -> IPAddress? {
        let standard = routes.first { $0.destination.family == family && $0.destination.prefixLength == 0 }
        return standard?.gateway ?? first(family)?.gateway
    }
}
