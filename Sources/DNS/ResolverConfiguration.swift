import Addresses

/// What a container's resolver has to know.
package struct ResolverConfiguration: Codable, Hashable, Sendable {
    /// The networks the container is on whose names it may ask for, in the order in which they are asked.
    package var networks: [Network]
    /// Whom to ask for names that are on no network, in order. Only the first three are asked.
    package var servers: [Server]
    /// Whether servers may be asked through the host's network namespace. Not if all the container's networks are
    /// internal.
    package var mayUseHost: Bool
    /// Whether a name of one label is not asked of servers, because the container's `ndots` is above 0: the program
    /// that asks tries the name with its search domains.
    package var keepsSingleLabels: Bool

    /// A network, as one of its containers sees it.
    package struct Network: Codable, Hashable, Sendable {
        /// Its name, which can be put after a container's: `web.backend`.
        package var name: String
        /// The absolute path of the file that `NameTableWriter` writes.
        package var namesFile: String
        /// Names that only this container knows (`--link`): the names of containers on this network by alias.
        package var links: [String: String]

        /// A network.
        package init(name: String, namesFile: String, links: [String: String] = [:]) {
            self.name = name
            self.namesFile = namesFile
            self.links = links
        }
    }

    /// A name server of the world outside.
    package struct Server: Codable, Hashable, Sendable {
        /// Its address. The port is 53.
        package var address: IPAddress
        /// From where it is reached.
        package var namespace: NetworkNamespace

        /// A server.
        package init(_ address: IPAddress, from namespace: NetworkNamespace) {
            self.address = address
            self.namespace = namespace
        }
    }

    /// From where a server is reached.
    package enum NetworkNamespace: String, Codable, Hashable, Sendable {
        /// As the host reaches it: those of the host's own `resolv.conf`, which may be at 127.0.0.53.
        case host
        /// As the container reaches it: those that were given for it (`--dns`).
        case container
    }

    /// A configuration.
    package init(
        networks: [Network], servers: [Server] = [], mayUseHost: Bool = true, keepsSingleLabels: Bool = false
    ) {
        self.networks = networks
        self.servers = servers
        self.mayUseHost = mayUseHost
        self.keepsSingleLabels = keepsSingleLabels
    }
}
