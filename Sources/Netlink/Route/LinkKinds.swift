import CLinux
import SystemPackage

/// What a bridge is set to; what is `nil` is the kernel's default, or was not told.
package struct BridgeOptions: Hashable, Sendable {
    /// Whether it listens who wants packets to which group.
    package var snoopsMulticast: Bool?
    /// Whether it keeps VLANs apart.
    package var filtersVLANs: Bool?
    /// Whether it speaks the spanning tree protocol.
    package var speaksSpanningTree: Bool?
    /// How long a new port only listens, in hundredths of a second.
    package var forwardDelay: UInt32?
    /// How long it remembers an address, in hundredths of a second.
    package var ageingTime: UInt32?
    /// Whether packets that it forwards pass the firewall of IPv4 (`nf_call_iptables`).
    package var callsIPv4Firewall: Bool?
    /// Whether packets that it forwards pass the firewall of IPv6 (`nf_call_ip6tables`).
    package var callsIPv6Firewall: Bool?
    /// Whether packets of ARP that it forwards pass its firewall (`nf_call_arptables`).
    package var callsARPFirewall: Bool?

    /// Options that change what is given.
    package init(
        snoopsMulticast: Bool? = nil, filtersVLANs: Bool? = nil, speaksSpanningTree: Bool? = nil,
        forwardDelay: UInt32? = nil, ageingTime: UInt32? = nil, callsIPv4Firewall: Bool? = nil,
        callsIPv6Firewall: Bool? = nil, callsARPFirewall: Bool? = nil
    ) {
        self.snoopsMulticast = snoopsMulticast
        self.filtersVLANs = filtersVLANs
        self.speaksSpanningTree = speaksSpanningTree
        self.forwardDelay = forwardDelay
        self.ageingTime = ageingTime
        self.callsIPv4Firewall = callsIPv4Firewall
        self.callsIPv6Firewall = callsIPv6Firewall
        self.callsARPFirewall = callsARPFirewall
    }

    init(_ attributes: Attributes) throws(Errno) {
        for (type, field) in Self.truths { self[keyPath: field] = try attributes.truth(type) }
        speaksSpanningTree = try attributes.number(IFLA_BR_STP_STATE, as: UInt32.self).map { $0 != 0 }
        forwardDelay = try attributes.number(IFLA_BR_FORWARD_DELAY)
        ageingTime = try attributes.number(IFLA_BR_AGEING_TIME)
    }

    func append(to builder: inout MessageBuilder) {
        for (type, field) in Self.truths {
            if let value = self[keyPath: field] { builder.attribute(type, UInt8(value ? 1 : 0)) }
        }
        if let forwardDelay { builder.attribute(IFLA_BR_FORWARD_DELAY, forwardDelay) }
        if let ageingTime { builder.attribute(IFLA_BR_AGEING_TIME, ageingTime) }
        if let speaksSpanningTree { builder.attribute(IFLA_BR_STP_STATE, UInt32(speaksSpanningTree ? 1 : 0)) }
    }

    private static var truths: [(Int, WritableKeyPath<BridgeOptions, Bool?>)] {
        [
            (IFLA_BR_MCAST_SNOOPING, \.snoopsMulticast), (IFLA_BR_VLAN_FILTERING, \.filtersVLANs),
            (IFLA_BR_NF_CALL_IPTABLES, \.callsIPv4Firewall), (IFLA_BR_NF_CALL_IP6TABLES, \.callsIPv6Firewall),
            (IFLA_BR_NF_CALL_ARPTABLES, \.callsARPFirewall),
        ]
    }
}

/// Who may talk to whom among the links of kind macvlan or macvtap on one parent; ip-link(8).
package enum MacvlanMode: UInt32, Hashable, Sendable, CaseIterable {
    /// All by way of the outside.
    case vepa = 2
    /// All directly.
    case bridge = 4
    /// The one link has the parent for itself.
    case passthrough = 8
    /// Nobody.
    case isolated = 1

    init?(number: UInt32?) {
        guard let number, let mode = Self(rawValue: number) else { return nil }
        self = mode
    }
}

/// On which layer a link of kind ipvlan works; ip-link(8).
package enum IPvlanMode: UInt16, Hashable, Sendable, CaseIterable {
    /// As a switch.
    case l2 = 0
    /// As a router without broadcast.
    case l3 = 1
    /// As a router, through the host's firewall.
    case l3s = 2
}

/// Who may talk to whom among the links of kind ipvlan on one parent; ip-link(8).
package enum IPvlanIsolation: UInt16, Hashable, Sendable, CaseIterable {
    /// All directly.
    case bridge = 0
    /// Nobody.
    case isolated = 1
    /// All by way of the outside.
    case vepa = 2
}

extension Link {
    /// What kind of virtual link it is (`IFLA_INFO_KIND`), with what belongs to that.
    package enum Kind: Hashable, Sendable {
        /// One end of a pair.
        case veth
        case bridge(BridgeOptions)
        case vlan(identifier: UInt16)
        case macvlan(MacvlanMode)
        case macvtap(MacvlanMode)
        case ipvlan(IPvlanMode, IPvlanIsolation)
        case dummy
        /// Another kind, by the kernel's name for it.
        case other(String)

        /// The kernel's name for it.
        package var name: String {
            switch self {
            case .veth: "veth"
            case .bridge: "bridge"
            case .vlan: "vlan"
            case .macvlan: "macvlan"
            case .macvtap: "macvtap"
            case .ipvlan: "ipvlan"
            case .dummy: "dummy"
            case .other(let name): name
            }
        }

        /// Reads `IFLA_INFO_KIND` and `IFLA_INFO_DATA`.
        init(_ name: String, _ data: Attributes?) throws(Errno) {
            switch name {
            case "veth": self = .veth
            case "dummy": self = .dummy
            case "bridge": self = .bridge(try data.map { (data) throws(Errno) in try BridgeOptions(data) } ?? .init())
            case "vlan": self = .vlan(identifier: try data?.number(IFLA_VLAN_ID) ?? 0)
            case "macvlan": self = .macvlan(MacvlanMode(number: try data?.number(IFLA_MACVLAN_MODE)) ?? .vepa)
            case "macvtap": self = .macvtap(MacvlanMode(number: try data?.number(IFLA_MACVLAN_MODE)) ?? .vepa)
            case "ipvlan":
                self = .ipvlan(
                    IPvlanMode(rawValue: try data?.number(IFLA_IPVLAN_MODE) ?? 0) ?? .l2,
                    IPvlanIsolation(rawValue: try data?.number(IFLA_IPVLAN_FLAGS) ?? 0) ?? .bridge)
            default: self = .other(name)
            }
        }

        /// Appends `IFLA_INFO_DATA`, where there is any.
        func appendData(to builder: inout MessageBuilder) {
            switch self {
            case .bridge(let options): builder.nested(IFLA_INFO_DATA) { options.append(to: &$0) }
            case .vlan(let identifier): builder.nested(IFLA_INFO_DATA) { $0.attribute(IFLA_VLAN_ID, identifier) }
            case .macvlan(let mode), .macvtap(let mode):
                builder.nested(IFLA_INFO_DATA) { $0.attribute(IFLA_MACVLAN_MODE, mode.rawValue) }
            case .ipvlan(let mode, let isolation):
                builder.nested(IFLA_INFO_DATA) {
                    $0.attribute(IFLA_IPVLAN_MODE, mode.rawValue)
                    if isolation != .bridge { $0.attribute(IFLA_IPVLAN_FLAGS, isolation.rawValue) }
                }
            case .veth, .dummy, .other: break
            }
        }
    }
}
