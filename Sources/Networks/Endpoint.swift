import Addresses

/// A container's place on a network.
package struct Endpoint: Hashable, Sendable, Codable {
    /// 64 hexadecimal digits.
    package let id: String
    /// The network's id.
    package let networkID: String
    /// The network's name.
    package let networkName: String
    /// The container's id.
    package let sandbox: String
    /// The container's name.
    package private(set) var sandboxName: String
    /// Its addresses.
    package internal(set) var ipv4: IPInterface?
    /// The same for IPv6.
    package internal(set) var ipv6: IPInterface?
    /// Who forwards what goes elsewhere, if anybody does. The default route may be that of another network.
    package internal(set) var ipv4Gateway: IPAddress?
    /// The same for IPv6.
    package internal(set) var ipv6Gateway: IPAddress?
    /// More addresses, of the link alone.
    package let linkLocal: [IPAddress]
    /// The interface's hardware address.
    package internal(set) var macAddress: MACAddress?
    /// All names under which others on the network find it; the first is the answer to who has its address. Empty on
    /// networks without names.
    package private(set) var dnsNames: [String]
    /// Those of `dnsNames` that were asked for.
    package let aliases: [String]
    /// The interface's name inside, `eth0`.
    package let interfaceName: String
    /// As they were asked for, by Docker's names.
    package let driverOptions: [String: String]
    /// Of several networks the one with the greatest number gives the default route.
    package let gatewayPriority: Int
    /// Names that this container alone has for others on the network.
    package let links: [EndpointLink]
    /// What plugins have made of it; `nil` on networks that are Masu's own.
    package internal(set) var plugins: PluginAttachment?

    /// The same place for a container that has been renamed. An alias stays, be it as the old name was.
    func renamed(_ name: String) -> Endpoint {
        var result = self
        result.sandboxName = name
        if !dnsNames.isEmpty {
            let others = dnsNames.filter { $0 != name && ($0 != sandboxName || aliases.contains($0)) }
            result.dnsNames = [name] + others
        }
        return result
    }

    /// The address of a family.
    package func address(_ family: IPAddress.Family) -> IPInterface? { family == .ipv4 ? ipv4 : ipv6 }

    /// The gateway of a family.
    package func gateway(_ family: IPAddress.Family) -> IPAddress? { family == .ipv4 ? ipv4Gateway : ipv6Gateway }
}
