import Addresses
import EngineAPIModel
import Flags

/// A `--network` in its short (`none`) or long form (`name=front,alias=web,ip=10.0.0.2`).
package struct NetworkText: Hashable, Sendable {
    /// The network's name or a mode.
    package var target = ""
    /// What is asked of the network.
    package var settings = EndpointSettings()

    /// A network without wishes.
    package init(_ target: String) { self.target = target }

    /// Parses all `--network` flags.
    package static func parse(_ texts: [String]) throws(CommandError) -> [NetworkText] {
        var result: [NetworkText] = []
        for text in texts {
            let network = try one(text)
            guard !network.target.isEmpty else { throw CommandError("no name set for network") }
            if result.contains(where: { $0.target == network.target }) {
                throw CommandError("network \"\(network.target)\" is specified multiple times")
            }
            result.append(network)
        }
        return result
    }

    /// Whether somebody made a network of this name.
    package var isUserDefined: Bool {
        !["bridge", "default", "host", "none"].contains(target) && !target.hasPrefix("container:")
    }

    /// Refuses what the daemon has no place for, in docker's words.
    func check() throws(CommandError) {
        let mac = settings.macAddress
        if !mac.isEmpty, MACAddress(mac) == nil { throw CommandError("\(mac) is not a valid mac address") }
        if isUserDefined { return }
        if settings.aliases?.isEmpty == false {
            throw CommandError("network-scoped aliases are only supported for user-defined networks")
        }
        if settings.links?.isEmpty == false {
            throw CommandError("links are only supported for user-defined networks")
        }
    }

    private static func one(_ text: String) throws(CommandError) -> NetworkText {
        guard text.contains("=") else { return NetworkText(text) }
        var network = NetworkText("")
        var addresses = EndpointIPAMConfig()
        let fields: [String]
        do { fields = try CommaSeparated.fields(text) } catch { throw CommandError(error.reason) }
        for field in fields {
            let (key, value, hasValue) = KeyValueTexts.divide(field)
            guard hasValue, !key.isEmpty else { throw CommandError("invalid field \(field)") }
            switch key.lowercased() {
            case "name": network.target = value
            case "alias": network.settings.aliases = (network.settings.aliases ?? []) + [value]
            case "ip": addresses.ipv4Address = value
            case "ip6": addresses.ipv6Address = value
            case "link-local-ip": addresses.linkLocalIPs.append(value)
            case "mac-address": network.settings.macAddress = value
            case "driver-opt": try network.settings.add(driverOption: value)
            case "gw-priority":
                guard let priority = Int(value) else {
                    throw CommandError("invalid gw-priority (\(value)): invalid syntax")
                }
                network.settings.gwPriority = priority
            default: throw CommandError("invalid field key \(key)")
            }
        }
        if addresses != EndpointIPAMConfig() { network.settings.ipamConfig = addresses }
        return network
    }

    /// Refuses a `--link` that is neither `NAME` nor `NAME:ALIAS`.
    static func checkLink(_ text: String) throws(InvalidFlagValue) {
        if text.isEmpty { throw InvalidFlagValue("empty string specified for links") }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        if parts.count > 2 { throw InvalidFlagValue("bad format for links: \(text)") }
    }

    /// Refuses what is no IP address.
    static func checkAddress(_ text: String) throws(InvalidFlagValue) {
        if IPAddress(text) == nil { throw InvalidFlagValue("\(text) is not an ip address") }
    }
}

extension EndpointSettings {
    /// Adds a `name=value` for the network's driver.
    mutating func add(driverOption text: String) throws(CommandError) {
        let (name, value, hasValue) = KeyValueTexts.divide(text)
        guard hasValue, !name.isEmpty else { throw CommandError("invalid key value pair format in driver options") }
        driverOpts = (driverOpts ?? [:]).merging([name: value]) { $1 }
    }
}
