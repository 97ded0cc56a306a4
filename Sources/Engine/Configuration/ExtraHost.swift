import Addresses

/// A line of a container's /etc/hosts (`--add-host`).
package struct ExtraHost: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The host's name.
    package var name: String
    /// nil: the host's own address on the container's network (`host-gateway`).
    package var address: IPAddress?

    /// A name and its address; `nil` is the host's gateway.
    package init(name: String, address: IPAddress?) {
        self.name = name
        self.address = address
    }

    package var description: String { name + ":" + (address?.description ?? "host-gateway") }
}
