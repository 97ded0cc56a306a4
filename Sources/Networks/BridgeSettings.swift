import Addresses
import PublishedPorts
import Text

/// The options of a bridge network.
package struct BridgeSettings: Hashable, Sendable, Codable {
    /// The bridge itself.
    package internal(set) var interfaceName: String
    /// Whether the daemon made the bridge, and so removes it.
    package internal(set) var ownsInterface = true
    /// The largest packet; `nil` follows the host's default route.
    package internal(set) var mtu: Int?
    /// Whether containers reach each other's unpublished ports.
    package internal(set) var allowsContainerTraffic = true
    /// Whether what goes out gets the host's address.
    package internal(set) var masquerades = true
    package internal(set) var ipv4Mode = GatewayMode.nat
    package internal(set) var ipv6Mode = GatewayMode.nat
    /// Whether the bridge stays without an IPv4 address.
    package internal(set) var inhibitsIPv4 = false
    /// Where ports are published that name no address; `nil` is everywhere.
    package internal(set) var hostBinding: IPAddress?
    /// Interfaces of the host whose traffic may go to containers' own addresses.
    package internal(set) var trustedHostInterfaces: [String] = []
    /// What goes out gets this address instead of that of the interface it leaves by.
    package internal(set) var hostIPv4: IPAddress?
    package internal(set) var hostIPv6: IPAddress?
    /// What interfaces in containers are called, up to the number.
    package internal(set) var containerInterfacePrefix = "eth"

    init(interfaceName: String) {
        self.interfaceName = interfaceName
    }

    /// How traffic of a family is treated.
    package func mode(_ family: IPAddress.Family) -> GatewayMode { family == .ipv4 ? ipv4Mode : ipv6Mode }
}

extension BridgeSettings {
    /// Reads Docker's options of a network with this id. Options with unknown names are for others to understand.
    init(options: [String: String], id: String, isInternal: Bool) throws(NetworksError) {
        self.init(interfaceName: "br-\(id.prefix(12))")
        for (name, text) in options.sorted(by: { $0.key < $1.key }) {
            do throws(OptionError) {
                try set(name, text)
            } catch {
                throw .invalid("failed to parse \(name) value: \(text) (\(error.reason))")
            }
        }
        if let mtu, mtu < 0 { throw .invalid("invalid MTU number: \(mtu)") }
        if mtu == 0 { mtu = nil }
        if !isInternal, ipv4Mode == .isolated || ipv6Mode == .isolated {
            throw .invalid("gateway mode 'isolated' can only be used for an internal network")
        }
        try InterfaceName.check(interfaceName)
    }

    private mutating func set(_ name: String, _ text: String) throws(OptionError) {
        switch name {
        case "com.docker.network.bridge.name": if !text.isEmpty { interfaceName = text }
        case "com.docker.network.driver.mtu": mtu = try OptionError.integer(text)
        case "com.docker.network.bridge.enable_icc": allowsContainerTraffic = try OptionError.boolean(text)
        case "com.docker.network.bridge.enable_ip_masquerade": masquerades = try OptionError.boolean(text)
        case "com.docker.network.bridge.gateway_mode_ipv4": ipv4Mode = try Self.gatewayMode(text)
        case "com.docker.network.bridge.gateway_mode_ipv6": ipv6Mode = try Self.gatewayMode(text)
        case "com.docker.network.bridge.inhibit_ipv4": inhibitsIPv4 = try OptionError.boolean(text)
        case "com.docker.network.bridge.host_binding_ipv4": hostBinding = try OptionError.address(text)
        case "com.docker.network.bridge.default_bridge": _ = try OptionError.boolean(text)
        case "com.docker.network.bridge.trusted_host_interfaces":
            trustedHostInterfaces = text.split(separator: ":").map(String.init)
        case "com.docker.network.host_ipv4": hostIPv4 = try OptionError.address(text)
        case "com.docker.network.host_ipv6": hostIPv6 = try OptionError.address(text)
        case "com.docker.network.container_iface_prefix": if !text.isEmpty { containerInterfacePrefix = text }
        default: break
        }
    }

    private static func gatewayMode(_ text: String) throws(OptionError) -> GatewayMode {
        guard let mode = GatewayMode(rawValue: text) else { throw OptionError(reason: "unknown gateway mode \(text)") }
        return mode
    }
}

/// Why a text is no value of an option, in the words of Go's library, which Docker's clients see.
struct OptionError: Error {
    let reason: String

    static func boolean(_ text: String) throws(OptionError) -> Bool {
        guard let value = GoBoolean.parse(text) else {
            throw OptionError(reason: "strconv.ParseBool: parsing \"\(text)\": invalid syntax")
        }
        return value
    }

    static func integer(_ text: String) throws(OptionError) -> Int {
        guard let value = Int(text) else {
            throw OptionError(reason: "strconv.Atoi: parsing \"\(text)\": invalid syntax")
        }
        return value
    }

    static func address(_ text: String) throws(OptionError) -> IPAddress {
        guard let value = IPAddress(text) else { throw OptionError(reason: "nil ip") }
        return value
    }
}

/// What the kernel takes as a name of an interface; dev_valid_name in net/core/dev.c.
enum InterfaceName {
    static func isValid(_ name: String) -> Bool {
        (1...15).contains(name.utf8.count) && name != "." && name != ".."
            && !name.utf8.contains { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: ":") || $0 <= 0x20 || $0 == 0x7F }
    }

    static func check(_ name: String) throws(NetworksError) {
        if !isValid(name) {
            throw .invalid(
                "invalid interface name \"\(name)\": it needs 1 to 15 characters, and no space, slash or colon")
        }
    }
}
