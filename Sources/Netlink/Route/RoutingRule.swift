import Addresses
import CLinux
import SystemPackage

/// Which table of routes is for which packets; ip-rule(8), `RTM_NEWRULE`.
package struct RoutingRule: Hashable, Sendable {
    /// IPv4 or IPv6.
    package var family: IPAddress.Family
    /// Its place: the lowest comes first.
    package var preference: UInt32
    /// The table that it leads to.
    package var table: UInt32
    /// For packets with this mark, in the bits of `mask`.
    package var mark: Mark?
    /// For packets that came by the interface of this name.
    package var inputInterface: String?
    /// For packets that go by the interface of this name.
    package var outputInterface: String?
    /// For packets from these addresses.
    package var source: IPSubnet?
    /// For packets to these addresses.
    package var destination: IPSubnet?
    /// For packets of this protocol.
    package var transport: TransportProtocol?
    /// For packets from this port.
    package var sourcePort: UInt16?
    /// For packets to this port.
    package var destinationPort: UInt16?
    /// What becomes of them (`FR_ACT_…`).
    package var action: Action

    /// The number that a packet carries while it is inside the kernel.
    package struct Mark: Hashable, Sendable {
        /// The bits of the mark that are looked at.
        package var value: UInt32
        /// Which bits are looked at.
        package var mask: UInt32

        /// These bits of a mark.
        package init(_ value: UInt32, mask: UInt32 = .max) {
            self.value = value
            self.mask = mask
        }
    }

    /// What becomes of the packets of a rule (`FR_ACT_…`).
    package struct Action: RawRepresentable, Hashable, Sendable {
        package var rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// They go as the table says.
        package static let lookUp = Action(rawValue: 1)
        /// They vanish.
        package static let blackhole = Action(rawValue: 6)
        /// Their sender is told that there is no way.
        package static let unreachable = Action(rawValue: 7)
        /// Their sender is told that it is forbidden.
        package static let prohibit = Action(rawValue: 8)
    }

    /// A rule; for packets that fit to all that is given.
    package init(
        _ family: IPAddress.Family, preference: UInt32, table: UInt32, mark: Mark? = nil, inputInterface: String? = nil,
        outputInterface: String? = nil, source: IPSubnet? = nil, destination: IPSubnet? = nil, action: Action = .lookUp
    ) {
        self.family = family
        self.preference = preference
        self.table = table
        self.mark = mark
        self.inputInterface = inputInterface
        self.outputInterface = outputInterface
        self.source = source
        self.destination = destination
        self.action = action
    }

    /// Reads the payload of an `RTM_NEWRULE`; `nil` if it is not of IP.
    package init?(payload: ArraySlice<UInt8>) throws(Errno) {
        var reader = ByteReader(payload)
        let number = try reader.number(UInt8.self)
        let destinationLength = Int(try reader.number(UInt8.self))
        let sourceLength = Int(try reader.number(UInt8.self))
        // Type of service.
        _ = try reader.take(1)
        let lowTable = try reader.number(UInt8.self)
        // Reserved.
        _ = try reader.take(2)
        action = Action(rawValue: try reader.number())
        // Flags.
        _ = try reader.take(4)
        guard let family = IPAddress.Family(number: number) else { return nil }
        self.family = family
        let attributes = try Attributes(reader.remainder)
        preference = try attributes.number(FRA_PRIORITY) ?? 0
        table = try attributes.number(FRA_TABLE) ?? UInt32(lowTable)
        if let value = try attributes.number(FRA_FWMARK, as: UInt32.self) {
            mark = Mark(value, mask: try attributes.number(FRA_FWMASK) ?? .max)
        }
        inputInterface = attributes.text(FRA_IIFNAME)
        outputInterface = attributes.text(FRA_OIFNAME)
        source = attributes.address(FRA_SRC).flatMap { IPSubnet(containing: $0, prefixLength: sourceLength) }
        transport = try attributes.number(FRA_IP_PROTO, as: UInt8.self).flatMap { TransportProtocol(number: $0) }
        sourcePort = Self.port(attributes[FRA_SPORT_RANGE])
        destinationPort = Self.port(attributes[FRA_DPORT_RANGE])
        destination = attributes.address(FRA_DST).flatMap {
            IPSubnet(containing: $0, prefixLength: destinationLength)
        }
    }

    /// Reads a `struct fib_rule_port_range` of one port; the host's order.
    private static func port(_ range: ArraySlice<UInt8>?) -> UInt16? {
        guard let range, range.count == 4 else { return nil }
        return Array(range).withUnsafeBytes { $0.loadUnaligned(as: UInt16.self) }
    }

    private static func range(_ port: UInt16) -> [UInt8] {
        withUnsafeBytes(of: port) { Array($0) + Array($0) }
    }

    // MARK: Requests

    /// Adds this rule; fails if there is the same.
    package var addition: Request { request("add", RTM_NEWRULE, Request.create) }

    /// Deletes this rule.
    package var removal: Request { request("delete", RTM_DELRULE, 0) }

    private func request(_ verb: String, _ type: Int, _ flags: Int32) -> Request {
        Request("\(verb) the rule \(preference) for the table \(table)", type: type, flags: flags) {
            $0.append(family.number)
            $0.append(UInt8(destination?.prefixLength ?? 0))
            $0.append(UInt8(source?.prefixLength ?? 0))
            $0.append(UInt8(0))
            $0.append(table > 255 ? 0 : UInt8(table))
            $0.append(UInt16(0))
            $0.append(action.rawValue)
            $0.append(UInt32(0))
            $0.attribute(FRA_PRIORITY, preference)
            if table > 255 { $0.attribute(FRA_TABLE, table) }
            if let mark {
                $0.attribute(FRA_FWMARK, mark.value)
                $0.attribute(FRA_FWMASK, mark.mask)
            }
            if let inputInterface { $0.attribute(FRA_IIFNAME, inputInterface) }
            if let outputInterface { $0.attribute(FRA_OIFNAME, outputInterface) }
            if let source { $0.attribute(FRA_SRC, source.address) }
            if let destination { $0.attribute(FRA_DST, destination.address) }
            if let transport { $0.attribute(FRA_IP_PROTO, transport.number) }
            if let sourcePort { $0.attribute(FRA_SPORT_RANGE, Self.range(sourcePort)) }
            if let destinationPort { $0.attribute(FRA_DPORT_RANGE, Self.range(destinationPort)) }
        }
    }

    /// Asks for all rules of a family.
    package static func queryAll(_ family: IPAddress.Family) -> Request {
        Request("list the rules", type: RTM_GETRULE, flags: Request.dump) {
            $0.append(family.number)
            $0.append(bytes: Array(repeating: 0, count: 11))
        }
    }
}
