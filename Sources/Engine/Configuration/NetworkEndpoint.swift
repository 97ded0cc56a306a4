import Addresses

/// What a container wants to be on one network (an entry of Docker's `NetworkingConfig`).
package struct NetworkEndpoint: Hashable, Sendable, Codable {
    /// Addresses that were asked for.
    package var ipv4: IPAddress?
    /// The address asked for; `nil` is any.
    package var ipv6: IPAddress?
    /// Addresses of the link alone.
    package var linkLocal: [IPAddress] = []
    /// Names under which others on the network find it.
    package var aliases: [String] = []
    /// Legacy links, `container[:alias]`.
    package var links: [String] = []
    /// The hardware address asked for; `nil` is any.
    package var macAddress: Asked<MACAddress>?
    /// Options for the network's driver.
    package var driverOptions: [String: String] = [:]
    /// Of several networks the one with the greatest number gives the default gateway.
    package var gatewayPriority = 0

    /// An endpoint that asks for nothing.
    package init() {}

    /// Whether an address is asked for.
    package var hasAddress: Bool { ipv4 != nil || ipv6 != nil || !linkLocal.isEmpty }
}
