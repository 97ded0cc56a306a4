import Addresses
import PublishedPorts
import SystemPackage

/// What a container wants to be on one network; `Networks` validates it.
package struct EndpointRequest: Hashable, Sendable, Codable {
    /// The network's id or name.
    package var network: String
    /// Addresses that were asked for; `nil` is any.
    package var ipv4: IPAddress?
    /// The same for IPv6.
    package var ipv6: IPAddress?
    /// `nil` derives one from the address.
    package var macAddress: MACAddress?
    /// More addresses, of the link alone.
    package var linkLocal: [IPAddress]
    /// Names under which others on the network find it, besides its own.
    package var aliases: [String]
    /// By Docker's names (`com.docker.network.endpoint.…`).
    package var driverOptions: [String: String]
    /// Of several networks the one with the greatest number gives the default route.
    package var gatewayPriority: Int
    /// Names that this container alone has for others on the network.
    package var links: [EndpointLink]
    /// Ports of the host that its plugins are to publish. Of networks that are no plugins' the shim has them.
    package var ports: [PortRequest] = []
    /// Whom the container asks for names, for plugins that want to know.
    package var resolver = ResolverWishes()

    /// A wish for any place on a network, and what else is asked for.
    package init(
        network: String, ipv4: IPAddress? = nil, ipv6: IPAddress? = nil, macAddress: MACAddress? = nil,
        linkLocal: [IPAddress] = [], aliases: [String] = [], driverOptions: [String: String] = [:],
        gatewayPriority: Int = 0, links: [EndpointLink] = []
    ) {
        self.network = network
        self.ipv4 = ipv4
        self.ipv6 = ipv6
        self.macAddress = macAddress
        self.linkLocal = linkLocal
        self.aliases = aliases
        self.driverOptions = driverOptions
        self.gatewayPriority = gatewayPriority
        self.links = links
    }
}

/// Whom a container is to ask for names.
package struct ResolverWishes: Hashable, Sendable, Codable {
    /// Servers.
    package var servers: [IPAddress]
    /// Domains to search.
    package var searches: [String]
    /// Options for the resolver.
    package var options: [String]

    /// Wishes; none, unless some are given.
    package init(servers: [IPAddress] = [], searches: [String] = [], options: [String] = []) {
        self.servers = servers
        self.searches = searches
        self.options = options
    }

    /// Whether there is no wish.
    package var isEmpty: Bool { servers.isEmpty && searches.isEmpty && options.isEmpty }
}

/// Names that one container has for another one on a network (`--link`).
package struct EndpointLink: Hashable, Sendable, Codable {
    /// The other container's id.
    package let sandbox: String
    /// What the one calls the other.
    package let names: [String]

    /// Names for a container.
    package init(sandbox: String, names: [String]) {
        self.sandbox = sandbox
        self.names = names
    }
}

/// What a container that is about to start wants.
package struct SandboxRequest: Hashable, Sendable {
    /// The container's id.
    package var id: String
    /// The container's name, without a slash.
    package var name: String
    /// What the container calls itself; others find it by that, too.
    package var hostname: String
    /// The networks in the order of the interfaces: the one of `--network` first.
    package var endpoints: [EndpointRequest]
    /// The network namespace, if there is one already: because a user namespace of the container's has to own it.
    /// The caller goes on owning the descriptor. `nil` takes a new one.
    package var namespace: FileDescriptor?

    /// A container with its networks.
    package init(
        id: String, name: String, hostname: String = "", endpoints: [EndpointRequest],
        namespace: FileDescriptor? = nil
    ) {
        self.id = id
        self.name = name
        self.hostname = hostname
        self.endpoints = endpoints
        self.namespace = namespace
    }
}
