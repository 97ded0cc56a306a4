import Addresses

extension FirewallRule {
    /// A rule whose steps `body` writes.
    package init(in chain: FirewallChain, comment: String? = nil, _ body: (inout RuleBuilder) -> Void) {
        var builder = RuleBuilder(chain.table.family)
        body(&builder)
        self.init(in: chain, builder.expressions, comment: comment)
    }
}

/// Writes the steps of a rule: conditions first, then what happens if all of them hold.
///
/// Registers are given out here, and what a condition presupposes is put before it: in a table of both families of IP
/// that a packet is of the family whose address is asked for.
package struct RuleBuilder {
    private(set) var expressions: [Expression] = []
    private let family: FirewallFamily
    private var knownFamily: IPAddress.Family?

    fileprivate init(_ family: FirewallFamily) {
        self.family = family
        switch family {
        case .ipv4: knownFamily = .ipv4
        case .ipv6: knownFamily = .ipv6
        case .inet, .arp, .netdev, .bridge: knownFamily = nil
        }
    }

    /// Adds a step as it is.
    package mutating func append(_ expression: Expression) {
        expressions.append(expression)
    }

    // MARK: Conditions

    /// Only packets of this family of IP.
    package mutating func require(_ family: IPAddress.Family) {
        if knownFamily == family { return }
        append(.meta(.networkProtocol, into: .first))
        append(.compare(.first, .equal, [family.number]))
        knownFamily = family
    }

    /// Only packets whose field compares like this with a value. A value shorter than the field is compared with the
    /// field's beginning.
    package mutating func require(_ selector: Selector, _ comparison: Comparison = .equal, _ value: FieldValue) {
        load([selector])
        append(.compare(.first, comparison, value.bytes))
    }

    /// Only packets whose field is from the first value to the last one, in the order of the bytes; or, inverted, the
    /// others.
    package mutating func require(
        _ selector: Selector, from first: FieldValue, through last: FieldValue, isInverted: Bool = false
    ) {
        load([selector])
        append(.range(.first, isInside: !isInverted, from: first.bytes, through: last.bytes))
    }

    /// Only packets whose field, which is an address, is in the subnet; or, inverted, the others.
    package mutating func require(_ selector: Selector, in subnet: IPSubnet, isInverted: Bool = false) {
        let length = subnet.family.bits / 8
        load([selector])
        if subnet.prefixLength < subnet.family.bits {
            let mask = (0..<length).map { byte in
                UInt8(truncatingIfNeeded: 0xff00 >> max(0, min(8, subnet.prefixLength - byte * 8)))
            }
            append(
                .bitwise(
                    .first, into: .first, mask: mask, exclusiveOr: Array(repeating: 0, count: length)))
        }
        append(.compare(.first, isInverted ? .notEqual : .equal, subnet.address.bytes))
    }

    /// Only packets whose fields are, one after the other, a key of the set; or, inverted, the others.
    package mutating func require(_ selectors: Selector..., in set: FirewallSet, isInverted: Bool = false) {
        load(selectors)
        append(.isMember(.first, of: set.name, isInverted: isInverted))
    }

    /// Only packets whose field has one of these bits; or, inverted, none of them.
    package mutating func require(_ selector: Selector, anyOf bits: UInt32, isInverted: Bool = false) {
        load([selector])
        append(
            .bitwise(
                .first, into: .first, mask: FieldValue.number(bits).bytes, exclusiveOr: FieldValue.number(0).bytes))
        append(.compare(.first, isInverted ? .equal : .notEqual, FieldValue.number(0).bytes))
    }

    /// Only packets of connections in one of these states; or, inverted, the others.
    package mutating func require(_ states: ConnectionState, isInverted: Bool = false) {
        require(.connectionState, anyOf: states.rawValue, isInverted: isInverted)
    }

    /// Only packets of connections with one of these; or, inverted, the others.
    package mutating func require(_ status: ConnectionStatus, isInverted: Bool = false) {
        require(.connectionStatus, anyOf: status.rawValue, isInverted: isInverted)
    }

    /// Not more often than this.
    package mutating func limit(to limit: RateLimit) { append(.limit(limit)) }

    // MARK: What happens

    /// Lets the packet pass this chain; a later one can still drop it.
    package mutating func accept() { append(.verdict(.accept)) }
    /// Drops the packet.
    package mutating func drop() { append(.verdict(.drop)) }
    /// Lets the chain that led here decide.
    package mutating func `return`() { append(.verdict(.return)) }
    /// Lets another chain of the table decide, and then the next rule.
    package mutating func jump(to chain: FirewallChain) { append(.verdict(.jump(chain.name))) }
    /// Lets another chain of the table decide, and then the chain that led here.
    package mutating func goTo(_ chain: FirewallChain) { append(.verdict(.goTo(chain.name))) }
    /// Drops the packet and tells its sender.
    package mutating func reject(_ rejection: Rejection = .icmpOfAnyFamily(code: 1)) { append(.reject(rejection)) }
    /// Leaves the packet's connection unknown; in chains before the tracking of connections (-200).
    package mutating func doNotTrack() { append(.doNotTrack) }
    /// Counts packets and bytes.
    package mutating func count() { append(.counter(packets: 0, bytes: 0)) }
    /// Writes a line about the packet into the kernel's log.
    package mutating func log(_ prefix: String) { append(.log(prefix: prefix)) }

    /// What the map says about the fields, which are, one after the other, its key. Packets whose fields are not in it
    /// go on with the next rule.
    package mutating func decide(_ selectors: Selector..., by map: FirewallSet) {
        load(selectors)
        append(.decide(.first, by: map.name))
    }

    /// Gives the packet a mark.
    package mutating func setMark(_ mark: UInt32) {
        append(.immediate(FieldValue.number(mark).bytes, into: .first))
        append(.setMeta(.mark, from: .first))
    }

    /// Gives the packet's connection a mark.
    package mutating func setConnectionMark(_ mark: UInt32) {
        append(.immediate(FieldValue.number(mark).bytes, into: .first))
        append(.setConnection(.mark, from: .first))
    }

    /// Sends connections to another address, and to another port if there is one.
    package mutating func translateDestination(to address: IPAddress, port: UInt16? = nil) {
        translate(.destination, to: address, port: port)
    }

    /// Lets connections come from another address, and from another port if there is one.
    package mutating func translateSource(to address: IPAddress, port: UInt16? = nil) {
        translate(.source, to: address, port: port)
    }

    /// Sends connections to where the map says: its key are the fields, one after the other, and its values are an
    /// address of `family`, or an address and a port. Packets whose fields are not in it go on with the next rule.
    package mutating func translateDestination(
        _ selectors: Selector..., by map: FirewallSet, _ family: IPAddress.Family
    ) {
        translate(.destination, selectors, by: map, family)
    }

    /// Lets connections come from where the map says; as `translateDestination`.
    package mutating func translateSource(
        _ selectors: Selector..., by map: FirewallSet, _ family: IPAddress.Family
    ) {
        translate(.source, selectors, by: map, family)
    }

    private mutating func translate(
        _ side: AddressTranslation.Side, _ selectors: [Selector], by map: FirewallSet, _ family: IPAddress.Family
    ) {
        load(selectors)
        append(.map(.first, by: map.name, into: .first))
        let port: Register? =
            if case .values(let types) = map.content, types.count > 1 {
                Register.first.after(family.bits / 8)
            } else {
                nil
            }
        append(.translate(AddressTranslation(side, FirewallFamily(family), address: .first, port: port)))
    }

    private mutating func translate(_ side: AddressTranslation.Side, to address: IPAddress, port: UInt16?) {
        // Packets of the other family pass it unchanged.
        append(.immediate(address.bytes, into: .first))
        let register = port.map { _ in Register.first.after(address.bytes.count) }
        if let port, let register { append(.immediate(FieldValue.port(port).bytes, into: register)) }
        append(.translate(AddressTranslation(side, FirewallFamily(address.family), address: .first, port: register)))
    }

    /// Lets the connection come from the address of the interface that it leaves by.
    package mutating func masquerade() { append(.masquerade(port: nil, lastPort: nil, [])) }

    /// Sends connections to this machine, to another port if there is one.
    package mutating func redirect(to port: UInt16? = nil) {
        if let port { append(.immediate(FieldValue.port(port).bytes, into: .first)) }
        append(.redirect(port: port.map { _ in .first }, lastPort: nil, []))
    }

    /// Hands packets to the local socket at this port, with their addresses as they are.
    package mutating func proxy(to port: UInt16) {
        append(.immediate(FieldValue.port(port).bytes, into: .first))
        let proxyFamily: FirewallFamily? =
            switch family {
            case .ipv4: .ipv4
            case .ipv6: .ipv6
            default: knownFamily.map(FirewallFamily.init)
            }
        append(.transparentProxy(proxyFamily, address: nil, port: .first))
    }

    /// Puts another port into packets, without any memory of their connection.
    ///
    /// The checksum is left alone, which is right only for packets that have none yet: those that a program of this
    /// machine sends, until they reach the hardware.
    package mutating func rewrite(_ port: RewritablePort, to number: UInt16) {
        append(.immediate(FieldValue.port(number).bytes, into: .first))
        let offset: UInt32 = port == .source ? 0 : 2
        append(.setPayload(PayloadField(.transport, offset: offset, length: 2), from: .first, nil))
    }

    /// Puts another port into packets of TCP or UDP, without any memory of their connection, and mends the checksum.
    package mutating func rewrite(_ port: RewritablePort, of transport: TransportProtocol, to number: UInt16) {
        append(.immediate(FieldValue.port(number).bytes, into: .first))
        let checksum: PayloadChecksum? =
            switch transport {
            case .tcp: PayloadChecksum(offset: 16)
            case .udp: PayloadChecksum(offset: 6)
            case .sctp: nil
            }
        let offset: UInt32 = port == .source ? 0 : 2
        append(.setPayload(PayloadField(.transport, offset: offset, length: 2), from: .first, checksum))
    }

    /// The ports that packets have.
    package enum RewritablePort: Hashable, Sendable {
        case source, destination
    }

    // MARK: Registers

    /// Puts the values of fields one behind the other, from the first register on.
    private mutating func load(_ selectors: [Selector]) {
        if let family = selectors.lazy.compactMap(\.family).first { require(family) }
        var length = 0
        for selector in selectors {
            append(selector.load(into: Register.first.after(length)))
            // Each begins at a register of its own.
            length += (selector.type.length + 3) & ~3
        }
    }
}

extension FirewallFamily {
    /// That of one family of IP alone.
    package init(_ family: IPAddress.Family) { self = family == .ipv4 ? .ipv4 : .ipv6 }
}
