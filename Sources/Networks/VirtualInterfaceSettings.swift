/// The options of a macvlan or ipvlan network.
package struct VirtualInterfaceSettings: Hashable, Sendable, Codable {
    /// How the interfaces of containers and the parent see each other; the kernel's names.
    package enum Mode: String, Hashable, Sendable, Codable {
        /// macvlan
        case bridge, `private`, vepa, passthru
        /// ipvlan
        case l2, l3, l3s
    }

    /// Which ipvlan interfaces of one parent see each other.
    package enum Visibility: String, Hashable, Sendable, Codable {
        case bridge, `private`, vepa
    }

    /// The interface of the host on which those of containers sit.
    package let parent: String
    /// How interfaces of one parent see each other.
    package let mode: Mode
    /// Of ipvlan only.
    package let visibility: Visibility
    /// Whether the daemon made the parent, and so removes it with the last network on it.
    package internal(set) var ownsParent = false

    /// Whether containers are on a line without a driver behind it, because no parent was named.
    package var hasDummyParent: Bool { parent.hasPrefix(Self.dummyPrefix) }

    private static let dummyPrefix = "dm-"
}

extension VirtualInterfaceSettings {
    /// Reads Docker's options of a network with this id.
    init(_ driver: NetworkDriver, options: [String: String], id: String) throws(NetworksError) {
        let isMacvlan = driver == .macvlan
        let modeText = options[isMacvlan ? "macvlan_mode" : "ipvlan_mode"] ?? ""
        let modes: [Mode] = isMacvlan ? [.bridge, .private, .vepa, .passthru] : [.l2, .l3, .l3s]
        guard let mode = modeText.isEmpty ? modes[0] : Mode(rawValue: modeText), modes.contains(mode) else {
            throw .invalid(
                isMacvlan
                    ? "requested macvlan mode '\(modeText)' is not valid, 'bridge' mode is the macvlan driver default"
                    : "requested ipvlan mode '\(modeText)' is not valid, 'l2' mode is the ipvlan driver default")
        }
        let visibilityText = isMacvlan ? "" : options["ipvlan_flag"] ?? ""
        guard let visibility = visibilityText.isEmpty ? .bridge : Visibility(rawValue: visibilityText) else {
            throw .invalid(
                "requested ipvlan flag '\(visibilityText)' is not valid, 'bridge' is the ipvlan driver default")
        }
        let parent = options["parent"] ?? ""
        if parent == "lo" { throw .invalid("loopback interface is not a valid \(driver.rawValue) parent link") }
        self.init(
            parent: parent.isEmpty ? Self.dummyPrefix + id.prefix(12) : parent, mode: mode, visibility: visibility)
        try InterfaceName.check(self.parent)
    }

    /// The interface and the number that `eth0.10` names; `nil` for a name without a number.
    package static func virtualNetwork(_ name: String) throws(NetworksError) -> (parent: String, number: UInt16)? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else { return nil }
        guard let number = Int(parts[1]) else {
            throw .invalid("unable to parse a valid vlan id from: \(parts[1]) (ex. eth0.10 for vlan 10)")
        }
        guard (1...4094).contains(number) else { throw .invalid("vlan id must be between 1-4094, received: \(number)") }
        return (String(parts[0]), UInt16(number))
    }
}
